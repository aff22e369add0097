"""What a person types first on a guest, and what a template is prepared with: outputs, exit codes, refusals."""

from __future__ import annotations

import asyncio
import json

import pytest

from pvenix_lab.site.guest.firstboot import GIT_KEY, HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter
from tests.lab.guest_support import Prepared, build, root, run


async def test_an_unknown_program_is_127_with_the_shells_words(guest: Guest) -> None:
    ran = await run(guest, "htop")
    assert (ran.status, ran.err) == (127, "bash: line 1: htop: command not found\n")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("systemctl", "--bogus"), 1),
        (("journalctl", "--bogus"), 1),
        (("systemd-run", "--bogus", "true"), 1),
        (("cloud-init", "frob"), 2),
        (("nixos-generate-config", "--bogus"), 255),
        (("nix-env", "--bogus"), 1),
        (("nix-store", "--bogus"), 1),
        (("nixos-rebuild", "--bogus"), 2),
        (("ls", "--bogus"), 2),
        (("systemctl", "frobnicate"), 1),
        (("systemctl", "is-active"), 1),
        (("wc", "/none"), 1),
        (("git", "--bogus"), 129),
        (("ssh",), 255),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_an_unknown_option_is_the_programs_own_error(guest: Guest, words: tuple[str, ...], status: int) -> None:
    ran = await run(guest, *words)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err


async def test_the_network_is_the_vms_and_ports_are_the_systems(builder: Guest, prepared: Prepared) -> None:
    assert "10.69.13.5/24" in (await run(builder, "ip", "-br", "a")).out
    assert "default via 192.168.13.1 dev eth0" in (await run(builder, "ip", "route")).out
    assert ":53 " not in (await run(builder, "ss", "-tln")).out
    new = await build(builder, prepared.commit)
    await root(builder, f"{new}/bin/switch-to-configuration", "test")
    assert ":53 " in (await run(builder, "ss", "-tln")).out
    assert (await run(builder, "ping", "-c", "1", "dns01.mgmt.internal")).status == 0
    assert (await run(builder, "ping", "-c", "1", "nowhere")).status == 2
    assert (await run(builder, "ping", "-c", "1", "10.9.9.9")).status == 1


async def test_disk_memory_and_processors_are_the_vms(guest: Guest) -> None:
    guest.vm.config |= {"memory": "4096", "cores": 3}
    assert (await run(guest, "df", "-h", "/")).out.splitlines()[1].split()[1] == "32G"
    assert (await run(guest, "free", "-m")).out.splitlines()[1].split()[1] == "4096"
    assert (await run(guest, "nproc")).out == "3\n"


async def test_a_name_is_not_set_by_hand(guest: Guest) -> None:
    assert "dns01" in (await run(guest, "hostnamectl")).out
    assert (
        await root(guest, "hostnamectl", "hostname", "other")
    ).err == "Could not set static hostname: Access denied\n"
    assert (await run(guest, "hostname")).out == "dns01\n"


# --- cloud-init and the hardware file --------------------------------------------------------------------------------


async def test_cloud_init_tells_its_instance_and_refuses_what_it_does_not_know(guest: Guest) -> None:
    assert (await run(guest, "cloud-init", "query", "instance_id")).out == "one\n"
    assert (await run(guest, "cloud-init", "query", "ds.meta_data.instance-id")).out == "one\n"
    assert (await run(guest, "cloud-init", "query", "v1.local_hostname")).out == "dns01\n"
    unknown = await run(guest, "cloud-init", "query", "nope")
    assert (unknown.status, unknown.err) == (1, "ERROR: Undefined instance-data key 'nope'\n")
    assert json.loads((await run(guest, "cloud-init", "status", "--wait", "--format", "json")).out)["status"] == "done"
    assert (await run(guest, "cloud-init", "status", "--long")).out.startswith("status: done\nextended_status: done\n")


async def test_a_cleaned_guest_without_its_host_key_has_a_new_identity_at_its_next_boot(guest: Guest) -> None:
    before, host_key, git_key = (guest.tree.read_text(path) for path in ("/etc/machine-id", HOST_KEY, GIT_KEY))
    assert (await run(guest, "cloud-init", "clean")).status == 1
    assert (await root(guest, "cloud-init", "clean", "--logs", "--machine-id")).status == 0
    guest.restart_now()
    assert guest.tree.read_text("/etc/machine-id") != before
    for path in (HOST_KEY, f"{HOST_KEY}.pub"):
        assert (await root(guest, "rm", path)).status == 0
    guest.restart_now()
    assert guest.tree.read_text(HOST_KEY) != host_key
    assert guest.tree.read_text(GIT_KEY) == git_key


async def test_the_hardware_file_is_always_written_and_the_configuration_only_once(guest: Guest) -> None:
    shown = (await run(guest, "nixos-generate-config", "--show-hardware-config")).out
    assert not guest.tree.exists("/etc/nixos/hardware-configuration.nix")
    first = await root(guest, "nixos-generate-config")
    assert (first.status, first.out) == (0, "")
    assert first.err.splitlines()[:2] == [
        "writing /etc/nixos/hardware-configuration.nix...",
        "writing /etc/nixos/configuration.nix...",
    ]
    assert guest.tree.read_text("/etc/nixos/hardware-configuration.nix") == shown
    guest.tree.write("/etc/nixos/configuration.nix", "{ }\n")
    again = await root(guest, "nixos-generate-config", "--no-filesystems")
    assert "warning: not overwriting existing /etc/nixos/configuration.nix" in again.err
    assert "fileSystems" not in guest.tree.read_text("/etc/nixos/hardware-configuration.nix")
    assert guest.tree.read_text("/etc/nixos/configuration.nix") == "{ }\n"
    await root(guest, "nixos-generate-config", "--force", "--dir", "/etc/nixos")
    assert "stateVersion" in guest.tree.read_text("/etc/nixos/configuration.nix")
    await root(guest, "nixos-generate-config", "--root", "/mnt")
    assert guest.tree.exists("/mnt/etc/nixos/hardware-configuration.nix")
    assert (await run(guest, "nixos-generate-config")).status != 0


# --- systemctl and journalctl ----------------------------------------------------------------------------------------


async def test_the_status_of_a_unit_has_its_exit_code_and_its_last_messages(guest: Guest) -> None:
    shown = await run(guest, "systemctl", "status", "sshd")
    assert shown.status == 0
    assert shown.out.startswith(
        "● sshd.service - sshd\n     Loaded: loaded (/etc/systemd/system/sshd.service; enabled;"
    )
    assert "Active: active (running) since" in shown.out
    assert "dns01 systemd[1]: Started sshd.service." in shown.out
    await root(guest, "systemctl", "stop", "sshd")
    assert (await run(guest, "systemctl", "status", "sshd")).status == 3
    gone = await run(guest, "systemctl", "status", "nope")
    assert (gone.status, gone.err) == (4, "Unit nope.service could not be found.\n")


async def test_failed_units_are_listed_with_a_heading_and_a_count(guest: Guest) -> None:
    none = await run(guest, "systemctl", "--failed")
    assert none.out == "  UNIT LOAD ACTIVE SUB DESCRIPTION\n\n0 loaded units listed.\n"
    guest.units.fail("sshd.service")
    listed = (await run(guest, "systemctl", "list-units", "--failed")).out.splitlines()
    assert listed[1].split() == ["●", "sshd.service", "loaded", "failed", "failed", "sshd"]
    assert listed[-1] == "1 loaded units listed."
    assert (await run(guest, "systemctl", "is-system-running")).out == "degraded\n"


async def test_units_are_not_enabled_by_hand(guest: Guest) -> None:
    assert (await run(guest, "systemctl", "is-enabled", "sshd")).out == "enabled\n"
    assert (await run(guest, "systemctl", "is-enabled", "nope")).status == 4
    refused = await root(guest, "systemctl", "disable", "sshd")
    assert (refused.status, "Read-only file system" in refused.err) == (1, True)


async def test_messages_are_found_by_boot_number_cursor_and_time(guest: Guest) -> None:
    first = guest.boot_id.replace("-", "")
    guest.restart_now()
    boots = (await run(guest, "journalctl", "--list-boots")).out.splitlines()
    assert [line.split()[:2] for line in boots[1:]] == [["-1", first], ["0", guest.boot_id.replace("-", "")]]
    for words in (("-b", "-1"), ("-b", first)):
        rows = [json.loads(line) for line in (await run(guest, "journalctl", *words, "-o", "json")).out.splitlines()]
        assert {row["_BOOT_ID"] for row in rows} == {first}
    last = json.loads((await run(guest, "journalctl", "-n", "1", "-o", "json")).out)
    after = await run(guest, "journalctl", "--after-cursor", last["__CURSOR"], "-o", "cat", "-q")
    assert after.out == ""
    await root(guest, "systemctl", "restart", "qemu-guest-agent")
    after = await run(guest, "journalctl", "--after-cursor", last["__CURSOR"], "-o", "cat")
    assert after.out.splitlines()[-1] == "Started qemu-guest-agent.service."
    assert (await run(guest, "journalctl", "--since", "2100-01-01")).out == "-- No entries --\n"
    assert (await run(guest, "journalctl", "--since", "-1h", "-u", "sshd", "-o", "cat")).out.endswith(
        "Started sshd.service.\n"
    )
    missing = await run(guest, "journalctl", "-b", "-9")
    assert (missing.status, "No such boot ID in journal" in missing.err) == (1, True)
    assert (await run(guest, "journalctl", "--since", "whenever")).err == "Failed to parse timestamp: whenever\n"


async def test_a_long_message_is_null_in_json_unless_all_is_asked_for(guest: Guest) -> None:
    await root(guest, "systemd-run", "--unit=u", "--wait", "echo", "x" * 5000)
    ask = ("journalctl", "-u", "u", "-o", "json")
    rows = [json.loads(line) for line in (await run(guest, *ask)).out.splitlines()]
    assert None in [row["MESSAGE"] for row in rows]
    whole = [json.loads(line) for line in (await run(guest, *ask, "--all")).out.splitlines()]
    assert "x" * 5000 in [row["MESSAGE"] for row in whole]


async def test_the_journal_is_followed_until_the_channel_ends(guest: Guest) -> None:
    out = BytesWriter()
    follow = guest.run(
        ("journalctl", "-f", "-n", "0", "-u", "u", "-o", "cat"), BytesReader(), out, BytesWriter(), user="root"
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(follow)
        await asyncio.sleep(0)
        await root(guest, "systemd-run", "--unit=u", "--wait", "echo", "hello")
        for _ in range(5):
            await asyncio.sleep(0)
        assert "hello" in out.text.splitlines()
        task.cancel()


async def test_a_piped_unit_speaks_to_its_caller(guest: Guest) -> None:
    ran = await root(guest, "systemd-run", "--pipe", "--quiet", "--collect", "echo", "hello")
    assert (ran.status, ran.out) == (0, "hello\n")
    failed = await root(guest, "systemd-run", "--wait", "--quiet", "--collect", "false")
    assert failed.status == 1

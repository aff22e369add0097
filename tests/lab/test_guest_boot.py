"""Power, first boot, cloud-init and reboot: when a guest answers, and what makes it itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from pvenix_lab.site.core import AgentError, Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.fabric import Network, fabric_of
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.keys import parse_authorized
from pvenix_lab.site.whole import new_guest, whole_site
from tests.lab.guest_support import Prepared, build, give_cloud_init, root, run, vm_of
from tests.lab.pve_support import run_virtual

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"


def test_the_agent_answers_first_then_the_keys_exist_then_ssh_opens_then_cloud_init_ends(
    tmp_path: Path, prepared: Prepared
) -> None:
    async def story() -> None:
        async with whole_site(root=tmp_path / "lab") as site:
            clone_disk(site, prepared.disk, site.guest_root(200))
            guest = new_guest(site, vm_of("dns01"), site.guest_root(200))
            await guest.power_on()
            seen = []
            for pause in (0.55, 0.1, 0.1, 0.1, 0.2):
                await asyncio.sleep(pause)
                keys = guest.tree.exists(HOST_KEY)
                seen.append((guest.agent_ready(), keys, guest.ssh_ready, guest.cloud_init_done.is_set()))
            assert seen == [
                (False, False, False, False),
                (True, False, False, False),
                (True, True, False, False),
                (True, True, True, False),
                (True, True, True, True),
            ]

    run_virtual(story)


async def test_before_cloud_init_ends_nobody_may_sudo_and_its_status_waits(guest: Guest) -> None:
    guest.cloud_init_done.clear()
    assert await run(guest, "cloud-init", "status") == await run(guest, "cloud-init", "status")
    assert (await run(guest, "cloud-init", "status")).out == "status: running\n"
    assert (await run(guest, "sudo", "-n", "true")).err == "sudo: a password is required\n"
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(run(guest, "cloud-init", "status", "--wait"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        guest.cloud_init_done.set()
    assert waiting.result().out == "status: done\n"
    assert (await root(guest, "true")).status == 0


async def test_the_user_gets_the_keys_of_the_drive_and_the_host_its_name(guest: Guest) -> None:
    kept = guest.tree.read_text("/home/tappaas/.ssh/authorized_keys")
    assert [key.blob for key in parse_authorized(kept)] == ["ssh-ed25519 AAAAC3Nza"]
    assert guest.hostname == "dns01"
    assert guest.addresses == ["10.69.13.5/24"]


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_host_key_stays_over_a_reboot_and_over_a_new_instance_only_where_cloud_init_is_told_so(
    guest: Guest, keeps: bool
) -> None:
    first = guest.tree.read_text(HOST_KEY)
    machine_id = guest.tree.read_text("/etc/machine-id")
    guest.restart_now()
    assert guest.tree.read_text(HOST_KEY) == first
    spec = f"{guest.current_path}/lab-system.json"
    declared = json.loads(guest.tree.read_text(spec))
    assert declared["keeps_host_keys"], "the starter fleet sets ssh_deletekeys = false"
    guest.tree.put(spec, json.dumps(declared | {"keeps_host_keys": keeps}))
    give_cloud_init(guest.vm, instance="two", key="ssh-ed25519 AAAAC3Other operator")
    guest.restart_now()
    assert (guest.tree.read_text(HOST_KEY) == first) is keeps
    assert "AAAAC3Other" in guest.tree.read_text("/home/tappaas/.ssh/authorized_keys")
    assert guest.tree.read_text("/etc/machine-id") == machine_id


async def test_after_the_first_switch_the_configuration_owns_the_name(builder: Guest, prepared: Prepared) -> None:
    give_cloud_init(builder.vm, instance="two", key="k")
    builder.vm.cloudinit["user-data"] = "#cloud-config\nhostname: other\nuser: tappaas\n"
    builder.restart_now()
    assert builder.hostname == "other"
    await root(builder, f"{await build(builder, prepared.commit)}/bin/switch-to-configuration", "test")
    assert (await run(builder, "hostname")).out == "dns01\n"


async def test_a_reboot_cuts_the_connection_and_comes_back_with_another_boot_id(guest: Guest) -> None:
    before = guest.boot_id
    guest.tree.write("/run/mark", "")
    seen: list[str] = []
    guest.fabric.observers.append(lambda _, what: seen.append(what))
    assert (await root(guest, "reboot")).status == 0
    with pytest.raises(ConnectionResetError):
        await run(guest, "sleep", "60")
    async with asyncio.timeout(5):
        await guest.cloud_init_done.wait()
    assert guest.boot_id not in ("", before)
    assert (await run(guest, "cat", "/proc/sys/kernel/random/boot_id")).out.strip() == guest.boot_id
    assert not guest.tree.exists("/run/mark")
    assert seen[0] == "cut"
    assert seen[-1] == "ssh"


async def test_a_disk_without_a_system_never_boots(site: Site) -> None:
    guest = new_guest(site, vm_of("empty", 300), site.guest_root(300))
    await guest.power_on()
    await asyncio.sleep(0.01)
    assert not guest.agent_ready()


async def test_a_guest_that_is_off_runs_nothing(guest: Guest) -> None:
    await guest.power_off(graceful=False)
    with pytest.raises(ConnectionResetError):
        await run(guest, "true")


async def test_dhcp_gives_an_address_of_the_zone_and_the_same_one_again(site: Site, prepared: Prepared) -> None:
    fabric_of(site).networks.append(
        Network(name="core13", bridge="lan", vlan=13, cidr="10.69.13.0/24", gateway="10.69.13.1")
    )
    clone_disk(site, prepared.disk, site.guest_root(201))
    vm = vm_of("web", 201)
    vm.cloudinit["network-config"] = "version: 1\nconfig: []\n"
    guest = new_guest(site, vm, site.guest_root(201))
    guest.boot_now()
    first = guest.addresses
    guest.restart_now()
    assert first == guest.addresses == ["10.69.13.50/24"]
    names = [entry["name"] for entry in guest.agent_interfaces()]
    assert names == ["lo", "ens18"]


async def test_the_agent_speaks_of_files_as_the_agent_does(guest: Guest) -> None:
    key = guest.agent("file-read", {"file": HOST_KEY})
    assert isinstance(key, dict)
    assert key["content"].startswith("ssh-ed25519 ")
    with pytest.raises(AgentError, match=r"failed to open file '/none' \(mode: 'r'\): No such file or directory"):
        guest.agent("file-read", {"file": "/none"})

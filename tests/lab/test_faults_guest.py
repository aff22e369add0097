"""Every fault of guests, SSH and the repository, seen by clients that are not pvenix: plain asyncssh, git, and in memory."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import asyncssh
import pytest

from pvenix_lab.site.faults.corpus import REFS, TERMINAL
from pvenix_lab.site.guest.guest import Guest
from tests.lab.fault_support import served
from tests.lab.guest_support import Prepared, build, flake_of, root, run, run_git
from tests.lab.ssh_support import BARE, Net, git, network

HOST = "dns01"


class Shell(Protocol):
    """Runs commands on a guest: exit status, None when it is not known, and what was printed."""

    guest: Guest

    async def run(self, *argv: str) -> tuple[int | None, str]: ...


class InMemory:
    """Commands straight into the guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    async def run(self, *argv: str) -> tuple[int | None, str]:
        try:
            ran = await run(self.guest, *argv)
        except ConnectionResetError:
            return None, ""
        return ran.status, ran.out + ran.err


class OverSsh:
    """Commands over one asyncssh connection, or over a new one when that has died."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.guest = net.guest

    async def run(self, *argv: str) -> tuple[int | None, str]:
        async with self.net.through_the_jump() as conn:
            done = await conn.run(" ".join(argv), encoding="utf-8", errors="replace")
            return done.exit_status, str(done.stdout) + str(done.stderr)


@asynccontextmanager
async def shell(face: str, guest: Guest, directory: Path, prepared: Prepared) -> AsyncIterator[Shell]:
    """A way to run commands on dns01."""
    if face == "memory":
        yield InMemory(guest)
        return
    (directory / "net").mkdir()
    async with network(directory / "net", prepared) as net:
        yield OverSsh(net)


Check = Callable[[Shell], Coroutine[Any, Any, None]]


async def a_command_is_cut_after_or_before_its_effect(shell: Shell) -> None:
    for effect in (True, False):
        for how in ("reset", "killed", "channel"):
            shell.guest.site.faults.arm("ssh-cut", HOST, command="mkdir", how=how, effect=effect)
            assert (await shell.run("mkdir", f"/tmp/{how}-{effect}"))[0] is None
            assert shell.guest.tree.exists(f"/tmp/{how}-{effect}") is effect
    assert await shell.run("hostname") == (0, f"{HOST}\n")


async def a_command_prints_what_could_steal_the_terminal(shell: Shell) -> None:
    shell.guest.site.faults.arm("hostile-output", HOST, command="hostname")
    status, text = await shell.run("hostname")
    assert (status, text.count("\x1b]52;c;"), f"{HOST}\n" in text) == (0, 2, True)
    assert await shell.run("hostname") == (0, f"{HOST}\n")


async def a_flood_and_a_line_without_end(shell: Shell) -> None:
    shell.guest.site.faults.arm("output-flood", HOST, mib=3)
    status, text = await shell.run("hostname")
    assert (status, len(text) > 3 << 20, text.count("\n") > 1000) == (0, True, True)
    shell.guest.site.faults.arm("output-long-line", HOST, mib=3)
    status, text = await shell.run("hostname")
    assert (status, len(text) > 3 << 20, text.count("\n")) == (0, True, 2)


async def a_command_never_ends_until_its_connection_does(shell: Shell) -> None:
    shell.guest.site.faults.arm("command-hangs", HOST, command="hostname")
    async with asyncio.TaskGroup() as group:
        hanging = group.create_task(shell.run("hostname"))
        async with asyncio.timeout(5):
            while shell.guest.site.faults.peek("command-hangs", HOST):  # noqa: ASYNC110  a table has no events
                await asyncio.sleep(0.01)
        await asyncio.wait((hanging,), timeout=0.05)
        assert not hanging.done()
        shell.guest.site.faults.arm("ssh-drop", HOST)
    assert hanging.result()[0] is None


async def programs_find_no_space(shell: Shell) -> None:
    shell.guest.site.faults.arm("disk-full", HOST)
    for argv in (("mkdir", "/tmp/x"), ("sudo", "-n", "dd", "of=/tmp/x"), ("mkdir", "-p", "/tmp/x/y")):
        status, text = await shell.run(*argv)
        assert (status, "No space left on device" in text) == (1, True), argv
    assert not shell.guest.tree.exists("/tmp/x")
    assert (await shell.run("hostname"))[0] == 0
    shell.guest.site.faults.clear()
    assert (await shell.run("mkdir", "/tmp/x"))[0] == 0


async def the_running_name_is_another_one(shell: Shell) -> None:
    shell.guest.site.faults.arm("hostname-wrong", HOST, hostname="localhost")
    assert await shell.run("hostname") == (0, "localhost\n")
    shell.guest.site.faults.clear()
    assert await shell.run("hostname") == (0, f"{HOST}\n")


async def the_guest_comes_up_with_another_boot_id(shell: Shell) -> None:
    before = shell.guest.boot_id
    shell.guest.site.faults.arm("guest-reboots", HOST)
    async with asyncio.timeout(5):
        while shell.guest.boot_id in ("", before):  # noqa: ASYNC110  the guest has no event for a new boot
            await asyncio.sleep(0.01)


async def one_file_system_is_almost_full(shell: Shell) -> None:
    async def free(path: str) -> int:
        return int((await shell.run("df", "--output=avail", "-B1", path))[1].split()[-1])

    before = {path: await free(path) for path in ("/nix/store", "/boot")}
    for path, other in (("/nix/store", "/boot"), ("/boot", "/nix/store")):
        shell.guest.site.faults.arm("little-space", HOST, where=path, mib=3.0)
        assert (await free(path), await free(other)) == (3 << 20, before[other])
        shell.guest.site.faults.clear()
        assert await free(path) == before[path]


async def the_clock_is_ahead(shell: Shell) -> None:
    async def ahead_s() -> float:
        return int((await shell.run("date", "+%s"))[1]) - shell.guest.site.wall()

    for seconds in (600.0, 3600.0):
        shell.guest.site.faults.arm("clock-wrong", HOST, seconds=seconds)
        assert abs(await ahead_s() - seconds) < 30
        shell.guest.site.faults.clear()
        assert abs(await ahead_s()) < 30


SHOWN: dict[str, Check] = {
    "ssh-cut": a_command_is_cut_after_or_before_its_effect,
    "hostile-output": a_command_prints_what_could_steal_the_terminal,
    "output-flood and output-long-line": a_flood_and_a_line_without_end,
    "command-hangs": a_command_never_ends_until_its_connection_does,
    "disk-full": programs_find_no_space,
    "hostname-wrong": the_running_name_is_another_one,
    "little-space": one_file_system_is_almost_full,
    "clock-wrong": the_clock_is_ahead,
    "guest-reboots": the_guest_comes_up_with_another_boot_id,
}


@pytest.mark.parametrize("face", ["memory", "ssh"])
@pytest.mark.parametrize("fault", SHOWN)
async def test_the_guest_shows_the_fault(
    guest: Guest, tmp_path: Path, prepared: Prepared, face: str, fault: str
) -> None:
    async with shell(face, guest, tmp_path, prepared) as found:
        await SHOWN[fault](found)


# --- the guest's agent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", ["memory", "https"])
@pytest.mark.parametrize(
    "case",
    [
        ("link-local", "network-get-interfaces", lambda data: own(data) == ["fe80::be24:11ff:fe00:1"]),
        ("docker-first", "network-get-interfaces", lambda data: data["result"][0]["name"] == "docker0"),
        ("ipv6-only", "network-get-interfaces", lambda data: all(":" in address for address in own(data))),
        ("no-addresses", "network-get-interfaces", lambda data: "ip-addresses" not in data["result"][1]),
        ("hostile", "network-get-interfaces", lambda data: data["result"][0]["name"] == TERMINAL),
        ("wrong-types", "network-get-interfaces", lambda data: isinstance(data, list)),
        ("huge", "network-get-interfaces", lambda data: len(data["result"]) == 16 << 20),
        ("hostile", "file-read", lambda data: data["content"].startswith(TERMINAL)),
        ("huge", "file-read", lambda data: len(data["content"]) == 16 << 20),
    ],
    ids=lambda case: f"{case[0]}-{case[1]}",
)
async def test_the_agent_talks_nonsense(
    guest: Guest, tmp_path: Path, face: str, case: tuple[str, str, Callable[[Any], bool]]
) -> None:
    show, command, seen = case
    site = guest.site
    site.cluster.vms[guest.vm.vmid] = guest.vm
    path = f"/nodes/{guest.vm.node}/qemu/{guest.vm.vmid}/agent/{command}"
    params = {"file": "/etc/ssh/ssh_host_ed25519_key.pub"} if command == "file-read" else {}
    async with served(site, tmp_path, face) as asked:
        before = await asked.ask("GET", path, **params)
        site.faults.arm("agent-answers", HOST, show=show)
        answer = await asked.ask("GET", path, **params)
        site.faults.clear()
        after = await asked.ask("GET", path, **params)
    assert (answer.status, seen(answer.data)) == (200, True)
    assert before.data == after.data
    assert not seen(after.data) or show == "ipv6-only"


def own(data: dict[str, Any]) -> list[str]:
    """The addresses of every interface but loopback."""
    return [a["ip-address"] for item in data["result"] if item["name"] != "lo" for a in item["ip-addresses"]]


# --- what only a network can show ------------------------------------------------------------------------------------


@pytest.fixture
async def net(tmp_path: Path, prepared: Prepared) -> AsyncIterator[Net]:
    async with network(tmp_path, prepared) as found:
        yield found


async def test_a_closed_channel_leaves_its_connection_alive(net: Net) -> None:
    net.guest.site.faults.arm("ssh-cut", HOST, how="channel")
    async with net.through_the_jump() as conn:
        assert (await conn.run("hostname")).exit_status is None
        assert (await conn.run("hostname")).exit_status == 0


@pytest.mark.parametrize("how", ["silent", "half-open"])
async def test_a_network_that_falls_silent_is_noticed_by_keepalives_only(net: Net, how: str) -> None:
    net.guest.site.faults.arm("ssh-cut", HOST, how=how, seconds=30)
    async with net.through_the_jump() as conn:
        conn.set_keepalive(0.2, 2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        done = await conn.run("hostname")
        assert (done.exit_status, done.stdout) == (None, "")
        assert loop.time() - began >= (0.4 if how == "silent" else 0.15)
    async with net.through_the_jump() as again:
        assert (await again.run("hostname")).stdout == f"{HOST}\n"


async def test_every_connection_is_cut_at_once_and_new_ones_are_taken(net: Net) -> None:
    async with net.through_the_jump() as conn:
        sleeping = await conn.create_process("sleep 60")
        net.guest.site.faults.arm("ssh-drop", HOST)
        assert (await sleeping.wait()).exit_status is None
    async with net.through_the_jump() as again:
        assert (await again.run("true")).exit_status == 0


async def listens(net: Net) -> None:
    """Wait until both ports are open again: a fault that begins or ends opens another listener."""
    async with asyncio.timeout(20):
        while not {net.jump.vm.vmid, net.guest.vm.vmid} <= net.face.ports.keys():  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.001)


async def test_port_22_refuses_until_cleared(net: Net) -> None:
    net.guest.site.faults.arm("ssh-refused", HOST)
    with pytest.raises(asyncssh.ChannelOpenError, match="refused"):
        async with net.through_the_jump():
            pass
    net.guest.site.faults.clear()
    await listens(net)
    async with net.through_the_jump() as conn:
        assert (await conn.run("true")).exit_status == 0


@pytest.mark.parametrize("host", [HOST, "tappaas-cicd"])
async def test_port_22_takes_connections_and_says_nothing(net: Net, host: str) -> None:
    net.guest.site.faults.arm("ssh-silent", host)
    await listens(net)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), net.through_the_jump():
            pass
    net.guest.site.faults.clear()
    await listens(net)
    async with net.through_the_jump() as conn:
        assert (await conn.run("true")).exit_status == 0


@pytest.mark.parametrize("host", [HOST, "tappaas-cicd"])
async def test_an_impostor_has_a_key_of_its_own(net: Net, host: str) -> None:
    net.guest.site.faults.arm("host-key-changed", host)
    await listens(net)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        async with net.through_the_jump():
            pass
    net.guest.site.faults.clear()
    await listens(net)
    async with net.through_the_jump() as conn:
        assert (await conn.run("true")).exit_status == 0


# --- builds and activations ------------------------------------------------------------------------------------------


async def test_an_evaluation_fails_once(builder: Guest, prepared: Prepared) -> None:
    builder.site.faults.arm("eval-fails", HOST)
    ran = await root(builder, "nix", "build", "--json", "--out-link", "/tmp/new", flake_of(prepared.commit))
    assert (ran.status, "error:" in ran.err) == (1, True)
    assert await build(builder, prepared.commit)


async def test_an_activation_takes_longer(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm("activation-slow", HOST, seconds=0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await root(builder, f"{new}/bin/switch-to-configuration", "test")).status == 0
    assert loop.time() - began >= 0.1


@pytest.mark.parametrize(
    ("fault", "verb", "status"),
    [
        ("activation-script-fails", "test", 2),
        ("daemon-reload-fails", "test", 3),
        ("init-changed", "test", 100),
        ("switch-inhibited", "test", 1),
        ("bootloader-fails", "boot", 1),
        ("activation-killed", "test", -9),
        ("switch-lock-taken", "boot", 1),
    ],
)
async def test_an_activation_ends_with_the_status_of_its_failure(
    builder: Guest, prepared: Prepared, fault: str, verb: str, status: int
) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm(fault, HOST)
    assert (await root(builder, f"{new}/bin/switch-to-configuration", verb)).status == status
    assert not builder.site.faults.list()


async def test_an_activation_waits_for_nobody_who_holds_its_lock(builder: Guest, prepared: Prepared) -> None:
    switch = f"{await build(builder, prepared.commit)}/bin/switch-to-configuration"
    looking, lock = ("lslocks", "--noheadings", "--raw", "--output", "PATH"), "/run/nixos/switch-to-configuration.lock"
    builder.site.faults.arm("switch-locked", HOST)
    for _ in range(2):
        ran = await root(builder, switch, "test")
        assert (ran.status, "Could not acquire lock" in ran.err) == (1, True)
        assert (await root(builder, *looking)).out.split() == [lock]
    builder.site.faults.clear()
    assert (await root(builder, *looking)).out == ""
    assert (await root(builder, switch, "test")).status == 0


async def test_a_new_system_does_not_boot(builder: Guest, prepared: Prepared) -> None:
    new = await build(builder, prepared.commit)
    builder.site.faults.arm("new-system-does-not-boot", HOST)
    assert (await root(builder, "nix-env", "-p", "/nix/var/nix/profiles/system", "--set", new)).status == 0
    assert (await root(builder, f"{new}/bin/switch-to-configuration", "boot")).status == 0
    builder.restart_now()
    assert not builder.ssh_ready


# --- the repository --------------------------------------------------------------------------------------------------


async def cloned(net: Net) -> Path:
    """The operator's clone with one commit more."""
    checkout = net.directory / "clone"
    assert (await git(net, net.key, "clone", "--quiet", net.url, str(checkout), cwd=net.directory))[0] == 0
    (checkout / "notes.md").write_text("mine\n")
    run_git(checkout, "add", "--all")
    run_git(checkout, "commit", "--quiet", "-m", "mine")
    return checkout


def bare(net: Net, *words: str) -> str:
    """Plain git on the bare repository's own files."""
    path = net.jump.root / BARE.lstrip("/")
    return subprocess.run(("git", f"--git-dir={path}", *words), capture_output=True, text=True, check=True).stdout


async def test_somebody_else_pushes_first(net: Net) -> None:
    checkout = await cloned(net)
    net.guest.site.faults.arm("push-race", "tappaas-cicd")
    status, said = await git(net, net.key, "push", "origin", "HEAD:main", cwd=checkout)
    assert (status, "[rejected]" in said) == (1, True)
    assert "Somebody was faster" in bare(net, "log", "-1", "main")
    assert (await git(net, net.key, "pull", "--quiet", "--rebase", "origin", "main", cwd=checkout))[0] == 0
    assert (await git(net, net.key, "push", "origin", "HEAD:main", cwd=checkout))[0] == 0


async def test_every_push_is_refused_until_cleared(net: Net) -> None:
    checkout = await cloned(net)
    net.guest.site.faults.arm("push-refused")
    status, said = await git(net, net.key, "push", "origin", "HEAD:main", cwd=checkout)
    assert (status, "remote: this repository is frozen" in said) == (1, True)
    net.guest.site.faults.clear()
    assert (await git(net, net.key, "push", "origin", "HEAD:main", cwd=checkout))[0] == 0


async def test_the_repository_has_no_space_left(net: Net) -> None:
    checkout = await cloned(net)
    net.guest.site.faults.arm("repository-full")
    status, said = await git(net, net.key, "push", "origin", "HEAD:main", cwd=checkout)
    assert (status, "No space left on device" in said) == (128, True)
    assert (await git(net, net.key, "fetch", "--quiet", cwd=checkout))[0] == 0


@pytest.mark.parametrize("what", ["subject", "ref", "bomb"])
async def test_a_branch_is_a_trap(net: Net, what: str) -> None:
    net.guest.site.faults.arm("hostile-branch", what=what)
    refs = bare(net, "for-each-ref", "--format=%(refname:lstrip=2)%00%(contents:subject)").split("\n")
    match what:
        case "ref":
            assert {f"{ref}\0Register web-099" for ref in REFS} <= set(refs)
        case "subject":
            assert any(TERMINAL.replace("\x08", "")[:10] in line for line in refs)
        case _:
            text = bare(net, "show", "registration/web-099:inventory/host_vars/web-099.yaml")
            assert text.count("<<:") == 26
            assert "site.yaml" in bare(net, "ls-tree", "--name-only", "registration/web-099:inventory")

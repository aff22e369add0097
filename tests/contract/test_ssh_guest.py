"""What only the SSH adapter can get wrong: trust, jump hosts, silence on the wire, the user's own SSH files."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from pvenix.adapters.ssh.errors import explained
from pvenix.adapters.ssh.guest import SshGuest
from pvenix.adapters.ssh.login import SshSettings
from pvenix.adapters.ssh.session import remote_command
from pvenix.engine.ports import End, Target
from pvenix.model.errors import LocalResource, OutcomeUnknown, Refused, Unreachable
from tests.contract.guest_worlds import QUICK, toy_net
from tests.contract.machine import ToyMachine
from tests.contract.ssh_server import SshServer, key_pair, public_line


@dataclass
class Net:
    """A guest, a jump host, and the keys in a directory."""

    guest: SshGuest
    server: SshServer
    jump: SshServer
    machine: ToyMachine
    target: Target
    via_jump: Target
    keys: Path


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Net]:
    async with toy_net(tmp_path) as toy:
        guest = SshGuest(QUICK)
        yield Net(guest, toy.server, toy.jump, toy.machine, toy.target, toy.via_jump, toy.keys)
        await guest.close()


@pytest.mark.parametrize(
    ("pinned_in", "hint"), [("", "pvenix boot web1"), ("access.jump.host_key", "write its key to access.jump.host_key")]
)
@pytest.mark.parametrize("error", [asyncssh.HostKeyNotVerifiable("no"), OSError("gone")])
def test_the_way_out_fits_who_was_not_reached(pinned_in: str, hint: str, error: Exception) -> None:
    """A jump host has no VM that `boot` or `status` could look at."""
    target = Target(host="web1", address="a", port=22, user="u", host_key="", key_file="k", pinned_in=pinned_in)
    told = explained(target, error).hint
    assert hint in told or isinstance(error, OSError)
    assert ("pvenix" in told) is not pinned_in.startswith("access")


async def test_a_host_key_of_another_kind_is_refused_before_any_login_is_tried(net: Net) -> None:
    other = public_line(asyncssh.generate_private_key("ecdsa-sha2-nistp256"))
    with pytest.raises(Refused) as refusal:
        await net.guest.session(replace(net.target, host_key=other))
    assert refusal.value.code == "PVX0611"
    assert (net.server.users, net.server.offered) == ([], [])


async def test_a_jump_host_that_is_not_itself_carries_no_byte_to_the_guest(net: Net) -> None:
    assert net.via_jump.jump
    other = public_line(asyncssh.generate_private_key("ssh-ed25519"))
    wrong = replace(net.via_jump, jump=replace(net.via_jump.jump, host_key=other))
    for attempt in (net.guest.session(wrong), net.guest.reachable(wrong, timeout_s=2)):
        with pytest.raises(Refused, match="jump"):
            await attempt
    assert (net.jump.offered, net.jump.forwards, net.server.connections) == ([], {}, [])


async def test_exactly_one_key_is_offered_and_a_wrong_one_is_refused(net: Net) -> None:
    key_pair(net.keys / "stranger")
    with pytest.raises(Refused) as refusal:
        await net.guest.session(replace(net.target, key_file=str(net.keys / "stranger")))
    assert refusal.value.code == "PVX0612"
    assert len(set(net.server.offered)) == 1


async def test_a_server_that_lets_anybody_in_is_refused(net: Net) -> None:
    with pytest.raises(Refused):
        await net.guest.session(replace(net.target, user="anybody"))


async def test_the_users_ssh_files_and_agent_are_never_used(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path.home() / ".ssh"
    folder.mkdir(exist_ok=True)
    witness = net.keys / "executed"
    (folder / "config").write_text(
        f'Match exec "touch {witness}"\n  User somebody\nHost *\n  ProxyCommand touch {witness}\n'
    )
    key_pair(folder / "id_ed25519")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(net.keys / "no-agent"))
    try:
        assert (await (await net.guest.session(net.target)).run(["true"])).ok
    finally:
        (folder / "config").unlink()
        (folder / "id_ed25519").unlink()
    assert not witness.exists()
    assert net.server.users == ["tappaas"]
    assert len(set(net.server.offered)) == 1


@pytest.mark.parametrize(
    ("name", "content", "mode"), [("missing", "", 0), ("noise", "not a key", 0o600), ("open", "", 0o644)]
)
async def test_a_key_file_that_cannot_be_used_says_what_to_do(net: Net, name: str, content: str, mode: int) -> None:
    path = net.keys / name
    if mode:
        path.write_text(content or (net.keys / "client").read_text())
        path.chmod(mode)
    with pytest.raises(LocalResource) as problem:
        await net.guest.session(replace(net.target, key_file=str(path)))
    assert problem.value.hint
    assert net.server.connections == []


async def test_one_connection_to_the_jump_host_carries_every_guest(net: Net) -> None:
    targets = [replace(net.via_jump, host=f"web-{number:03}") for number in range(12)]
    async with asyncio.TaskGroup() as group:
        sessions = [group.create_task(net.guest.session(target)) for target in targets]
    assert len({id(session.result()) for session in sessions}) == 12
    assert len(net.jump.connections) == 1
    assert sum(net.jump.forwards.values()) == 12


async def test_a_dead_jump_host_is_opened_again(net: Net) -> None:
    first = await net.guest.session(net.via_jump)
    net.jump.abort()
    assert (await first.run(["true"])).end is End.LOST
    assert (await (await net.guest.session(net.via_jump)).run(["true"])).ok


async def test_what_a_jump_host_forbids_is_refused_and_what_it_cannot_reach_is_unreachable(net: Net) -> None:
    with pytest.raises(Refused) as refusal:
        await net.guest.session(replace(net.via_jump, address="forbidden.test"))
    assert refusal.value.code == "PVX0615"
    with pytest.raises(Refused):
        await net.guest.reachable(replace(net.via_jump, address="forbidden.test"), timeout_s=2)
    await net.server.stop()
    with pytest.raises(Unreachable, match="through jump"):
        await net.guest.session(net.via_jump)
    assert await net.guest.reachable(net.via_jump, timeout_s=2) is None
    await net.jump.stop()
    net.jump.abort()
    assert await net.guest.reachable(net.via_jump, timeout_s=2) is None


@pytest.mark.parametrize("ending", ["end-by-close", "end-by-reset", "end-by-status-then-reset"])
async def test_an_end_without_status_or_with_output_cut_off_is_lost_and_never_ok(net: Net, ending: str) -> None:
    result = await (await net.guest.session(net.target)).run([ending])
    assert (result.end, result.ok) == (End.LOST, False)
    assert "partial".startswith(result.stdout)


def test_by_default_silence_is_noticed_within_twenty_seconds() -> None:
    default = SshSettings()
    assert default.keepalive_s * (default.keepalive_count + 1) <= 20


async def test_a_listener_that_says_nothing_is_unreachable_in_time(net: Net) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    target = replace(net.target, port=silent.sockets[0].getsockname()[1])
    guest = SshGuest(replace(QUICK, connect_timeout_s=0.1, login_timeout_s=0.1))
    with pytest.raises(Unreachable):
        await guest.session(target)
    assert await guest.reachable(target, timeout_s=0.05) is None
    await guest.close()
    silent.close()


async def test_something_else_than_ssh_is_not_reachable(net: Net) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        await writer.drain()
        writer.close()

    mail = await asyncio.start_server(greet, "127.0.0.1", 0)
    target = replace(net.target, port=mail.sockets[0].getsockname()[1])
    assert await net.guest.reachable(target, timeout_s=2) is None
    with pytest.raises(Unreachable):
        await net.guest.session(target)
    mail.close()


async def test_no_more_channels_are_open_at_once_than_a_server_allows(net: Net) -> None:
    session = await net.guest.session(net.target)
    async with asyncio.TaskGroup() as group:
        for _ in range(30):
            group.create_task(session.run(["sleep", "0.01"]))
    assert net.machine.most_running == QUICK.channels


async def test_a_command_that_finds_no_free_channel_waits_no_longer_than_its_timeout(net: Net) -> None:
    session = await net.guest.session(net.target)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(QUICK.channels):
            await stack.enter_async_context(session.stream(["sleep", "60"]))
        async with asyncio.timeout(5):
            with pytest.raises(OutcomeUnknown, match="it was not started"):
                await session.run(["true"], timeout_s=0.02)
    assert (await session.run(["true"])).ok


class Stubborn:
    """A connection that refuses the first channels, as OpenSSH does while it has not reaped earlier sessions."""

    def __init__(self, connection: Any, refusals: int) -> None:
        self._connection = connection
        self.refusals = refusals

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    async def create_session(self, *args: object, **kwargs: object) -> object:
        if self.refusals:
            self.refusals -= 1
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
        return await self._connection.create_session(*args, **kwargs)


async def test_a_channel_refused_for_a_moment_is_asked_for_again(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvenix.adapters.ssh.session._OPEN_PAUSE_S", 0.0001)
    session = await net.guest.session(net.target)
    stubborn = Stubborn(session._connection, 3)
    session._connection = stubborn  # type: ignore[assignment]
    assert (await session.run(["true"])).ok
    stubborn.refusals = 2
    async with session.stream(["true"]) as chunks:
        assert [chunk async for chunk in chunks] == []
    stubborn.refusals = 1000
    with pytest.raises(Refused) as refusal:
        await session.run(["true"])
    assert refusal.value.code == "PVX0616"


async def test_memory_does_not_grow_with_the_output(net: Net) -> None:
    (net.machine.root / "big").write_bytes(b"x" * 5_000_000)
    session = await net.guest.session(net.target)
    await session.run(["true"])
    tracemalloc.start()
    result = await session.run(["cat", "big"], limit=10_000)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.ok
    assert len(result.stdout) == 10_000
    assert kept < 2_000_000
    assert peak < 25_000_000, "the server of this test holds the file too"


async def test_a_follower_that_is_slow_holds_the_sender_back(net: Net) -> None:
    (net.machine.root / "big").write_bytes(b"y" * 8_000_000)
    session = await net.guest.session(net.target)
    total = 0
    async with session.stream(["cat", "big"]) as chunks:
        async for chunk in chunks:
            total += len(chunk)
            if total < 200_000:
                await asyncio.sleep(0.002)
    assert total == 8_000_000


def test_quoting_happens_once() -> None:
    assert remote_command(["dd", "of=a b"]) == "dd 'of=a b'"
    assert remote_command(["id", "-u"], sudo=True) == "sudo -n id -u"

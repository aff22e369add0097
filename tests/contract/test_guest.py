"""What every Guest must do, whatever carries it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest

from pvenix.adapters.ssh.guest import SshGuest
from pvenix.engine.ports import End, Guest, Target
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable
from tests.contract.machine import ToyMachine
from tests.contract.memory_guest import MemoryGuest
from tests.contract.ssh_server import SshServer, key_pair, public_line, target_of

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVyd0Gq6sUyqXnUQbV3Z5cB0bV9b0Q0Uo8c1tq1yN9L"


class World(Protocol):
    """A guest port, one machine behind it, and what can happen to the machine."""

    guest: Guest
    machine: ToyMachine
    target: Target

    async def close_port(self) -> None: ...


@dataclass
class MemoryWorld:
    guest: Guest
    machine: ToyMachine
    target: Target

    async def close_port(self) -> None:
        self.machine.ssh_ready = False


@dataclass
class SshWorld:
    guest: Guest
    machine: ToyMachine
    target: Target
    server: SshServer

    async def close_port(self) -> None:
        await self.server.stop()


@pytest.fixture(params=["memory", "ssh", "ssh through a jump host"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    root = tmp_path / "machine"
    root.mkdir()
    host_key = key_pair(tmp_path / "host")
    client_key = key_pair(tmp_path / "client")
    authorised = tmp_path / "authorised"
    authorised.write_text(public_line(client_key) + "\n")
    machine = ToyMachine(root, public_line(host_key))
    server = SshServer(machine, host_key, authorised)
    jump = SshServer(None, key_pair(tmp_path / "jump"), authorised)
    await server.start()
    await jump.start()
    target = target_of(server, tmp_path / "client")
    guest: Guest = SshGuest()
    if request.param == "memory":
        guest = MemoryGuest(lambda _: machine)
        yield MemoryWorld(guest, machine, target)
    elif request.param == "ssh":
        yield SshWorld(guest, machine, target, server)
    else:
        through = replace(target_of(jump, tmp_path / "client"), host="jump")
        yield SshWorld(guest, machine, replace(target, jump=through), server)
    await guest.close()
    await server.close()
    await jump.close()


async def test_an_exit_status_and_both_streams_are_told_apart(world: World) -> None:
    session = await world.guest.session(world.target)
    result = await session.run(["both"])
    assert (result.end, result.exit_status, result.ok) == (End.EXITED, 3, False)
    assert (result.stdout, result.stderr) == ("out\n", "\x1b[31merr\x1b[0m\n")
    assert result.argv == ("both",)
    assert (await session.run(["true"])).ok


async def test_output_comes_sanitised_to_the_sink_and_raw_in_the_result(world: World) -> None:
    seen: list[str] = []
    await (await world.guest.session(world.target)).run(["both"], on_output=seen.append)
    assert sorted("".join(seen).splitlines()) == ["err", "out"]


async def test_an_unknown_program_is_status_127_and_not_an_exception(world: World) -> None:
    result = await (await world.guest.session(world.target)).run(["no-such-program"])
    assert (result.end, result.exit_status) == (End.EXITED, 127)


@pytest.mark.parametrize("name", ["a b", "it's", '"q"', "$(id)", "`id`", "a;b", "-x", "*", "x\ny", "\\", "é", "~"])
async def test_an_argument_arrives_as_it_is_whatever_it_contains(world: World, name: str) -> None:
    session = await world.guest.session(world.target)
    assert (await session.run(["dd", f"of={name}", "status=none"], stdin=b"content")).ok
    assert (world.machine.root / name).read_bytes() == b"content"
    assert world.machine.commands[-1] == ("dd", f"of={name}", "status=none")


async def test_standard_input_of_several_megabytes_arrives_whole(world: World) -> None:
    data = bytes(range(256)) * 12_000
    session = await world.guest.session(world.target)
    assert (await session.run(["dd", "of=bundle"], stdin=data)).ok
    assert (world.machine.root / "bundle").read_bytes() == data


async def test_a_program_that_does_not_read_its_input_is_no_problem(world: World) -> None:
    session = await world.guest.session(world.target)
    assert (await session.run(["true"], stdin=b"x" * 3_000_000)).ok


async def test_sudo_is_asked_for_without_a_prompt(world: World) -> None:
    session = await world.guest.session(world.target)
    assert (await session.run(["id", "-u"])).stdout == "1000\n"
    assert (await session.run(["id", "-u"], sudo=True)).stdout == "0\n"
    assert world.machine.commands[-1] == ("sudo", "-n", "id", "-u")


async def test_five_megabytes_of_output_are_seen_whole_and_kept_up_to_the_limit(world: World) -> None:
    (world.machine.root / "big").write_bytes(b"0123456789abcde\n" * 327_680)
    seen = 0

    def count(text: str) -> None:
        nonlocal seen
        seen += len(text)

    session = await world.guest.session(world.target)
    result = await session.run(["cat", "big"], on_output=count, limit=1000)
    assert result.ok
    assert seen == 5_242_880
    assert len(result.stdout) == 1000
    assert result.stdout.endswith("0123456789abcde\n")


async def test_a_command_that_does_not_end_in_time_has_an_unknown_outcome(world: World) -> None:
    session = await world.guest.session(world.target)
    with pytest.raises(OutcomeUnknown, match="sleep 30"):
        await session.run(["sleep", "30"], timeout_s=0.05)
    assert session.alive
    assert (await session.run(["true"])).ok


async def test_a_cut_connection_is_a_lost_result_and_the_next_session_is_a_new_one(world: World) -> None:
    session = await world.guest.session(world.target)
    async with asyncio.TaskGroup() as group:
        command = group.create_task(session.run(["sleep", "30"]))
        await world.machine.busy.wait()
        world.machine.cut()
    result = command.result()
    assert (result.end, result.ok, result.exit_status) == (End.LOST, False, -1)
    assert not session.alive
    assert (await session.run(["true"])).end is End.LOST
    again = await world.guest.session(world.target)
    assert again is not session
    assert (await again.run(["true"])).ok


async def test_one_connection_serves_everybody_and_a_fresh_one_replaces_it(world: World) -> None:
    first = await world.guest.session(world.target)
    assert await world.guest.session(world.target) is first
    fresh = await world.guest.fresh_session(world.target)
    assert fresh is not first
    assert await world.guest.session(world.target) is fresh


async def test_a_fresh_session_does_not_cut_what_runs_on_the_old_one(world: World) -> None:
    old = await world.guest.session(world.target)
    async with asyncio.TaskGroup() as group:
        command = group.create_task(old.run(["sleep", "0.1"]))
        await world.machine.busy.wait()
        fresh = await world.guest.fresh_session(world.target)
        assert (await fresh.run(["true"])).ok
    assert command.result().ok


async def test_a_closed_port_is_unreachable_for_a_fresh_session_only(world: World) -> None:
    session = await world.guest.session(world.target)
    assert await world.guest.reachable(world.target, timeout_s=5) is not None
    await world.close_port()
    with pytest.raises(Unreachable, match="dns01"):
        await world.guest.fresh_session(world.target)
    assert await world.guest.reachable(world.target, timeout_s=5) is None
    assert (await session.run(["true"])).ok
    assert await world.guest.session(world.target) is session


@pytest.mark.parametrize("pinned", ["", OTHER_KEY])
async def test_a_host_that_does_not_prove_its_key_is_refused(world: World, pinned: str) -> None:
    with pytest.raises(Refused) as refusal:
        await world.guest.session(replace(world.target, host_key=pinned))
    assert "dns01" in refusal.value.what
    assert world.machine.commands == []


async def test_a_followed_file_comes_in_chunks_until_the_context_ends(world: World) -> None:
    log = world.machine.root / "log"
    log.write_bytes(b"first\n")
    session = await world.guest.session(world.target)
    seen = ""
    async with session.stream(["tail", "-c", "+1", "-F", "log"], sudo=True) as chunks:
        async for chunk in chunks:
            seen += chunk
            if seen == "first\n":
                with log.open("ab") as file:
                    file.write("zweite é\n".encode())
            if "zweite" in seen:
                break
    assert seen == "first\nzweite é\n"
    await world.machine.idle.wait()


async def test_a_stream_ends_with_its_command_or_with_the_connection(world: World) -> None:
    (world.machine.root / "log").write_bytes(b"all\n")
    session = await world.guest.session(world.target)
    async with session.stream(["cat", "log"]) as chunks:
        assert "".join([chunk async for chunk in chunks]) == "all\n"
    async with session.stream(["tail", "-c", "+1", "-F", "log"]) as chunks:
        assert await anext(chunks) == "all\n"
        world.machine.cut()
        assert [chunk async for chunk in chunks] == []
    with pytest.raises(Unreachable):
        async with session.stream(["cat", "log"]):
            pass


async def test_an_error_of_the_sink_reaches_the_caller(world: World) -> None:
    def full(text: str) -> None:
        raise OSError(28, f"no space left for {len(text)} characters")

    session = await world.guest.session(world.target)
    with pytest.raises(OSError, match="no space left"):
        await session.run(["both"], on_output=full)
    assert (await session.run(["true"])).ok


async def test_twenty_commands_at_once_share_one_connection(world: World) -> None:
    session = await world.guest.session(world.target)
    async with asyncio.TaskGroup() as group:
        commands = [group.create_task(session.run(["cat"], stdin=str(number).encode())) for number in range(20)]
    assert [command.result().stdout for command in commands] == [str(number) for number in range(20)]


async def test_after_close_a_new_session_can_be_opened(world: World) -> None:
    first = await world.guest.session(world.target)
    await world.guest.close()
    second = await world.guest.session(world.target)
    assert second is not first

"""What every Guest must do when the connection dies before, in or after a call, and when it is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import pytest

from pvenix.adapters.ssh.guest import SshGuest
from pvenix.engine.ports import CommandResult, End, Guest, GuestSession
from pvenix.model.errors import Refused, Unreachable
from tests.contract.guest_worlds import QUICK, GuestWorld
from tests.contract.methods import methods_of
from tests.contract.openssh import another_key

Rule = Callable[[GuestWorld], Awaitable[None]]


def endless(world: GuestWorld) -> list[str]:
    """A command that says something and does not end by itself."""
    world.write("log", b"so far\n")
    return ["tail", "-c", "+1", "-F", world.at("log")]


async def dies_under(world: GuestWorld, session: GuestSession, die: Callable[[], object]) -> CommandResult:
    """The result of a command during which the connection dies, after its first output."""
    said = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        command = group.create_task(session.run(endless(world), on_output=lambda _: said.set()))
        await said.wait()
        die()
    return command.result()


async def gone(session: GuestSession) -> None:
    """Until the session knows that its connection is gone."""
    async with asyncio.timeout(10):
        while session.alive:  # noqa: ASYNC110 - a connection ends when its peer's packet has come
            await asyncio.sleep(0.001)


# --- before the effect ---


async def no_session_before_the_login(world: GuestWorld) -> None:
    await world.close_port()
    with pytest.raises(Unreachable, match="dns01"):
        await world.guest.session(world.target)
    assert world.logins() == 0


async def no_fresh_session_before_the_login(world: GuestWorld) -> None:
    await world.close_port()
    with pytest.raises(Unreachable, match="dns01"):
        await world.guest.fresh_session(world.target)
    assert world.logins() == 0


async def no_command_on_a_dead_connection(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    world.write("f", b"old")
    world.cut()
    await gone(session)
    result = await session.run(["dd", f"of={world.at('f')}", "status=none"], stdin=b"new")
    assert (result.end, result.ok, result.exit_status) == (End.LOST, False, -1)
    assert (result.stdout, result.stderr) == ("", "")
    assert world.read("f") == b"old"


async def no_stream_on_a_dead_connection(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    world.cut()
    await gone(session)
    with pytest.raises(Unreachable, match="dns01"):
        async with session.stream(["true"]):
            pass


async def nobody_reachable(world: GuestWorld) -> None:
    await world.close_port()
    assert await world.guest.reachable(world.target, timeout_s=5) is None


async def nothing_to_close(world: GuestWorld) -> None:
    await world.guest.close()
    await world.guest.close()
    assert world.logins() == 0


# --- after the effect ---


async def a_session_that_dies_after_the_login_is_replaced(world: GuestWorld) -> None:
    first = await world.guest.session(world.target)
    world.cut()
    await gone(first)
    again = await world.guest.session(world.target)
    assert (await again.run(["true"])).ok
    assert world.logins() == 2


async def a_fresh_session_that_dies_after_the_login_is_replaced(world: GuestWorld) -> None:
    first = await world.guest.fresh_session(world.target)
    world.cut()
    await gone(first)
    again = await world.guest.session(world.target)
    assert (await again.run(["true"])).ok
    assert world.logins() == 2


async def a_command_under_which_the_connection_dies_is_lost(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    result = await dies_under(world, session, world.cut)
    assert (result.end, result.ok, result.exit_status) == (End.LOST, False, -1)
    assert result.stdout == "so far\n"
    await gone(session)


async def a_stream_ends_with_the_connection(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    async with session.stream(endless(world)) as chunks:
        assert await anext(chunks) == "so far\n"
        assert session.alive
        world.cut()
        assert [chunk async for chunk in chunks] == []
    await gone(session)


async def reachable_though_every_connection_was_cut(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    world.cut()
    await gone(session)
    assert await world.guest.reachable(world.target, timeout_s=5) is not None


async def closing_loses_what_runs(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    said = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        command = group.create_task(session.run(endless(world), on_output=lambda _: said.set()))
        await said.wait()
        await world.guest.close()
    assert (command.result().end, command.result().stdout) == (End.LOST, "so far\n")
    assert not session.alive


async def a_dead_session_is_closed_like_any(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    world.cut()
    await gone(session)
    await world.guest.close()
    assert (await (await world.guest.session(world.target)).run(["true"])).ok


# --- refused ---


async def no_session_with_another_host(world: GuestWorld) -> None:
    with pytest.raises(Refused):
        await world.guest.session(replace(world.target, host_key=another_key()))


async def no_fresh_session_with_another_host(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    with pytest.raises(Refused):
        await world.guest.fresh_session(replace(world.target, host_key=another_key()))
    assert (await session.run(["true"])).ok
    assert world.logins() == 1


async def a_command_that_the_guest_refuses_has_a_status(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    result = await session.run(["cat", world.at("missing")])
    assert (result.end, result.ok) == (End.EXITED, False)


async def a_stream_of_a_command_that_fails_is_empty(world: GuestWorld) -> None:
    session = await world.guest.session(world.target)
    async with session.stream(["cat", world.at("missing")]) as chunks:
        assert [chunk async for chunk in chunks] == []
    assert session.alive


async def reachable_needs_no_pin(world: GuestWorld) -> None:
    """A port is looked at without sending anything, so that `boot` can wait for a guest that it has not pinned yet."""
    unpinned = replace(world.target, host_key="")
    assert await world.guest.reachable(unpinned, timeout_s=5) is not None
    assert world.logins() == 0


BEFORE: Final[dict[str, Rule]] = {
    "session": no_session_before_the_login,
    "fresh_session": no_fresh_session_before_the_login,
    "run": no_command_on_a_dead_connection,
    "stream": no_stream_on_a_dead_connection,
    "alive": no_command_on_a_dead_connection,
    "reachable": nobody_reachable,
    "close": nothing_to_close,
}
AFTER: Final[dict[str, Rule]] = {
    "session": a_session_that_dies_after_the_login_is_replaced,
    "fresh_session": a_fresh_session_that_dies_after_the_login_is_replaced,
    "run": a_command_under_which_the_connection_dies_is_lost,
    "stream": a_stream_ends_with_the_connection,
    "alive": a_stream_ends_with_the_connection,
    "reachable": reachable_though_every_connection_was_cut,
    "close": closing_loses_what_runs,
}
REFUSED: Final[dict[str, Rule]] = {
    "session": no_session_with_another_host,
    "fresh_session": no_fresh_session_with_another_host,
    "run": a_command_that_the_guest_refuses_has_a_status,
    "stream": a_stream_of_a_command_that_fails_is_empty,
    "alive": a_stream_of_a_command_that_fails_is_empty,
    "reachable": reachable_needs_no_pin,
    "close": a_dead_session_is_closed_like_any,
}
RULES: Final = tuple(dict.fromkeys((*BEFORE.values(), *AFTER.values(), *REFUSED.values())))


@pytest.mark.parametrize("rules", [BEFORE, AFTER, REFUSED], ids=["before", "after", "refused"])
def test_no_method_is_left_out(rules: dict[str, Rule]) -> None:
    assert rules.keys() == methods_of(Guest, GuestSession)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_a_connection_that_dies_or_is_refused(guest_world: GuestWorld, rule: Rule) -> None:
    await rule(guest_world)


# --- silence: the other side is there no more and nobody says so ---


async def test_a_connection_that_goes_silent_is_lost_after_the_keepalives(wire_world: GuestWorld) -> None:
    assert wire_world.cable
    guest = SshGuest(QUICK)
    session = await guest.session(wire_world.target)
    started = time.monotonic()
    result = await dies_under(wire_world, session, wire_world.cable.go_silent)
    assert (result.end, result.stdout) == (End.LOST, "so far\n")
    assert time.monotonic() - started < 20
    assert not session.alive
    await guest.close()


async def test_a_silent_host_is_unreachable_in_time(wire_world: GuestWorld) -> None:
    assert wire_world.cable
    guest = SshGuest(replace(QUICK, connect_timeout_s=0.1, login_timeout_s=0.1))
    wire_world.cable.go_silent()
    with pytest.raises(Unreachable, match=r"dns01|jump"):
        await guest.session(wire_world.target)
    assert await guest.reachable(wire_world.target, timeout_s=0.1) is None
    assert wire_world.logins() == 0
    await guest.close()

"""Another git in /etc/nixos is waited for, and not for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End
from pvenix.lifecycle import argv, build
from pvenix.model.errors import LockHeld
from tests.sim.virtual import LoopClock, run_virtual

LOCKED = f"fatal: Unable to create '{argv.GIT_LOCK}': File exists.\n"


class Guest:
    """A remote on which another git works for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.clock = LoopClock()
        self.seconds = seconds
        self.sent: list[argv.Argv] = []
        self.step = SimpleNamespace(host="dns01", tell=lambda _text: None)

    @property
    def busy(self) -> bool:
        return self.clock.monotonic() < self.seconds

    async def try_write(self, command: argv.Argv) -> CommandResult:
        self.sent.append(command)
        return result(command, 128 if self.busy else 0, LOCKED if self.busy else "")

    async def try_read(self, command: argv.Argv) -> CommandResult:
        return result(command, 0 if self.busy else 1)

    async def write(self, command: argv.Argv) -> None:
        self.sent.append(command)


def result(command: argv.Argv, status: int, stderr: str = "") -> CommandResult:
    return CommandResult(argv=command, end=End.EXITED, exit_status=status, stdout="", stderr=stderr, seconds=0.0)


def moved(seconds: float) -> list[argv.Argv]:
    """What is sent to move /etc/nixos while another git is at work there for so long."""
    guest = Guest(seconds)
    world = cast("Any", SimpleNamespace(clock=guest.clock))
    run_virtual(build._git(world, cast("Any", guest), ("git", "checkout")))
    return guest.sent


def test_a_git_that_ends_is_waited_for_and_its_lock_left_to_it() -> None:
    assert set(moved(4.5)) == {("git", "checkout")}


def test_a_git_that_does_not_end_is_somebody_else_s_work() -> None:
    with pytest.raises(LockHeld, match="somebody else's git is at work in /etc/nixos on dns01"):
        moved(300)


@pytest.mark.parametrize(
    ("status", "stdout", "head"), [(0, f"{'1' * 40}\n", "1" * 40), (128, "HEAD\n", ""), (128, "", "")]
)
def test_a_repository_without_a_commit_is_at_none_whatever_git_prints_of_it(
    status: int, stdout: str, head: str
) -> None:
    async def try_read(command: argv.Argv, *, sudo: bool) -> CommandResult:
        assert sudo
        return CommandResult(argv=command, end=End.EXITED, exit_status=status, stdout=stdout, stderr="", seconds=0)

    assert run_virtual(build.head_of(cast("Any", SimpleNamespace(try_read=try_read)))) == head

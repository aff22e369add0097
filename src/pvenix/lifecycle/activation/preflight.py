"""What must be so on a host before anything is built for it; all of it is only read, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pvenix.engine.ports import CommandResult
from pvenix.lifecycle import argv, edits
from pvenix.lifecycle.activation import fence, words
from pvenix.lifecycle.ignoring import ignored_by
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import LockHeld, PvenixError, RemoteFailure
from pvenix.model.units import bytes_text

STORE_LEAST = 1 << 30
"""Bytes that must be free in /nix/store for a build to start."""
BOOT_LEAST = 64 << 20
"""Bytes that must be free in /boot: a kernel and an initrd."""
_SHOWN = 5
SKEW_MOST_S = 300.0
"""How far the host's clock may be from ours; beyond it certificates and signatures are judged wrongly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that was looked at."""

    name: str
    shown: str
    wrong: PvenixError | None = None
    """Why nothing can be built, None when that is not so."""

    @property
    def text(self) -> str:
        """A line of the table."""
        return f"{self.name:<10} {f'no: {self.wrong}' if self.wrong else self.shown}"


def row(items: Sequence[Item]) -> str:
    """The host's line in the matrix."""
    return " · ".join(f"{item.name} {'NO' if item.wrong else item.shown}" for item in items)


async def require(world: World, remote: Remote) -> tuple[Item, ...]:
    """What was found, when all of it lets a build and an activation begin.

    Raises: RemoteFailure or LockHeld for the first thing that does not, with the whole table as evidence.
    """
    items = await look(world, remote)
    wrong = next((item.wrong for item in items if item.wrong is not None), None)
    if wrong is not None:
        table = tuple(item.text for item in items)
        raise type(wrong)(wrong.what, why=wrong.why, hint=wrong.hint, evidence=table, code=wrong.code)
    return items


async def look(world: World, remote: Remote) -> tuple[Item, ...]:
    """Everything at once; the host answered, or there would be no `remote`.

    Raises: OutcomeUnknown when the connection is lost.
    """
    reachable = Item(name="reachable", shown="ok")
    sudo = await _sudo(remote)
    if sudo.wrong is not None:  # the rest is asked as root
        return reachable, sudo
    async with Together() as group:
        asked = (_store, _boot, _lock, _clock, _inhibitors)
        ignores = world.host(remote.step).machine.drift.ignore
        tasks = [group.create_task(one(world, remote)) for one in (*asked, *((_ignored,) if ignores else ()))]
    return reachable, sudo, *(task.result() for task in tasks)


async def _sudo(remote: Remote) -> Item:
    answer = await remote.try_read(argv.NOTHING, sudo=True, timeout_s=30)
    if answer.ok:
        return Item(name="sudo", shown="ok")
    wrong = RemoteFailure(
        f"sudo does not let us work on {remote.step.host}",
        why=answer.stderr.strip()[-200:] or f"exit status {answer.exit_status}",
        hint="security.sudo.wheelNeedsPassword = false, or a rule for the login user, in its configuration",
        code="PVX0633",
    )
    return Item(name="sudo", shown="", wrong=wrong)


async def _store(_world: World, remote: Remote) -> Item:
    host = remote.step.host
    wrong = RemoteFailure(
        "too little space is free in /nix/store",
        hint=f"pvenix generations prune {host}, then: pvenix generations gc {host}",
        code="PVX0630",
    )
    return _space("store", await remote.try_read(argv.FREE_SPACE), least=STORE_LEAST, wrong=wrong)


async def _boot(_world: World, remote: Remote) -> Item:
    """A machine without /boot, as a container, has nothing to be full."""
    wrong = RemoteFailure(
        "too little space is free in /boot for another kernel",
        hint=f"pvenix generations prune {remote.step.host} takes old kernels off it, too",
        code="PVX0634",
    )
    return _space("boot", await remote.try_read(words.BOOT_SPACE, sudo=True), least=BOOT_LEAST, wrong=wrong)


def _space(name: str, answer: CommandResult, *, least: int, wrong: RemoteFailure) -> Item:
    """How much is free, and `wrong` with that figure when it is less than `least` bytes."""
    free = _number(answer)
    if free is None or free >= least:
        return Item(name=name, shown="none" if free is None else bytes_text(free))
    wrong.why = bytes_text(free)
    return Item(name=name, shown=wrong.why, wrong=wrong)


async def _lock(_world: World, remote: Remote) -> Item:
    """The fence of another attempt, and the lock of a switch-to-configuration that somebody else runs."""
    host = remote.step.host
    owners = (await remote.try_read(argv.FENCE_OWNER, sudo=True)).stdout.split()
    locks = await remote.try_read(words.LOCKS, sudo=True)
    wrong: PvenixError | None = fence.held(host, owners) if owners else None
    if words.SWITCH_LOCK in locks.stdout.splitlines():
        wrong = wrong or LockHeld(
            f"somebody else activates a system on {host}",
            why=f"{words.SWITCH_LOCK} is held",
            hint="is it nixos-upgrade.service, or a person's nixos-rebuild? Try again when it has ended",
            code="PVX0643",
        )
    return Item(name="lock", shown="free", wrong=wrong)


async def _clock(world: World, remote: Remote) -> Item:
    theirs = _number(await remote.try_read(words.TIME))
    if theirs is None:
        return Item(name="clock", shown="not known")
    skew = theirs - datetime.fromisoformat(world.clock.utc()).timestamp()
    shown = f"{round(skew):+d} s"
    wrong = None
    if abs(skew) > SKEW_MOST_S:
        wrong = RemoteFailure(
            f"the clock of {remote.step.host} is not ours",
            why=f"it is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}",
            hint="timedatectl on both: one of the two clocks is wrong",
            code="PVX0635",
        )
    return Item(name="clock", shown=shown, wrong=wrong)


async def _inhibitors(_world: World, remote: Remote) -> Item:
    """Who keeps the host from going down; a switch does not heed them, a reboot that follows does."""
    listed = await remote.try_read(words.INHIBITORS)
    blocking = [line.split()[0] for line in listed.stdout.splitlines() if line.split()[-1:] == ["block"]]
    if not listed.ok:
        return Item(name="inhibitors", shown="not known")
    return Item(name="inhibitors", shown=", ".join(dict.fromkeys(blocking)) or "none")


async def _ignored(world: World, remote: Remote) -> Item:
    """Whether main changes a file whose edit is left alone on the host: no git would bring it there.

    Of a host at a commit of its own, what main changed since that left it.
    """
    host, expected = remote.step.host, await world.expected()
    patterns = world.host(remote.step).machine.drift.ignore
    head = (await remote.try_read(argv.CHECKOUT, sudo=True)).stdout.strip()
    base = await edits.left_main(world, remote, head, expected) if head not in ("", expected) else None
    if base is None:
        return Item(name="ignored", shown="in nobody's way")
    tracked = await remote.try_read(edits.changed(head), sudo=True)
    untracked = await remote.try_read(edits.UNTRACKED, sudo=True)
    edited = {*(one.path for one in edits.tracked_in(tracked.stdout)), *untracked.stdout.split("\0")}
    moved = [change.path for change in await world.repo.diff(base, expected) if change.path in edited]
    found = [(path, by) for path in moved if (by := ignored_by(path, patterns))]
    wrong = None
    if found:
        wrong = RemoteFailure(
            f"main changes what was edited on {host} and is ignored there",
            why="; ".join(f"{path} (drift.ignore: {by})" for path, by in found[:_SHOWN]),
            hint=f"take the pattern out of drift.ignore (pvenix inventory explain {host} drift.ignore says where), then: "
            f"pvenix drift adopt {host}, which keeps the edit on a branch, or pvenix drift overwrite {host}",
            code="PVX0636",
        )
    return Item(name="ignored", shown="in nobody's way", wrong=wrong)


def _number(answer: CommandResult) -> int | None:
    """The number on the last line; None where the program does not tell."""
    last = answer.stdout.split()[-1:]
    return int(last[0]) if answer.ok and last and last[0].isdigit() else None

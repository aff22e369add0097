"""Collect a guest's garbage: the store paths that no generation, pin or other root needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.generations import without_system
from pvenix.lifecycle.remote import Remote, as_text
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip
from pvenix.model.units import bytes_text

DEAD: Final[argv.Argv] = ("nix-store", "--gc", "--print-dead")
COLLECT: Final[argv.Argv] = ("nix-store", "--gc")
_LOOK_S: Final = 900
_COLLECT_S: Final = 6600
_CHUNK: Final = 500
"""Paths asked for at once: 500 of the longest names still fit a command line."""
_LIMIT: Final = 1 << 20
"""Bytes: of a longer list only the end arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """What nothing needs."""

    paths: int
    size: int
    """Bytes, as Nix counts them; hard links and compression make it less on the disk."""
    whole: bool = True
    """False when there is more than was listed."""

    @override
    def __str__(self) -> str:
        least = "" if self.whole else "at least "
        return f"{least}{self.paths} store path{'s' if self.paths != 1 else ''}, {bytes_text(self.size)}"


async def probe(world: World, step: Step) -> Probe:
    """Done when there is no garbage."""
    if reason := await without_system(world, step.host):
        return skip(reason)
    found = await garbage(await world.remote(step))
    if not found.paths:
        return done("no garbage")
    return needed(f"{found} that nothing needs", garbage=str(found))


async def apply(world: World, step: Step) -> Outcome:
    """Collect it, and read what is left and what is free."""
    remote = await world.remote(step)
    before = await _free(remote)
    step.tell(f"collecting {step.facts['garbage']}; {bytes_text(before)} free")
    await step.intend(free=str(before))
    said = await remote.write(COLLECT, timeout_s=_COLLECT_S)
    left, after = await garbage(remote), await _free(remote)
    lines = said.strip().splitlines()
    summary = (lines[-1] if lines else f"{step.facts['garbage']} collected") + f"; {bytes_text(after)} free"
    return Outcome(
        status=Status.CHANGED,
        summary=summary + (f"; {left} became garbage meanwhile" if left.paths else ""),
        facts={"freed": str(max(0, after - int(step.known.get("free", before))))},
    )


async def commands(world: World, step: Step) -> Commands:
    """The one command."""
    del world, step
    return (("ssh", as_text(COLLECT, sudo=True)),)


async def garbage(remote: Remote) -> Garbage:
    """What a collection would delete; the guest's Nix looks for its roots, and changes nothing of the store."""
    text = await remote.read(DEAD, sudo=True, timeout_s=_LOOK_S)
    paths = [line for line in text.splitlines() if line.startswith("/nix/store/")]
    size = 0
    for start in range(0, len(paths), _CHUNK):
        asked = await remote.try_read(("nix-store", "--query", "--size", *paths[start : start + _CHUNK]), sudo=True)
        size += sum(int(line) for line in asked.stdout.split() if line.isdigit())
    return Garbage(paths=len(paths), size=size, whole=len(text.encode()) < _LIMIT)


async def _free(remote: Remote) -> int:
    """Bytes that are free in the store; 0 when that cannot be read."""
    words = (await remote.try_read(argv.FREE_SPACE)).stdout.split()
    return int(words[-1]) if words and words[-1].isdigit() else 0

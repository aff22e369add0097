"""What earlier attempts left in /var/lib/pvenix goes by a rule, once an attempt has ended well; best effort.

The newest directories stay, and every younger one; so do logs with them. What an attempt rooted goes with its end: the roots
of the newest attempt stay, and those of a build that a run may still wait to activate. A directory in which files of
/etc/nixos were put aside is a person's, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError

KEEP = 10
"""How many directories stay however old they are."""
YOUNG = timedelta(days=14)
WAITING = timedelta(days=1)
"""How long the root of a build stays that was not activated."""
_OURS = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}(?P<attempt>-\d+\.\d+-\d+)?")
_ROOTS = ("new", "old", "profile")
_KEPT = "etc-nixos"
"""Where `build` puts the plain files of a /etc/nixos that was no repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """What may go."""

    roots: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def commands(self) -> tuple[argv.Argv, ...]:
        """The commands that take it away."""
        roots = (words.remove_links(self.roots),) if self.roots else ()
        return (*roots, words.remove_folders(self.folders)) if self.folders else roots


NOTHING = Prunable()


def prunable(names: Sequence[str], *, newest: str, now: datetime) -> Prunable:
    """What may go of `names`, paths below /var/lib/pvenix, when attempt `newest` has ended well.

    Ages are those that the names of runs tell, so that the host's clock has no say. Names of another shape are not ours.
    """
    there = {name.partition("/")[0] for name in names} | {newest}
    dated = sorted((name for name in there if _OURS.fullmatch(name)), key=_order, reverse=True)
    holding = {name.partition("/")[0] for name in names if name.endswith(f"/{_KEPT}")}
    old = [name for name in dated[KEEP:] if now - _begun(name) > YOUNG]
    gone = [name for name in old if name not in holding and name != newest]
    ended = {name for name in dated if name != newest and (_is_attempt(name) or now - _begun(name) > WAITING)}
    links = {f"{name}/{link}" for name in ended - set(gone) for link in _ROOTS}
    return Prunable(
        roots=tuple(f"{argv.STATE}/{name}" for name in sorted(links & set(names))),
        folders=tuple(argv.attempt_dir(name) for name in sorted(gone)),
    )


async def prune(world: World, step: Step, *, newest: str) -> None:
    """Take away what may go; whatever is in the way is told, and is no failure of the host."""
    try:
        remote = await world.remote(step)
        for command in (await found(world, remote, newest=newest)).commands():
            await remote.write(command, show_output=False)
    except PvenixError as error:
        step.tell(f"what earlier attempts left was not pruned: {error}")


async def found(world: World, remote: Remote, *, newest: str) -> Prunable:
    """What may go on the host."""
    listed = await remote.try_read(words.LEFT, sudo=True)
    now = datetime.fromisoformat(world.clock.utc()).astimezone(UTC)
    names = [path.removeprefix(f"{argv.STATE}/") for path in listed.stdout.splitlines()]
    return prunable(names, newest=newest, now=now) if listed.ok else NOTHING


def _order(name: str) -> tuple[str, tuple[int, ...]]:
    run = len("20260101-000000-abcd")
    return name[:run], tuple(int(number) for number in re.findall(r"\d+", name[run:]))


def _is_attempt(name: str) -> bool:
    match = _OURS.fullmatch(name)
    return match is not None and match["attempt"] is not None


def _begun(name: str) -> datetime:
    """When the run began; runs are named in UTC."""
    try:
        return datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:  # digits that are no date: not named by us, so never old
        return datetime.max.replace(tzinfo=UTC)

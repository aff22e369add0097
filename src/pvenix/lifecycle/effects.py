"""What going to another generation would change on a host, looked up before anybody is asked to confirm it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pvenix.lifecycle import argv
from pvenix.lifecycle.facts import kernels
from pvenix.lifecycle.generations import read_profile, version_document
from pvenix.lifecycle.goingback import limits_of, require_kept
from pvenix.lifecycle.rebooting import difference
from pvenix.lifecycle.remote import must
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError

_COMMITS: Final = 200
"""How many commits of each side are compared."""
_UNITS: Final = re.compile(r"would ((?:NOT )?[a-z]+) the following (?:[a-z]+ )?units: (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What changes on one host between what runs and a generation of it."""

    host: str
    number: int
    old: str
    """The system that runs."""
    new: str
    commits: tuple[tuple[str, str], ...] = ()
    """Id and subject of what is taken back, or brought when `forward`, newest first."""
    forward: bool = False
    history: str = ""
    """Why the commits are not known; empty when they are."""
    packages: tuple[str, ...] = ()
    """A line for each package that changes, as `nix store diff-closures` prints it."""
    boots: str = ""
    """What only a reboot brings, such as `kernel 6.12.30 -> 6.6.58`; empty when nothing is."""
    units: tuple[tuple[str, tuple[str, ...]], ...] | None = ()
    """What the system's own dry activation would stop, restart, reload or start; None when it did not say."""
    limits: tuple[str, ...] = ()
    """What would not come back on this host, beside `NOT_UNDONE`."""


async def effects(world: World, host: str, number: int) -> Effects:
    """What activating the host's generation would change; nothing is written, `dry-activate` only says what it would do.

    Raises: UsageError when there is no such generation, Unreachable, Refused, RemoteFailure, OutcomeUnknown.
    """
    remote = await world.remote(looking_at(host))
    profile = await read_profile(remote)
    old, new = profile.running, profile.named(number).path
    await require_kept(remote, number, new)
    if old == new:
        return Effects(host=host, number=number, old=old, new=new)
    async with Together() as group:
        packages = group.create_task(remote.try_read(argv.closure_diff(old, new), sudo=True, timeout_s=120))
        dry = group.create_task(remote.try_read(argv.switch_to(new, "dry-activate"), sudo=True, timeout_s=120))
        boots = group.create_task(remote.try_read(kernels(new)))
        versions = [group.create_task(remote.try_read(argv.version_of(path))) for path in (old, new)]
        limits = group.create_task(limits_of(remote, profile, new))
    ran, would = (version_document(each.result().stdout).get("configurationRevision", "") for each in versions)
    commits, forward, unknown = await _between(world, ran, would)
    return Effects(
        host=host,
        number=number,
        old=old,
        new=new,
        commits=commits,
        forward=forward,
        history=unknown,
        packages=tuple(line.strip() for line in must(packages.result()).splitlines() if line.strip()),
        boots=difference(boots.result().stdout) if boots.result().ok else "",
        units=units_in(dry.result().stderr) if dry.result().ok else None,
        limits=limits.result(),
    )


def units_in(dry_activation: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What happens to which units, in the words of switch-to-configuration (nixpkgs, switch-to-configuration-ng)."""
    found: dict[str, list[str]] = {}
    for line in dry_activation.splitlines():
        if match := _UNITS.fullmatch(line.strip()):
            names = found.setdefault(match[1].lower(), [])
            names += [name for each in match[2].split(",") if (name := each.strip()) and name not in names]
    return tuple((what, tuple(names)) for what, names in found.items())


async def _between(world: World, ran: str, would: str) -> tuple[tuple[tuple[str, str], ...], bool, str]:
    """The commits that one of two systems has and the other has not, whether they are brought, or why nobody knows."""
    if not ran or not would:
        return (), False, "one of the two systems names no commit"
    if ran == would:
        return (), False, ""
    try:
        await world.expected()
        forward = await world.repo.contains(would, ran)
        if not forward and not await world.repo.contains(ran, would):
            return (), False, f"{would[:10]} is not an ancestor of {ran[:10]}, or the repository has them no more"
        newer, older = (would, ran) if forward else (ran, would)
        known = {commit.id for commit in await world.repo.log(older, limit=_COMMITS)}
        found = await world.repo.log(newer, limit=_COMMITS)
    except PvenixError as error:
        return (), False, str(error)
    return tuple((commit.id, commit.subject) for commit in found if commit.id not in known), forward, ""

"""A guest's system profile: its generations with what runs, what boots and what is pinned, read by one command.

A pin is a root for the garbage collector, the link `PINS/<number>`, and beside it the link `<number>.why`, whose text is
the reason: a link is made in one step, and the same `find` that lists the generations reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pvenix.lifecycle import argv
from pvenix.lifecycle.remote import Remote, must, received
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, UsageError
from pvenix.model.generation import Generation

PROFILES: Final = argv.PROFILE.rpartition("/")[0]
PINS: Final = f"{argv.STATE}/pins"
ENTRIES: Final = "/boot/loader/entries"
LINKS: Final[argv.Argv] = (
    "find", "/run/booted-system", "/run/current-system", PROFILES, PINS,
    "-maxdepth", "1", "-type", "l", "-printf", r"%p\t%T@\t%l\n",
)  # fmt: skip
LOADER: Final[argv.Argv] = ("cat", "/boot/loader/loader.conf")
LOADED: Final[argv.Argv] = ("ls", "-1", ENTRIES)
NOW: Final[argv.Argv] = ("date", "+%s")

_LINK: Final = re.compile(r"system-([1-9][0-9]{0,8})-link")
_PIN: Final = re.compile(r"([1-9][0-9]{0,8})(\.why)?")
_DEFAULT: Final = re.compile(r"^default\s+nixos-generation-([0-9]+)[^\s/]*\.conf\s*$", re.MULTILINE)
_ENTRY: Final = re.compile(r"nixos-generation-([0-9]+)(?:[.+-].*)?\.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One generation: a link of the profile."""

    number: int
    path: str
    made_at: float
    """Seconds since 1970 by the guest's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A generation that somebody wants kept."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything that decides which generations may go."""

    links: tuple[Link, ...]
    """Lowest number first."""
    current: int
    """The generation that the profile names: pvenix sets it when an activation is confirmed, and not before."""
    running: str
    booted: str
    pins: Mapping[int, Pin] = field(default_factory=dict)
    default: int = 0
    """The generation that the boot loader starts; 0 where that cannot be read."""
    loaded: frozenset[int] = frozenset()
    """The generations that the boot loader offers; empty where that cannot be read."""
    now: float = 0.0
    """Seconds since 1970 by the guest's clock."""

    def find(self, number: int) -> Link | None:
        """The generation of this number."""
        return next((link for link in self.links if link.number == number), None)

    def named(self, number: int) -> Link:
        """The generation of this number.

        Raises: UsageError naming those that there are.
        """
        link = self.find(number)
        if link is not None:
            return link
        raise UsageError(
            f"there is no generation {number}",
            why=f"it has {', '.join(str(one.number) for one in self.links) or 'none'}",
            code="PVX0660",
        )

    def pinned(self, link: Link) -> bool:
        """True when this very generation is pinned: a number that was given again is another one."""
        pin = self.pins.get(link.number)
        return pin is not None and pin.path == link.path

    @property
    def boots(self) -> str:
        """The system that the boot loader starts; that of the profile where the loader cannot be read."""
        link = self.find(self.default) or self.find(self.current)
        return link.path if link else ""

    @property
    def stale(self) -> frozenset[int]:
        """Entries of the boot loader whose generation is gone."""
        return self.loaded - {link.number for link in self.links}


async def without_system(world: World, host: str) -> str:
    """Why a host has no system of ours to look at, as for a rebuild; empty when it has one."""
    state = world.fleet.host(host).machine.state
    if not state.managed:
        return f"the inventory says {state}"
    if not await world.registered(host):
        return f"not registered yet: pvenix run playbooks/onboard.yaml -l {host}"
    return ""


async def read_profile(remote: Remote) -> Profile:
    """The guest's system profile.

    Raises: RemoteFailure, OutcomeUnknown when what is read does not fit together: nothing may be deleted then.
    """
    async with Together() as group:
        links = group.create_task(remote.try_read(LINKS, sudo=True))
        loader = group.create_task(remote.try_read(LOADER, sudo=True))
        loaded = group.create_task(remote.try_read(LOADED, sudo=True))
        now = group.create_task(remote.read(NOW))
    found = received(links.result())
    if any(PINS not in line for line in found.stderr.splitlines()) or not found.stdout:
        must(found)
    default = _DEFAULT.search(loader.result().stdout)
    entries = (_ENTRY.fullmatch(line.strip()) for line in loaded.result().stdout.splitlines())
    return profile_in(
        found.stdout,
        default=int(default[1]) if default else 0,
        loaded=frozenset(int(entry[1]) for entry in entries if entry),
        now=_seconds(now.result()),
    )


def profile_in(text: str, *, default: int = 0, loaded: frozenset[int] = frozenset(), now: float = 0.0) -> Profile:
    """The profile in the output of `LINKS`.

    Raises: OutcomeUnknown when a line is missing without which nobody knows what must stay.
    """
    targets: dict[str, str] = {}
    links: list[Link] = []
    for line in text.splitlines():
        path, made_at, target = (*line.split("\t", 2), "", "")[:3]
        targets[path] = target
        if path.startswith(f"{PROFILES}/") and (match := _LINK.fullmatch(path.removeprefix(f"{PROFILES}/"))):
            links.append(Link(number=int(match[1]), path=target, made_at=_seconds(made_at)))
    current = _LINK.fullmatch(targets.get(argv.PROFILE, "").rpartition("/")[2])
    running, booted = (targets.get(f"/run/{name}-system", "") for name in ("current", "booted"))
    if current is None or not running or not booted or int(current[1]) not in {link.number for link in links}:
        raise OutcomeUnknown(
            "the generations of the host are not known", why=f"`{' '.join(LINKS[:5])} …` printed {text[:120]!r}"
        )
    return Profile(
        links=tuple(sorted(links, key=lambda link: link.number)),
        current=int(current[1]),
        running=running,
        booted=booted,
        pins=_pins_in(targets),
        default=default,
        loaded=loaded,
        now=now,
    )


def _pins_in(targets: Mapping[str, str]) -> dict[int, Pin]:
    names = {path.removeprefix(f"{PINS}/"): target for path, target in targets.items() if path.startswith(f"{PINS}/")}
    return {
        int(match[1]): Pin(path=target, reason=names.get(f"{name}.why", ""))
        for name, target in names.items()
        if (match := _PIN.fullmatch(name)) and not match[2]
    }


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise OutcomeUnknown("the host's clock cannot be read", why=repr(text[:60])) from error


async def read_generations(remote: Remote) -> tuple[Generation, ...]:
    """The guest's generations with their paths, versions and commits, oldest first."""
    profile = await read_profile(remote)
    paths = list(dict.fromkeys(link.path for link in profile.links))
    async with Together() as group:
        versions = [group.create_task(remote.try_read(argv.version_of(path))) for path in paths]
        modules = group.create_task(remote.try_read(_kernels_of(paths)))
    documents = dict(zip(paths, (version_document(version.result().stdout) for version in versions), strict=True))
    return generations_of(profile, documents, _kernels_in(modules.result().stdout))


def _kernels_of(paths: list[str]) -> argv.Argv:
    """Where NixOS' own list of generations reads the kernels' versions, too (nixos-rebuild-ng, services.py)."""
    folders = (f"{path}/kernel-modules/lib/modules" for path in paths)
    return ("find", *folders, "-mindepth", "1", "-maxdepth", "1")


def _kernels_in(text: str) -> dict[str, str]:
    return {
        line.partition("/kernel-modules/")[0]: line.rpartition("/")[2]
        for line in text.splitlines()
        if "/kernel-modules/" in line
    }


def version_document(text: str) -> Mapping[str, str]:
    """What `nixos-version --json` prints; empty when it is no such document."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return {key: str(value) for key, value in document.items()} if isinstance(document, dict) else {}


def generations_of(
    profile: Profile, documents: Mapping[str, Mapping[str, str]], kernels: Mapping[str, str]
) -> tuple[Generation, ...]:
    """The generations, oldest first, with what is known of each system by its path."""
    return tuple(
        Generation(
            number=link.number,
            date=f"{datetime.fromtimestamp(link.made_at, UTC):%F %T}",
            current=link.number == profile.current,
            path=link.path,
            revision=documents.get(link.path, {}).get("configurationRevision", ""),
            nixos=documents.get(link.path, {}).get("nixosVersion", ""),
            kernel=kernels.get(link.path, ""),
            running=link.path == profile.running,
            booted=link.path == profile.booted,
            boot_default=link.number == (profile.default or profile.current),
            pinned=profile.pinned(link),
            reason=profile.pins[link.number].reason if profile.pinned(link) else "",
        )
        for link in profile.links
    )


def pin_root(number: int) -> str:
    """The link that keeps a pinned generation from the garbage collector."""
    return f"{PINS}/{number}"


def pin_reason(number: int) -> str:
    """The link whose text says why."""
    return f"{PINS}/{number}.why"

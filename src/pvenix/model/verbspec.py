"""What is known of a verb without running it: how far it reaches, what it occupies, what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Danger(StrEnum):
    """How far a verb reaches, and so how it is confirmed."""

    READ = "read"
    """Changes nothing outside this machine."""
    REVERSIBLE = "reversible"
    REBOOTS = "reboots"
    DESTROYS = "destroys"


class Kind(StrEnum):
    """What a verb occupies while it works; one semaphore each."""

    PVE = "pve"
    CLONE = "clone"
    SSH = "ssh"
    BUILD = "build"
    GIT = "git"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg:
    """One argument of a verb."""

    type: type[bool | int | str]
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbSpec:
    """What is known of a verb without running it."""

    name: str
    help: str
    danger: Danger
    kind: Kind
    timeout_s: float
    """The most that one host may take, in seconds."""
    args: dict[str, Arg] = field(default_factory=dict)
    unskippable: str = ""
    """Why a person may not skip its step and go on with the next one; empty when nothing after it misses anything."""

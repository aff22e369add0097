"""One systemd unit of a guest: what it runs and in which state it is."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass, field
from enum import StrEnum


class Type(StrEnum):
    """The service types that a transient unit of the lab may have."""

    SIMPLE = "simple"
    EXEC = "exec"
    ONESHOT = "oneshot"


class UnitError(Exception):
    """systemd refused; the text is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One Exec line; a failure of an `ignore` line (prefix `-`) does not count."""

    argv: tuple[str, ...]
    ignore: bool = False

    @classmethod
    def parse(cls, line: str) -> Command:
        """The command of an Exec line: optional `-`, then words in systemd's (shell-like) quoting."""
        ignore = line.startswith("-")
        return cls(argv=tuple(shlex.split(line.removeprefix("-"))), ignore=ignore)


@dataclass(slots=True, kw_only=True)
class Unit:
    """A unit that is loaded. A transient one disappears when it ends well, or badly with `collect`."""

    name: str
    description: str = ""
    type: Type = Type.SIMPLE
    transient: bool = False
    pre: tuple[Command, ...] = ()
    main: Command = field(default_factory=lambda: Command(argv=()))
    remain: bool = False
    collect: bool = False
    log: str = ""
    condition: str = ""
    env: dict[str, str] = field(default_factory=dict)
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    main_code: int = 0
    main_status: int = 0
    condition_result: bool = False
    ignores: bool = False
    stopping: bool = False
    job: asyncio.Task[None] | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def set_state(self, active: str, sub: str) -> None:
        """Enter a state; both names as `systemctl show` prints them."""
        self.active, self.sub = active, sub

    @property
    def failed(self) -> bool:
        """True in the state failed."""
        return self.active == "failed"

"""One systemd unit of a guest: what it runs and in which state it is."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass, field
from enum import StrEnum

from pvenix_lab.site.guest.streams import ByteWriter


class Type(StrEnum):
    """The service types of the lab's units."""

    SIMPLE = "simple"
    EXEC = "exec"
    ONESHOT = "oneshot"
    NOTIFY = "notify"


class UnitError(Exception):
    """systemd refused; the text is its own, `status` systemctl's where it is not the usual one."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a declared unit of a system really runs on a guest, from its serviceConfig; times in seconds.

    A timer has `every_s` or `at` (seconds of the day, UTC) and starts the service of its name.
    """

    argv: tuple[str, ...] = ()
    oneshot: bool = True
    condition: str = ""
    restart_s: float | None = None
    env: dict[str, str] = field(default_factory=dict)
    every_s: float | None = None
    at: int | None = None


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
    pipe: tuple[ByteWriter, ByteWriter] | None = None
    conditions: tuple[str, ...] = ()
    """Paths that have to exist, or with `!` must not: `ConditionPathExists` as often as it was given."""
    env: dict[str, str] = field(default_factory=dict)
    restart_s: float | None = None
    restarts: int = 0
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    main_code: int = 0
    main_status: int = 0
    main_pid: int = 0
    invocation: str = ""
    since: float = 0.0
    condition_result: bool = False
    condition_at: float | None = None
    """When the conditions were last looked at; not while the start still waits in the manager's queue."""
    ignores: bool = False
    stopping: bool = False
    start_failed: bool = False
    job: asyncio.Task[None] | None = None
    started: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def set_state(self, active: str, sub: str) -> None:
        """Enter a state; both names as `systemctl show` prints them."""
        self.active, self.sub = active, sub

    @property
    def title(self) -> str:
        """How the manager's messages name it."""
        return f"{self.name} - {self.description}"

    @property
    def failed(self) -> bool:
        """True in the state failed."""
        return self.active == "failed"

    @property
    def at_work(self) -> bool:
        """True while the unit has a job that has not ended."""
        return self.job is not None and not self.ended.is_set()


_KINDS = (".service", ".socket", ".timer", ".target", ".mount", ".slice", ".path", ".scope", ".device", ".swap")


def full_name(name: str) -> str:
    """A unit's whole name; a bare one is a service."""
    return name if name.endswith(_KINDS) else f"{name}.service"

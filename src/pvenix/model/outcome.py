"""How a step, a host and a probe can end. A remote result is ok, failed or unknown, never assumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pvenix.model.errors import ExitCode


class Status(StrEnum):
    """The end of a step on a host."""

    OK = "ok"
    """Looked, and it was already so."""
    CHANGED = "changed"
    """Done, and the far side was read afterwards."""
    PENDING = "pending"
    """Under --check: would change."""
    SKIPPED = "skipped"
    """Not applicable; says why. Not the same as ok."""
    WAITING = "waiting"
    """Stopped at a gate that a person must open."""
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The effect may or may not have happened."""
    ROLLED_BACK = "rolled back"
    LOCKED = "locked"
    LOCAL = "local problem"
    CANCELLED = "cancelled"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code this end counts as."""
        return _EXIT[self]

    @property
    def goes_on(self) -> bool:
        """True when the next step of the same host may start."""
        return self in (Status.OK, Status.CHANGED, Status.PENDING, Status.SKIPPED)

    @property
    def counts_as_failed(self) -> bool:
        """True for what `max_fail_percentage` and `any_errors_fatal` count."""
        return not self.goes_on and self not in (Status.WAITING, Status.CANCELLED)


class Waits(StrEnum):
    """What a host waits for."""

    REVIEW = "review"
    """Its registration is to be approved."""
    APPROVAL = "approval"
    """A risky change is to be approved: `pvenix approve`."""
    WINDOW = "window"
    """The time at which it may be disturbed."""
    REBOOT = "reboot"
    """Only a reboot can bring what it was to run, and that is a person's to make."""


_EXIT = {
    Status.OK: ExitCode.OK,
    Status.CHANGED: ExitCode.OK,
    Status.PENDING: ExitCode.CHANGES,
    Status.SKIPPED: ExitCode.OK,
    Status.WAITING: ExitCode.CHANGES,
    Status.FAILED: ExitCode.FAILED,
    Status.UNREACHABLE: ExitCode.UNREACHABLE,
    Status.REFUSED: ExitCode.REFUSED,
    Status.UNKNOWN: ExitCode.UNKNOWN,
    Status.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Status.LOCKED: ExitCode.LOCKED,
    Status.LOCAL: ExitCode.LOCAL,
    Status.CANCELLED: ExitCode.INTERRUPTED,
}
_EXIT_OF_WAIT = {
    Waits.REVIEW: ExitCode.CHANGES,
    Waits.APPROVAL: ExitCode.APPROVAL,
    Waits.WINDOW: ExitCode.WINDOW,
    Waits.REBOOT: ExitCode.CHANGES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one step on one host."""

    status: Status
    summary: str = ""
    """One line for a person."""
    hint: str = ""
    evidence: tuple[str, ...] = ()
    """The last lines that show it."""
    facts: dict[str, str] = field(default_factory=dict)
    """What later steps and `resume` need: vmid, uuid, node, address, commit, path, generation."""
    waits: Waits = Waits.REVIEW
    """With the status WAITING: for what."""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that this end counts as."""
        return _EXIT_OF_WAIT[self.waits] if self.status is Status.WAITING else self.status.exit_code


class Need(StrEnum):
    """What a probe found."""

    DONE = "done"
    NEEDED = "needed"
    SKIP = "skip"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a read-only look found."""

    need: Need
    reason: str = ""
    facts: dict[str, str] = field(default_factory=dict)


def done(reason: str = "", **facts: str) -> Probe:
    """A probe that found the effect already there."""
    return Probe(need=Need.DONE, reason=reason, facts=facts)


def needed(reason: str = "", **facts: str) -> Probe:
    """A probe that found work to do."""
    return Probe(need=Need.NEEDED, reason=reason, facts=facts)


def skip(reason: str) -> Probe:
    """A probe that found the verb not applicable to this host."""
    return Probe(need=Need.SKIP, reason=reason)

"""One activation of a host, as the journal keeps it, so that another process can take over."""

from __future__ import annotations

from dataclasses import dataclass

from pvenix.engine.step import Step
from pvenix.lifecycle.activation import fence
from pvenix.model.errors import Refused, Unreachable
from pvenix.model.generation import HostFacts
from pvenix.model.outcome import Need, Probe, needed

GRACE_S = 60
"""How long after the dead-man's hour a host may take to answer again, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One activation, as the journal keeps it."""

    id: str
    new: str
    old: str
    """What ran before: where the way back leads."""
    profile: str
    """The boot default before."""
    boot_id: str
    failed_before: tuple[str, ...]
    confirm_s: int
    sick_before: tuple[str, ...] = ()
    """Titles of the health checks that did not hold before."""

    @classmethod
    def from_known(cls, known: dict[str, str]) -> Attempt | None:
        """The attempt that a killed process left unfinished; None when there is none."""
        if "attempt" not in known or known.get("ended") == known["attempt"]:
            return None
        return cls(
            id=known["attempt"],
            new=known["new"],
            old=known["old"],
            profile=known["profile"],
            boot_id=known["boot_id"],
            failed_before=tuple(known["failed_before"].split()),
            confirm_s=int(known["confirm_s"]),
            sick_before=tuple(known.get("sick_before", "").splitlines()),
        )

    def to_known(self) -> dict[str, str]:
        """What the journal keeps of it."""
        return {
            "attempt": self.id,
            "new": self.new,
            "old": self.old,
            "profile": self.profile,
            "boot_id": self.boot_id,
            "failed_before": " ".join(self.failed_before),
            "confirm_s": str(self.confirm_s),
            "sick_before": "\n".join(self.sick_before),
        }


def unfinished(step: Step, found: Probe, facts: HostFacts | None) -> Probe:
    """`found`, or work to do when a killed process left an attempt open: its fence and units are still on the host.

    Raises: LockHeld when all is well but for the attempt of another run, which may yet go either way.
    """
    if found.need is not Need.DONE:
        return found
    attempt = Attempt.from_known(step.known)
    if attempt is not None:
        return needed(f"attempt {attempt.id} is still open", **found.facts)
    if facts is not None and facts.fence:
        raise fence.held(step.host, facts.fence)
    return found


def silent(step: Step, error: Unreachable | Refused) -> Probe:
    """Work to do for a host that takes no commands, when a killed process left an attempt open: its end is still to be seen.

    Raises: `error` when none did.
    """
    attempt = Attempt.from_known(step.known)
    if attempt is None:
        raise error
    return needed(f"attempt {attempt.id} is still open ({error})", target=attempt.new, profile=attempt.profile)


def next_id(step: Step) -> str:
    """A name that no earlier attempt of this step had: run, step and a count."""
    play, number, _ = step.id.split(".")
    count = int(step.known["attempt"].rsplit("-", 1)[1]) + 1 if "attempt" in step.known else 1
    return f"{step.run}-{play}.{number}-{count}"


def foreseen(step: Step, *, new: str, old: str, profile: str, confirm_s: int) -> Attempt:
    """The attempt that the step would make now, for `--check`."""
    return Attempt(
        id=next_id(step), new=new, old=old, profile=profile, boot_id="", failed_before=(), confirm_s=confirm_s
    )

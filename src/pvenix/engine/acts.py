"""Lines of the audit log for what persons decide and do beside the steps of runs: one for each act, however it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pvenix.engine.attempt import outcome_of
from pvenix.engine.audit import AuditLog, Record
from pvenix.engine.begun import ID, begun, complete_acts, new_id
from pvenix.model.act import Act
from pvenix.model.errors import PvenixError
from pvenix.model.outcome import Status


@dataclass(slots=True, kw_only=True)
class Acting:
    """An act under way; what is found out of it is added before its line is written."""

    act: Act
    host: str = ""
    run: str = ""
    about: str = ""
    """What it was done to or decided about: a branch, a step, the fields."""
    commit: str = ""
    """What was decided about, or what main moved to."""
    before: str = ""
    """Where main was."""
    outcome: Status = field(default=Status.CHANGED)
    id: str = ""
    """What tells its line from those of other acts."""

    def line(self, *, at: str, who: dict[str, str]) -> Record:
        """Its line; no step of a run has one without a step, so that the two are never taken for each other."""
        return {
            "at": at,
            "run": self.run,
            **who,
            "host": self.host,
            "step": "",
            "verb": self.act.value,
            "count": 0,
            "commands": "",
            "commit": self.commit,
            "outcome": self.outcome.value,
            **({"before": self.before} if self.before else {}),
            **({"about": self.about} if self.about else {}),
            ID: self.id,
        }


@contextmanager
def acting(log: AuditLog, act: Acting, *, at: str, who: dict[str, str]) -> Iterator[Acting]:
    """Write the line of an act when it is over, also of one that failed; that of one that is killed, somebody else writes.

    Raises: what the act raises, or LocalResource when the log cannot be written; of its start, nothing is done then.
    """
    complete_acts(log)
    act.id = new_id()
    with begun(log, act.line(at=at, who=who)) as ended:
        try:
            yield act
        except PvenixError as error:
            act.outcome = outcome_of(error).status
            raise
        except BaseException:  # a ctrl-c on the way, or a fault of ours: nobody saw how it ended
            act.outcome = Status.UNKNOWN
            raise
        finally:
            ended(act.line(at=at, who=who))

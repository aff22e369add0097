"""What runs wait with, and what persons decide about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pvenix.adapters.clock import SystemClock
from pvenix.engine.decisions import Decisions, undecided
from pvenix.engine.runfiles import RunDir
from pvenix.model.act import Act
from pvenix.model.approval import Asked, Decision, Verdict
from pvenix.operator import operator
from pvenix.wiring.noting import Noting


class Approvals(Noting):
    """Questions and answers; whoever answers goes on with the run."""

    def undecided(self, run: RunDir) -> tuple[Asked, ...]:
        """What of a run waits for a decision that nobody has made yet.

        Raises: LocalResource when the run's files cannot be read.
        """
        return undecided(run)

    def decide(self, run: RunDir, asked: Sequence[Asked], verdict: Verdict, comment: str = "") -> None:
        """Keep one decision about each.

        Raises: LocalResource when the disk does not take it, ReadOnly.
        """
        self.refuse_change("decide about a change")
        for each in asked:
            decision = Decision(
                verdict=verdict,
                by=operator(),
                at=SystemClock().utc(),
                comment=comment,
                host=each.host,
                step=each.step,
                subject=each.subject,
                commit=each.commit,
                risks=each.risks,
            )
            act = Act.REJECT_CHANGE if verdict is Verdict.REJECTED else Act.APPROVE_CHANGE
            with self._acting(act, host=each.host, run=run.run, about=each.step, commit=each.commit):
                Decisions(run.path).add(decision)

    def allow_now(self, run: RunDir, hosts: Collection[str] = ("",)) -> None:
        """Let these hosts, or all, be disturbed outside of their windows.

        Raises: LocalResource when the disk does not take it, ReadOnly.
        """
        self.refuse_change("let hosts be disturbed")
        for host in hosts:
            with self._acting(Act.ALLOW_NOW, host=host, run=run.run):
                Decisions(run.path).add(Decision(verdict=Verdict.NOW, by=operator(), at=SystemClock().utc(), host=host))

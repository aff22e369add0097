"""Plans, runs and what is decided about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir, RunStore
    from pvenix.model.approval import Asked, Verdict
    from pvenix.model.plan import ArgValue, RunPlan


class RunsPart(Protocol):
    """What can be planned, started and asked of a run."""

    @property
    def runs(self) -> RunStore:
        """The fleet's runs on this machine."""

    def plan_verb(
        self,
        verb: str,
        hosts: Sequence[str],
        *,
        args: Mapping[str, ArgValue] = ...,
        check: bool = False,
        step: bool = False,
    ) -> RunPlan:
        """The plan of one verb."""

    def plan_verbs(
        self,
        verbs: Sequence[str],
        hosts: Sequence[str],
        *,
        args: Mapping[str, Mapping[str, ArgValue]] | None = None,
        check: bool = False,
        step: bool = False,
    ) -> RunPlan:
        """The plan of several verbs, one after the other on each host; `args` by verb."""

    def start_detached(self, plan: RunPlan) -> RunDir:
        """A run of its own process, which outlives this one."""

    def resume_detached(self, run: RunDir, only: Collection[str] = ()) -> None:
        """Go on with a run whose process is gone, or ended with something left; with `only` with these hosts of it."""

    def undecided(self, run: RunDir) -> tuple[Asked, ...]:
        """The risky changes that a run waits with."""

    def decide(self, run: RunDir, asked: Sequence[Asked], verdict: Verdict, comment: str = "") -> None:
        """Keep what was decided about each."""

"""What is told of plans before they start, playbooks, and the ways back of hosts and commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pvenix.engine.runfiles import RunDir
from pvenix.model.generation import Generation
from pvenix.model.plan import ArgValue, RunPlan

if TYPE_CHECKING:
    from pvenix.engine.durations import Durations
    from pvenix.fleet.playbooks import Playbook
    from pvenix.lifecycle.effects import Effects
    from pvenix.lifecycle.gates import Gate
    from pvenix.lifecycle.goingback import Prospect
    from pvenix.lifecycle.revert import Reverting


class PlanningPart(Protocol):
    """What can be said of a plan without starting it."""

    def durations(self) -> Durations:
        """What steps took in earlier runs; for a thread."""

    def gates(self, plan: RunPlan) -> tuple[Gate, ...]:
        """The approvals that it will or may ask for, and the windows that are shut now."""

    def own_hosts(self) -> frozenset[str]:
        """The hosts that this pvenix runs on."""

    def playbooks(self) -> tuple[Playbook, ...]:
        """The fleet's playbooks and those that ship; for a thread."""

    def plan_playbook(
        self,
        path: Path,
        *,
        limit: str = "all",
        tags: Sequence[str] = (),
        skip_tags: Sequence[str] = (),
        start_at: str = "",
        extra: Mapping[str, ArgValue] | None = None,
        **mode: bool | int,
    ) -> RunPlan:
        """A playbook on the hosts that it and `limit` name."""


class WaysBackPart(Protocol):
    """Generations of hosts and commits of the main branch that may be gone back to."""

    def plan_rollback(self, aims: Mapping[str, Generation], **mode: bool | int) -> RunPlan:
        """Each host to a generation of its own, in one run."""

    async def effects(self, host: str, number: int) -> Effects:
        """What going to a generation would change on the host."""

    async def prospects(
        self, hosts: Sequence[str], *, to: int | Mapping[str, int] = 0, run: RunDir | None = None
    ) -> tuple[Prospect, ...]:
        """Where a rollback of each host would lead."""

    async def reverting(self, commit: str) -> Reverting:
        """What taking a commit of the main branch back would change."""

    async def merge_revert(self, found: Reverting) -> str:
        """Move main forward to it; the new tip."""

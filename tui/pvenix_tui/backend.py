"""What the TUI needs of the engine, as protocols; `pvenix.wiring.Workspace` has this shape, and so has the tests' fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pvenix.engine.ports import Commit, NodeState
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.approval import Asked, Verdict
from pvenix.model.generation import Generation
from pvenix.model.plan import ArgValue, RunPlan
from pvenix.model.review import Review
from pvenix.model.snapshots import HostSnapshot
from pvenix.model.status import HostStatus


class HostLike(Protocol):
    """What is shown of a `pvenix.model.host.Host`."""

    @property
    def name(self) -> str:
        """The host's name."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Its roles, in order."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Its groups, with `role_<name>` for each role."""


class OriginLike(Protocol):
    """A place that says something about a field."""

    @property
    def layer(self) -> str:
        """The layer's name."""

    @property
    def file(self) -> str:
        """Path relative to the fleet's root; empty for built-in values."""

    @property
    def line(self) -> int:
        """1-based."""

    @property
    def value(self) -> object:
        """What it says."""


class ExplainedLike(Protocol):
    """A field of a host with every layer that speaks of it."""

    @property
    def field(self) -> str:
        """The field's path, such as `network.zone`."""

    @property
    def value(self) -> object:
        """What counts."""

    @property
    def origins(self) -> Sequence[OriginLike]:
        """Where that comes from."""

    @property
    def beaten(self) -> Sequence[OriginLike]:
        """What it beats, strongest first."""


class FleetLike(Protocol):
    """What is shown of a `pvenix.fleet.load.Fleet`."""

    @property
    def hosts(self) -> Mapping[str, HostLike]:
        """Every host by name."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The members of every group."""

    def select(self, expr: str, facts: Mapping[str, Mapping[str, str]] | None = None) -> tuple[str, ...]:
        """The hosts that a selector names."""

    def explain(self, host: str, field: str | None = None) -> Sequence[ExplainedLike]:
        """Every field of a host, or those below `field`."""


class DayTwoLike(Protocol):
    """What is read of hosts that live: a `pvenix.lifecycle.daytwo.DayTwo`."""

    def snapshots(self, hosts: Sequence[str]) -> AsyncIterator[HostSnapshot]:
        """The snapshots of hosts, each after its parent."""

    async def nodes(self) -> tuple[NodeState, ...]:
        """The nodes that a VM could be moved to."""

    async def losses(self, host: str, snapshot: str) -> tuple[str, ...]:
        """What going back to a snapshot would cost, a line each."""


class Backend(Protocol):
    """A fleet with its runs, readings and reviews; every method raises `PvenixError` for what a person can act on."""

    @property
    def root(self) -> Path:
        """The fleet's root."""

    @property
    def state_dir(self) -> Path:
        """Where this fleet's state is kept."""

    @property
    def runs(self) -> RunStore:
        """The fleet's runs on this machine."""

    def fleet(self) -> FleetLike:
        """The inventory as its files are now."""

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
        check: bool = False,
        step: bool = False,
    ) -> RunPlan:
        """The plan of several verbs, one after the other on each host."""

    def start_detached(self, plan: RunPlan) -> RunDir:
        """A run of its own process, which outlives this one."""

    def resume_detached(self, run: RunDir, only: Collection[str] = ()) -> None:
        """Go on with a run whose process is gone, or ended with something left; with `only` with these hosts of it."""

    def undecided(self, run: RunDir) -> tuple[Asked, ...]:
        """The risky changes that a run waits with."""

    def decide(self, run: RunDir, asked: Sequence[Asked], verdict: Verdict, comment: str = "") -> None:
        """Keep what was decided about each."""

    def status(self, hosts: Sequence[str]) -> AsyncIterator[HostStatus]:
        """Readings as they come."""

    async def generations(self, host: str) -> tuple[Generation, ...]:
        """The host's generations."""

    async def consequences(self, host: str) -> tuple[str, ...]:
        """What the destruction of the host's VM changes beside it, a line each."""

    async def day_two(self) -> DayTwoLike:
        """Snapshots and nodes, as the site is now."""

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        """The newest commits of the main branch, newest first."""

    async def reviews(self) -> tuple[Review, ...]:
        """The open registration branches, without files and checks."""

    async def review(self, host: str) -> Review:
        """One registration branch with files and checks."""

    async def approve(self, host: str, commit: str, comment: str = "") -> None:
        """Approve exactly this commit."""

    async def reject(self, host: str, commit: str, comment: str) -> None:
        """Reject exactly this commit."""

    async def merge(self, host: str, commit: str) -> str:
        """Merge exactly this approved commit; the new tip of the main branch."""

    async def close(self) -> None:
        """Close connections; runs go on."""

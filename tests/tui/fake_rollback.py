"""The backend's ways back, in memory: effects of each generation, prospects, and a commit that can be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pvenix.engine.durations import Durations
from pvenix.engine.ports import Commit
from pvenix.engine.runfiles import RunDir
from pvenix.lifecycle.effects import Effects
from pvenix.lifecycle.gates import Gate
from pvenix.lifecycle.goingback import Prospect
from pvenix.lifecycle.revert import Reverting
from pvenix.model.errors import Unreachable
from pvenix.model.generation import Generation
from pvenix.model.names import CommitId
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task
from pvenix.model.review import FileDiff

if TYPE_CHECKING:
    from pathlib import Path

OLD = "9be0142aa77d04c55a1e2f304958677665544332"
TIP = "b771e02c9d04c55a1e2f30495867766554433221"


@dataclass
class FakeWaysBack:
    """What a test may set: who is silent, what is known of durations and gates, and each host's own generations."""

    root: Path
    silent: frozenset[str] = frozenset()
    """Hosts whose generations cannot be read."""
    veiled: frozenset[str] = frozenset()
    """Hosts whose effects cannot be read."""
    times: Durations = field(default_factory=Durations)
    gates_now: tuple[Gate, ...] = ()
    own: frozenset[str] = frozenset()
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Other generations than 41, 42 and 43, by host; the last one runs."""
    before: dict[str, int] = field(default_factory=dict)
    """What hosts ran before any run that is asked about."""

    def durations(self) -> Durations:
        return self.times

    def gates(self, plan: RunPlan) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates_now if gate.host in plan.hosts)

    def own_hosts(self) -> frozenset[str]:
        return self.own

    def plan_rollback(self, aims: Mapping[str, Generation], **mode: Any) -> RunPlan:
        args: dict[str, ArgValue] = {"boot": True} if mode.get("boot") else {}
        if len(aims) == 1:
            args["to"] = next(iter(aims.values())).number
        title = f"rollback {', '.join(aims)}"
        play = PlayPlan(name=title, waves=(tuple(aims),), tasks=(Task(verb="rollback", args=args),))
        return RunPlan(
            title=title,
            plays=(play,),
            fleet=str(self.root),
            check=bool(mode.get("check")),
            step=bool(mode.get("step")),
            decisions={host: {"back_to": aim.path} for host, aim in aims.items()},
        )

    async def effects(self, host: str, number: int) -> Effects:
        if host in self.veiled:
            raise Unreachable(f"{host} does not answer")
        return Effects(
            host=host,
            number=number,
            old=f"/nix/store/{'1' * 32}-nixos-system-43",
            new=f"/nix/store/{'1' * 32}-nixos-system-{number}",
            commits=((OLD, "Bump vllm to 0.6.3"),),
            packages=(f"vllm: 0.6.3 -> 0.6.{number % 10}, -212.0 MiB",),
            boots="kernel 6.12.31 -> 6.6.58" if number == 41 else "",
            units=(("restart", ("vllm-api.service",)),) if number != 41 else None,
        )

    async def prospects(
        self, hosts: Sequence[str], *, to: int | Mapping[str, int] = 0, run: RunDir | None = None
    ) -> tuple[Prospect, ...]:
        return tuple(
            Prospect(host=host, number=self.before[host], path=f"/nix/store/{self.before[host]}", now=43)
            if host in self.before
            else Prospect(host=host, skip="the run activated nothing on it")
            for host in hosts
        )

    async def reverting(self, commit: str) -> Reverting:
        path = "nix/common.nix"
        unified = f"--- a/{path}\n+++ b/{path}\n@@ -1,1 +1,1 @@\n-  vllm 0.6.3\n+  vllm 0.6.2\n"
        return Reverting(
            commit=Commit(id=CommitId(commit), author="bo", at="2026-11-17T08:00:00Z", subject="Bump vllm to 0.6.3"),
            branch=f"revert/{commit[:10]}",
            base=CommitId(OLD),
            tip=CommitId(TIP),
            files=(FileDiff(path=path, kind="", added=1, removed=1, unified=unified),),
            hosts=("tappaas-cicd", "dns01"),
        )

    async def merge_revert(self, found: Reverting) -> str:
        return found.tip

    def own_generations(self, host: str, usual: tuple[Generation, ...]) -> tuple[Generation, ...]:
        """The host's generations. Raises: Unreachable for a silent one."""
        if host in self.silent:
            raise Unreachable(f"{host} does not answer")
        numbers = self.numbers.get(host)
        if numbers is None:
            return usual
        return tuple(
            replace(usual[0], number=number, path=f"/nix/store/{number}", current=number == numbers[-1])
            for number in numbers
        )

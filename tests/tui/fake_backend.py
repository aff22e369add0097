"""A backend in memory: six hosts, one review, and runs whose process is the test itself.

It has the shape of `pvenix_tui.backend.Backend`; runs are real run directories, so the TUI reads real files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pvenix.engine.ports import Commit, NodeState
from pvenix.engine.runfiles import RunDir
from pvenix.model.approval import Asked
from pvenix.model.approval import Verdict as ApprovalVerdict
from pvenix.model.errors import InvalidInput, Unreachable, UsageError
from pvenix.model.events import Event, HostEnded, RunEnded, RunStarted, StepEnded, StepStarted, StepWaiting
from pvenix.model.generation import Generation, Sync
from pvenix.model.names import CommitId, NodeName
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task
from pvenix.model.review import Check, FileDiff, Review, Verdict
from pvenix.model.snapshots import HostSnapshot
from pvenix.model.status import HostStatus
from tests.tui.fake_fleet import FakeFleetPart
from tests.tui.fake_inspection import FakeInspection
from tests.tui.fake_inventory import MAIN, OLD, STAMP, FakeFleet, fake_host, fake_status
from tests.tui.fake_journal import FakeJournal
from tests.tui.fake_newhost import FakeNewHosts
from tests.tui.fake_playbooks import FakePlaybooks
from tests.tui.fake_review import FakeReviewing
from tests.tui.fake_rollback import FakeWaysBack

NOW: Final = 1_795_170_000.0
"""2026-11-20 10:20:00 UTC, the tests' time."""
TIP: Final = "b771e02c9d04c55a1e2f30495867766554433221"


HOSTS: Final = (
    fake_host("tappaas-cicd", "core", "cicd"),
    fake_host("dns01", "core", "dns"),
    fake_host("nix-cache01", "core", "nix-cache"),
    fake_host("tappaas-vllm", "ai", "vllm"),
    fake_host("tappaas-litellm", "ai", "litellm"),
    fake_host("docker01", "apps", "docker"),
)
_SYNC: Final = (Sync.IN_SYNC, Sync.IN_SYNC, Sync.BEHIND, Sync.DRIFTED, Sync.ABSENT, Sync.UNREACHABLE)


def fake_diff(path: str, kind: str, lines: int) -> FileDiff:
    body = "\n".join(f'+  line {number} = "value";' for number in range(1, lines))
    unified = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{lines} @@\n+{{ modulesPath, ... }}: {{\n{body}\n+}}"
    return FileDiff(path=path, kind=kind, added=lines + 1, removed=0, unified=unified)


def fake_review(host: str = "tappaas-litellm") -> Review:
    return Review(
        host=host, branch=f"registration/{host}", commit=TIP, base=MAIN, author=host, at=STAMP,
        subject=f"Register {host}", state="open",
        files=(
            fake_diff(f"nix/hosts/{host}.nix", "host", 6),
            fake_diff(f"nix/hardware/{host}-hw.nix", "hardware", 24),
        ),
        checks=(
            Check(name="scope of files", verdict=Verdict.PASS),
            Check(name="Nix syntax", verdict=Verdict.PASS, detail="2 of 2 files parse"),
            Check(name="open ports", verdict=Verdict.WARN, detail="the firewall opens 4000 (role litellm)"),
        ),
    )  # fmt: skip


def waits(host: str) -> Asked:
    """A rebuild of `host` that waits for an approval."""
    return Asked(
        host=host,
        step="0.0.rebuild",
        subject=f"/nix/store/{'0' * 31}9-nixos-system-{host}-25.05",
        commit=MAIN,
        risks=("reboots: kernel 6.12.30 -> 6.12.31", f"touches unbound.service (role {host[:3]})"),
    )


def fake_generations() -> tuple[Generation, ...]:
    return tuple(
        Generation(
            number=number, date=f"2026-11-{number - 28:02} 08:00:00", current=number == 43,
            path=f"/nix/store/{'1' * 32}-nixos-system-{number}", revision=MAIN if number == 43 else OLD,
        )
        for number in (41, 42, 43)
    )  # fmt: skip


def fake_snapshot(
    name: str, parent: str, age: int, *, ours: bool, unfinished: str = "", text: str = ""
) -> HostSnapshot:
    return HostSnapshot(
        host="tappaas-cicd", vmid=200, name=name, parent=parent, taken_at=int(NOW) - age, age_s=age, memory=False,
        ours=ours, present=False, unfinished=unfinished, description=text,
    )  # fmt: skip


def fake_snapshots() -> tuple[HostSnapshot, ...]:
    return (
        fake_snapshot("before-42", "", 86400, ours=True, text="pvenix: before generation 42"),
        fake_snapshot("manual", "before-42", 3600, ours=False, text="ana was here"),
        fake_snapshot("half", "manual", 60, ours=True, unfinished="delete"),
    )


@dataclass(slots=True)
class FakeDayTwo:
    """Snapshots and nodes, as the backend has them."""

    found: tuple[HostSnapshot, ...]

    async def snapshots(self, hosts: Sequence[str]) -> AsyncIterator[HostSnapshot]:
        for each in self.found:
            if each.host in hosts:
                yield each

    async def nodes(self) -> tuple[NodeState, ...]:
        return tuple(
            NodeState(name=NodeName(f"tappaas{number}"), online=number != 3, memory_total=64 * 2**30,
                      memory_used=16 * 2**30, cpus=16)
            for number in (1, 2, 3)
        )  # fmt: skip

    async def losses(self, host: str, snapshot: str) -> tuple[str, ...]:
        return (f"what VM 200 has written since {snapshot} is lost",)


@dataclass
class FakeBackend(FakeInspection, FakeFleetPart, FakeWaysBack, FakePlaybooks, FakeJournal, FakeNewHosts, FakeReviewing):
    """The engine's side, with a record of what was asked of it."""

    root: Path
    fleet_now: FakeFleet = field(default_factory=lambda: FakeFleet(hosts={host.name: host for host in HOSTS}))
    reviews_now: dict[str, Review] = field(default_factory=lambda: {"tappaas-litellm": fake_review()})
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    snapshots_now: tuple[HostSnapshot, ...] = field(default_factory=fake_snapshots)
    stake: tuple[str, ...] = (
        "backup job nightly (daily, to pbs) names it: it is taken off the list",
        "no backup is made before: backup.before_destroy is false",
    )
    asked_now: tuple[Asked, ...] = ()
    """What every run waits with until somebody decides."""
    unreachable: str = ""
    """When set, why the far side does not answer."""
    wrong: InvalidInput | None = None
    """When set, what is wrong with the fleet's files."""
    live: ExitStack = field(default_factory=ExitStack)
    """Holds the locks of runs that are `running`."""
    seq: int = 0

    def fleet(self) -> FakeFleet:
        if self.wrong is not None:
            raise self.wrong
        return self.fleet_now

    def plan_verb(
        self,
        verb: str,
        hosts: Sequence[str],
        *,
        args: Mapping[str, ArgValue] | None = None,
        check: bool = False,
        step: bool = False,
    ) -> RunPlan:
        return self._plan(f"{verb} {', '.join(hosts)}", (Task(verb=verb, args=dict(args or {})),), hosts, check, step)

    def plan_verbs(
        self,
        verbs: Sequence[str],
        hosts: Sequence[str],
        *,
        args: Mapping[str, Mapping[str, ArgValue]] | None = None,
        check: bool = False,
        step: bool = False,
    ) -> RunPlan:
        tasks = tuple(Task(verb=verb, args=dict((args or {}).get(verb, {}))) for verb in verbs)
        return self._plan(f"{verbs[0]} … {verbs[-1]} {', '.join(hosts)}", tasks, hosts, check, step)

    def _plan(self, title: str, tasks: tuple[Task, ...], hosts: Sequence[str], check: bool, step: bool) -> RunPlan:
        for host in hosts:
            if host not in self.fleet_now.hosts:
                raise UsageError(f"no host is called {host}")
        play = PlayPlan(name=title, waves=(tuple(hosts),), tasks=tasks)
        return RunPlan(title=title, plays=(play,), fleet=str(self.root), check=check, step=step)

    def start_detached(self, plan: RunPlan) -> RunDir:
        self._reach()
        made = self.runs.create(plan)
        number = 1 + sum(1 for call in self.calls if call[0] == "start")
        run = RunDir(made.path.rename(made.path.with_name(f"20261120-1020{number:02}-{number:04x}")))
        self.calls.append(("start", plan))
        self.live.enter_context(run.locked())
        self.emit(run, RunStarted, title=plan.title, hosts=plan.hosts, steps=(), pid=1)
        return run

    def resume_detached(self, run: RunDir, only: Collection[str] = ()) -> None:
        self.calls.append(("resume", run.run, *([tuple(only)] if only else [])))

    def undecided(self, run: RunDir) -> tuple[Asked, ...]:
        return self.asked_now

    def decide(self, run: RunDir, asked: Sequence[Asked], verdict: ApprovalVerdict, comment: str = "") -> None:
        self.calls.append(("decide", tuple(each.host for each in asked), verdict.value))
        self.asked_now = tuple(each for each in self.asked_now if each not in asked)

    async def status(self, hosts: Sequence[str]) -> AsyncIterator[HostStatus]:
        self._reach()
        known = list(self.fleet_now.hosts)
        for name in hosts:
            index = known.index(name)
            yield replace(fake_status(name, index, _SYNC[index % len(_SYNC)]), seen_at=self.stamp_now or STAMP)

    async def generations(self, host: str) -> tuple[Generation, ...]:
        self._reach()
        return self.own_generations(host, fake_generations())

    async def consequences(self, host: str) -> tuple[str, ...]:
        self._reach()
        return self.stake

    async def day_two(self) -> FakeDayTwo:
        self._reach()
        return FakeDayTwo(self.snapshots_now)

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        self._reach()
        return (
            Commit(id=CommitId(MAIN), author="ana", at=STAMP, subject="Open port 8000 for vllm"),
            Commit(id=CommitId(OLD), author="bo", at="2026-11-17T08:00:00Z", subject="Bump nixpkgs"),
        )

    async def reviews(self) -> tuple[Review, ...]:
        self._reach()
        return tuple(
            replace(review, files=(), checks=()) for review in self.reviews_now.values() if review.state != "merged"
        )

    async def review(self, host: str) -> Review:
        self._reach()
        if host not in self.reviews_now:
            raise UsageError(f"{host} has no registration branch", hint=f"pvenix register {host}")
        return self.reviews_now[host]

    async def approve(self, host: str, commit: str, comment: str = "", *, acknowledged: Sequence[str] = ()) -> None:
        self.acknowledged_now = tuple(acknowledged)
        self._judge("approve", host, commit, comment, "approved")

    async def reject(self, host: str, commit: str, comment: str) -> None:
        self._judge("reject", host, commit, comment, "rejected")

    async def merge(self, host: str, commit: str) -> str:
        self._judge("merge", host, commit, "", "merged")
        return commit

    async def close(self) -> None:
        self.calls.append(("close",))

    # --- what a test makes happen ---

    def _reach(self) -> None:
        if self.unreachable:
            raise Unreachable(self.unreachable, hint="is the site up?")

    def _judge(self, word: str, host: str, commit: str, comment: str, state: str) -> None:
        self.calls.append((word, host, commit, comment))
        review = self.reviews_now[host]
        if review.commit != commit:
            raise UsageError(f"{host}'s branch is at another commit now", hint="read it again")
        comments = (*review.comments, comment) if comment else review.comments
        self.reviews_now[host] = replace(review, state=state, comments=comments)

    def emit(self, run: RunDir, kind: type[Event], *, host: str = "", step: str = "", **values: Any) -> None:
        """Write one event of a run."""
        self.seq += 1
        run.append_event(kind(run=run.run, seq=self.seq, at=STAMP, host=host, step=step, **values))

    def output(self, run: RunDir, host: str, text: str) -> None:
        """Let a host of a run print something."""
        with run.log_path(host).open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)

    def step(self, run: RunDir, host: str, verb: str, status: str = "", *, summary: str = "", hint: str = "") -> None:
        """Start a step, and end it when a status is given; `waiting for a person` pauses it."""
        name = f"0.{verb}"
        if status == "gate":
            self.emit(run, StepWaiting, host=host, step=name, verb=verb, reason=f"continue before {verb}")
            return
        log = run.log_path(host)
        at = log.stat().st_size if log.exists() else 0
        self.emit(run, StepStarted, host=host, step=name, verb=verb, name=verb, log_at=at)
        self.output(run, host, f"--- {verb} ---\n")
        if status:
            self.emit(run, StepEnded, host=host, step=name, verb=verb, status=status, summary=summary, hint=hint)

    def end_host(self, run: RunDir, host: str, status: str, summary: str = "") -> None:
        """End a host's part."""
        self.emit(run, HostEnded, host=host, status=status, summary=summary)

    def end_run(self, run: RunDir, exit_code: int, **counts: int) -> None:
        """End the run and its process."""
        self.emit(run, RunEnded, exit_code=exit_code, counts=counts, seconds=1.0)
        self.live.close()

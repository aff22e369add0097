"""A workspace without a world: real run files, scripted ends of steps, and a record of what the command line asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from click.testing import CliRunner, Result

from pvenix.cli.main import cli
from pvenix.cli.settings import Settings
from pvenix.engine.audittrail import lines_of
from pvenix.engine.deeds import undos
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.lifecycle.goingback import Prospect
from pvenix.lifecycle.leftovers import Leftover
from pvenix.model.approval import Asked
from pvenix.model.approval import Verdict as ApprovalVerdict
from pvenix.model.errors import ExitCode, UsageError, worst
from pvenix.model.events import Command, Event, HostEnded, Progress, RunEnded, RunStarted, StepEnded, StepStarted
from pvenix.model.generation import Generation, HostFacts, Sync
from pvenix.model.initialised import Initialised
from pvenix.model.inverse import Undo
from pvenix.model.names import CommitId
from pvenix.model.nearest import did_you_mean
from pvenix.model.outcome import Status
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task
from pvenix.model.review import Check, FileDiff, Review, Verdict
from pvenix.model.status import HostStatus

TIP = "a" * 40
HOSTS = ("dns01", "docker01", "web01")


@dataclass
class FakeFleet:
    """Three hosts and two groups; selects by name, group and trailing star."""

    hosts: Mapping[str, object] = field(default_factory=lambda: dict.fromkeys(HOSTS))
    groups: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {"all": HOSTS, "role_dns": ("dns01",), "apps": ("docker01", "web01")}
    )

    def host(self, name: str) -> Any:
        if name not in self.hosts:
            raise UsageError(f"no host is called `{name}`", hint=did_you_mean(name, self.hosts))
        return SimpleNamespace(name=name)

    def select(self, expression: str, facts: Mapping[str, Mapping[str, str]] | None = None) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for part in expression.split(":"):
            if part in self.groups:
                found |= dict.fromkeys(self.groups[part])
            elif part.startswith("state="):
                found |= dict.fromkeys(host for host, fact in (facts or {}).items() if fact["state"] == part[6:])
            elif part.endswith("*"):
                found |= dict.fromkeys(host for host in self.hosts if host.startswith(part[:-1]))
            elif part in self.hosts:
                found[part] = None
            else:
                raise UsageError(f"no host or group {part!r}", hint="did you mean `dns01`?")
        return tuple(found)


@dataclass
class FakeWorkspace:
    """What `pvenix.wiring.Workspace` offers, over scripted ends."""

    root: Path
    runs: RunStore
    ends: dict[str, Status] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    review_state: str = "open"
    verdict: Verdict = Verdict.PASS
    sync: Sync = Sync.IN_SYNC
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per host what its status says otherwise."""
    failure: Exception | None = None
    hang: bool = False
    changes: bool = True
    extra: dict[str, ArgValue] = field(default_factory=dict)
    inventory: str = ""
    closed: int = 0
    ask: Any = None
    waits: tuple[Asked, ...] = ()
    """What every run of it waits with until somebody decides."""

    def fleet(self) -> FakeFleet:
        return FakeFleet()

    def plan_verb(
        self, verb: str, hosts: Sequence[str], *, args: dict[str, ArgValue] | None = None, **mode: Any
    ) -> RunPlan:
        self.asked.append(("plan_verb", verb, tuple(hosts), args or {}, mode))
        return self._plan(verb, (Task(verb=verb, args=args or {}),), tuple(hosts), mode)

    def plan_playbook(self, path: Path, *, limit: str, **mode: Any) -> RunPlan:
        self.asked.append(("plan_playbook", path, limit, mode))
        tasks = (Task(verb="build", name="Build it", tags=("build",)), Task(verb="rebuild", name="Activate it"))
        return self._plan(path.stem, tasks, self.fleet().select(limit), mode)

    def _plan(self, title: str, tasks: tuple[Task, ...], hosts: tuple[str, ...], mode: dict[str, Any]) -> RunPlan:
        play = PlayPlan(name=title, waves=(hosts,), tasks=tasks)
        kept = {key: mode[key] for key in ("check", "diff", "step", "forks") if key in mode}
        return RunPlan(
            title=title, plays=(play,), fleet=str(self.root), extra=self.extra, inventory=self.inventory, **kept
        )

    async def consequences(self, host: str) -> tuple[str, ...]:
        self.asked.append(("consequences", host))
        return ("backup job nightly names it: it is taken off the list",)

    async def refuse_unmakeable(self, host: str) -> None:
        self.asked.append(("refuse_unmakeable", host))

    def plan_verbs(
        self, verbs: Sequence[str], hosts: Sequence[str], *, args: dict[str, dict[str, ArgValue]], **mode: Any
    ) -> RunPlan:
        self.asked.append(("plan_verbs", tuple(verbs), tuple(hosts), args, mode))
        return self._plan(
            verbs[0], tuple(Task(verb=verb, args=args.get(verb, {})) for verb in verbs), tuple(hosts), mode
        )

    def leftovers(self, run: RunDir) -> tuple[Leftover, ...]:
        unit = f"unit pvenix-activate-{run.run}-0.0-1.service"
        return (Leftover(host="dns01", step="0.0.rebuild", things=(unit,)),) if self.hang else ()

    def undos(self, lines: Sequence[Mapping[str, Any]]) -> tuple[Undo, ...]:
        return undos(lines, self.runs)

    def undos_of_run(self, run: str) -> tuple[Undo, ...]:
        return self.undos(lines_of(self.runs.open(run)))

    def undecided(self, run: RunDir) -> tuple[Asked, ...]:
        return self.waits

    def decide(self, run: RunDir, asked: Sequence[Asked], verdict: ApprovalVerdict, comment: str = "") -> None:
        self.asked.append(("decide", run.run, tuple(each.host for each in asked), verdict.value, comment))
        self.waits = tuple(each for each in self.waits if each not in asked)

    def allow_now(self, run: RunDir, hosts: Collection[str] = ("",)) -> None:
        self.asked.append(("allow_now", run.run, tuple(hosts)))

    async def execute(
        self, run: RunDir, *, on_event: Callable[[Event], None], resume: bool = False, only: Collection[str] = ()
    ) -> int:
        self.asked.append(("execute", run.run, resume, *([tuple(sorted(only))] if only else [])))
        if self.failure:
            raise self.failure
        emit = Emitter(run, on_event)
        plan = run.plan()
        emit(RunStarted, title=plan.title, hosts=plan.hosts, steps=(), pid=1, resumed=resume, check=plan.check)
        codes = [await self._host(emit, plan, host) for host in plan.hosts]
        code = worst(codes)
        emit(RunEnded, exit_code=int(code), counts={"changed": len(codes)}, seconds=1.5)
        return code

    async def _host(self, emit: Emitter, plan: RunPlan, host: str) -> ExitCode:
        status = self.ends.get(host, Status.PENDING if plan.check else Status.CHANGED)
        emit.run.log_path(host).write_text(f"output of {host}\n")
        for task in plan.plays[0].tasks:
            place = {"host": host, "step": f"0.0.{task.verb}"}
            emit(StepStarted, verb=task.verb, name=task.name, **place)
            emit(Progress, text="looking \x1b]0;title\x07around", **place)
            emit(Command, channel="ssh", text="nix build  'a b'", writes=True, **place)
            if self.hang:
                await asyncio.sleep(3600)
            bad = status.counts_as_failed
            emit(
                StepEnded, verb=task.verb, status=status, summary=f"{task.verb} done", seconds=0.2,
                hint="pvenix resume last" if bad else "", evidence=("error: \x1b[31mno such file",) if bad else (), **place,
            )  # fmt: skip
            if not status.goes_on:
                break
        emit(HostEnded, host=host, status=status, summary="")
        return status.exit_code

    async def status(self, hosts: Sequence[str], *, hardware: bool = False) -> AsyncIterator[HostStatus]:
        self.asked.append(("status", tuple(hosts), *(["hardware"] if hardware else [])))
        for host in reversed(hosts):
            facts = HostFacts(
                booted="/nix/store/b",
                current="/nix/store/c",
                profile="/nix/store/c",
                revision=TIP,
                boot_id="1",
                checkout=TIP,
            )
            status = HostStatus(
                host=host, sync=self.sync, seen_at="2025-01-01T00:00:00Z", expected=TIP, facts=facts, vmid=200
            )
            yield replace(status, **self.known.get(host, {}))

    async def generations(self, host: str) -> tuple[Generation, ...]:
        return tuple(
            Generation(number=n, date="2025-01-01 00:00:00", current=n == 2, path=f"/nix/store/{n}", revision=TIP)
            for n in (1, 2)
        )

    async def all_generations(self, hosts: Sequence[str]) -> AsyncIterator[tuple[str, tuple[Generation, ...]]]:
        for host in hosts:
            yield host, await self.generations(host)

    def run_to_undo(self, run: str) -> RunDir:
        return self.runs.open(run)

    async def prospects(
        self, hosts: Sequence[str], *, to: int | Mapping[str, int] = 0, run: RunDir | None = None
    ) -> tuple[Prospect, ...]:
        self.asked.append(("prospects", tuple(hosts), to, run))
        aims = dict.fromkeys(hosts, to or 1) if isinstance(to, int) else to
        return tuple(
            Prospect(
                host=host, path=f"/nix/store/{aims[host]}", number=aims[host], now=2, limits=("its kernel is another",)
            )
            for host in hosts
        )

    def decided(self, found: Sequence[Prospect]) -> dict[str, dict[str, str]]:
        return {each.host: each.decided for each in found}

    async def reviews(self) -> tuple[Review, ...]:
        return (await self.review("dns01"),)

    async def review(self, host: str) -> Review:
        unified = "@@ -0,0 +1 @@\n+{ }: { }\n"
        diff = FileDiff(path=f"nix/hosts/{host}.nix", kind="host", added=1, removed=0, unified=unified)
        return Review(
            host=host, branch=f"registration/{host}", commit=TIP, base="b" * 40, author="dns01", at="2025-01-01T00:00:00Z",
            subject="Register", files=(diff,), checks=(Check(name="scope", verdict=self.verdict, detail="two files"),),
            state=self.review_state,
        )  # fmt: skip

    async def approve(self, host: str, commit: str, comment: str = "") -> None:
        self.asked.append(("approve", host, commit, comment))

    async def reject(self, host: str, commit: str, comment: str) -> None:
        self.asked.append(("reject", host, commit, comment))

    async def init_remote(self, say: Callable[[str], None]) -> Initialised:
        self.asked.append(("init_remote",))
        if self.changes:
            say("cicd: sudo -n git init")
        return Initialised(tip=CommitId("c" * 40), changed=self.changes, advice=("write the key down",))

    async def merge(self, host: str, commit: str) -> str:
        self.asked.append(("merge", host, commit))
        return "c" * 40

    async def close(self) -> None:
        self.closed += 1


class Emitter:
    """Numbers events, writes them to the run's file and hands them on."""

    def __init__(self, run: RunDir, on_event: Callable[[Event], None]) -> None:
        self.run = run
        self._on_event = on_event
        self._seq = 0

    def __call__(self, kind: type[Event], **values: Any) -> None:
        self._seq += 1
        event = kind(run=self.run.run, seq=self._seq, at="2025-01-01T00:00:00.000Z", **values)
        self.run.append_event(event)
        self._on_event(event)


class Cli:
    """The command line over a fake workspace."""

    def __init__(self, folder: Path) -> None:
        (folder / "playbooks").mkdir(parents=True)
        for name in ("onboard", "rebuild-all"):
            (folder / "playbooks" / f"{name}.yaml").write_text("")
        self.workspace = FakeWorkspace(root=folder, runs=RunStore(folder / "runs"))
        self.opened: list[tuple[Path, dict[str, Any]]] = []

    def __call__(self, *arguments: str, input: str | None = None, **environment: str) -> Result:  # noqa: A002 - click's word
        settings = Settings(opener=cast("Any", self._open))
        return CliRunner(env=environment).invoke(cli, arguments, input=input, obj=settings)

    def json(self, *arguments: str) -> Any:
        """The document that a command prints with `-o json`, whatever its exit code."""
        return json.loads(self(*arguments, "-o", "json").stdout)

    def _open(self, start: Path, **options: Any) -> FakeWorkspace:
        self.opened.append((start, options))
        return self.workspace

"""The journal's side of the fake backend: a real audit log in the fake's state directory, and what a story puts there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pvenix.engine.acts import Acting
from pvenix.engine.audit import AuditLog, Record
from pvenix.engine.auditpages import Page, page, since
from pvenix.engine.audittrail import lines_of
from pvenix.engine.deeds import undos
from pvenix.engine.journalfile import open_journal
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.lifecycle.goingback import Prospect
from pvenix.lifecycle.revert import Reverting
from pvenix.model.act import Act
from pvenix.model.events import RunEnded, RunStarted
from pvenix.model.inverse import Undo
from pvenix.model.plan import PlayPlan, RunPlan, Task

WHO = {"operator": "ana", "os_user": "ana", "git": "ana <ana@ops1>"}


class FakeJournal:
    """What `Workspace` has of the audit log."""

    root: Path
    calls: list[tuple[Any, ...]]
    read_only = False
    """Whether runs are only looked at, as in a workspace that was opened so."""

    @property
    def state_dir(self) -> Path:
        return self.root / "state"

    @property
    def runs(self) -> RunStore:
        return RunStore(self.state_dir / "runs", read_only=self.read_only)

    @property
    def log(self) -> AuditLog:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        return AuditLog(self.state_dir)

    def journal_page(self, before: int | None = None) -> Page:
        return page(self.log, before)

    def journal_since(self, end: int) -> Page:
        return since(self.log, end)

    def undos(self, lines: Sequence[Mapping[str, Any]]) -> tuple[Undo, ...]:
        return undos(lines, self.runs)

    def undos_of_run(self, run: str) -> tuple[Undo, ...]:
        return self.undos(lines_of(self.runs.open(run)))

    def run_to_undo(self, run: str) -> RunDir:
        return self.runs.open(run)

    def decided(self, found: Sequence[Prospect]) -> dict[str, dict[str, str]]:
        return {each.host: each.decided for each in found if each.decided}

    async def propose_revert(self, found: Reverting) -> str:
        self.calls.append(("propose_revert", found.commit.id))
        return found.tip

    # --- what a story puts into the log ---

    def did(
        self, run: str, at: str, *steps: tuple[str, str, str], who: str = "ana", known: Mapping[str, str] | None = None
    ) -> RunDir:
        """A run that ended: (host, verb, outcome), with its plan, its journal and its lines."""
        verbs = tuple(dict.fromkeys(verb for _, verb, _ in steps))
        hosts = tuple(dict.fromkeys(host for host, _, _ in steps))
        args = {"confirm": hosts[0]} if verbs[0] in ("retire", "destroy") else {}
        play = PlayPlan(name="p", waves=(hosts,), tasks=tuple(Task(verb=verb, args=dict(args)) for verb in verbs))
        title = f"{verbs[0]} {', '.join(hosts)}"
        made = self.runs.create(RunPlan(title=title, plays=(play,), fleet="/fleet"))
        directory = RunDir(made.path.rename(made.path.with_name(run)))
        database = open_journal(directory.journal_path)
        lines: list[Record] = []
        for host, verb, outcome in steps:
            step = f"0.{verbs.index(verb)}.{verb}"
            for what, data in (("intent", dict(known or {})), ("result", {"status": outcome})):
                row = (host, step, what, json.dumps(data), at)
                database.execute("INSERT INTO entry (host, step, what, data, at) VALUES (?, ?, ?, ?, ?)", row)
            lines.append({
                "at": at, "run": run, **WHO, "operator": who, "host": host, "step": step, "verb": verb, "count": 1,
                "commands": "", "commit": "9" * 40, "outcome": outcome,
            })  # fmt: skip
        database.close()
        directory.append_event(
            RunStarted(run=directory.run, seq=1, at=at, host="", step="", title=title, hosts=hosts, steps=(), pid=1)
        )
        directory.append_event(RunEnded(run=directory.run, seq=2, at=at, host="", step="", exit_code=0, counts={}))
        self.log.append(lines)
        return directory

    def acted(self, act: Act, at: str, **said: str) -> None:
        """A decision."""
        self.log.append([Acting(act=act, **said).line(at=at, who=WHO)])  # type: ignore[arg-type] # texts all

"""From lines of the audit log to what they did, with the values that the journals of kept runs have of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pvenix.engine.audit import key
from pvenix.engine.journalfile import read_entries
from pvenix.engine.ports import Entry
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.act import Act
from pvenix.model.errors import LocalResource, UsageError
from pvenix.model.inverse import INVERSE, Deed, Undo, Way, undos_of
from pvenix.model.plan import RunPlan

Line = Mapping[str, Any]
_FACT: Final = "fact."


def undos(lines: Sequence[Line], runs: RunStore) -> tuple[Undo, ...]:
    """The ways back of what some lines, oldest first, say was done; of a run, those of all its lines. Reads files."""
    return undos_of(deeds(lines, runs))


def foreseen(lines: Sequence[Line]) -> tuple[Undo, ...]:
    """As `undos`, as far as it can be told without the journals: values stand for themselves. Reads nothing."""
    return undos_of(_deeds(lines, lambda line: dict.fromkeys(_sources(str(line.get("verb", ""))), "0")))


def deeds(lines: Sequence[Line], runs: RunStore) -> tuple[Deed, ...]:
    """What lines of one run, or of no run, did: a deed for all hosts to which it was the same. Reads files."""
    records: dict[str, _Record] = {}

    def known(line: Line) -> dict[str, str]:
        run = str(line.get("run", ""))
        return records.setdefault(run, _Record(runs, run)).known(line)

    return _deeds(lines, known)


def _deeds(lines: Sequence[Line], known_of: Callable[[Line], dict[str, str]]) -> tuple[Deed, ...]:
    last = {(str(line.get("run", "")), *key(line)[:2], str(line.get("verb", ""))): line for line in lines}
    found: dict[tuple[object, ...], Deed] = {}
    for (run, host, _, verb), line in last.items():
        known = known_of(line) if _asks_journal(verb) else {}
        commit = _revision(line)
        outcome = str(line.get("outcome", ""))
        alike = (run, verb, outcome, *_taken(verb, known), commit if _by_commit(verb) else "")
        before = found.get(alike)
        hosts = (*(before.hosts if before else ()), *((host,) if host else ()))
        found[alike] = Deed(verb=verb, hosts=hosts, run=run, commit=commit, known=known, outcome=outcome)
    return tuple(found.values())


def _revision(line: Line) -> str:
    """What the line's commit brought to main, as git names it: a merge may bring more than its last commit."""
    commit, before = str(line.get("commit", "")), str(line.get("before", ""))
    return f"{before[:12]}..{commit[:12]}" if line.get("verb") == Act.MERGE and before and commit else commit


def _by_commit(verb: str) -> bool:
    return verb in INVERSE and INVERSE[verb].way in (Way.REVERT, Way.REVIEW)


def _taken(verb: str, known: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(known.get(source, "") for source in _sources(verb))


def _sources(verb: str) -> tuple[str, ...]:
    return tuple(INVERSE[verb].takes.values()) if verb in INVERSE else ()


def _asks_journal(verb: str) -> bool:
    """Whether the way back needs a value that the audit log does not have."""
    return bool(_sources(verb))


class _Record:
    """The plan and the journal of a run that is kept; of another one, nothing."""

    def __init__(self, runs: RunStore, run: str) -> None:
        self._runs, self._run = runs, run
        self._read: tuple[RunPlan | None, tuple[Entry, ...]] | None = None

    def known(self, line: Line) -> dict[str, str]:
        """Arguments, evidence and facts of a line's step."""
        if self._read is None:
            self._read = _read(self._runs, self._run)
        plan, entries = self._read
        host, step, _ = key(line)
        found = _args(plan, step)
        for entry in entries:
            if (entry.host, entry.step) == (host, step):
                found |= {name.removeprefix(_FACT): value for name, value in entry.data.items() if value}
        return found


def _read(runs: RunStore, run: str) -> tuple[RunPlan | None, tuple[Entry, ...]]:
    with contextlib.suppress(UsageError, LocalResource):  # it was thrown away, or is damaged: it says nothing
        directory: RunDir = runs.open(run)
        return directory.plan(), read_entries(directory.journal_path)
    return None, ()


def _args(plan: RunPlan | None, step: str) -> dict[str, str]:
    """What the step's verb was told; the id of a step is `play.task.verb`."""
    play, _, rest = step.partition(".")
    task = rest.partition(".")[0]
    with contextlib.suppress(IndexError, ValueError, AttributeError):
        args = plan.plays[int(play)].tasks[int(task)].args if plan else {}
        return {name: str(value) for name, value in args.items()}
    return {}

"""What was done: the lines of the audit log by run and by decision, newest first, as many as there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final

from pvenix.engine.deeds import foreseen
from pvenix.engine.ports import Commit
from pvenix.engine.runfiles import RunSummary
from pvenix.model.outcome import Status
from pvenix.model.verbs import ONBOARDING

LIVE: Final = ("running", "interrupted")
_GIT: Final = {"Merge ": "merge", "Revert ": "revert"}
"""Subjects of commits that were made by this program, wherever it ran; what it ran as here is in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One line of the audit log, without its seal; texts that repeat are kept once."""

    at: str
    who: str
    git: str
    run: str
    host: str
    step: str
    verb: str
    count: int
    outcome: str
    commit: str
    before: str
    about: str

    def record(self) -> dict[str, Any]:
        """The line as the engine takes it."""
        return {
            "at": self.at, "operator": self.who, "git": self.git, "run": self.run, "host": self.host,
            "step": self.step, "verb": self.verb, "count": self.count, "outcome": self.outcome,
            "commit": self.commit, "before": self.before, "about": self.about,
        }  # fmt: skip


def told(record: Mapping[str, Any]) -> Told:
    """A line of the log; what it lacks is empty."""

    def text(name: str) -> str:
        return intern(str(record.get(name, "")))

    count = record.get("count")
    return Told(
        at=str(record.get("at", "")), who=text("operator"), git=text("git"), run=text("run"), host=text("host"),
        step=text("step"), verb=text("verb"), count=count if isinstance(count, int) else 0, outcome=text("outcome"),
        commit=text("commit"), before=text("before"), about=text("about"),
    )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Entry:
    """A row of the journal: what one run did, or one person decided."""

    key: str
    lines: list[Told] = field(default_factory=list)
    """Oldest first."""
    run: RunSummary | None = None
    commit: Commit | None = None
    """With no lines: a commit of main that the log of this machine knows nothing of."""
    _text: str = ""
    _undo: str = ""

    @property
    def at(self) -> str:
        """When it was done last, UTC, ISO 8601."""
        return (
            self.lines[-1].at
            if self.lines
            else self.run.started_at
            if self.run
            else self.commit.at
            if self.commit
            else ""
        )

    @property
    def who(self) -> str:
        """Whose doing it was."""
        return self.lines[-1].who if self.lines else self.commit.author if self.commit else ""

    @property
    def run_id(self) -> str:
        """The run that it was, or was decided about; empty when there is none."""
        return self.lines[-1].run if self.lines else self.run.run if self.run else ""

    @property
    def verbs(self) -> tuple[str, ...]:
        """What was done, in order, each once."""
        return tuple(dict.fromkeys(line.verb for line in self.lines))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that it was done to, each once."""
        return tuple(dict.fromkeys(line.host for line in self.lines if line.host))

    @property
    def action(self) -> str:
        """In a word or two."""
        verbs = self.verbs
        if not verbs:
            return self.run.title.split(" ")[0] if self.run else _git_word(self.commit) or "commit"
        making = {"clone", "create"} & set(verbs)
        if making and len(set(verbs) & set(ONBOARDING)) > 2:
            return "onboard"
        return verbs[0] if len(verbs) == 1 else f"{verbs[-1]} +{len(verbs) - 1}"

    @property
    def target(self) -> str:
        """What it was done to."""
        hosts = self.hosts
        if len(hosts) > 1:
            return f"{len(hosts)} hosts"
        if hosts:
            return hosts[0]
        if self.lines:
            return self.lines[-1].about or self.lines[-1].run or self.lines[-1].commit[:12]
        if self.run:
            return self.run.title.partition(" ")[2]
        return self.commit.subject if self.commit else ""

    @property
    def result(self) -> tuple[str, int, int]:
        """The worst that came of it, on how many hosts, of how many."""
        if not self.lines:
            return (self.run.state if self.run else Status.CHANGED, 0, 0)
        if self.run and self.run.state in LIVE:
            return (self.run.state, 0, 0)
        last = {(line.host, line.step): line.outcome for line in self.lines}
        worst = min(last.values(), key=_rank)
        hosts = {host for (host, _), outcome in last.items() if outcome == worst}
        return (worst, len(hosts), len({host for host, _ in last}))

    @property
    def undo(self) -> str:
        """What undoes it, in a word: the verb, a dash when nothing does; more than one with a number."""
        if not self._undo:
            if self.commit and not self.lines:
                self._undo = f"revert {self.commit.id[:7]}"
            elif not self.lines:
                self._undo = "-"
            else:
                ways = foreseen([line.record() for line in self.lines])
                able = [way.short for way in ways if way.possible]
                self._undo = (able[0] + (f" +{len(able) - 1}" if len(able) > 1 else "")) if able else "-"
        return self._undo

    @property
    def text(self) -> str:
        """Everything that a plain word of a filter is looked for in, casefolded."""
        if not self._text:
            told_by_lines = (
                word for line in self.lines for word in (line.verb, line.host, line.outcome, line.commit, line.about)
            )
            run = (self.run.title, self.run.state) if self.run else ()
            commit = (self.commit.subject, self.commit.id) if self.commit else ()
            words = dict.fromkeys((self.who, self.action, self.run_id, *told_by_lines, *run, *commit))
            self._text = " ".join(words).casefold()
        return self._text

    def changed(self) -> None:
        """Forget what was made from the lines."""
        self._text = self._undo = ""


class JournalModel:
    """Every entry, newest first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._commits: tuple[Commit, ...] = ()
        self._known: set[str] = set()
        """Every commit that the log speaks of."""
        self._order: list[Entry] | None = None
        self.count = 0
        """Lines of the log that were taken in."""
        self.version = 0
        """Another number after each change."""

    def take(self, lines: Iterable[Told], *, older: bool) -> None:
        """Take in lines, newest first, that are all older, or all newer, than those that are there."""
        for line in lines if older else reversed(tuple(lines)):
            key = _key(line)
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = Entry(key=key)
            if older:
                entry.lines.insert(0, line)
            else:
                entry.lines.append(line)
            entry.changed()
            self._known.add(line.commit)
            self.count += 1
        self._outdated()

    def runs(self, runs: Sequence[RunSummary]) -> None:
        """Take in what the store says of runs: the state of those in the log, and live ones that left no line yet."""
        for run in runs:
            entry = self._entries.get(run.run)
            if entry is None and run.state in LIVE and run.hosts:
                entry = self._entries[run.run] = Entry(key=run.run)
            if entry is not None and entry.run != run:
                entry.run = run
                entry.changed()
                self._outdated()
        gone = [
            key for key, entry in self._entries.items() if not entry.lines and entry.run and not _lives(entry, runs)
        ]
        for key in gone:
            del self._entries[key]
            self._outdated()

    def commits(self, commits: Sequence[Commit]) -> None:
        """Take in the newest commits of main: merges and reverts that other machines made are in no log of this one."""
        if tuple(commits) != self._commits:
            self._commits = tuple(commits)
            self._outdated()

    def entries(self) -> Sequence[Entry]:
        """Every entry, newest first."""
        if self._order is None:
            foreign = [
                Entry(key=commit.id, commit=commit)
                for commit in self._commits
                if _git_word(commit) and commit.id not in self._known
            ]
            self._order = sorted((*self._entries.values(), *foreign), key=lambda entry: entry.at[:19], reverse=True)
        return self._order

    def get(self, key: str) -> Entry | None:
        """The entry with this key."""
        return self._entries.get(key) or next((entry for entry in self.entries() if entry.key == key), None)

    def _outdated(self) -> None:
        self._order = None
        self.version += 1


def _key(line: Told) -> str:
    """Steps stand together by run; a decision stands alone."""
    return line.run if line.step and line.run else f"{line.at} {line.verb} {line.host} {line.run} {line.about}"


def _git_word(commit: Commit | None) -> str:
    return next((word for start, word in _GIT.items() if commit and commit.subject.startswith(start)), "")


def _lives(entry: Entry, runs: Sequence[RunSummary]) -> bool:
    return any(run.run == entry.key and run.state in LIVE for run in runs)


_WORST: Final = {
    status: rank
    for rank, status in enumerate((
        Status.UNKNOWN, Status.FAILED, Status.UNREACHABLE, Status.LOCAL, Status.ROLLED_BACK, Status.REFUSED,
        Status.LOCKED, Status.CANCELLED, Status.WAITING,
    ))
}  # fmt: skip


def _rank(outcome: str) -> int:
    return next((rank for status, rank in _WORST.items() if status == outcome), len(_WORST))


def counts(entry: Entry) -> Counter[str]:
    """Hosts by how their last step of it ended."""
    return Counter({line.host: line.outcome for line in entry.lines}.values())

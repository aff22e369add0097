"""Playbooks as the area shows them: a list, one playbook in detail, and the parameters of its next run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pvenix.engine.runfiles import RunSummary
from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.models.lines import EMPTY, Column, Line, Span, Tone, text_line
from pvenix_tui.models.states import age, status_span

if TYPE_CHECKING:
    from pvenix.fleet.playbooks import Parameter, Playbook

COLUMNS: Final = (
    Column(title="PLAYBOOK", width=16),
    Column(title="PLAYS", width=5, keep=1),
    Column(title="TASKS", width=5, keep=1),
    Column(title="HOSTS", width=12, grow=1, keep=2),
    Column(title="LAST RUN", width=13),
    Column(title="WHAT IT DOES", width=20, grow=4, prose=True),
)
FIELD_COLUMNS: Final = (
    Column(title="PARAMETER", width=12),
    Column(title="NOW", width=16, grow=1),
    Column(title="WHAT IT IS", width=24, grow=2, prose=True),
)
LIMIT, TAGS, SKIP_TAGS, START_AT, FORKS, CHECK, DIFF = (
    "limit",
    "tags",
    "skip-tags",
    "start-at",
    "forks",
    "check",
    "diff",
)
SWITCHES: Final = frozenset({CHECK, DIFF})
_USUAL_FORKS: Final = 32
_EXTRA: Final = "-e "
"""How the key of a variable's row begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a person gave for the next run of a playbook."""

    limit: str = ""
    tags: str = ""
    """Words between commas."""
    skip_tags: str = ""
    start_at: str = ""
    forks: int = _USUAL_FORKS
    check: bool = False
    diff: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> tuple[str, ...]:
        """As options of `pvenix run`."""
        return (
            *(("-l", self.limit) if self.limit else ()),
            *(("-t", self.tags) if self.tags else ()),
            *(("--skip-tags", self.skip_tags) if self.skip_tags else ()),
            *(("--start-at-task", self.start_at) if self.start_at else ()),
            *(word for name, value in self.extra.items() for word in ("-e", f"{name}={value}")),
            *(("-f", str(self.forks)) if self.forks != _USUAL_FORKS else ()),
            *(("--check",) if self.check else ()),
            *(("--diff",) if self.diff else ()),
        )

    def told(self, name: str, text: str) -> Parameters:
        """With one of them as it was typed; an empty text takes it back."""
        match name:
            case "limit":
                return replace(self, limit=text)
            case "tags":
                return replace(self, tags=text)
            case "skip-tags":
                return replace(self, skip_tags=text)
            case "start-at":
                return replace(self, start_at=text)
            case "forks":
                return replace(self, forks=int(text) if text.isdecimal() and int(text) else _USUAL_FORKS)
            case "check":
                return replace(self, check=not self.check)
            case "diff":
                return replace(self, diff=not self.diff)
            case _:
                rest = {key: value for key, value in self.extra.items() if key != variable(name)}
                return replace(self, extra={**rest, variable(name): text} if text else rest)

    def to_memory(self) -> dict[str, str]:
        """As it is remembered; what only looks is asked for each time."""
        texts = {LIMIT: self.limit, TAGS: self.tags, SKIP_TAGS: self.skip_tags, START_AT: self.start_at}
        found = {name: text for name, text in texts.items() if text}
        if self.forks != _USUAL_FORKS:
            found[FORKS] = str(self.forks)
        return found | {f"{_EXTRA}{name}": value for name, value in self.extra.items() if name not in _NEVER_KEPT}

    @classmethod
    def from_memory(cls, kept: Mapping[str, str], known: Sequence[str]) -> Parameters:
        """What was remembered, but for variables that the playbook knows no more."""
        found = cls()
        for name, text in kept.items():
            if not name.startswith(_EXTRA) or variable(name) in known:
                found = found.told(name, text)
        return found


_NEVER_KEPT: Final = frozenset({"confirm"})
"""What is typed anew each time."""


def variable(name: str) -> str:
    """The variable that a row is about."""
    return name.removeprefix(_EXTRA)


def run_command(name: str, parameters: Parameters, *, step: bool = False) -> str:
    """The command line that starts it."""
    return shlex.join(("pvenix", "run", name, *parameters.words(), *(("--step",) if step else ())))


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRow:
    """One line of the form."""

    name: str
    now: str
    help: str
    missing: bool = False
    """Whether the playbook cannot run without it."""
    default: str = ""

    @property
    def cells(self) -> tuple[Span, ...]:
        """For the table."""
        if self.now:
            return ((self.name, Tone.STRONG), (self.now, Tone.ACCENT), (self.help, Tone.PLAIN))
        word, tone = ("needed", Tone.WARN) if self.missing else (self.default or "not set", Tone.DIM)
        return ((self.name, Tone.STRONG), (word, tone), (self.help, Tone.PLAIN))


def field_rows(playbook: Playbook, given: Parameters, known: Sequence[Parameter]) -> list[FieldRow]:
    """The form: what every playbook takes, then this one's variables."""
    tags = ", ".join(playbook.tags) or "it has none"
    waves = ", ".join(dict.fromkeys(_serial(play.serial) for play in playbook.plays if play.serial))
    return [
        FieldRow(name=LIMIT, now=given.limit, help=f"only these of {playbook.hosts}", default="all of them"),
        *(_variable_row(each, given) for each in known),
        FieldRow(name=TAGS, now=given.tags, help=f"only tasks with one of these: {tags}", default="all tasks"),
        FieldRow(name=SKIP_TAGS, now=given.skip_tags, help="no task with one of these", default="none"),
        FieldRow(
            name=START_AT, now=given.start_at, help="begin with the task of this name or verb", default="the first"
        ),
        FieldRow(
            name=FORKS,
            now="" if given.forks == _USUAL_FORKS else str(given.forks),
            help="the most hosts at once" + (f"; its waves are {waves}" if waves else ""),
            default=str(_USUAL_FORKS),
        ),
        FieldRow(
            name=CHECK,
            now="yes" if given.check else "",
            help="show the exact commands and change nothing",
            default="no",
        ),
        FieldRow(name=DIFF, now="yes" if given.diff else "", help="show what changes inside", default="no"),
    ]


def _variable_row(each: Parameter, given: Parameters) -> FieldRow:
    choices = f" ({', '.join(each.arg.choices)})" if each.arg.choices else ""
    return FieldRow(
        name=f"{_EXTRA}{each.name}",
        now=given.extra.get(each.name, ""),
        help=f"{each.arg.help}{choices}; for {', '.join(each.verbs)}",
        missing=each.required,
        default="" if each.default is None else f"{each.default}",
    )


def _serial(serial: Sequence[tuple[int, bool]]) -> str:
    return " then ".join(f"{amount}{' %' if percent else ''}" for amount, percent in serial)


def detail_lines(playbook: Playbook) -> list[Line]:
    """What a playbook says of itself, with its plays, tasks, tags and what they are told."""
    lines: list[Line] = [text_line(line, Tone.DIM) for line in _paragraphs(playbook.comment)]
    for finding in playbook.findings:
        lines += [EMPTY, text_line(f"{finding.place}: {finding.what}", Tone.BAD)]
        lines += [text_line(f"  {finding.hint}", Tone.WARN)] if finding.hint else []
    for play in playbook.plays:
        waves = f", in waves of {_serial(play.serial)}" if play.serial else ""
        stops = ", stops at the first failure" if play.any_errors_fatal else ""
        lines += [
            EMPTY,
            (*text_line(play.name or play.hosts.text, Tone.TITLE), *text_line(f"  on {play.hosts.text}{waves}{stops}")),
        ]
        lines += [text_line(f"  {name}={value}") for name, value in play.vars.items()]
        for task in play.tasks:
            args = "".join(f"  {name}={value}" for name, value in task.args.items())
            tags = f"  [{', '.join(task.tags)}]" if task.tags else ""
            throttle = f"  {task.throttle} at once" if task.throttle else ""
            danger = VERBS[task.verb].danger
            lines.append((
                *text_line(f"  {task.verb:<16}", _TONES.get(danger, Tone.STRONG)),
                *text_line(f" {task.name}{args}{throttle}"),
                *text_line(tags, Tone.DIM),
            ))  # fmt: skip
    return lines


def _paragraphs(comment: Sequence[str]) -> list[str]:
    """The comment with the lines of each sentence joined; examples, which are indented, stay lines."""
    found: list[str] = []
    for line in comment:
        if found and line and not line.startswith(" ") and found[-1] and not found[-1].startswith(" "):
            found[-1] += f" {line}"
        else:
            found.append(line)
    return found


_TONES: Final = {Danger.DESTROYS: Tone.BAD, Danger.REBOOTS: Tone.WARN}


def last_run(playbook: Playbook, runs: Sequence[RunSummary], now: float) -> Span:
    """How its last run ended, or what it is doing, and when it began."""
    run = next((each for each in runs if each.title == playbook.title), None)
    if run is None:
        return ("never", Tone.DIM)
    word, tone = status_span(_end(run))
    return (f"{word} {age(run.started_at, now)}", tone)


def _end(run: RunSummary) -> str:
    """The worst that a host of an ended run came to; else the run's own state."""
    if run.state != "ended":
        return run.state
    good = ("changed", "ok", "skipped", "pending")
    worst = [word for word, count in run.counts.items() if count and word not in good]
    return (worst or [word for word in good if run.counts.get(word)] or ["ended"])[0]


def cells(playbook: Playbook, runs: Sequence[RunSummary], now: float) -> Sequence[Span]:
    """The table's cells of a playbook."""
    name = (playbook.title, Tone.STRONG)
    if playbook.findings:
        first = playbook.findings[0]
        return (("x " + playbook.title, Tone.BAD), ("-", Tone.DIM), ("-", Tone.DIM), ("-", Tone.DIM), ("broken", Tone.BAD),
                (f"line {first.line}: {first.what}", Tone.WARN))  # fmt: skip
    return (
        name,
        (f"{len(playbook.plays):>5}", Tone.PLAIN),
        (f"{playbook.tasks:>5}", Tone.PLAIN),
        (playbook.hosts, Tone.PLAIN),
        last_run(playbook, runs, now),
        (
            ("ships with pvenix: " if playbook.ships else "") + playbook.description,
            Tone.DIM if playbook.ships else Tone.PLAIN,
        ),
    )

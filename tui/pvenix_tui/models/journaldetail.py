"""One entry of the journal in full: who, what exactly, with which result, what was sent, and how it is undone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.model.act import Act
from pvenix.model.inverse import Undo
from pvenix.model.plan import RunPlan
from pvenix_tui.glyphs import ARROW
from pvenix_tui.models.commandline import equivalent
from pvenix_tui.models.journal import Entry, Told, counts
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line, wrap
from pvenix_tui.models.states import status_span
from pvenix_tui.text import clean

LABEL: Final = 10
SHOWN: Final = 200
"""Lines of a kind that show; the run has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What stands in the files of a run, or follows from a decision."""

    undos: tuple[Undo, ...] = ()
    command: str = ""
    """The same from a shell; empty when nobody knows it any more."""
    title: str = ""
    sent: tuple[str, ...] = ()
    """What was sent to change something: host, channel and text."""
    evidence: tuple[str, ...] = ()
    output: int = 0
    """Bytes that the hosts printed."""
    problem: str = ""
    """Why there is no more."""


def command_of(entry: Entry, plan: RunPlan | None) -> str:
    """The command line that does the same; empty when what is left does not say it."""
    if plan is not None:
        return equivalent(plan)
    if not entry.lines:
        return shlex.join(("git", "show", entry.commit.id)) if entry.commit else ""
    line = entry.lines[-1]
    words = _act_words(line)
    return shlex.join(("pvenix", *words)) if words else ""


def _act_words(line: Told) -> tuple[str, ...]:
    """The command of a decision."""
    comment = ("-m", "as before")
    match line.verb:
        case Act.APPROVE:
            return ("review", "approve", line.host, line.commit)
        case Act.REJECT:
            return ("review", "reject", line.host, line.commit, *comment)
        case Act.MERGE:
            return ("review", "merge", line.host, line.about.rpartition(" ")[2])
        case Act.REVERT:
            return ("revert", line.about, "--merge")
        case Act.PROPOSE_REVERT:
            return ("revert", line.about.rpartition(" ")[2])
        case Act.APPROVE_CHANGE:
            return ("approve", line.run, "-l", line.host)
        case Act.REJECT_CHANGE:
            return ("approve", line.run, "-l", line.host, "--reject", *comment)
        case Act.ALLOW_NOW:
            return ("resume", line.run, "--now")
        case Act.ABANDON:
            return ("abandon", line.run)
        case Act.ACCEPT_DRIFT:
            return ("plan", line.host, "--accept-drift")
        case _:
            return ()


def detail_lines(entry: Entry, details: Details | None, width: int) -> list[Line]:
    """The pane; `details` is None while they are read."""
    lines = [*_head(entry), *_commits(entry)]
    if details is None:
        lines.append(_field("", "reading what the run left behind", Tone.DIM))
    else:
        lines += _deeper(details)
    return [piece for line in lines for piece in wrap(line, width, indent=LABEL)]


def _head(entry: Entry) -> list[Line]:
    last = entry.lines[-1] if entry.lines else None
    who = f"{entry.who}" + (f", {last.git}" if last and last.git and last.git != entry.who else "")
    results = counts(entry)
    lines = [
        _field("What", f"{' '.join(entry.verbs) or entry.action}  {entry.target}", Tone.STRONG),
        _field("When", f"{entry.at[:19].replace('T', ' ')} UTC"),
        _field("Who", who),
    ]
    if last and last.about:
        lines.append(_field("About", last.about))
    for outcome, count in results.most_common():
        names = [host for host in entry.hosts if _last(entry, host) == outcome]
        span = status_span(outcome)
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        lines.append(((_label("Result" if outcome == results.most_common()[0][0] else ""), Tone.TITLE), span,
                      *text_line(f"  {count}  {shown}", Tone.PLAIN)))  # fmt: skip
    if entry.run is not None:
        lines.append(_field("Run", f"{entry.run.run}  {entry.run.state}  {entry.run.title}"))
    elif entry.run_id:
        lines.append(_field("Run", entry.run_id))
    return lines


def _last(entry: Entry, host: str) -> str:
    return next(line.outcome for line in reversed(entry.lines) if line.host == host)


def _commits(entry: Entry) -> list[Line]:
    last = entry.lines[-1] if entry.lines else None
    if entry.commit is not None:
        return [_field("Commit", f"{entry.commit.id[:12]}  {entry.commit.subject}")]
    if last is None or not last.commit:
        return []
    return [_field("Commit", f"{last.before[:12]} {ARROW} {last.commit[:12]}" if last.before else last.commit[:12])]


def _deeper(details: Details) -> list[Line]:
    lines = [
        _field("Undo" if not index else "", undo.told, Tone.ACCENT if undo.possible else Tone.WARN)
        for index, undo in enumerate(sorted(details.undos, key=lambda undo: not undo.possible))
    ]
    command = details.command or "what it was told is not kept any more"
    lines.append(_field("Command", command, Tone.ACCENT if details.command else Tone.DIM))
    if details.problem:
        lines.append(_field("", details.problem, Tone.WARN))
    if details.output:
        lines.append(_field("Output", f"{_size(details.output)}: enter opens the run"))
    lines += _listed("Sent", details.sent)
    lines += _listed("Evidence", details.evidence)
    return lines


def _listed(name: str, texts: Sequence[str]) -> list[Line]:
    if not texts:
        return []
    more = [text_line(f"  and {len(texts) - SHOWN} more: enter opens the run", Tone.DIM)] if len(texts) > SHOWN else []
    return [EMPTY, ((f"{name} {len(texts)}", Tone.TITLE),), *(text_line(f"  {text}") for text in texts[:SHOWN]), *more]


def _size(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count / 1e3:.0f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def _label(name: str) -> str:
    return f"{name:<{LABEL}}"


def _field(name: str, value: str, tone: Tone = Tone.PLAIN) -> Line:
    return ((_label(name), Tone.TITLE), *text_line(value, tone))


def as_text(entry: Entry) -> str:
    """One line for a file."""
    outcome, count, total = entry.result
    result = f"{outcome} {count} of {total}" if total > 1 else outcome
    words = (entry.at, entry.who, entry.action, entry.target, result, entry.undo, entry.run_id)
    return "\t".join(words)


def save_lines(entries: Sequence[Entry], form: str) -> tuple[str, ...]:
    """What is written of entries: as text a line each with tabs between, else a JSON object for each line of the log."""
    if form == "text":
        return tuple(clean(as_text(entry)) for entry in entries)
    records = (line.record() for entry in entries for line in reversed(entry.lines))
    return tuple(json.dumps(record, separators=(",", ":")) for record in records)

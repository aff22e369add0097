"""The list of runs: what each has come to, which of them wait for a person, and a filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from pvenix.engine.runfiles import RunSummary
from pvenix.model.outcome import Status
from pvenix_tui.glyphs import DOT
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.runtimes import elapsed
from pvenix_tui.models.states import RUNNING, age, clock_word, status_span

COLUMNS: Final = (
    Column(title="STATE", width=13),
    Column(title="AGE", width=4),
    Column(title="WHAT", width=20, grow=3),
    Column(title="TOOK", width=5),
    Column(title="WHO", width=8, keep=1),
    Column(title="HOSTS", width=20, grow=2),
    Column(title="RUN", width=20, keep=2),
)
WAITING: Final = Status.WAITING.value
FAILED: Final = Status.FAILED.value
OK: Final = Status.OK.value
OPEN: Final = (WAITING, "interrupted", FAILED, RUNNING)
"""States of runs that a person may have to do something about."""
STATES: Final = (RUNNING, WAITING, "interrupted", FAILED, OK, "abandoned", "unreadable")


def run_state(run: RunSummary) -> str:
    """One of STATES: of a run that ended, whether it waits for somebody or failed; a live one waits too, at a gate."""
    if run.waits:
        return WAITING
    if run.state != "ended":
        return run.state
    if run.counts.get(WAITING):
        return WAITING
    return FAILED if run.exit_code else OK


def resume_reason(run: RunSummary | None) -> str:
    """Why nobody can go on with a run; empty when one can."""
    if run is None:
        return "there is no run"
    match RUNNING if run.waits else run_state(run):
        case "running":
            return "it goes on already; enter opens it"
        case "ok":
            return "every host ended well"
        case "abandoned":
            return "the run was abandoned: nobody goes on with it"
        case "unreadable":
            return run.title
        case _:
            return ""


def run_cells(run: RunSummary, now: float) -> Sequence[Span]:
    """A run's row; the states that wait for a person stand out."""
    word, tone = status_span(run_state(run))
    took = clock_word(elapsed(run.started_at, run.ended_at, now)) if run.started_at else ""
    counts = f" {DOT} ".join(f"{count} {status}" for status, count in run.counts.items() if count)
    hosts = f"{run.hosts} host{'' if run.hosts == 1 else 's'}"
    return (
        (word, tone),
        (age(run.started_at, now), Tone.DIM),
        (run.title, Tone.STRONG),
        (took, Tone.DIM),
        (run.operator, Tone.DIM),
        (counts or hosts, tone if run_state(run) in (WAITING, FAILED) else Tone.PLAIN),
        (run.run, Tone.DIM),
    )


def matches(run: RunSummary, words: str) -> bool:
    """True when every word holds: `state:failed`, `who:ana`, a part of what the row says; `!word` is not that."""
    return all(_holds(run, word[1:]) is False if word.startswith("!") else _holds(run, word) for word in words.split())


def _holds(run: RunSummary, word: str) -> bool:
    name, colon, value = word.casefold().partition(":")
    if colon and name == "state":
        return run_state(run).startswith(value)
    if colon and name == "who":
        return value in run.operator.casefold()
    text = f"{run.title} {run.run} {run.operator} {run_state(run)} {' '.join(run.counts)}"
    return word.casefold() in text.casefold()


def head_line(runs: Sequence[RunSummary], shown: int, words: str, *, only_open: bool) -> Line:
    """How many there are, how they stand, and what the filter is."""
    spans: list[Span] = [(f" Runs {shown}/{len(runs)}", Tone.STRONG)]
    counts = Counter(run_state(run) for run in runs)
    for state in STATES:
        if counts[state] and state != OK:
            word, tone = status_span(state)
            spans.append((f"  {word} {counts[state]}", tone))
    if only_open:
        spans.append(("  only what waits for a person", Tone.ACCENT))
    if words:
        spans += [("  filter ", Tone.DIM), *text_line(words, Tone.ACCENT)]
    return tuple(spans)


def preview(run: RunSummary, keys: dict[str, str]) -> Line:
    """What can be done about the run at the cursor; `keys` are those of the actions by id."""
    state = run_state(run)
    enter, resume = keys["runs.open"], keys["runs.resume"]
    if run.waits:
        return text_line(
            f" {run.run}  waits for a person: {enter} opens it, {keys['run.continue']} there lets it go on"
        )
    told = {
        RUNNING: f"at work; {enter} watches it",
        WAITING: f"waits for a person: {enter} opens it, {keys['run.approve']} there asks what it waits for; "
        f"{resume} goes on",
        "interrupted": f"its process is gone: {resume} goes on where it stopped, {enter} shows how far it came",
        FAILED: f"{enter} shows what failed and why; {resume} tries again what did not succeed",
        OK: f"{enter} replays it",
        "abandoned": f"given up; {enter} replays it",
    }.get(state, run.title)
    again = f"  (again, after {run.origin})" if run.origin else ""
    return (*text_line(f" {run.run}  ", Tone.DIM), *text_line(f"{told}{again}", Tone.PLAIN))

"""A run as lines: its summary, a row for each host, and the title of the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from pvenix.model.verbs import VERBS
from pvenix_tui.actions import BY_ID
from pvenix_tui.glyphs import LINE, bar
from pvenix_tui.models.eta import Left
from pvenix_tui.models.lines import Column, Line, Span, Tone, cells, clip, text_line
from pvenix_tui.models.logpane import LogPane, Times
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import HostRun, RunModel
from pvenix_tui.models.runtimes import elapsed, host_time
from pvenix_tui.models.states import clock_word, status_span
from pvenix_tui.models.table import Table
from pvenix_tui.models.tiles import keys_line
from pvenix_tui.text import safe_output

COLUMNS: Final = (
    Column(title="STATE", width=13),
    Column(title="HOST", width=15, grow=1),
    Column(title="STEP", width=13),
    Column(title="DONE", width=5, keep=2),
    Column(title="TIME", width=5, keep=1),
    Column(title="LAST LINE", width=16, grow=6),
)
BAR_LEAST: Final = 8
BAR_MOST: Final = 40


class Followed(Protocol):
    """What is shown of a `RunFollower`."""

    model: RunModel

    @property
    def state(self) -> str:
        """`starting`, `running`, `ended` or `interrupted`."""


class HostRunTable(Table[HostRun]):
    """The source of the list of a run's hosts."""

    def __init__(self, model: RunModel, ring: Callable[[str], LineRing], clock: Callable[[], float]) -> None:
        super().__init__(COLUMNS, lambda: self.hosts, self._host_cells, lambda host: host.host)
        self._model, self._ring, self._clock = model, ring, clock
        self.failed_only = False
        self.hosts: list[HostRun] = model.ordered()

    def refresh(self) -> None:
        """Take the hosts that show from the model again."""
        self.hosts = self._model.ordered(failed_only=self.failed_only)

    def _host_cells(self, host: HostRun) -> tuple[Span, ...]:
        """What an event said last, or else the last line that the host printed."""
        said = host.said or safe_output(self._ring(host.host).last)
        return (
            status_span(host.state),
            (host.host, Tone.STRONG),
            (f"{host.number}/{host.steps} {host.verb}", Tone.PLAIN),
            (bar(host.share, COLUMNS[3].width), Tone.DIM if host.ended else Tone.BUSY),
            (host_time(host, self._clock()), Tone.DIM),
            (said, Tone.WARN if host.gate else Tone.BAD if host.needs_person else Tone.DIM),
        )


def run_summary(
    followed: Followed, now: float, width: int, left: Left | None = None, *, run: str = ""
) -> tuple[Line, Line]:
    """What the run is, with its id `run`, and how it stands; hosts by state, how far, how long, and how much longer."""
    model = followed.model
    first: list[Span] = [(" ", Tone.PLAIN), status_span(followed.state)]
    if followed.state == "running" and (model.ending or model.paused):
        first = [(" ! ending" if model.ending else " ! paused", Tone.WARN)]
    if model.exit_code is not None and followed.state == "ended":
        first.append((f" exit {model.exit_code}", Tone.OK if model.exit_code == 0 else Tone.BAD))
    if model.plan.check:
        first.append((" check", Tone.ACCENT))
    hosts = len(model.hosts)
    many = f"  {hosts} hosts" if hosts > 1 else ""
    about = f"{many}, {model.plan.forks} at a time" if many else ""
    who = f"  by {model.plan.operator}" if model.plan.operator else ""
    first += [("  ", Tone.PLAIN), *text_line(model.plan.title, Tone.STRONG)]
    room = width - cells(first) - len(run) - 2
    first += text_line(next((text for text in (about + who, about, many) if len(text) <= room), ""), Tone.DIM)
    return _with_id(tuple(first), run, width), _standing(followed, now, width, left)


def _with_id(line: Line, run: str, width: int) -> Line:
    """`line`, and at its right end a run's id."""
    line = clip(line, width - len(run) - 2)
    return (*line, (" " * (width - len(run) - 1 - cells(line)), Tone.PLAIN), *text_line(run, Tone.DIM))


def _standing(followed: Followed, now: float, width: int, left: Left | None) -> Line:
    model = followed.model
    counts: list[Span] = [(" ", Tone.PLAIN)]
    for state, count in model.counts.items():
        word, tone = status_span(state)
        counts.append((f"{word} {count}  ", tone))
    took = clock_word(elapsed(model.started_at, model.ended_at, now))
    remains = _remains(left) if left is not None and followed.state == "running" else ""
    words = f" {model.done_share:4.0%}  {'took' if model.ended_at else 'elapsed'} {took}{remains}"
    room = width - cells(counts) - len(words) - 1
    if room < BAR_LEAST:
        words = f" {model.done_share:4.0%} {took}{remains}"
        room = width - cells(counts) - len(words) - 1
    filled = bar(model.done_share, min(BAR_MOST, room)) if room >= BAR_LEAST else ""
    return clip((*counts, (filled, Tone.BUSY), (words, Tone.DIM)), width)


def _remains(left: Left) -> str:
    """What is left by the runs before; a guess where they say little about these hosts."""
    if left.seconds < 1:
        return "  longer than before"
    return f"  ~{clock_word(left.seconds)} left{', a guess' if left.guess else ''}"


def log_title(host: HostRun | None, pane: LogPane, width: int, *, older: int = 0) -> Line:
    """Whose log shows, whether it is followed, and what is not in sight; `older` is bytes before the first known line."""
    if host is None:
        return ((f"{LINE}{LINE} no host ", Tone.TITLE),)
    spans: list[Span] = [(f"{LINE}{LINE} ", Tone.DIM), *text_line(f"log {host.host} ", Tone.TITLE)]
    if host.step:
        spans.append((f"{host.number}/{host.steps} {host.verb}  ", Tone.DIM))
    spans.append(
        ("at its end" if host.ended else "following", Tone.OK)
        if pane.following
        else (f"paused +{pane.new_lines:,} new", Tone.WARN)
    )
    spans += _notices(pane, older)
    return clip((*spans, (" ", Tone.PLAIN), (LINE * max(0, width - cells(spans) - 1), Tone.DIM)), width)


def _notices(pane: LogPane, older: int) -> list[Span]:
    """What is switched on, and how much of the log is no longer in memory."""
    spans: list[Span] = []
    if pane.query:
        found = len(pane.matches.numbers)
        spans.append((f"  {'only' if pane.only else 'find'} {pane.query} ({found:,})", Tone.ACCENT))
    if pane.wrapping:
        spans.append(("  wrapped", Tone.DIM))
    if pane.times is not Times.OFF:
        spans.append((f"  time {pane.times.value}", Tone.DIM))
    evicted = pane.lines.near - pane.lines.first
    if evicted or older:
        more = f"{evicted:,} older lines" if evicted else "older lines"
        if older:
            more = f"{f'{evicted:,} older lines and ' if evicted else ''}{older // 1024 + 1:,} KiB"
        spans.append((f"  {more} on disk", Tone.DIM))
    return spans


def state_note(state: str) -> list[Line]:
    """What a run that is not at work and has not ended asks for."""
    if state == "interrupted":
        told = "goes on where it stopped: the run's process is gone, and what shows as running is no longer watched"
        return [((f" {_key('run.retry_all')} ", Tone.ACCENT), (told, Tone.WARN))]
    return [((" it was given up: nobody goes on with it", Tone.DIM),)] if state == "abandoned" else []


def run_notes(model: RunModel, host: HostRun | None) -> list[Line]:
    """What a person should know in full: why the run's files end, how the host ended, what to do next."""
    notes: list[Line] = [((" ", Tone.PLAIN), *text_line(model.problem, Tone.BAD))] if model.problem else []
    if host is None or not host.needs_person:
        return notes
    if host.gate:
        spec = VERBS.get(host.verb)
        what = f"starts {host.verb}{f': {spec.help}' if spec else ''}"
        return [*notes, ((f" {_key('run.continue')} ", Tone.ACCENT), *text_line(what))]
    if host.said:
        verb = f"{host.verb} {host.state}: " if host.verb and not host.said.startswith(host.verb) else ""
        notes.append(((" ", Tone.PLAIN), *text_line(f"{verb}{host.said}", Tone.BAD)))
    if host.hint:
        notes.append(((" hint: ", Tone.WARN), *text_line(host.hint, Tone.WARN)))
    if host.asks:
        notes.append(
            ((f" {_key('run.approve')} ", Tone.ACCENT), ("approves it here, or leaves it waiting", Tone.PLAIN))
        )
    elif host.reviews:
        review, retry = _key("run.review"), _key("run.retry")
        notes.append(
            (
                (f" {review} ", Tone.ACCENT),
                ("reviews it here; then ", Tone.PLAIN),
                (f"{retry} ", Tone.ACCENT),
                ("goes on", Tone.PLAIN),
            )
        )
    else:
        notes.append(((" ", Tone.PLAIN), *keys_line(host, 70)))
    return notes


def _key(action_id: str) -> str:
    return BY_ID[action_id].key_label.split(" ")[0]

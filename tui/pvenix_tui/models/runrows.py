"""A run as lines: its status, a row for each host, and the title of the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from pvenix.model.outcome import Status
from pvenix.model.verbs import VERBS
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import HostRun, RunModel
from pvenix_tui.models.states import RUNNING, clock_word, epoch, status_span
from pvenix_tui.models.table import Table
from pvenix_tui.text import safe_output

COLUMNS: Final = (
    Column(title="STATE", width=13),
    Column(title="HOST", width=15, grow=1),
    Column(title="STEP", width=15),
    Column(title="TIME", width=5, keep=1),
    Column(title="LAST LINE", width=16, grow=6),
)
BAR_CELLS: Final = 16


class Followed(Protocol):
    """What is shown of a `RunFollower`."""

    model: RunModel

    @property
    def state(self) -> str:
        """`starting`, `running`, `ended` or `interrupted`."""


class HostRunTable(Table[HostRun]):
    """The source of the list of a run's hosts."""

    def __init__(self, model: RunModel, ring: Callable[[str], LineRing], clock: Callable[[], float]) -> None:
        super().__init__(COLUMNS, lambda: self._hosts, self._host_cells, lambda host: host.host)
        self._model, self._ring, self._clock = model, ring, clock
        self.failed_only = False
        self._hosts: list[HostRun] = model.ordered()

    def refresh(self) -> None:
        """Take the hosts that show from the model again."""
        self._hosts = self._model.ordered(failed_only=self.failed_only)

    def _host_cells(self, host: HostRun) -> tuple[Span, ...]:
        """What an event said last, or else the last line that the host printed."""
        said = host.said or safe_output(self._ring(host.host).last)
        time = clock_word(elapsed(host.started_at, host.ended_at, self._clock())) if host.started_at else ""
        return (
            status_span(host.state),
            (host.host, Tone.STRONG),
            (f"{host.number}/{host.steps} {host.verb}", Tone.PLAIN),
            (time, Tone.DIM),
            (said, Tone.WARN if host.gate else Tone.BAD if host.needs_person else Tone.DIM),
        )


def elapsed(started_at: str, ended_at: str, now: float) -> float:
    """Seconds from a start to an end, or to now."""
    start = epoch(started_at)
    end = epoch(ended_at) if ended_at else now
    return 0.0 if start is None or end is None else max(0.0, end - start)


def run_summary(followed: Followed, now: float) -> Line:
    """The run in one line: its state, how far, how long, hosts by state, and what it is."""
    model = followed.model
    spans: list[Span] = [(" ", Tone.PLAIN)]
    spans.append(("paused", Tone.WARN) if model.paused and followed.state == "running" else status_span(followed.state))
    if model.exit_code is not None and followed.state == "ended":
        spans.append((f" exit {model.exit_code}", Tone.OK if model.exit_code == 0 else Tone.BAD))
    if model.plan.check:
        spans.append((" check", Tone.ACCENT))
    filled = round(BAR_CELLS * model.done_share)
    spans += [
        ("  " + "#" * filled, Tone.BUSY),
        ("." * (BAR_CELLS - filled), Tone.DIM),
        (f" {model.done_share:.0%}  {clock_word(elapsed(model.started_at, model.ended_at, now))}  ", Tone.DIM),
    ]
    for state, count in model.counts.items():
        word, tone = status_span(state)
        spans.append((f"{word} {count}  ", tone))
    return (*spans, *text_line(model.plan.title, Tone.STRONG))


def log_title(host: HostRun | None, pane: LogPane) -> Line:
    """Whose log shows, and whether it is followed."""
    if host is None:
        return (("-- no host ", Tone.TITLE),)
    spans: list[Span] = [("-- ", Tone.DIM), *text_line(host.host, Tone.TITLE), (" ", Tone.PLAIN)]
    if pane.following:
        spans.append(("following", Tone.OK))
    else:
        spans.append((f"paused +{pane.new_lines} new", Tone.WARN))
    if pane.ring.skipped_bytes:
        spans.append((f"  {pane.ring.skipped_bytes // 1024} KiB older in the log file", Tone.DIM))
    elif pane.ring.base:
        spans.append((f"  {pane.ring.base} older lines in the log file", Tone.DIM))
    if host.said and not host.needs_person:
        spans += text_line(f"  {host.said}", Tone.BUSY if host.state == RUNNING else Tone.DIM)
    if pane.query:
        spans.append((f"  find {pane.query}", Tone.ACCENT))
    return tuple(spans)


def run_notes(model: RunModel, host: HostRun | None) -> list[Line]:
    """What a person should know in full: why the run's files end, how the host ended, what to do next."""
    notes: list[Line] = [((" ", Tone.PLAIN), *text_line(model.problem, Tone.BAD))] if model.problem else []
    if host is None or not host.needs_person:
        return notes
    if host.gate:
        spec = VERBS.get(host.verb)
        what = f"starts {host.verb}{f': {spec.help}' if spec else ''}"
        return [*notes, ((" c ", Tone.ACCENT), *text_line(what))]
    if host.said:
        notes.append(((" ", Tone.PLAIN), *text_line(host.said, Tone.BAD)))
    if host.hint:
        notes.append(((" hint: ", Tone.WARN), *text_line(host.hint, Tone.WARN)))
    if host.asks:
        notes.append(((" a ", Tone.ACCENT), ("approves it here, or leaves it waiting", Tone.PLAIN)))
    if host.state == Status.WAITING and host.verb == "review":
        notes.append(
            ((" v ", Tone.ACCENT), ("reviews it here; then ", Tone.PLAIN), ("r ", Tone.ACCENT), ("goes on", Tone.PLAIN))
        )
    return notes

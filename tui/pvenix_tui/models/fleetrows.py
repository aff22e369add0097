"""The fleet as lines: the table's cells, the line of counts above it, and the preview below it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from typing_extensions import override

from pvenix.model.generation import Sync
from pvenix.model.status import HostStatus
from pvenix_tui.glyphs import ARROW, DOWN, UP
from pvenix_tui.models.fleet import FleetModel, is_stale, needs_reboot, own_groups
from pvenix_tui.models.fleetorder import SETTLED, STATE_RANK, TROUBLE, Sorting
from pvenix_tui.models.lastrun import NO_RUN
from pvenix_tui.models.lines import EMPTY, Column, Line, Span, Tone, cells, text_line, wrap_at_most
from pvenix_tui.models.states import age, epoch, status_span, sync_span
from pvenix_tui.models.table import Table

FRESH_S: Final = 30.0
"""Seconds for which a reading says nothing of its age."""
COLUMNS: Final = (
    Column(title=" ", width=1),
    Column(title="STATE", width=15),
    Column(title="HOST", width=15, grow=3),
    Column(title="ROLES", width=12, grow=2, keep=1),
    Column(title="NODE", width=8, grow=1, keep=3),
    Column(title="VM", width=5, keep=4),
    Column(title="GEN", width=4, keep=2),
    Column(title="COMMIT", width=8, keep=5),
    Column(title="AGE", width=4),
    Column(title="LAST RUN", width=12, grow=1, keep=2),
)
HOST_CELLS: Final = (10, 28)
"""The least and the most that the column of names takes when others have to go for it."""
_NOTHING: Final[Span] = ("-", Tone.DIM)


class HostTable(Table[str]):
    """The hosts that show; names get the room that they need before lesser columns get any."""

    def __init__(self, model: FleetModel, cells: Callable[[str], Sequence[Span]]) -> None:
        super().__init__(COLUMNS, lambda: model.visible, cells, str)
        self._model = model

    @override
    def layout(self, width: int) -> Line | None:
        least, most = HOST_CELLS
        wanted = max(least, min(most, self._model.longest))
        self._columns = tuple(replace(each, width=wanted) if each.title == "HOST" else each for each in COLUMNS)
        return super().layout(width)


def host_cells(model: FleetModel, name: str, focus: str, now: float) -> tuple[Span, ...]:
    """What the table shows of a host; `focus` is the host at the cursor, where a range ends."""
    host = model.hosts[name]
    marked = name in model.marks or model.in_range(name, focus)
    mark: Span = ("*", Tone.ACCENT) if marked else (" ", Tone.PLAIN)
    roles: Span = (" ".join(host.roles) or "(none)", Tone.PLAIN)
    run = model.last_runs.get(name)
    last = run.span(now) if run else NO_RUN
    status = model.statuses.get(name)
    if status is None:
        return (mark, sync_span(None), (name, Tone.STRONG), roles, *[_NOTHING] * 5, last)
    stale = is_stale(status, now)
    known = status.last if status.last is not None and status.facts is None else status
    tone = Tone.DIM if stale or known is not status else Tone.PLAIN
    return (
        mark,
        sync_span(status.sync, stale=stale),
        (name, Tone.DIM if stale else Tone.STRONG),
        roles,
        (status.node or known.node or "-", tone),
        (str(status.vmid or known.vmid or "-"), tone),
        (str(known.generation or "-"), tone),
        (known.facts.revision[:7] if known.facts and known.facts.revision else "-", tone),
        (_age(known, now), Tone.DIM),
        last,
    )


def _age(status: HostStatus, now: float) -> str:
    """How long ago it answered; an attempt that had no answer is no reading."""
    if not status.sync.answered and status.facts is None:
        return "-"
    seen = epoch(status.seen_at)
    return age(status.seen_at, now) if seen is None or now - seen >= FRESH_S else ""


def summary(model: FleetModel, width: int, rest: Line = (), *, focus: str = "") -> Line:
    """How many hosts show and are marked, the filter, the order, each state's number, then `rest`, as far as it fits.

    `focus` is the host at the cursor, where a range ends.
    """
    spans: list[Span] = [("Hosts ", Tone.TITLE), (f"{len(model.visible)}/{len(model.hosts)}", Tone.STRONG)]
    if not model.loaded and model.hosts:
        spans.append(("  from last time, reading", Tone.DIM))
    if model.marks:
        hidden = model.hidden_marks
        spans.append((f"  {len(model.marks)} marked{f', {hidden} hidden' if hidden else ''}", Tone.ACCENT))
    if model.ranging:
        ranged = sum(model.in_range(name, focus) for name in model.visible)
        spans.append((f"  range of {ranged}, v marks it", Tone.ACCENT))
    if model.filter:
        spans += [("  filter: ", Tone.TITLE), *text_line(model.filter, Tone.WARN if model.wrong else Tone.ACCENT)]
    order = model.order
    if order.by is not Sorting.INVENTORY or order.backwards:
        settles = ", settles" if model.unsettled and order.by not in SETTLED else ""
        spans.append((f"  order: {order.by} {UP if order.backwards else DOWN}{settles}", Tone.DIM))
    return _as_fits(spans, [*_counts(model), rest], width)


def _counts(model: FleetModel) -> list[Line]:
    """A piece for each state that hosts are in, what needs a person first."""
    found = sorted((sync for sync, count in model.states.items() if count > 0), key=STATE_RANK.__getitem__)
    counts: list[Line] = []
    for sync in found:
        word, tone = sync_span(sync)
        counts.append(((f"  {word} {model.states[sync]}", tone if sync in TROUBLE else Tone.DIM),))
    unread = len(model.hosts) - sum(model.states.values())
    return [*counts, ((f"  ? not read {unread}", Tone.DIM),)] if unread and model.hosts else counts


def _as_fits(spans: list[Span], pieces: list[Line], width: int) -> Line:
    room = width - cells(spans)
    for piece in pieces:
        room -= cells(piece)
        if room < 0:
            break
        spans += piece
    return tuple(spans)


def filter_note(model: FleetModel, text: str, width: int, *, typing: bool) -> Line:
    """Below the filter's field: under the first word that cannot be used why not, else how many hosts are left."""
    if model.wrong:
        wrong = model.wrong[0]
        more = f", as {len(model.wrong) - 1} more" if len(model.wrong) > 1 else ""
        said = f"left aside{more}: {wrong.what}"
        under = wrong.start + 1  # the field has a margin of one cell
        lead = " " * under + "^ " if typing and under + 2 + len(said) <= width else f" {wrong.word}: "
        return ((lead, Tone.BAD), *text_line(said, Tone.WARN))
    count = f" {len(model.visible)} of {len(model.hosts)} hosts"
    hint = "" if text else "  fields role: group: node: state: run: is:   drift   ! is not   F saved filters"
    return ((count, Tone.STRONG), (hint, Tone.DIM))


def preview(model: FleetModel, name: str, now: float, height: int, width: int) -> list[Line]:
    """`height` lines, three at least, on the host at the cursor: what it is, what is wrong, its last run, what to press.

    What drifted stands in the first line, or in one of its own where `width` has no room for it there.
    """
    host = model.hosts.get(name)
    if host is None:
        return _filled([((_why_empty(model), Tone.DIM),)], height)
    status = model.statuses.get(name)
    groups = text_line(f"groups  {', '.join(own_groups(host)) or 'none'}", Tone.DIM)
    if status is None:
        first: Line = ((name, Tone.STRONG), ("  not read yet", Tone.DIM))
        return _filled([first, *_run_lines(model, name, now), groups], height)
    head = ((name, Tone.STRONG), ("  ", Tone.PLAIN), sync_span(status.sync, stale=is_stale(status, now)))
    beside = status.drift if len(status.drift) == 1 and not status.problem else ()
    if beside and cells((*head, *_where(status, now, beside))) > width:
        beside = ()
    first, wrong = (*head, *_where(status, now, beside)), _wrong(status, () if beside else status.drift)
    room = max(1, height - 2)
    body = wrap_at_most(text_line("; ".join(wrong), Tone.WARN), width, min(2, room), indent=2) if wrong else []
    body += _run_lines(model, name, now)
    if status.last is not None:
        last = status.last
        words = f"when it was read it was {last.sync.value}, generation {last.generation or '?'}"
        body.append(text_line(words, Tone.DIM))
    nexts: Line = ((f"{ARROW} ", Tone.ACCENT), (_next(model, status), Tone.PLAIN))
    return _filled([first, *[*body, groups][:room], nexts], height)


def _filled(lines: list[Line], height: int) -> list[Line]:
    """Always as many lines, so that the table does not jump while the cursor moves."""
    return [*lines, *[EMPTY] * (height - len(lines))][:height]


def _where(status: HostStatus, now: float, drift: Sequence[str] = ()) -> Line:
    parts = (
        f"VM {status.vmid} on {status.node}" if status.vmid else "",
        status.power,
        status.address,
        *drift,
        _when(status, now),
    )
    return ((f"  {'  '.join(part for part in parts if part)}", Tone.DIM),)


def _when(status: HostStatus, now: float) -> str:
    """The reading that the column AGE speaks of, and apart from it the attempt that had no answer."""
    at = age(status.seen_at, now)
    if status.sync.answered or status.facts is not None:
        return f"read {at} ago"
    return f"{f'read {age(status.last.seen_at, now)} ago' if status.last else 'never read'}, tried {at} ago"


def _wrong(status: HostStatus, drift: Sequence[str]) -> list[str]:
    """What is wrong with a host, the worst first; `drift` is what of it is not told elsewhere."""
    facts = status.facts
    found = [status.problem] if status.problem else []
    if facts and facts.failed_units:
        found.append(f"failed: {', '.join(facts.failed_units[:4])}{' and more' if len(facts.failed_units) > 4 else ''}")
    found += drift
    if needs_reboot(status):
        found.append(f"a reboot is due: {', '.join(facts.reboot) if facts and facts.reboot else 'its kernel is older'}")
    if status.sync is Sync.BEHIND and facts:
        found.append(f"runs {facts.revision[:7]}, main says {status.expected[:7]}")
    if status.registration:
        found.append(f"registration {status.registration[:7]} waits for a review")
    if status.held_by:
        found.append(f"held by {status.held_by}")
    return found


def _next(model: FleetModel, status: HostStatus) -> str:
    """What to press, in the order in which it helps."""
    last = model.last_runs.get(status.host)
    keys = ["l  opens its failed run"] if last and last.failed else []
    keys += _NEXT.get(status.sync, ())
    if status.registration:
        keys.append("3  reviews its branch")
    return "   ".join(keys or ("enter  opens it",))


_NEXT: Final = {
    Sync.DRIFTED: ("d  shows the drift", "r  rebuilds over it"),
    Sync.BEHIND: ("r  rebuilds it",),
    Sync.REBOOT: ("x  reboot",),
    Sync.STAGED: ("x  reboot", "r  rebuilds it"),
    Sync.TESTING: ("r  rebuilds it", "b  goes back"),
    Sync.ABSENT: ("o  onboards it",),
    Sync.UNREGISTERED: ("o  goes on with its onboarding",),
    Sync.UNREACHABLE: ("enter  says what was last known", "x  power and repair"),
    Sync.UNKNOWN: ("ctrl+r  reads it again", "enter  says what is known"),
}


def _run_lines(model: FleetModel, name: str, now: float) -> list[Line]:
    last = model.last_runs.get(name)
    if last is None:
        return []
    ago = f" {age(last.at, now)} ago" if age(last.at, now) else ""
    return [
        (
            ("last run ", Tone.DIM),
            status_span(last.status),
            *text_line(f"  {last.title}{ago}", Tone.DIM),
            *text_line(f"  {last.summary}" if last.summary else "", Tone.WARN if last.failed else Tone.DIM),
        )
    ]


def _why_empty(model: FleetModel) -> str:
    if not model.loaded and not model.hosts:
        return "reading the inventory"
    return "no host matches; esc clears the filter" if model.filter else "the inventory has no host: n makes one"

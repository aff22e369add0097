"""Live panes of several hosts at once: what each is at, the last lines it printed, and for one that failed what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pvenix_tui.actions import BY_ID
from pvenix_tui.glyphs import LINE, bar
from pvenix_tui.models.lines import Line, Span, Tone, cells, fit, text_line, wrap
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import HostRun
from pvenix_tui.models.runtimes import host_time
from pvenix_tui.models.states import status_span
from pvenix_tui.text import safe_output

TILE_WIDTH: Final = 38
"""Cells that a tile has at least."""
TILE_HEIGHT: Final = 6
"""Lines of a tile with its title."""
BAR_CELLS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TileLayout:
    """How tiles share a space, and which of them show."""

    across: int
    down: int
    width: int
    height: int
    first: int
    """The first host that shows, of all in their order."""

    @property
    def shown(self) -> int:
        """Tiles that there is room for."""
        return self.across * self.down

    def at(self, column: int, row: int) -> int:
        """The number, of all in their order, of the tile at this cell."""
        return self.first + row // self.height * self.across + min(self.across - 1, column // (self.width + 1))


def layout(count: int, focus: int, width: int, height: int) -> TileLayout:
    """Tiles for `count` hosts in `width` by `height` cells, by pages: the one with the host number `focus` shows."""
    across = max(1, min(count, width // TILE_WIDTH))
    needed = -(-count // across) if count else 1
    down = max(1, min(needed, height // TILE_HEIGHT))
    page = across * down
    if page < count:
        height -= 1  # a line says what does not show
    return TileLayout(
        across=across,
        down=down,
        width=(width - across + 1) // across,
        height=max(TILE_HEIGHT, height // down),
        first=max(0, focus) // page * page,
    )


def grid_height(hosts: int, width: int, most: int) -> int:
    """Lines that the tiles of so many hosts need, at most `most` and always whole tiles."""
    across = max(1, min(hosts, width // TILE_WIDTH))
    rows = -(-hosts // across) if hosts else 0
    shown = min(rows, max(1, most // TILE_HEIGHT))
    return TILE_HEIGHT * shown + (shown < rows)


def tile_grid(
    hosts: Sequence[HostRun],
    ring: Callable[[str], LineRing],
    width: int,
    height: int,
    *,
    focus: str = "",
    now: float = 0.0,
) -> list[Line]:
    """Tiles side by side in `width` by `height` cells, the page with the host `focus`."""
    index = next((number for number, host in enumerate(hosts) if host.host == focus), 0)
    plan = layout(len(hosts), index, width, height)
    shown = hosts[plan.first : plan.first + plan.shown]
    lines: list[Line] = []
    for start in range(0, len(shown), plan.across):
        tiles = [
            _tile(host, ring(host.host), plan, focused=host.host == focus, now=now)
            for host in shown[start : start + plan.across]
        ]
        for row in range(plan.height):
            spans: list[Span] = []
            for each in tiles:
                spans += [*each[row], (" ", Tone.PLAIN)]
            lines.append(tuple(spans[:-1]))
    if len(hosts) > plan.shown:
        lines[height - 1 :] = [_others(hosts, plan)]
    return lines[:height]


def _others(hosts: Sequence[HostRun], plan: TileLayout) -> Line:
    """Which of the hosts show, and how the others stand."""
    last = min(len(hosts), plan.first + plan.shown)
    rest = Counter(host.state for host in (*hosts[: plan.first], *hosts[last:]))
    spans: list[Span] = [(f"  {plan.first + 1}-{last} of {len(hosts)}; l and h turn the page; the others: ", Tone.DIM)]
    for state, count in rest.items():
        word, tone = status_span(state)
        spans.append((f" {word} {count} ", tone))
    return _fitted(tuple(spans), plan.across * (plan.width + 1) - 1)


def _tile(host: HostRun, ring: LineRing, plan: TileLayout, *, focused: bool, now: float) -> list[Line]:
    room = plan.height - 1
    body = [_fitted(line, plan.width) for line in _told(host, plan.width)[:room]]
    texts = [safe_output(text) for text in ring.tail(room - len(body))]
    body += [((fit(text, plan.width), Tone.PLAIN if focused else Tone.DIM),) for text in texts]
    blank: Line = ((" " * plan.width, Tone.PLAIN),)
    return [_title(host, plan.width, focused=focused, now=now), *body, *[blank] * (room - len(body))]


def _title(host: HostRun, width: int, *, focused: bool, now: float) -> Line:
    """Name and state on the left, steps and time on the right; the one with the keys has a mark before its name."""
    state, tone = status_span(host.state)
    left = f"{'>' if focused else LINE} {host.host} {state} "
    took, steps = host_time(host, now), f"{host.number}/{host.steps}"
    rights = (f" {bar(host.share, BAR_CELLS)} {steps} {took} ", f" {steps} {took} ", f" {took} ")
    right = next((text for text in rights if len(left) + len(text) <= width), rights[-1])
    room = width - len(right)
    if len(left) > room:
        left = f"{fit(f'{left[:2]}{host.host}', room - len(state) - 2)} {state} "
    rule = LINE * max(0, room - len(left))
    return _fitted(((left, Tone.TITLE if focused else tone), (rule, Tone.DIM), (right, tone)), width)


def _told(host: HostRun, width: int) -> list[Line]:
    """What a host that needs a person says before its output: what, the next command, the keys that help.

    A skipped one has next to no output, but a reason.
    """
    if host.state == "skipped":
        return wrap(text_line(host.said, Tone.DIM), width)[:3]
    if not host.needs_person:
        return []
    tone = Tone.WARN if host.gate else Tone.BAD
    lines = wrap(text_line(host.said or host.state, tone), width, indent=1)[:2]
    if host.hint:
        lines += wrap(text_line(host.hint, Tone.WARN), width, indent=1)[:1]
    return [*lines, keys_line(host, width)]


def keys_line(host: HostRun, width: int) -> Line:
    """The keys that help a host that needs a person, as many as there is room for, the best first."""
    if host.gate:
        ids: tuple[str, ...] = ("run.continue",)
    elif host.asks:
        ids = ("run.approve", "run.zoom")
    elif host.reviews:
        ids = ("run.review", "run.retry")
    else:
        ids = ("run.retry", "run.rollback", "run.zoom", "log.error")
    spans: list[Span] = []
    for action in (BY_ID[action_id] for action_id in ids):
        item: Line = ((f"{action.key_label.split(' ')[0]} ", Tone.ACCENT), (f"{action.label}  ", Tone.PLAIN))
        if action.key and cells(spans) + cells(item) <= width:
            spans += item
    return tuple(spans)


def _fitted(line: Line, width: int) -> Line:
    """`line` in exactly `width` cells."""
    length = cells(line)
    if length <= width:
        return (*line, (" " * (width - length), Tone.PLAIN)) if length < width else line
    spans: list[Span] = []
    for text, tone in line:
        room = width - cells(spans)
        spans.append((fit(text, min(room, cells(((text, tone),)))), tone))
    return tuple(span for span in spans if span[0])

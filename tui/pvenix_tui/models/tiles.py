"""Live panes of several hosts at once: what each is at, and the last lines it printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pvenix_tui.models.lines import Line, Span, Tone, fit
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import HostRun
from pvenix_tui.models.states import RUNNING, status_span
from pvenix_tui.text import safe_output

TILE_WIDTH: Final = 38
"""Cells that a tile has at least."""
TILE_HEIGHT: Final = 6
"""Lines of a tile with its title."""


def tile_grid(hosts: Sequence[HostRun], ring: Callable[[str], LineRing], width: int, height: int) -> list[Line]:
    """Tiles side by side in `width` by `height` cells; hosts at work first, then those that need a person."""
    across = max(1, min(len(hosts), width // TILE_WIDTH))
    down = max(1, height // TILE_HEIGHT)
    shown = sorted(hosts, key=_urgency)[: across * down]
    tile = (width - across + 1) // across
    lines: list[Line] = []
    for start in range(0, len(shown), across):
        tiles = [_tile(host, ring(host.host), tile) for host in shown[start : start + across]]
        for row in range(TILE_HEIGHT):
            spans: list[Span] = []
            for each in tiles:
                spans += [each[row], (" ", Tone.PLAIN)]
            lines.append(tuple(spans[:-1]))
    return lines[:height]


def grid_height(hosts: int, width: int, most: int) -> int:
    """Lines that the tiles of so many hosts need, at most `most` and always whole tiles."""
    across = max(1, min(hosts, width // TILE_WIDTH))
    rows = -(-hosts // across) if hosts else 0
    return TILE_HEIGHT * min(rows, most // TILE_HEIGHT)


def _urgency(host: HostRun) -> int:
    if host.state == RUNNING:
        return 0
    return 1 if host.needs_person else 2


def _tile(host: HostRun, ring: LineRing, width: int) -> list[Span]:
    state, tone = status_span(host.state)
    title = f"- {host.host} {host.number}/{host.steps} {host.verb} {state} "
    spans: list[Span] = [(fit(title, width - 1) + "-", tone)]
    room = TILE_HEIGHT - 1
    texts = [safe_output(text) for text in ring.tail(room)]
    spans += [(fit(text, width), Tone.DIM) for text in texts]
    return spans + [(" " * width, Tone.PLAIN)] * (room - len(texts))

"""What waits for a person, across the fleet: each kind with its number and where enter goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.model.generation import Sync
from pvenix_tui.models.fleet import FleetModel, needs_a_person, needs_reboot
from pvenix_tui.models.lastrun import failed_runs, waiting_runs
from pvenix_tui.models.lines import Column, Line, Span, Tone

ATTENTION_COLUMNS: Final = (Column(title="", width=20, grow=1),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One kind of thing that waits."""

    key: str
    glyph: str
    count: int
    word: str
    tone: Tone
    filter: str = ""
    """The hosts that are meant, as a filter of the fleet; empty when it is not about hosts."""
    run: str = ""
    """The only run that is meant; empty when there are several or none."""
    area: str = ""
    """The area to go to otherwise."""

    @property
    def label(self) -> str:
        """It in words."""
        return f"{self.glyph} {self.count} {self.word}"

    @property
    def leads(self) -> str:
        """Where enter goes, in words."""
        if self.filter:
            return f"shows these hosts: filter {self.filter}"
        return f"opens run {self.run}" if self.run else f"opens the {self.area}"

    @property
    def cells(self) -> Sequence[Span]:
        """It as a row."""
        return ((self.label, self.tone),)


def attention(model: FleetModel, *, reviews: int, interrupted: Sequence[str] = ()) -> list[Item]:
    """What waits, the most urgent first; nothing when all is well.

    `interrupted` are runs whose process died; `reviews` branches are open. A run has failed as long as one of its hosts
    has had no other run since.
    """
    runs = model.last_runs.values()
    silent = _silent(model)
    reboot = sum(needs_reboot(status) for status in model.statuses.values())
    found = (
        _runs("waiting", "!", waiting_runs(runs), "waiting for you", Tone.WARN),
        _runs("failed", "x", failed_runs(runs), "failed", Tone.BAD),
        _runs("interrupted", "?", interrupted, "interrupted", Tone.WARN),
        Item(key="silent", glyph="o", count=silent, word="not answering", tone=Tone.BAD,
             filter="state:unreachable|unknown is:trouble"),
        Item(key="drift", glyph="~", count=model.states[Sync.DRIFTED], word="drifted", tone=Tone.WARN, filter="drift"),
        Item(key="reboot", glyph="!", count=reboot, word="reboot needed", tone=Tone.WARN, filter="is:reboot"),
        Item(key="reviews", glyph=".", count=reviews, word=f"review{'s' * (reviews != 1)} open", tone=Tone.ACCENT,
             area="reviews"),
    )  # fmt: skip
    return [item for item in found if item.count > 0]


def _silent(model: FleetModel) -> int:
    silent = model.states[Sync.UNREACHABLE] + model.states[Sync.UNKNOWN]
    if not silent:
        return 0
    return sum(needs_a_person(status) for status in model.statuses.values() if not status.sync.answered)


def _runs(key: str, glyph: str, runs: Sequence[str], word: str, tone: Tone) -> Item:
    label = f"run{'s' * (len(runs) != 1)} {word}"
    only = runs[0] if len(runs) == 1 else ""
    return Item(key=key, glyph=glyph, count=len(runs), word=label, tone=tone, run=only, area="runs")


def attention_line(items: Sequence[Item]) -> Line:
    """All of them in one line."""
    return ((" A ", Tone.ACCENT), ("attention", Tone.TITLE), *((f"  {item.label}", item.tone) for item in items))

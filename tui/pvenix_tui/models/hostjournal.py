"""A host's journal as its tab shows it: which lines are asked for, and those that came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pvenix.model.inspection import PRIORITIES
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Line, Span, Tone
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.models.ring import LineRing

BUDGET: Final = 4 << 20
"""Bytes of the journal that are kept."""
PRIORITY_COLUMNS: Final = (Column(title="", width=10), Column(title="", width=30, grow=1))
_ALL: Final = "all"


@dataclass(slots=True)
class HostJournal:
    """The lines, and what was asked for."""

    unit: str = ""
    priority: str = ""
    following: bool = False
    """Whether lines are shown as they come."""
    pane: LogPane = field(default_factory=lambda: LogPane(LineRing(BUDGET)))
    came: bool = False
    """True when lines came that are not drawn."""

    @property
    def ring(self) -> LineRing:
        """The lines."""
        assert isinstance(self.pane.lines, LineRing)  # noqa: S101 nothing else is ever shown here
        return self.pane.lines

    def begin(self) -> None:
        """The lines are asked for anew: those that show belong to another question."""
        self.pane.show(LineRing(BUDGET))
        self.came = True

    def take(self, lines: Sequence[str]) -> None:
        """Lines came."""
        self.ring.extend(lines)
        self.came = True

    def note(self, fresh: Span) -> Line:
        """What was asked for, how much came, and how fresh it is."""
        spans: list[Span] = [(f" {self.ring.end} lines", Tone.PLAIN)]
        spans += [(f"  unit {self.unit}", Tone.ACCENT)] if self.unit else []
        spans += [(f"  {self.priority} and worse", Tone.ACCENT)] if self.priority else []
        spans += [(f"  find: {self.pane.query}", Tone.ACCENT)] if self.pane.query else []
        if self.following:
            spans.append(("  following", Tone.BUSY))
            spans += [(f", +{self.pane.new_lines} new (G shows them)", Tone.WARN)] if self.pane.new_lines else []
            return tuple(spans)
        return (*spans, ("  ", Tone.PLAIN), fresh)


def priority_choices() -> list[Choice]:
    """What the journal can be narrowed to."""
    words = [(_ALL, "every line")]
    words += [
        (name, "only these" if not index else f"these, and {PRIORITIES[0]} to {PRIORITIES[index - 1]}")
        for index, name in enumerate(PRIORITIES)
    ]
    return [Choice(key=name, cells=((name, Tone.STRONG), (text, Tone.DIM)), note=text) for name, text in words]


def priority_of(key: str) -> str:
    """The priority of a choice, empty for every line."""
    return "" if key == _ALL else key

"""What stands around a host's tabs: the keys that only one of them has a use for, and the list to choose one from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pvenix_tui.actions import BY_ID
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.hosttabs import HELP, Reading, Tab
from pvenix_tui.models.lines import Column, Tone

TAB_COLUMNS: Final = (
    Column(title="TAB", width=12),
    Column(title="READ", width=12),
    Column(title="WHAT", width=30, grow=1, prose=True),
)
_HINTS: Final = {
    Tab.GENERATIONS: ("host.open",),
    Tab.DRIFT: ("host.adopt", "host.overwrite", "host.ignore", "host.next_file", "host.match"),
    Tab.UNITS: ("host.open", "host.search"),
    Tab.JOURNAL: ("host.follow", "host.priority", "host.unit", "host.search", "host.wrap"),
    Tab.RUNS: ("host.open",),
}
"""The keys that only one tab has a use for."""


def hint(tab: Tab) -> str:
    """The keys of a tab in a line, below it."""
    actions = (BY_ID[action] for action in _HINTS.get(tab, ()))
    return "  ".join(f"{action.key_label} {action.label}" for action in actions if action.key)


def tab_choices(readings: Mapping[Tab, Reading[Any]], now: float) -> list[Choice]:
    """All tabs, each with how fresh it is."""
    return [
        Choice(
            key=tab.value,
            cells=((tab.value, Tone.STRONG), readings[tab].note(now), (HELP[tab], Tone.DIM)),
            note=HELP[tab],
        )
        for tab in Tab
    ]

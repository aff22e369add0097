"""The units of a host as a table, and which of them a filter lets show."""

from __future__ import annotations

from typing import Final

from pvenix.model.inspection import Unit, UnitList
from pvenix_tui.models.lines import Column, Span, Tone

UNIT_COLUMNS: Final = (
    Column(title="STATE", width=13),
    Column(title="UNIT", width=24, grow=2),
    Column(title="SUB", width=9, keep=1),
    Column(title="DESCRIPTION", width=12, grow=3, keep=2),
)
_GLYPHS: Final = {
    "active": ("+", Tone.OK),
    "failed": ("x", Tone.BAD),
    "inactive": ("-", Tone.DIM),
    "activating": ("%", Tone.BUSY),
    "deactivating": ("%", Tone.BUSY),
    "reloading": ("%", Tone.BUSY),
}


def unit_cells(unit: Unit) -> tuple[Span, ...]:
    """The table's cells for a unit."""
    glyph, tone = _GLYPHS.get(unit.active, ("?", Tone.WARN))
    plain = Tone.DIM if unit.active == "inactive" else Tone.PLAIN
    return (
        (f"{glyph} {unit.active}", tone),
        (unit.name, Tone.STRONG if unit.failed else plain),
        (unit.sub, plain),
        (unit.description, Tone.DIM),
    )


def matching(found: UnitList | None, query: str) -> tuple[Unit, ...]:
    """The units whose name, state or description has all words of `query`."""
    words = query.casefold().split()
    units = found.units if found is not None else ()
    return tuple(
        unit
        for unit in units
        if all(word in f"{unit.name} {unit.active} {unit.sub} {unit.description}".casefold() for word in words)
    )


def units_note(found: UnitList | None, shown: int, query: str) -> str:
    """How many there are, and why not all show."""
    if found is None:
        return ""
    total = len(found.units) + found.more
    failed = sum(unit.failed for unit in found.units)
    parts = [f"{shown}/{total} units", *([f"{failed} failed"] if failed else [])]
    parts += [f"filter: {query}"] if query else []
    parts += [f"{found.more} are not listed"] if found.more else []
    return ", ".join(parts)

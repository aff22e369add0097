"""A host's generations, and where its settings come from."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pvenix.model.generation import Generation
from pvenix_tui.backend import ExplainedLike, OriginLike
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line

GENERATION_COLUMNS = (
    Column(title=" ", width=1),
    Column(title="GEN", width=4),
    Column(title="BUILT", width=19),
    Column(title="COMMIT", width=12, grow=1),
    Column(title="", width=8, keep=1),
)


def generation_cells(generation: Generation) -> tuple[Span, ...]:
    """The table's cells for a generation."""
    tone = Tone.STRONG if generation.current else Tone.PLAIN
    return (
        ("*" if generation.current else " ", Tone.OK),
        (str(generation.number), tone),
        (generation.date, tone),
        (generation.revision[:12] or "no commit", tone if generation.revision else Tone.DIM),
        ("current" if generation.current else "", Tone.OK),
    )


def explain_lines(fields: Iterable[ExplainedLike]) -> list[Line]:
    """Every field: its value, where it comes from, and what that beats."""
    lines: list[Line] = []
    for field in fields:
        lines.append((*text_line(field.field, Tone.TITLE), *text_line(f" = {_shown(field.value)}", Tone.STRONG)))
        lines += [text_line(f"    {_place(origin)}", Tone.DIM) for origin in field.origins]
        lines += [text_line(f"    beats {_shown(origin.value)}  {_place(origin)}", Tone.DIM) for origin in field.beaten]
    return lines


def _shown(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _place(origin: OriginLike) -> str:
    return (
        origin.layer
        if origin.file in ("", origin.layer) or origin.layer == "--set"
        else f"{origin.file}:{origin.line}  {origin.layer}"
    )

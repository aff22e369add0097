"""One host as its detail screen shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pvenix.model.generation import EDITED, Generation
from pvenix.model.status import HostStatus
from pvenix_tui.backend import ExplainedLike, HostLike, OriginLike
from pvenix_tui.models.fleet import is_stale, own_groups
from pvenix_tui.models.lines import EMPTY, Column, Line, Span, Tone, text_line
from pvenix_tui.models.states import age, sync_span

GENERATION_COLUMNS = (
    Column(title=" ", width=1),
    Column(title="GEN", width=4),
    Column(title="BUILT", width=19),
    Column(title="COMMIT", width=12, grow=1),
    Column(title="", width=8, keep=1),
)


_SILENT = "The host itself did not answer; the rest is not known."


def generation_cells(generation: Generation) -> tuple[Span, ...]:
    """The table's cells for a generation."""
    tone = Tone.STRONG if generation.current else Tone.PLAIN
    return (
        (">" if generation.current else " ", Tone.OK),
        (str(generation.number), tone),
        (generation.date, tone),
        (generation.revision[:12] or "no commit", tone if generation.revision else Tone.DIM),
        ("current" if generation.current else "", Tone.OK),
    )


def facts_lines(host: HostLike, status: HostStatus | None, now: float) -> list[Line]:
    """What is known of a host, and since when."""
    lines = [
        _fact("roles", " ".join(host.roles) or "none"),
        _fact("groups", ", ".join(own_groups(host))),
    ]
    if status is None:
        return [*lines, EMPTY, text_line("Not read yet: ctrl+r reads it.", Tone.DIM)]
    stale = is_stale(status, now)
    lines += [
        (("state    ", Tone.TITLE), sync_span(status.sync, stale=stale)),
        _fact("read", f"{age(status.seen_at, now)} ago" + (" (stale: ctrl+r reads it again)" if stale else "")),
        _fact("VM", f"{status.vmid} on {status.node}, {status.power or 'power unknown'}" if status.vmid else "none"),
        _fact("address", (status.address or "none known") + (f" ({status.address_why})" if status.address_why else "")),
    ]
    if status.problem:
        lines.append((("problem  ", Tone.TITLE), *text_line(status.problem, Tone.BAD)))
    facts = status.facts
    if facts is None:
        return [*lines, *_last(status, now), EMPTY, text_line(_SILENT, Tone.WARN)]
    lines += [
        _fact("expected", status.expected[:12] or "unknown"),
        _fact("runs", facts.revision[:12] or "a system that names no commit"),
        _fact("checkout", f"/etc/nixos at {facts.checkout[:12] or 'no commit'}"),
        EMPTY,
        _fact("booted", facts.booted),
        _fact("current", facts.current),
        _fact("profile", f"{facts.profile} (generation {status.generation or '?'})"),
    ]
    for title, values in (
        ("edited", [_edit(edit) for edit in facts.edits]),
        ("drift", [line for line in status.drift if not line.startswith(EDITED)]),
        ("failed", list(facts.failed_units)),
        ("reboot", list(facts.reboot)),
        ("attempt", [f"{owner}: {status.held_by or 'of an unknown run'}" for owner in facts.fence]),
    ):
        for index, value in enumerate(values):
            lines.append(((f"{title if not index else '':<9}", Tone.TITLE), *text_line(value, Tone.WARN)))
    return lines


def _last(status: HostStatus, now: float) -> list[Line]:
    """What the host was when it last answered."""
    if (last := status.last) is None:
        return []
    return [_fact("last", f"{age(last.seen_at, now)} ago it was {last.sync}, generation {last.generation or '?'}")]


def _edit(porcelain: str) -> str:
    """A line of `git status --porcelain` in words; its first two characters are the codes of git-status(1)."""
    word = {"M": "changed", "A": "added", "D": "deleted", "R": "renamed", "??": "not in Git"}.get(porcelain[:2].strip())
    return f"{word}: {porcelain[3:]}" if word else porcelain


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


def _fact(name: str, value: str) -> Line:
    return ((f"{name:<9}", Tone.TITLE), *text_line(value))

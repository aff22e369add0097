"""The pane beside the fleet: a tree of roles, groups, nodes and saved filters; enter shows only what a row means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from pvenix_tui.models.fleet import FleetModel
from pvenix_tui.models.lines import Column, Span, Tone

SIDE_COLUMNS: Final = (Column(title="", width=14, grow=1), Column(title="", width=6))
OFFERED: Final = {
    "drifted": "drift",
    "behind main": "state:behind",
    "last run bad": "is:failed",
    "not answering": "state:unreachable|unknown is:trouble",
}
"""Filters that everybody has until they save one of the same name."""
SECTION: Final = "section "
"""How the key of a heading begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRow:
    """A row of the tree."""

    key: str
    label: str
    filter: str = ""
    """What enter filters by; of a heading nothing."""
    hosts: int = 0
    trouble: int = 0
    """Hosts of it that need a person."""
    heading: bool = False
    folded: bool = False

    def cells(self, current: str) -> Sequence[Span]:
        """What the tree shows of it; `current` is the filter that holds."""
        if self.heading:
            return ((f"{'>' if self.folded else 'v'} {self.label}", Tone.TITLE), ("", Tone.PLAIN))
        chosen = self.filter == current
        indent = "" if self.key == "all" else "  "
        return (
            (f"{indent}{self.label}", Tone.ACCENT if chosen else Tone.PLAIN),
            (f"{self.hosts:>4}{' !' if self.trouble else ''}", Tone.WARN if self.trouble else Tone.DIM),
        )


def side_rows(model: FleetModel, saved: Mapping[str, str], folded: AbstractSet[str]) -> list[SideRow]:
    """All hosts, then a section each for roles, groups, nodes and saved filters; empty ones are left out."""
    sections = {
        "roles": [_group(model, name, "role:" + name.removeprefix("role_")) for name in _roles(model)],
        "groups": [_group(model, name, name) for name in _groups(model)],
        "nodes": _nodes(model),
        "filters": [
            SideRow(key=f"filter {name}", label=name, filter=text, hosts=model.number(text))
            for name, text in (OFFERED | dict(saved)).items()
        ],
    }
    rows = [SideRow(key="all", label="all hosts", hosts=len(model.hosts))]
    for name, found in sections.items():
        if found:
            shut = name in folded
            rows.append(SideRow(key=f"{SECTION}{name}", label=name, heading=True, folded=shut))
            rows += () if shut else found
    return rows


def _roles(model: FleetModel) -> list[str]:
    return sorted(name for name in model.groups if name.startswith("role_"))


def _groups(model: FleetModel) -> list[str]:
    return sorted(name for name in model.groups if not name.startswith("role_") and name not in ("all", "ungrouped"))


def _group(model: FleetModel, name: str, text: str) -> SideRow:
    return SideRow(
        key=name,
        label=name.removeprefix("role_"),
        filter=text,
        hosts=len(model.groups[name]),
        trouble=model.trouble[name],
    )


def _nodes(model: FleetModel) -> list[SideRow]:
    counts = Counter(status.node for status in model.statuses.values() if status.node)
    return [
        SideRow(key=f"node {node}", label=node, filter=f"node:{node}", hosts=counts[node]) for node in sorted(counts)
    ]

"""A VM template as it was found: what it was built from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pvenix.model.findings import Finding


class Freshness(StrEnum):
    """How a template compares with what the fleet builds now."""

    FRESH = "fresh"
    """Built from the nixpkgs that flake.lock pins."""
    STALE = "stale"
    UNKNOWN = "unknown"
    """Its notes do not say what it was built from, or the fleet pins nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateHealth:
    """One template of the site, or a replica of it."""

    name: str
    vmid: int
    node: str = ""
    """Empty when the template was not found."""
    made_at: str = ""
    """ISO 8601, UTC; empty when nothing says."""
    nixpkgs: str = ""
    """The commit of nixpkgs that it was built from, as its notes say."""
    commit: str = ""
    """The fleet's commit that it was built from."""
    wanted: str = ""
    """The commit of nixpkgs that flake.lock pins on the main branch."""
    freshness: Freshness = Freshness.UNKNOWN
    findings: tuple[Finding, ...] = ()

    @property
    def broken(self) -> bool:
        """True when clones of it would not be what they should."""
        return any(not finding.warning for finding in self.findings)

    def to_json(self) -> Mapping[str, Any]:
        """A JSON document."""
        return {
            "name": self.name,
            "vmid": self.vmid,
            "node": self.node,
            "made_at": self.made_at,
            "nixpkgs": self.nixpkgs,
            "commit": self.commit,
            "wanted": self.wanted,
            "freshness": str(self.freshness),
            "broken": self.broken,
            "findings": [
                {"place": one.place, "code": one.code, "what": one.what, "hint": one.hint, "warning": one.warning}
                for one in self.findings
            ],
        }

"""What a template's notes say of its making. They never say whose VM it is: every clone would inherit that."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

_LINE: Final = re.compile(r"^pvenix-template: (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a template was built from."""

    nixpkgs: str = ""
    """A commit of nixpkgs."""
    commit: str = ""
    """A commit of the fleet."""
    at: str = ""
    """ISO 8601, UTC."""

    @override
    def __str__(self) -> str:
        """The line of the notes."""
        return f"pvenix-template: nixpkgs={self.nixpkgs} commit={self.commit} at={self.at}"


def made_in(description: str) -> Made:
    """What the notes say; nothing when they say nothing of it. A bare word is the commit of nixpkgs, as people write it."""
    match = _LINE.search(description)
    if match is None:
        return Made()
    words = match[1].split()
    fields = dict(word.split("=", 1) for word in words if "=" in word)
    bare = next((word for word in words if "=" not in word), "")
    return Made(nixpkgs=fields.get("nixpkgs", bare), commit=fields.get("commit", ""), at=fields.get("at", ""))


def locked_nixpkgs(lock: str) -> str:
    """The commit of nixpkgs that a flake.lock pins for its root; empty when it pins none."""
    try:
        nodes = json.loads(lock)["nodes"]
        name = nodes[json.loads(lock)["root"]]["inputs"]["nixpkgs"]
        return str(nodes[name if isinstance(name, str) else name[-1]]["locked"]["rev"])
    except (ValueError, LookupError, TypeError):
        return ""

"""Which edits of /etc/nixos the inventory says are no drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from pvenix.model.generation import HostFacts

_CODES = 3
"""Characters before the path in a line of `git status --porcelain`."""


def ignored_by(path: str, patterns: Sequence[str]) -> str:
    """The first pattern that is `path`, a directory above it, or matches it; empty when none does.

    `*` also passes `/`, as in a pathspec of Git (gitglossary(7)), so that Git is asked to leave the same files alone.
    """
    plain = path.rstrip("/")
    for pattern in patterns:
        top = pattern.rstrip("/")
        if plain == top or plain.startswith(f"{top}/") or fnmatchcase(plain, pattern):
            return pattern
    return ""


def without_ignored(facts: HostFacts, patterns: Sequence[str]) -> HostFacts:
    """The facts without the edits that are no drift."""
    if not patterns:
        return facts
    return replace(facts, edits=counted(facts.edits, patterns))


def counted(edits: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The lines of `git status --porcelain` that are drift; a renamed file counts by both of its names."""
    return tuple(line for line in edits if not all(ignored_by(path, patterns) for path in line[_CODES:].split(" -> ")))


def left_alone(patterns: Sequence[str]) -> tuple[str, ...]:
    """The pathspecs of everything but what is ignored, behind `--`; none when nothing is."""
    return ("--", ".", *(f":(exclude){pattern}" for pattern in patterns)) if patterns else ()

"""Finds the name that was meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice that looks most like `word`, or an empty string when none does."""
    import difflib

    if len(word) > 80:
        return ""
    folded = {choice.casefold(): choice for choice in choices}
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A hint: the nearest choice, or all of them when they are few, or nothing."""
    known = sorted(set(choices))
    close = nearest(word, known)
    if close:
        return f"did you mean `{close}`?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 12 else ""

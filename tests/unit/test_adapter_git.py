"""Ahead, behind and merge base by the walk that stops early, against plain set arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.adapters.git.listing import Graph, relation, utc


@st.composite
def histories(draw: st.DrawFn) -> dict[int, tuple[int, ...]]:
    """Parents by commit; a parent has the higher number, so that the numbers are a topological order."""
    size = draw(st.integers(min_value=1, max_value=14))
    parents = {}
    for commit in range(size):
        older = list(range(commit + 1, size))
        parents[commit] = tuple(draw(st.lists(st.sampled_from(older), max_size=2, unique=True))) if older else ()
    return parents


def ancestors(parents: dict[int, tuple[int, ...]], tip: int) -> set[int]:
    found, todo = set(), [tip]
    while todo:
        commit = todo.pop()
        if commit not in found:
            found.add(commit)
            todo += parents[commit]
    return found


@given(histories(), st.data())
def test_the_walk_counts_as_sets_do(parents: dict[int, tuple[int, ...]], data: st.DataObject) -> None:
    main, tip = (data.draw(st.sampled_from(sorted(parents))) for _ in range(2))
    known = Graph(
        order={str(commit): commit for commit in parents},
        parents={str(commit): tuple(map(str, found)) for commit, found in parents.items()},
        trees={},
    )
    found = relation(known, str(main), str(tip))
    ours, theirs = ancestors(parents, main), ancestors(parents, tip)
    assert (found.ahead, found.behind) == (len(theirs - ours), len(ours - theirs))
    best = {
        commit
        for commit in ours & theirs
        if not any(commit in ancestors(parents, other) for other in (ours & theirs) - {commit})
    }
    assert (found.base is None) == (not best)
    assert found.base is None or int(found.base) in best


@pytest.mark.parametrize(("seconds", "shown"), [("0", "1970-01-01T00:00:00Z"), ("", "1970-01-01T00:00:00Z")])
def test_times_are_utc(seconds: str, shown: str) -> None:
    assert utc(seconds) == shown

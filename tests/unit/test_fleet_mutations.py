"""The starter fleet with random parts replaced, removed or added: findings, never a traceback."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.fleet.load import load_fleet
from pvenix.fleet.playbook import load_playbook
from pvenix.fleet.scalars import render
from pvenix.fleet.starter import starter
from pvenix.fleet.yaml import read
from pvenix.model.errors import InvalidInput

ROOT = starter()
FILES = (
    "inventory/site.yaml",
    "inventory/hosts.yaml",
    "inventory/group_vars/core.yaml",
    "inventory/host_vars/tappaas-cicd.yaml",
    "playbooks/onboard.yaml",
)
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 1.5, float("inf"), "", "x", "-o", "../a", "{{x}}", "all", "*", "a:b", "a" * 300),
    *([], [[]], {}, {"a": 1}, ["a", {"b": 2}], {"file": "x"}, {"env": 1}, "10.0.0.0/8", "::1/64", "\u202e"),
)
KEYS = ("x", "machine", "+", "tags+", "roles+", "<<", "x-", "x-a", "", "hosts", "1")


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, below in parts:
        yield from places(below, (*path, key))


def mutated(tree: Any, random: Random) -> Any:
    path = random.choice(list(places(tree)))
    value = copy.deepcopy(random.choice(VALUES))
    if not path:
        return value
    changed = holder = copy.deepcopy(tree)
    for key in path[:-1]:
        holder = holder[key]
    act = random.choice(("replace", "replace", "remove", "add"))
    if act == "remove":
        del holder[path[-1]]
    elif act == "add" and isinstance(holder, dict):
        holder[random.choice(KEYS)] = value
    else:
        holder[path[-1]] = value
    return changed


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fleet")


@settings(max_examples=50, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_a_mutated_fleet_loads_or_gives_findings(random: Random, root: Path) -> None:
    for name in FILES:
        tree = read(ROOT / name, name)
        assert tree
        value = tree.plain()
        for _ in range(random.choice((0, 1, 1, 3))):
            value = mutated(value, random)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(render(value), encoding="utf-8")
    for found in (*problems_of_fleet(root), *problems_of_playbook(root)):
        assert found


def problems_of_fleet(root: Path) -> list[bool]:
    try:
        load_fleet(root)
    except InvalidInput as error:
        return [bool(one.file and one.line >= 1 and one.column >= 1 and one.what) for one in error.findings]
    return []


def problems_of_playbook(root: Path) -> list[bool]:
    try:
        load_playbook(root / FILES[-1], root)
    except InvalidInput as error:
        return [bool(one.file and one.line >= 1 and one.column >= 1 and one.what) for one in error.findings]
    return []

"""Edits keep every other byte, and what cannot be done that way is refused."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.fleet.edit import EditRefused, add_host, remove_host, remove_machine, set_inline, set_machine
from pvenix.fleet.scalars import render
from pvenix.fleet.splice import remove_value, set_value
from pvenix.fleet.starter import starter
from pvenix.fleet.yaml import parse
from pvenix.model.errors import InvalidInput, UsageError

HOSTS = (starter() / "inventory" / "hosts.yaml").read_text(encoding="utf-8")


def plain(text: str) -> Any:
    tree = parse(text, "f.yaml")
    return tree.plain() if tree else None


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("", "proxmox.vmid", 200, "machine:\n  proxmox:\n    vmid: 200\n"),
        ("# why\n", "state", "absent", "# why\nmachine:\n  state: absent\n"),
        ("machine:\n", "state", "absent", "machine:\n  state: absent\n"),
        ("machine:   # mine\na: 1\n", "state", "absent", "machine:   # mine\n  state: absent\na: 1\n"),
        ("machine: {}", "state", "absent", "machine: {state: absent}"),
        ("machine: { cores: 2 }  # x\n", "cores", 4, "machine: { cores: 4 }  # x\n"),
        ("machine: {cores: 2,}\n", "proxmox.vmid", 4, "machine: {cores: 2, proxmox: {vmid: 4},}\n"),
        ("machine: ~\n", "cores", 4, "machine: {cores: 4}\n"),
        ("machine:\n  cores:  2   # two\n", "cores", 4, "machine:\n  cores:  4   # two\n"),
        ("machine:\n  cores:   # none\n", "cores", 4, "machine:\n  cores: 4   # none\n"),
        ("machine:\n    cores: 2", "disk", "40G", "machine:\n    cores: 2\n    disk: 40G\n"),
        (
            "machine:\n  tags:\n    - a  # first\n\nother: 1\n",
            "cores",
            2,
            "machine:\n  tags:\n    - a  # first\n  cores: 2\n\nother: 1\n",
        ),
        ("machine:\n  tags:\n  - a\n  - b\n  cores: 2\n", "tags", ["c"], "machine:\n  tags: [c]\n  cores: 2\n"),
        (
            "machine:\n  proxmox:\n    notes: |\n      one\n      two\n",
            "proxmox.vmid",
            200,
            "machine:\n  proxmox:\n    notes: |\n      one\n      two\n    vmid: 200\n",
        ),
        (
            "machine:\n  notes: |\n    one\n  cores: 2\n",
            "notes",
            "two: three",
            'machine:\n  notes: "two: three"\n  cores: 2\n',
        ),
        ("machine:\n  notes: |+\n    a\n\n\n", "cores", 4, "machine:\n  notes: |+\n    a\n\n\n  cores: 4\n"),
        ("machine:\r\n  cores: 2\r\n", "disk", "4G", "machine:\r\n  cores: 2\r\n  disk: 4G\r\n"),
        (
            "a: &x {b: 1}\nmachine:\n  cores: 2\nc: *x\n",
            "disk",
            1,
            "a: &x {b: 1}\nmachine:\n  cores: 2\n  disk: 1\nc: *x\n",
        ),
    ],
)
def test_a_field_is_set_and_every_other_byte_stays(before: str, path: str, value: Any, after: str) -> None:
    assert set_machine(before, path.split("."), value) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("machine:\n  a: 1\n  b: 2  # x\n  # y\n  c: 3\n", "b", "machine:\n  a: 1\n  # y\n  c: 3\n"),
        ("machine: {a: 1, b: 2, c: 3}\n", "a", "machine: {b: 2, c: 3}\n"),
        ("machine: {a: 1, b: 2, c: 3}\n", "b", "machine: {a: 1, c: 3}\n"),
        ("machine: {a: 1, b: 2, c: 3}\n", "c", "machine: {a: 1, b: 2}\n"),
        ("machine: {a: 1}\n", "a", "machine: {}\n"),
        ("machine:\n  a:\n    b: 1\n", "a.b", "machine:\n  a: {}\n"),
        ("machine:\n  a:\n    b: 1\n  c: 2", "c", "machine:\n  a:\n    b: 1\n"),
        ("machine:\n  c: |\n    x\n  d: 2\n", "c", "machine:\n  d: 2\n"),
    ],
)
def test_a_field_is_removed_and_every_other_byte_stays(before: str, path: str, after: str) -> None:
    assert remove_machine(before, path.split(".")) == after


@pytest.mark.parametrize(
    ("before", "path"),
    [
        ("machine: 3\n", "cores"),
        ("machine: [a]\n", "cores"),
        ("x: &m {cores: 1}\nmachine: *m\n", "cores"),
        ("machine: &m {cores: 1}\nx: *m\n", "cores"),
        ("machine:\n  cores: &c 1\n  x: *c\n", "cores"),
        ("machine: {cores}\n", "cores"),
    ],
)
def test_what_would_change_something_else_is_refused(before: str, path: str) -> None:
    with pytest.raises(EditRefused, match="cannot be edited in place") as caught:
        set_machine(before, path.split("."), 4)
    assert caught.value.code == "PVX0130"


def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(EditRefused, match="nothing to remove"):
        remove_machine("machine: {a: 1}\n", ["b"])


def test_a_file_that_is_not_yaml_is_not_edited() -> None:
    with pytest.raises(InvalidInput):
        set_machine("machine: [", ["cores"], 2)


def test_a_host_is_added_to_its_group_as_the_others_are_written() -> None:
    machine = {"class": "small", "roles": ["base"], "network": {"zone": "mgmt", "address": "10.0.0.5/24"}}
    after = add_host(HOSTS, "apps", "web01", machine)
    assert changed(HOSTS, after) == [
        "+         web01:",
        "+           machine:",
        "+             class: small",
        "+             roles: [base]",
        "+             network: {zone: mgmt, address: 10.0.0.5/24}",
    ]
    assert plain(after)["all"]["children"]["apps"]["hosts"]["web01"] == {"machine": machine}


def test_a_host_without_a_group_is_added_at_the_top() -> None:
    assert plain(add_host(HOSTS, "all", "web01", {}))["all"]["hosts"] == {"web01": None}
    assert add_host("", "all", "web01", {"cores": 2}) == (
        "all:\n  hosts:\n    web01:\n      machine:\n        cores: 2\n"
    )


@pytest.mark.parametrize(
    ("group", "host", "message"),
    [
        ("app", "web01", "has no group `app`"),
        ("apps", "docker01", "is listed in group `apps` already"),
        ("apps", "web_01", "is not a host name"),
    ],
)
def test_a_host_that_cannot_be_added_is_a_usage_error(group: str, host: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        add_host(HOSTS, group, host, {})


def test_a_field_is_set_where_the_host_is_listed() -> None:
    after = set_inline(HOSTS, "dns01", ["network", "zone"], "mgmt")
    assert changed(HOSTS, after) == [
        "-             network: {zone: core13, address: 10.69.13.5/24, dns: [9.9.9.9]}",
        "+             network: {zone: mgmt, address: 10.69.13.5/24, dns: [9.9.9.9]}",
    ]


def test_a_host_of_a_range_is_not_edited_inline() -> None:
    text = "all: {hosts: {'gpu[01:03]': }}\n"
    with pytest.raises(UsageError) as caught:
        set_inline(text, "gpu02", ["cores"], 2)
    assert caught.value.hint == "set it in inventory/host_vars/gpu02.yaml"
    with pytest.raises(UsageError, match="part of the range"):
        remove_host(text, "gpu02")
    with pytest.raises(UsageError, match="listed in group"):
        add_host(text, "all", "gpu02", {})


def test_a_host_is_removed_from_every_group() -> None:
    text = (
        "all:\n  children:\n    a:\n      hosts:\n        h1: {x: 1}\n        h2:\n    b:\n      hosts:\n        h1:\n"
    )
    assert remove_host(text, "h1") == (
        "all:\n  children:\n    a:\n      hosts:\n        h2:\n    b:\n      hosts: {}\n"
    )
    with pytest.raises(UsageError, match="is not listed"):
        remove_host(text, "h3")


KEYS = st.sampled_from(["a", "b", "c", "d-e", "no", "1"])
SCALARS = (
    st.none() | st.booleans() | st.integers(0, 999) | st.sampled_from(["x", "no", "a: b", "1:30", "#", "10.0.0.5/24"])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
MAPS = st.dictionaries(KEYS, TREES, min_size=1, max_size=4)


def block(value: Any, indent: int, draw: Any) -> str:
    """YAML in block style with comments, flow style here and there."""
    lines = []
    for key, item in value.items():
        comment = draw(st.sampled_from(["", "  # note: {x}"]))
        if isinstance(item, dict) and item and draw(st.booleans()):
            lines.append(f"{' ' * indent}{render(key)}:{comment}\n{block(item, indent + 2, draw)}")
        else:
            lines.append(f"{' ' * indent}{render(key)}: {render(item)}{comment}\n")
    return "".join(lines)


@settings(max_examples=80, deadline=None)
@given(st.data(), MAPS, st.lists(KEYS, min_size=1, max_size=3), TREES)
def test_an_edit_means_exactly_what_was_asked(data: Any, tree: dict[str, Any], path: list[str], value: Any) -> None:
    text = block(tree, 0, data.draw)
    assert plain(text) == tree
    try:
        after = set_value(text, path, value)
    except EditRefused:
        return
    holder = plain(after)
    for key in path:
        holder = holder[key]
    assert holder == value
    assert remaining(plain(after), path) == remaining(tree, path)


@settings(max_examples=60, deadline=None)
@given(st.data(), MAPS)
def test_a_removal_takes_exactly_one_field(data: Any, tree: dict[str, Any]) -> None:
    text = block(tree, 0, data.draw)
    key = data.draw(st.sampled_from(sorted(tree)))
    after = remove_value(text, [key])
    assert (plain(after) or {}) == {other: item for other, item in tree.items() if other != key}


@settings(max_examples=60, deadline=None)
@given(st.data(), MAPS)
def test_setting_a_new_field_and_removing_it_gives_the_same_text(data: Any, tree: dict[str, Any]) -> None:
    text = block(tree, 0, data.draw)
    assert remove_value(set_value(text, ["new"], 1), ["new"]) == text


def remaining(tree: Any, path: list[str]) -> Any:
    """The tree without what stands at `path`; maps made on the way count as nothing."""
    if not isinstance(tree, dict):
        return None
    rest = {key: item for key, item in tree.items() if key != path[0]}
    inner = remaining(tree.get(path[0]), path[1:]) if len(path) > 1 else None
    return rest if not inner else {**rest, path[0]: inner}

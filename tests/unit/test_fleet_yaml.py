"""YAML with positions, and the traps that a loader must not fall into."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pvenix.fleet import codes, yaml
from pvenix.fleet.scalars import render
from pvenix.model.errors import InvalidInput


def plain(text: str) -> Any:
    tree = yaml.parse(text, "f.yaml")
    return tree.plain() if tree else None


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("4G", "4G"),
        ("10.0.0.5/24", "10.0.0.5/24"),
        ("2026-01-02", "2026-01-02"),
        ("!!str 12", "12"),
        ("!!float 1", 1.0),
        ("=", "="),
        ("9" * 400, "9" * 400),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(scalar: str, value: object) -> None:
    result = plain(f"a: {scalar}")["a"]
    assert result == value
    assert type(result) is type(value)


def test_infinity_and_nan_are_floats() -> None:
    assert plain("a: -.inf") == {"a": -math.inf}
    assert math.isnan(plain("a: .NaN")["a"])


def test_every_key_and_value_knows_its_place() -> None:
    tree = yaml.parse("a:\n  - {é: 1, b: two}\n", "f.yaml")
    assert tree
    node = tree.get("a")
    assert node
    entry = node.items[0].entries["b"]
    assert (entry.key.line, entry.key.column, entry.value.line, entry.value.column) == (2, 12, 2, 15)
    assert entry.value.file == "f.yaml"


def test_merge_keys_and_aliases_are_resolved_and_own_keys_win() -> None:
    assert plain("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: [*x, *x]") == {
        "x": {"a": 1, "b": 2},
        "y": {"a": 1, "b": 3},
        "z": [{"a": 1, "b": 2}, {"a": 1, "b": 2}],
    }


def test_a_tag_that_only_ansible_reads_stays_opaque() -> None:
    tree = yaml.parse("secret: !vault |\n  $ANSIBLE_VAULT;1.1\n", "f.yaml")
    assert tree
    assert tree.entries["secret"].value.tag == "!vault"


MALFORMED = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", codes.DUPLICATE, 3, 1),
    "duplicate key in flow": ("a: {b: 1, b: 2}", codes.DUPLICATE, 1, 11),
    "duplicate key, quoted": ('a: 1\n"a": 2\n', codes.DUPLICATE, 2, 1),
    "tab": ("a:\n\t- b\n", codes.SYNTAX, 2, 1),
    "colon in a value": ("a: b: c", codes.SYNTAX, 1, 5),
    "open bracket": ("a: [1, 2", codes.SYNTAX, 1, 4),
    "open quote": ('a: "b', codes.SYNTAX, 1, 4),
    "control character": ("a: \x01", codes.SYNTAX, 1, 4),
    "NUL": ("a: b\0c", codes.SYNTAX, 1, 5),
    "two documents": ("a: 1\n---\nb: 2\n", codes.SYNTAX, 2, 1),
    "map as key": ("? {a: 1}\n: b", codes.SYNTAX, 1, 3),
    "list as key": ("[a]: b", codes.SYNTAX, 1, 1),
    "unknown alias": ("a: *b", codes.SYNTAX, 1, 4),
    "alias of itself": ("a: &a [*a]", codes.SYNTAX, 1, 8),
    "tagged nonsense": ("a: !!int b", codes.VALUE, 1, 4),
    "python tag on a core type": ("a: !!bool 3", codes.VALUE, 1, 4),
    "merge of a scalar": ("<<: 3", codes.SYNTAX, 1, 1),
    "deep list": ("[" * 20_000, codes.LIMIT, 1, 51),
    "deep map": ("{a: " * 20_000, codes.LIMIT, 1, 201),
    "deep block": ("".join(f"{' ' * n}a:\n" for n in range(200)), codes.LIMIT, 51, 51),
    "bad anchor": ("a: &\n", codes.SYNTAX, 1, 4),
    "bad indentation": ("a:\n  b: 1\n c: 2\n", codes.SYNTAX, 3, 2),
    "stray bracket": ("a: ]", codes.SYNTAX, 1, 4),
    "percent": ("%bad\n", codes.SYNTAX, 1, 1),
}
BOMBS = {
    "aliases": "a0: &a0 [1,1,1,1,1,1,1,1,1]\n"
    + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
    "merge keys": "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 41)),
    "wide merges": "a: &a {" + ", ".join(f"k{n}: 1" for n in range(200)) + "}\n"
    "b: {<<: [" + ", ".join(["*a"] * 100) + "]}\n",
    "deep by aliases": "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} {'[' * 40}*a{n - 1}{']' * 40}\n" for n in range(1, 100)),
    "many aliases": "a: &a 1\nb: [" + ", ".join(["*a"] * 5000) + "]\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_a_finding_at_its_place(name: str) -> None:
    text, code, line, column = MALFORMED[name]
    with pytest.raises(InvalidInput) as caught:
        yaml.parse(text, "f.yaml")
    (finding,) = caught.value.findings
    assert (finding.file, finding.code) == ("f.yaml", code)
    assert (finding.line, finding.column) == (line, column)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_grows(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        yaml.parse(BOMBS[name], "f.yaml")
    assert caught.value.findings[0].code == codes.LIMIT


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"#" * (yaml.MAX_BYTES + 1))
    with pytest.raises(InvalidInput, match="1 problem") as caught:
        yaml.read(path, "f.yaml")
    assert caught.value.findings[0].what == "is larger than 1 MiB"


def test_text_that_is_not_utf_8_is_shown_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(InvalidInput) as caught:
        yaml.read(path, "f.yaml")
    assert (caught.value.findings[0].code, caught.value.findings[0].line) == (codes.FILE, 2)


def test_a_missing_file_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        yaml.read(tmp_path / "none.yaml", "none.yaml")
    assert "No such file" in caught.value.findings[0].what


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    tree = yaml.read(path, "f.yaml")
    assert tree
    assert tree.plain() == {"a": 1}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "~"])
def test_a_file_that_says_nothing_is_none(text: str) -> None:
    assert yaml.parse(text, "f.yaml") is None


def test_the_pure_parser_gives_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, 'two', NO]\nb:\n  <<: {c: 3}\n  d: |\n    text\n  e: *x\nf: {g: , h: !!str 1}\n"
    expected = plain(text)

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert plain(text) == expected
    for name in ("duplicate key", "deep list", "open quote", "tab"):
        with pytest.raises(InvalidInput):
            yaml.parse(MALFORMED[name][0], "f.yaml")


SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    assert json.dumps(plain(f"k: {render(value)}")["k"]) == json.dumps(value)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12))
def test_text_is_written_so_that_a_yaml_1_1_reader_takes_it_for_text(text: str) -> None:
    old = YAML(typ="safe", pure=True)
    old.version = (1, 1)
    assert old.load(f"k: {render(text)}") == {"k": text}


@pytest.mark.parametrize(
    "text", ["no", "1:30", "010", "1e3", "~", "2026-01-02", "=", "<<", "0x1", "1_0", ".5", "on", ""]
)
def test_text_that_some_reader_takes_for_something_else_is_quoted(text: str) -> None:
    assert render(text) == f'"{text}"'


@pytest.mark.parametrize("text", ["tappaas1", "10.0.0.5/24", "4G", "nix-cache", "~/.ssh/id_ed25519.pub", "a.b_c"])
def test_everyday_text_is_written_plain(text: str) -> None:
    assert render(text) == text


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`\n\t ,?<~é\x00\x85\u2028"), max_size=40))
def test_any_text_is_a_tree_or_findings_inside_the_text(text: str) -> None:
    try:
        yaml.parse(text, "f.yaml")
    except InvalidInput as error:
        for finding in error.findings:
            assert 1 <= finding.line <= len(text.splitlines()) + 1
            assert finding.column >= 1

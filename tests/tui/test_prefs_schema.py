"""The JSON Schema of tui.yaml takes what the program takes, and nothing that it refuses line by line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pvenix.fleet.yaml import read
from pvenix.model.errors import InvalidInput
from pvenix_tui.actions import ACTIONS
from pvenix_tui.entry import main
from pvenix_tui.prefs import load
from pvenix_tui.prefsschema import schema

pytestmark = pytest.mark.tui
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "null": type(None)}


def holds(value: object, rule: dict[str, Any]) -> bool:
    """Whether a value is as a schema says, as far as this schema says anything."""
    assert set(rule) <= {"$schema", "title", "description", "default", "type", "enum", "const", "pattern", "properties",
                         "additionalProperties", "items", "anyOf"}  # fmt: skip
    kinds = rule.get("type", list(TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    typed = any(isinstance(value, TYPES[kind]) and (kind == "boolean" or value not in (True, False)) for kind in kinds)
    listed = value in rule.get("enum", [value]) and value == rule.get("const", value)
    spelled = not isinstance(value, str) or re.search(rule.get("pattern", ""), value) is not None
    inner = not isinstance(value, list) or all(holds(each, rule.get("items", {})) for each in value)
    known = rule.get("properties", {})
    entries = not isinstance(value, dict) or all(
        holds(each, known[name]) if name in known else rule.get("additionalProperties", True)
        for name, each in value.items()
    )
    some = "anyOf" not in rule or any(holds(value, each) for each in rule["anyOf"])
    return typed and listed and spelled and inner and entries and some


@pytest.mark.parametrize(
    "text",
    [
        "theme: light\nascii: true\nmouse: false\nread_only: true\nnotify: osc9\n",
        "keys:\n  app.help: [f1, f12]\n  app.refresh: []\n  app.quit: f10\n",
        "keys:\n  app.help: ctrl+k\n  app.quit: +\n  app.theme: 7\n  app.refresh:\n  app.runs: ''\n",
        "keys:\n", "# nothing yet\n",
        "theme: pink\n", "ascii: maybe\n", "ascii: 1\n", "notify: loud\n", "thme: dark\n", "- dark\n", "keys: r\n",
        "keys:\n  app.hlp: h\n", "keys:\n  app.help: hyper+h\n", "keys:\n  app.help: {a: b}\n",
        "keys:\n  app.help: [[h]]\n", "keys:\n  app.help: ' '\n", "keys:\n  app.help: ctrl+\n",
    ],
)  # fmt: skip
def test_schema_and_program_take_the_same_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tui.yaml"
    path.write_text(text)
    try:
        load(path)
        taken = True
    except InvalidInput:
        taken = False
    tree = read(path, "tui.yaml")
    assert holds(tree.plain() if tree else None, schema()) is taken


def test_the_schema_is_printed_and_tells_of_every_action_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    keys = printed["properties"]["keys"]["properties"]
    assert {action.id: action.help for action in ACTIONS} == {name: rule["description"] for name, rule in keys.items()}
    assert printed["properties"]["theme"] == {
        "enum": ["dark", "light", "blue-orange", "terminal"], "default": "dark", "description": "colours",
    }  # fmt: skip

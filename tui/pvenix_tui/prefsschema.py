"""The JSON Schema of tui.yaml, so that an editor completes and checks it: made from what the program itself takes."""

from __future__ import annotations

import json
from typing import Final

from pvenix_tui.actions import ACTIONS
from pvenix_tui.actions.keymap import key_pattern
from pvenix_tui.prefs import Notify, Preferences
from pvenix_tui.themes import ThemeName

Schema = dict[str, object]
_SWITCHES: Final = {
    "ascii": "draw with ASCII alone, as a locale that is not UTF-8 does by itself",
    "mouse": "clicks and the wheel come here; without, the terminal's own selection needs no shift",
    "read_only": "look, and change nothing: the engine refuses every change but a dry run",
}


def schema_text() -> str:
    """The schema as a file."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> Schema:
    """Draft 2020-12. That one key means two things on a screen it cannot tell; `pvenix-tui` itself does."""
    default = Preferences()
    switches: Schema = {
        name: {"type": "boolean", "default": getattr(default, name), "description": words}
        for name, words in _SWITCHES.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tui.yaml of pvenix-tui",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "theme": {"enum": list(ThemeName), "default": default.theme, "description": "colours"},
            "notify": {
                "enum": list(Notify),
                "default": default.notify,
                "description": "how a run that ends while something else is in front is told beyond the screen",
            },
            **switches,
            "keys": {
                "type": ["object", "null"],
                "description": "keys by the action's id: one, a list, or [] for none",
                "additionalProperties": False,
                "properties": {action.id: _keys(action.help, action.key) for action in ACTIONS},
            },
        },
    }


def _keys(words: str, now: str) -> Schema:
    key: Schema = {"type": ["string", "integer"], "pattern": key_pattern()}
    return {
        "description": words,
        "default": [each for each in now.split(",") if each],
        "anyOf": [key, {"type": "array", "items": key}, {"type": "null"}, {"const": ""}],
    }

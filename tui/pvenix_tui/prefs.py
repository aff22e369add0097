"""What a person prefers, from $XDG_CONFIG_HOME/pvenix/tui.yaml; a wrong file is told with its line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pvenix.model.errors import InvalidInput
from pvenix.model.findings import Finding
from pvenix_tui.themes import ThemeName

if TYPE_CHECKING:
    from pvenix.fleet.node import Node

_UNKNOWN: Final = "PVX0104"
_VALUE: Final = "PVX0105"


class Notify(StrEnum):
    """How a run that ends while something else is in front is told beyond the screen."""

    NONE = "none"
    BELL = "bell"
    OSC9 = "osc9"
    """A desktop notification by the terminal (iTerm2, kitty, Windows Terminal, WezTerm)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Everything that tui.yaml may say."""

    theme: ThemeName = ThemeName.DARK
    ascii: bool = False
    read_only: bool = False
    mouse: bool = True
    """Whether clicks and the wheel come here; without, the terminal's own selection needs no shift."""
    notify: Notify = Notify.NONE
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys by action id."""


def path_of_preferences() -> Path:
    """Where tui.yaml is (XDG Base Directory Specification 0.8: a relative $XDG_CONFIG_HOME is as none)."""
    home = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".config") / "pvenix" / "tui.yaml"


def load(path: Path) -> Preferences:
    """What the file says; the defaults when there is none.

    Raises: InvalidInput with every finding.
    """
    if not path.exists():
        return Preferences()
    try:
        tree = _read(path)
    except InvalidInput as error:
        error.what = f"{path} is wrong"
        raise
    if tree is None:
        return Preferences()
    said = tree.plain()
    return Preferences(
        theme=ThemeName(said.get("theme", ThemeName.DARK)),
        ascii=said.get("ascii", False),
        read_only=said.get("read_only", False),
        mouse=said.get("mouse", True),
        notify=Notify(said.get("notify", Notify.NONE)),
        keys={action: _keys(own) for action, own in (said.get("keys") or {}).items()},
    )


def _read(path: Path) -> Node | None:
    from pvenix.fleet.yaml import read

    tree = read(path, str(path))
    findings = sorted(_problems(tree)) if tree is not None else []
    if findings:
        raise InvalidInput(findings)
    return tree


def _keys(said: object) -> tuple[str, ...]:
    if isinstance(said, list):
        return tuple(str(each) for each in said)
    return (str(said),) if said not in (None, "") else ()


_CHOICES: Final = {"theme": tuple(ThemeName), "notify": tuple(Notify)}
_SWITCHES: Final = ("ascii", "read_only", "mouse")


def _problems(tree: Node) -> Iterator[Finding]:
    if not tree.is_map:
        yield tree.finding(_VALUE, "must be a map", "such as `theme: light`")
        return
    for name, entry in tree.entries.items():
        value = entry.value
        if name in _CHOICES:
            if value.value not in _CHOICES[name]:
                yield value.finding(_VALUE, f"{name} must be one of {', '.join(_CHOICES[name])}")
        elif name in _SWITCHES:
            if not isinstance(value.value, bool):
                yield value.finding(_VALUE, f"{name} must be true or false")
        elif name == "keys":
            yield from _key_problems(value)
        else:
            near = get_close_matches(name, (*_CHOICES, *_SWITCHES, "keys"), n=1)
            yield entry.key.finding(_UNKNOWN, f"there is no {name!r} here", f"did you mean {near[0]}?" if near else "")


def _key_problems(tree: Node) -> Iterator[Finding]:
    from pvenix_tui.actions.keymap import problems

    if tree.is_null:
        return
    if not tree.is_map:
        yield tree.finding(_VALUE, "keys must be a map", "such as `fleet.rebuild: [r, ctrl+b]`")
        return
    good: dict[str, tuple[str, ...]] = {}
    for name, entry in tree.entries.items():
        said = entry.value.plain()
        if isinstance(said, dict) or (isinstance(said, list) and any(isinstance(each, dict | list) for each in said)):
            yield entry.value.finding(_VALUE, "must be a key or a list of keys", "none at all: []")
        else:
            good[name] = _keys(said)
    for name, what, hint in problems(good):
        yield tree.entries[name].key.finding(_VALUE, what, hint)

"""Keys of a person's own choice: what counts in help, footer and bindings alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from pvenix_tui.actions import ACTIONS, BY_ID, Action

Keys = Mapping[str, tuple[str, ...]]
"""Keys by action id; none leaves the action to menu and palette."""
UNBOUND: Final = "unbound"
"""A key that no keyboard has: Textual takes an empty one for `as it was`."""
EVERYWHERE: Final = ("list", "app", "frame")
"""Scopes whose keys are heard on every screen, beside the screen's own."""
_DEFAULTS: Final = {action.id: action.key for action in ACTIONS}
_MODIFIERS: Final = frozenset({"ctrl", "shift", "alt"})
_NAMED: Final = frozenset({
    "space", "enter", "tab", "escape", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up", "down",
    "left", "right", *(f"f{number}" for number in range(1, 25)),
})  # fmt: skip


def remap(keys: Keys) -> None:
    """Give these actions these keys, and all others those that they had at first."""
    for action in ACTIONS:
        own = keys.get(action.id)
        action.key = _DEFAULTS[action.id] if own is None else ",".join(own)


def textual_keymap(keys: Keys) -> dict[str, str]:
    """`keys` as Textual's `set_keymap` takes them."""
    return {action_id: ",".join(own) or UNBOUND for action_id, own in keys.items()}


def problems(keys: Keys) -> Iterator[tuple[str, str, str]]:
    """What is wrong: the id at which it is, what, and a hint. Nothing when the keys can be used."""
    for action_id, own in keys.items():
        if action_id not in BY_ID:
            near = get_close_matches(action_id, BY_ID, n=1)
            yield action_id, f"there is no action {action_id!r}", f"did you mean {near[0]}?" if near else _SEE
        for key in own:
            if not _is_key(key):
                yield action_id, f"{key!r} is no key", "one character, or a name such as ctrl+k, f5, space, pagedown"
    seen: set[tuple[str, str]] = set()
    for first, second, key in _conflicts(keys):
        if (first.id, second.id) not in seen:
            seen.add((first.id, second.id))
            at = second.id if second.id in keys else first.id
            yield at, f"{key} would be both {first.id} and {second.id}", "give one of them another key, or none: []"


_SEE: Final = "the ids are in docs/tui.md and in the palette"


def key_pattern() -> str:
    """What a key has to look like, as a regular expression of JSON Schema."""
    return f"^(?:(?:{'|'.join(sorted(_MODIFIERS))})\\+)*(?:[^ ]|{'|'.join(sorted(_NAMED))})$"


def _is_key(key: str) -> bool:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    return set(modifiers) <= _MODIFIERS and ((len(last) == 1 and last.isprintable() and last != " ") or last in _NAMED)


def _conflicts(keys: Keys) -> Iterator[tuple[Action, Action, str]]:
    """Pairs that one key would mean on one screen, where at least one of them was remapped."""
    scopes = {scope for action in ACTIONS for scope in action.scopes} - set(EVERYWHERE)
    for scope in sorted(scopes) or [""]:
        taken: dict[str, Action] = {}
        for action in ACTIONS:
            if not {scope, *EVERYWHERE} & set(action.scopes):
                continue
            for key in keys.get(action.id, tuple(word for word in _DEFAULTS[action.id].split(",") if word)):
                other = taken.setdefault(_canonical(key), action)
                shadowed = "frame" in other.scopes or "frame" in action.scopes  # the screen's own action goes first
                remapped = action.id in keys or other.id in keys
                if other is not action and remapped and not (shadowed and scope in other.scopes + action.scopes):
                    yield other, action, key


def _canonical(key: str) -> str:
    return _SPELLINGS.get(key, key)


_SPELLINGS: Final = {
    "left_square_bracket": "[", "right_square_bracket": "]", "question_mark": "?", "slash": "/", "colon": ":",
    "backslash": "\\", "apostrophe": "'", "asterisk": "*", "ctrl+m": "enter", "ctrl+i": "tab",
}  # fmt: skip

"""Edits of YAML text that keep every other byte: cut at the marks of the parser, paste, parse again, compare.

What cannot be done that way is refused: the text that comes back always means the old document with exactly the
change that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pvenix.fleet import codes
from pvenix.fleet.node import Entry, Kind, Node
from pvenix.fleet.scalars import render, render_text
from pvenix.fleet.yaml import parse
from pvenix.model.errors import InvalidInput, UsageError

_INDENT = 2


class EditRefused(UsageError):
    """The edit cannot be made without changing something else; the file has to be edited by hand."""

    code = codes.EDIT


def set_value(text: str, path: Sequence[str], value: Any, *, block_levels: int = 0) -> str:
    """`text` with `value` under the keys of `path`; maps that are missing on the way are made.

    A new value is written on one line, except that its first `block_levels` levels of maps get a line per key.
    Raises: EditRefused; InvalidInput when `text` is not YAML to begin with.
    """
    before = _plain(text)
    changed = _Edit(text).set(tuple(path), value, block_levels)
    return _verified(changed, _with(before, tuple(path), value), path)


def remove_value(text: str, path: Sequence[str]) -> str:
    """`text` without the last key of `path` and its value; a map that becomes empty stays as `{}`.

    Raises: EditRefused, also when there is nothing to remove; InvalidInput when `text` is not YAML to begin with.
    """
    before = _plain(text)
    changed = _Edit(text).remove(tuple(path))
    return _verified(changed, _without(before, tuple(path)), path)


def _plain(text: str) -> Any:
    tree = parse(text, "this file")
    return tree.plain() if tree is not None else None


def _verified(changed: str, wanted: Any, path: Sequence[str]) -> str:
    try:
        result = _plain(changed)
    except InvalidInput as error:
        raise _refusal(path, f"the result would not be YAML: {error.findings[0].what}") from error
    if not _same(result or {}, wanted or {}):
        raise _refusal(path, "the result would say something else as well")
    return changed


def _refusal(path: Sequence[str], why: str) -> EditRefused:
    return EditRefused(f"`{'.'.join(path)}` cannot be edited in place", why=why, hint="edit the file by hand")


def _same(left: Any, right: Any) -> bool:
    """Equality that tells 1, 1.0 and true apart; the order of keys does not matter."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return type(left) is type(right) and (left == right or repr(left) == repr(right))


def _with(before: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return _as_read(value)
    inner = before if isinstance(before, dict) else {}
    return {**inner, path[0]: _with(inner.get(path[0]), path[1:], value)}


def _as_read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _as_read(item) for key, item in value.items()}
    return [_as_read(item) for item in value] if isinstance(value, (list, tuple)) else value


def _without(before: Any, path: tuple[str, ...]) -> Any:
    if len(path) == 1:
        return {key: item for key, item in before.items() if key != path[0]}
    return {**before, path[0]: _without(before[path[0]], path[1:])}


class _Edit:
    """One edit of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._root = parse(text, "this file", resolve_aliases=False)

    def set(self, path: tuple[str, ...], value: Any, block_levels: int) -> str:
        parents, rest = self._walk(path)
        if not parents:
            return self._append_document(path, value, block_levels)
        if not rest:
            return self._replace(parents[-1], value)
        holder = parents[-1].value
        if holder.kind == Kind.MAP:
            return self._insert(holder, rest, value, block_levels)
        if holder.is_null and holder.start == holder.end and not self._in_flow(parents):
            indent = parents[-1].key.column - 1 + _INDENT
            return self._paste_lines(holder.start, _block(rest, value, indent, block_levels))
        if holder.is_null:
            return self._replace(parents[-1], _nested(rest, value))
        raise _refusal(path, f"there is no map at line {holder.line}")

    def remove(self, path: tuple[str, ...]) -> str:
        parents, rest = self._walk(path)
        if rest or len(parents) < 2:
            raise _refusal(path, "there is nothing to remove")
        holder, entry = parents[-2].value, parents[-1]
        if len(holder.entries) == 1 and len(parents) > 2:
            return self._replace(parents[-2], {})
        return self._cut_flow(holder, entry) if holder.style == "flow" else self._cut_lines(path, entry)

    def _walk(self, path: tuple[str, ...]) -> tuple[list[Entry], tuple[str, ...]]:
        """The entries along `path` as far as they exist, the document first, and the keys that are left."""
        if self._root is None:
            return [], path
        found = [Entry(self._root, self._root)]
        for index, key in enumerate(path):
            node = found[-1].value
            if node.kind == Kind.ALIAS:
                raise _refusal(path, f"line {node.line} uses the alias {node.value}")
            entry = node.entries.get(key)
            if entry is None:
                return found, path[index:]
            found.append(entry)
        return found, ()

    def _in_flow(self, parents: list[Entry]) -> bool:
        return any(entry.value.style == "flow" for entry in parents)

    def _replace(self, entry: Entry, value: Any) -> str:
        node, shown = entry.value, render(value)
        block = node.kind in (Kind.MAP, Kind.SEQ) and node.style != "flow"
        if node.start == node.end or block:
            colon = re.compile(r"[ \t]*:").match(self._text, entry.key.end)
            if colon is None:
                raise _refusal([str(entry.key.value)], f"line {entry.key.line} has no colon after the key")
            return self._text[: colon.end()] + " " + shown + self._text[max(colon.end(), self._end(node)) :]
        tail = self._text[node.end :]
        if node.style in ("|", ">") and node.end > node.start and self._text[node.end - 1] == "\n":
            tail = self._newline + tail
        return self._text[: node.start] + shown + tail

    def _insert(self, holder: Node, rest: tuple[str, ...], value: Any, block_levels: int) -> str:
        entries = list(holder.entries.values())
        if holder.style == "flow":
            shown = f"{render_text(rest[0])}: {render(_nested(rest[1:], value))}"
            if not entries:
                return self._text[: holder.start] + "{" + shown + "}" + self._text[holder.end :]
            end = max(self._end(entries[-1].value), entries[-1].key.end)
            return self._text[:end] + ", " + shown + self._text[end:]
        indent = entries[0].key.column - 1
        return self._paste_lines(self._end(entries[-1].value), _block(rest, value, indent, block_levels))

    def _append_document(self, path: tuple[str, ...], value: Any, block_levels: int) -> str:
        lines = self._newline.join(_block(path, value, 0, block_levels)) + self._newline
        gap = self._newline if self._text and not self._text.endswith("\n") else ""
        return self._text + gap + lines

    def _paste_lines(self, index: int, lines: list[str]) -> str:
        """Puts whole lines after the line that `index` is in."""
        pasted = self._newline.join(lines) + self._newline
        if index and self._text[index - 1] == "\n":
            return self._text[:index] + pasted + self._text[index:]
        end = self._text.find("\n", index)
        if end < 0:
            return self._text + self._newline + pasted
        return self._text[: end + 1] + pasted + self._text[end + 1 :]

    def _cut_lines(self, path: tuple[str, ...], entry: Entry) -> str:
        start = self._text.rfind("\n", 0, entry.key.start) + 1
        if self._text[start : entry.key.start].strip():
            raise _refusal(path, f"something else stands on line {entry.key.line}")
        end = max(self._end(entry.value), entry.key.end)
        if self._text[end - 1] != "\n":
            line_end = self._text.find("\n", end)
            end = len(self._text) if line_end < 0 else line_end + 1
        return self._text[:start] + self._text[end:]

    def _cut_flow(self, holder: Node, entry: Entry) -> str:
        entries = list(holder.entries.values())
        index = next(number for number, other in enumerate(entries) if other is entry)
        start, end = entry.key.start, max(self._end(entry.value), entry.key.end)
        if index + 1 < len(entries):
            end = entries[index + 1].key.start
        elif index:
            start = max(self._end(entries[index - 1].value), entries[index - 1].key.end)
        return self._text[:start] + self._text[end:]

    def _end(self, node: Node) -> int:
        """Where the text of a value ends; the parser notices the end of a block only at what follows it."""
        while node.kind in (Kind.MAP, Kind.SEQ) and node.style != "flow":
            if node.kind == Kind.MAP and node.entries:
                node = next(reversed(node.entries.values())).value
            elif node.items:
                node = node.items[-1]
            else:
                break
        return node.end


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _block(path: Sequence[str], value: Any, indent: int, levels: int) -> list[str]:
    """Lines that set `value` under `path`: a line per key of the path, and of the first `levels` of the value."""
    lines = []
    for key in path[:-1]:
        lines.append(f"{' ' * indent}{render_text(key)}:")
        indent += _INDENT
    start = f"{' ' * indent}{render_text(path[-1])}:"
    if value is None:
        return [*lines, start]
    if levels and isinstance(value, Mapping) and value:
        lines.append(start)
        for key, item in value.items():
            lines += _block([str(key)], item, indent + _INDENT, levels - 1)
        return lines
    return [*lines, f"{start} {render(value)}"]

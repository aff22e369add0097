"""YAML with positions: a small tree whose every key and value knows its file, line and column.

The events come from the C parser of ruamel.yaml.clib (or ruamel's own parser where it is missing); the tree is
built here, so that limits hold while reading and nothing is executed, expanded or guessed. Scalars follow the
core schema of YAML 1.2: `NO` is a string, `010` is ten.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pvenix.fleet import codes
from pvenix.fleet.compose import Composer
from pvenix.fleet.node import Node
from pvenix.model.errors import InvalidInput
from pvenix.model.findings import Finding

MAX_BYTES = 1024 * 1024


def read(path: Path, name: str) -> Node | None:
    """The document in the file `path`, shown as `name` in findings; None when it holds nothing.

    Raises: InvalidInput with the place of the problem.
    """
    return parse(_text(path, name), name)


def read_documents(path: Path, name: str) -> list[Node]:
    """As `read`, of a file that may hold several documents; those that hold nothing are left out."""
    return _documents(_text(path, name), name, several=True)


def _text(path: Path, name: str) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _invalid(name, codes.FILE, f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise _invalid(name, codes.LIMIT, "is larger than 1 MiB", hint="split it into group_vars and host_vars files")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _invalid(name, codes.FILE, "is not UTF-8 text", line=line, hint="save the file as UTF-8") from error


def parse(text: str, name: str, *, resolve_aliases: bool = True) -> Node | None:
    """The document in `text`, or None when it holds nothing; `name` is the file's name in findings.

    With `resolve_aliases=False` aliases stay nodes of their own and `<<` stays a key, as edits need it.
    Raises: InvalidInput with the place of the problem.
    """
    found = _documents(text, name, resolve_aliases=resolve_aliases)
    return found[0] if found else None


def _documents(text: str, name: str, *, resolve_aliases: bool = True, several: bool = False) -> list[Node]:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    composer = Composer(name, resolve_aliases=resolve_aliases, several=several)
    try:
        try:
            return composer.documents(_events(text))
        except MarkedYAMLError as error:
            if error.problem != _COLON_IN_FLOW:
                raise
        composer = Composer(name, resolve_aliases=resolve_aliases, several=several)
        return composer.documents(_pure_events(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and error.context_mark and mark.index >= len(text.rstrip()):
            mark = error.context_mark  # what was opened says more than where the file ends
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        why = str(error.problem or error.context or "not YAML")
        raise _invalid(name, codes.SYNTAX, why, line=line, column=column, hint=_syntax_hint(why)) from error
    except YAMLError as error:
        line, column = _place(text, getattr(error, "position", 0) or 0)
        raise _invalid(name, codes.SYNTAX, "a character that YAML does not allow", line=line, column=column) from error
    except (RecursionError, ValueError, OverflowError) as error:
        line, column = composer.line, composer.column
        raise _invalid(name, codes.LIMIT, "cannot be read as YAML here", line=line, column=column) from error


def _invalid(file: str, code: str, what: str, *, line: int = 1, column: int = 1, hint: str = "") -> InvalidInput:
    return InvalidInput([Finding(file=file, line=line, column=column, code=code, what=what, hint=hint)])


def _syntax_hint(why: str) -> str:
    if "\\t" in why or "tab" in why:
        return "indent with spaces, not with tabs"
    if "mapping values are not allowed" in why:
        return 'quote a value that contains ": "'
    if "anchor" in why or "alias" in why:
        return "quote a value that begins with & or *"
    return "check indentation, quotes and brackets on this line and the one above"


def _place(text: str, index: int) -> tuple[int, int]:
    index = min(index, len(text))
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


_COLON_IN_FLOW = "found unexpected ':'"
"""The C parser's complaint about `[https://host]`, which is YAML: the libyaml 0.1.7 inside ruamel.yaml.clib 0.2.15
is older than that rule. Such a file is read by the slower parser."""


def _pure_events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    yield from YAML(typ="safe", pure=True).parse(text)


def _events(text: str) -> Iterator[Any]:
    try:
        clib = importlib.import_module("_ruamel_yaml")
    except ImportError:
        yield from _pure_events(text)
        return
    get_event: Callable[[], Any] = clib.CParser(text).get_event
    while (event := get_event()) is not None:
        yield event

"""The rules over the files of a fleet, and the comments that allow what a rule would find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from pvenix.lifecycle.lint import nix
from pvenix.lifecycle.lint.clear import secrets_in
from pvenix.lifecycle.lint.ignores import ignores_in
from pvenix.lifecycle.lint.places import Text
from pvenix.lifecycle.lint.scripts import commands_in, listeners_in
from pvenix.model.lint import RULES, Found, LintFinding

_ALLOW: Final = re.compile(
    r"(?:#|//|--|;)\s*pvenix-lint:\s*allow\s+(?P<codes>[A-Za-z0-9]+(?:\s*,\s*[A-Za-z0-9]+)*)(?P<reason>[^\n]*)"
)
_YAML: Final = frozenset({".yaml", ".yml"})
_SCRIPTS: Final = frozenset({".sh", ".bash", ".zsh", ".cfg", ".conf", ".ini", ".service", ".toml"})
_SOURCES: Final = frozenset(
    {".py", ".js", ".ts", ".go", ".rs", ".rb", ".pl", ".c", ".h", ".java", ".lua", ".md", ".rst"}
)
"""Where `token = thing` is a variable, or prose."""
_OF_THE_FLEET: Final = frozenset({"L305"})
"""What no file shows alone."""
_LOCKS: Final = frozenset({"flake.lock"})
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def lint(files: Mapping[str, str], unread: Mapping[str, str] = _NONE) -> tuple[LintFinding, ...]:
    """Every finding in these files (path in the fleet to text), in order; and a finding for each that was not read."""
    texts = {path: Text(text) for path, text in files.items() if PurePosixPath(path).name not in _LOCKS}
    found = [LintFinding(file=path, found=each) for path, text in texts.items() for each in lint_text(path, text)]
    dark = [
        LintFinding(file=path, found=Found(line=1, column=1, code="L903", detail=why)) for path, why in unread.items()
    ]
    return tuple(sorted([*found, *_passwords_unsaid(texts), *dark]))


def lint_text(path: str, text: Text) -> list[Found]:
    """The findings in one file that no comment allows."""
    names = PurePosixPath(path).suffix not in _SOURCES
    found = sorted({*secrets_in(text, names=names), *_by_kind(path, text)}, reverse=True)
    # Where the structure of a Nix file shows the same as its text, it is said once, at its first column.
    once = {(each.line, each.code): each for each in found}
    allowed, useless = _allowed(text)
    idle = {place for key, place in allowed.items() if key not in once and key[1] not in _OF_THE_FLEET}
    return sorted({*useless, *idle, *(each for key, each in once.items() if key not in allowed)})


def _by_kind(path: str, text: Text) -> Iterator[Found]:
    suffix = PurePosixPath(path).suffix
    if suffix == ".nix":
        yield from nix.breaches(text)
    elif suffix in _YAML | _SCRIPTS or text.whole.startswith("#!"):
        yield from commands_in(text)
        yield from ignores_in(path, text) if suffix in _YAML else listeners_in(text)


def _allowed(text: Text) -> tuple[dict[tuple[int, str], Found], list[Found]]:
    """What comments allow, as (line, code) with the comment's place, and the comments that cannot allow anything."""
    allowed: dict[tuple[int, str], Found] = {}
    useless = []
    for match in _ALLOW.finditer(text.whole):
        line, column = text.place(match.start())
        codes = [code.strip() for code in match["codes"].split(",")]
        unknown = [code for code in codes if code not in RULES]
        if unknown or not match["reason"].strip(" \t*/"):
            detail = f"there is no {unknown[0]}" if unknown else "it gives no reason"
            useless.append(Found(line=line, column=column, code="L901", detail=detail))
            continue
        alone = column <= len(text.head(line)) and not text.head(line)[: column - 1].strip()
        for code in codes:
            place = Found(line=line, column=column, code="L901", detail=f"nothing here is a {code}")
            allowed[line + 1 if alone else line, code] = place
    return allowed, useless


def _passwords_unsaid(texts: Mapping[str, Text]) -> Iterable[LintFinding]:
    """OpenSSH switched on in a fleet of which no file refuses passwords."""
    said = {path: nix.openssh(text) for path, text in texts.items() if path.endswith(".nix")}
    if any(refused for _, refused in said.values()):
        return []
    return [
        LintFinding(file=path, found=enabled)
        for path, (enabled, _) in said.items()
        if enabled is not None and (enabled.line, "L305") not in _allowed(texts[path])[0]
    ]

"""The filter of the fleet: words that must all hold. docs/tui.md has the grammar for people.

    dns              `dns` in any of a row's words: name, roles, groups, state, node, VM, generation, commit, address
    role:vllm        the field says so; also group: node: state: power: vm: host: gen: commit: address: run: drift: is:
    role:vllm|dns    one of these; a value counts as a whole where some host has it, else as a part; globs count as a whole
    drift            the host was changed behind the repository's back
    is:failed        marked, stale, unread, failed (its last run), reboot, trouble
    core:!dns01      a selector of the command line, as `-l` takes it; so are group names, web*, ~regex, state=drifted
    !word            not that

What stands before a colon is a field unless the fleet has a group or host of that name: a selector stays a selector.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pvenix.model.errors import UsageError
from pvenix.model.generation import Sync
from pvenix.model.nearest import did_you_mean
from pvenix.model.outcome import Status

FIELDS: Final = (
    "role", "group", "node", "state", "power", "vm", "host", "gen", "commit", "address", "run", "drift", "is"
)  # fmt: skip
FLAGS: Final = ("marked", "stale", "unread", "failed", "reboot", "trouble")
_CLOSED: Final = {
    "state": tuple(sync.value for sync in Sync),
    "power": ("running", "stopped"),
    "run": (*(status.value for status in Status), "running"),
}
"""Fields whose values are known before any host was read."""
_NAMED: Final = frozenset({*_CLOSED, "role", "group", "node"})
"""Fields of which a value that nobody has is a mistake; a number or an address may be of a host that is gone."""
_SELECTOR: Final = re.compile(r"[:,=*?\[]|^[~&]")
_GLOB: Final = re.compile(r"[*?\[]")
_WORD: Final = re.compile(r'(?:"[^"]*"?|\S)+')
Test = Callable[[str], bool]


class Filterable(Protocol):
    """What a filter looks at."""

    @property
    def names(self) -> Sequence[str]:
        """Every host, in order."""

    @property
    def groups(self) -> Collection[str]:
        """The names of all groups."""

    def is_name(self, word: str) -> bool:
        """True when the fleet has a group or host of this name."""

    def is_group(self, word: str) -> bool:
        """True for a group's name, and for `all`."""

    def words(self, host: str) -> str:
        """Everything that a row says, casefolded."""

    def values(self, field: str, host: str) -> Sequence[str]:
        """What a field says of a host, casefolded."""

    def flagged(self, flag: str, host: str) -> bool:
        """Whether one of `FLAGS` holds."""

    def select(self, selector: str) -> Sequence[str]:
        """What a selector names. Raises: UsageError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A word that cannot be used; the others still count."""

    start: int
    """Where it begins: characters of the text before it."""
    word: str
    what: str
    """What is wrong with it, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a filter leaves."""

    hosts: tuple[str, ...]
    holds: Test
    """Whether one host holds every word that can be used."""
    wrong: tuple[Wrong, ...] = ()


def search(text: str, rows: Filterable) -> Found:
    """The hosts that hold every word of `text` that can be used, in their order."""
    tests: list[tuple[Test, bool]] = []
    wrong: list[Wrong] = []
    for start, word in _words(text):
        bare = word.replace('"', "")
        sign, bare = bare.startswith("!"), bare.removeprefix("!")
        if not bare:
            continue
        try:
            tests.append((_test(bare, rows), not sign))
        except UsageError as error:
            wrong.append(Wrong(start=start, word=word, what=f"{error}; {error.hint}" if error.hint else str(error)))
    left: Sequence[str] = rows.names
    for test, wanted in tests:
        left = [host for host in left if test(host) is wanted]
    holds: Test = lambda host: all(test(host) is wanted for test, wanted in tests)  # noqa: E731 a name for the reader
    return Found(hosts=tuple(left), holds=holds, wrong=tuple(wrong))


def _words(text: str) -> Iterator[tuple[int, str]]:
    return ((match.start(), match[0]) for match in _WORD.finditer(text))


def _test(word: str, rows: Filterable) -> Test:
    """What a word asks of a host. Raises: UsageError for a word that asks nothing."""
    field, colon, value = word.partition(":")
    if colon and not rows.is_name(field):
        if field.casefold() in FIELDS:
            return _field(field.casefold(), value.casefold(), rows)
        if field.isalpha():
            hint = did_you_mean(field, (*FIELDS, *rows.groups)) or f"fields are {', '.join(FIELDS)}"
            raise UsageError(f"no field, group or host is called `{field[:40]}`", hint=hint)
    if word.casefold() == "drift":
        return lambda host: bool(rows.values("drift", host))
    if rows.is_group(word) or _SELECTOR.search(word):
        chosen = frozenset(rows.select(word.removeprefix("&")))
        return chosen.__contains__
    needles = [each for each in word.casefold().split("|") if each]
    if len(needles) == 1:
        return lambda host: needles[0] in rows.words(host)
    return lambda host: any(needle in rows.words(host) for needle in needles)


def _field(field: str, value: str, rows: Filterable) -> Test:
    wanted = [each.strip() for each in re.split(r"[|,]", value) if each.strip()]
    if not wanted:
        raise UsageError(f"`{field}:` says no value", hint=_offer(field, rows))
    if field == "is":
        for flag in wanted:
            if flag not in FLAGS:
                raise UsageError(
                    f"a host is never `{flag[:40]}`", hint=did_you_mean(flag, FLAGS) or _offer(field, rows)
                )
        return lambda host: any(rows.flagged(flag, host) for flag in wanted)
    tests = [_value(field, each, rows) for each in wanted]
    return lambda host: any(test(each) for each in rows.values(field, host) for test in tests)


def _value(field: str, wanted: str, rows: Filterable) -> Test:
    """Whether a value is the wanted one. Raises: UsageError when there is no such value to have."""
    if _GLOB.search(wanted):
        matches = re.compile(fnmatch.translate(_folded(wanted))).match
        return lambda value: matches(_folded(value)) is not None
    folded = _folded(wanted)
    known = _known(field, rows)
    if any(_folded(value) == folded for value in known):
        return lambda value: _folded(value) == folded
    if field in _NAMED and known and not any(folded in _folded(value) for value in known):
        raise UsageError(f"no {field} is `{wanted[:40]}`", hint=did_you_mean(wanted, known) or _listed(known))
    return lambda value: folded in _folded(value)


def _known(field: str, rows: Filterable) -> list[str]:
    """Every value that a field can have, or that some host has."""
    if field in _CLOSED:
        return list(_CLOSED[field])
    return sorted({value for host in rows.names for value in rows.values(field, host)})


def _folded(text: str) -> str:
    return text.replace("-", " ").replace("_", " ")


def _offer(field: str, rows: Filterable) -> str:
    return _listed(FLAGS if field == "is" else _known(field, rows))


def _listed(values: Sequence[str]) -> str:
    return f"there is {', '.join(values[:6])}{' and more' if len(values) > 6 else ''}" if values else ""

"""A secret that prints as asterisks, and the filter that knows every secret of this process in its usual encodings.

What is captured or written (output of hosts, commands, events, journal, plans, crashes) passes the filter first. It can only
know what this process was given: a secret that a guest makes for itself is the guest's to keep.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote, quote_plus

from typing_extensions import override

SHORTEST: Final = 6
"""Characters of the shortest text that is masked: anything shorter stands in too many words that are no secret."""
MASK: Final = "****"


class Redactor:
    """Replaces known secrets by asterisks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._variables: dict[str, str] = {}
        self._take(frozenset())

    def add(self, value: str) -> None:
        """Mask `value` from now on, in every form that `forms` names."""
        with self._lock:
            known = self._forms | forms(value)
            if known != self._forms:
                self._take(known)

    def forget(self) -> None:
        """Know no secret any more."""
        with self._lock:
            self._variables.clear()
            self._take(frozenset())

    def _take(self, known: frozenset[str]) -> None:
        # Of two that begin alike the longer one is masked as a whole.
        longest_first = sorted(known, key=len, reverse=True)
        self._forms = known
        self._ordered = sorted(known)
        self._first = "".join({form[0] for form in known})
        self._longest = len(longest_first[0]) if known else 0
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def clean(self, text: str) -> str:
        """`text` with asterisks in the place of each secret."""
        pattern = self._pattern
        return pattern.sub(MASK, text) if pattern is not None and text else text

    def masked(self, value: Any) -> Any:
        """A value of JSON's types with every text in it cleaned; the keys of maps stay as they are."""
        if self._pattern is None:
            return value
        if type(value) is str:  # a member of a closed set, such as a status, is no text of anybody's
            return self.clean(value)
        if isinstance(value, Mapping):
            return {key: self.masked(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.masked(each) for each in value)
        return value

    def take_variable(self, name: str) -> str:
        """The value of an environment variable, which leaves the environment: every library's children would inherit it.

        Empty when there is none; asked again it gives the same.
        """
        value = os.environ.pop(name, "") or self._variables.get(name, "")
        if value:
            self._variables[name] = value
        return value

    def environment(self, *, whole: bool = False) -> dict[str, str]:
        """This process's environment for a child, without what holds a secret; `whole` is for another pvenix."""
        if whole:
            return {**os.environ, **self._variables}
        return {name: value for name, value in os.environ.items() if self.clean(value) == value}

    def parted(self, text: str) -> tuple[str, str]:
        """What of `text` is sure, cleaned, and what may be the beginning of a secret at its end."""
        behind = 0
        done: list[str] = []
        for found in self._pattern.finditer(text) if self._pattern is not None else ():
            done += (text[behind : found.start()], MASK)
            behind = found.end()
        cut = self._begun(text, behind)
        return "".join((*done, text[behind:cut])), text[cut:]

    def _begun(self, text: str, behind: int) -> int:
        """Where at the end of `text`, after `behind`, a secret may have begun; its length when none has."""
        ordered = self._ordered
        first = max(behind, len(text) - self._longest + 1, text.rfind("\n") + 1)  # no form has a line end in it
        for start in range(first, len(text)):
            if text[start] in self._first:
                tail = text[start:]
                next_one = bisect_left(ordered, tail)
                if next_one < len(ordered) and ordered[next_one].startswith(tail):
                    return start
        return len(text)

    @property
    def size(self) -> int:
        """How many texts are looked for."""
        return len(self._forms)

    def stream(self) -> Stream:
        """A filter for text that comes in pieces."""
        return Stream(self)


class Stream:
    """Cleans text that comes in pieces; a secret may be parted anywhere.

    What may be the beginning of a secret is held back until it is known not to be one: at most the longest secret's length.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, text: str) -> str:
        """The clean text that is sure."""
        if not self._redactor.size and not self._held:
            return text
        clean, self._held = self._redactor.parted(self._held + text)
        return clean

    def finish(self) -> str:
        """What was held back."""
        rest, self._held = self._held, ""
        return self._redactor.clean(rest)


KNOWN: Final = Redactor()
"""The secrets of this process: what one part of it resolved, no other part may write. Tests call `forget`."""


class Secret:
    """A secret that prints as asterisks; from when it is made, everything that is written masks it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: Final = value
        KNOWN.add(value)

    def reveal(self) -> str:
        """The secret itself, for the one call that needs it."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    @override
    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    @override
    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is neither copied nor written down")


def forms(value: str) -> frozenset[str]:
    """How `value` may stand in a text: as it is and as base64, URL, JSON, Python and a shell spell it.

    Of a value of several lines each line is taken for itself, so no form has a line end in it.
    """
    lines = {line.strip() for line in value.splitlines() if not line.startswith("-----")}  # headers say only what it is
    found = {form for line in lines for form in _encoded(line)} | set(_encoded_whole(value))
    return frozenset(form for form in found if len(form) >= SHORTEST and "\n" not in form)


def _encoded(line: str) -> Iterable[str]:
    if len(line) < SHORTEST:
        return
    yield line
    yield json.dumps(line)[1:-1]
    yield json.dumps(line, ensure_ascii=False)[1:-1]
    yield repr(line)[1:-1]
    yield shlex.quote(line)
    yield shlex.quote(line)[1:-1] if shlex.quote(line) != line else line
    yield quote(line, safe="")
    yield quote(line)
    yield quote_plus(line)
    yield from _base64(line)


def _encoded_whole(value: str) -> Iterable[str]:
    """What spells several lines on one: where a line is too short for itself, only here it is masked."""
    if len(value) < SHORTEST:
        return
    yield from _base64(value)
    yield from _base64(value.rstrip("\n"))


def _base64(text: str) -> Iterable[str]:
    """Base64 of the text alone, and its part in the base64 of something longer, at each of the three offsets."""
    raw = text.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(raw).decode()
        for offset in range(3):
            padded = encode(b"\0" * offset + raw).decode()
            # Characters that also hold bits of a neighbour are left out.
            yield padded[(0, 2, 3)[offset] : (offset + len(raw)) * 8 // 6]

"""Ansible's host ranges: `gpu[01:03]`, `node[a:c]`, `x[1:9:2]`."""

from __future__ import annotations

import itertools
import re

from pvenix.model.errors import UsageError

MAX_HOSTS = 10_000

_RANGE = re.compile(r"\[([0-9]{1,9}|[a-zA-Z]):([0-9]{1,9}|[a-zA-Z])(?::([1-9][0-9]{0,5}))?\]")


def expand(pattern: str) -> list[str]:
    """The host names that a pattern stands for; a name without a range stands for itself.

    Raises: UsageError for a range that is not one.
    Source: Ansible's inventory guide, "Adding ranges of hosts": both ends count, leading zeros are kept.
    """
    if "[" not in pattern:
        return [pattern]
    parts: list[list[str]] = []
    position, total = 0, 1
    for match in _RANGE.finditer(pattern):
        parts.append([pattern[position : match.start()]])
        parts.append(_values(pattern, *match.groups()))
        total *= len(parts[-1])
        position = match.end()
        if total > MAX_HOSTS:
            raise UsageError(f"{pattern[:60]!r} stands for more than {MAX_HOSTS} hosts")
    parts.append([pattern[position:]])
    return ["".join(combination) for combination in itertools.product(*parts)]


def _values(pattern: str, first: str, last: str, step: str | None) -> list[str]:
    stride = int(step or 1)
    if first.isdigit() and last.isdigit():
        width = len(first) if first.startswith("0") else 0
        if width and len(last) != width:
            raise UsageError(f"{pattern[:60]!r}: both ends of a range with leading zeros have the same length")
        if (int(last) - int(first)) // stride >= MAX_HOSTS:
            raise UsageError(f"{pattern[:60]!r} stands for more than {MAX_HOSTS} hosts")
        values = [str(number).zfill(width) for number in range(int(first), int(last) + 1, stride)]
    elif first.isalpha() and last.isalpha() and first.islower() == last.islower():
        values = [chr(code) for code in range(ord(first), ord(last) + 1, stride)]
    else:
        raise UsageError(f"{pattern[:60]!r}: a range is two numbers or two letters", hint="such as gpu[01:03]")
    if not values:
        raise UsageError(f"{pattern[:60]!r}: the range is empty", hint="the smaller end comes first")
    return values

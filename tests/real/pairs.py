"""One command on a real and on a simulated guest, and what of its answers has to be equal: the form of the tables of pairs."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a command ended and what it said."""

    status: int | None
    out: str
    err: str


View = Callable[[Answer], object]
Ask = Callable[["Pair"], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A command as a shell has it, and the part of its answer that counts (by default all of it)."""

    command: str
    sudo: bool
    view: View

    @property
    def words(self) -> list[str]:
        """Its words."""
        return shlex.split(self.command)


def everything(answer: Answer) -> object:
    """Exit status, standard output, standard error."""
    return answer


def status(answer: Answer) -> object:
    """The exit status alone."""
    return answer.status


def output(answer: Answer) -> object:
    """Exit status and standard output; what is said on standard error goes by the version or the machine."""
    return answer.status, answer.out


def lines(answer: Answer) -> object:
    """The lines of both outputs without their order, which is that of a hash table or of a folder."""
    return answer.status, sorted(answer.out.splitlines()), sorted(answer.err.splitlines())


def first_lines(answer: Answer) -> object:
    """Exit status and the first line of each output: a usage text that follows goes by the version."""
    return answer.status, answer.out.splitlines()[:1], answer.err.splitlines()[:1]


def numbers(answer: Answer) -> object:
    """The shape: every number, with the blanks before it, is one."""
    return answer.status, re.sub(r"\s*\d[\d.]*", " <n>", answer.out), answer.err


def shape(answer: Answer) -> object:
    """JSON by its keys and types; of a list, the first item."""
    return answer.status, keys_of(answer.out), answer.err


def keys_of(text: str) -> Any:
    """The keys and types of a JSON text."""
    return _shape(json.loads(text)) if text else None


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: _shape(one) for key, one in sorted(value.items())}
    if isinstance(value, list):
        return [_shape(one) for one in value[:1]]
    return type(value).__name__


def held(answer: Answer) -> object:
    """Locks by their file; of those of other machines of this kernel lslocks knows nothing, or where a file system begins."""
    known = sorted(line for line in answer.out.splitlines() if line.strip() and not line.endswith("..."))
    return answer.status, known, answer.err


def root(*commands: str, view: View = everything) -> list[Pair]:
    """Commands of the administrator through sudo."""
    return [Pair(command=command, sudo=True, view=view) for command in commands]


def user(*commands: str, view: View = everything) -> list[Pair]:
    """Commands of the administrator as himself."""
    return [Pair(command=command, sudo=False, view=view) for command in commands]


_PROGRAM: Final = re.compile(r"(?:/usr/bin|/run/current-system/sw/bin)/(?=\w)")


async def told(ask: Ask, pairs: Sequence[Pair]) -> list[str]:
    """A block of lines for each pair, in order."""
    told = []
    for pair in pairs:
        answer = await ask(pair)
        out, err = (_PROGRAM.sub("", text) for text in (answer.out, answer.err))  # Debian's path and that of NixOS
        told += [f"== {pair.command}", *_printed(pair.view(Answer(status=answer.status, out=out, err=err)))]
    return told


def _printed(seen: object) -> list[str]:
    if isinstance(seen, Answer):
        return [f"exit {seen.status}", *seen.out.splitlines(), *(f"err: {line}" for line in seen.err.splitlines())]
    return [repr(seen)]


def difference(real: list[str], lab: list[str]) -> str:
    """Where the two differ, as a person reads it; empty when they do not."""
    return "\n".join(unified_diff(real, lab, "real", "lab", n=2, lineterm=""))

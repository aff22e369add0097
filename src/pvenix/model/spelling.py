"""How a verb is spelled at a shell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pvenix.model.plan import ArgValue

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "adopt-edits": ("drift", "adopt"),
        "pin-generation": ("generations", "pin"),
        "unpin-generation": ("generations", "unpin"),
        "prune-generations": ("generations", "prune"),
        "collect-garbage": ("generations", "gc"),
    }
)
"""Verbs whose command has another name; the number of a generation stands behind the host there."""


def verb_words(verb: str, hosts: Sequence[str], args: Mapping[str, ArgValue]) -> tuple[str, ...]:
    """The command of a verb on hosts, word by word, without the leading `pvenix`."""
    return (*COMMANDS.get(verb, (verb,)), *hosts, *option_words(verb, args))


def option_words(verb: str, args: Mapping[str, ArgValue]) -> tuple[str, ...]:
    """What a verb is told, word by word."""
    words: list[str] = []
    for key, value in args.items():
        if verb in COMMANDS and key == "number":
            words.append(str(value))
            continue
        option = f"--{key.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
    return tuple(words)

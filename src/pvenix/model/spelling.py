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
        "remove-orphan": ("orphans", "remove"),
    }
)
"""Verbs whose command has another name."""
_BARE: Final = frozenset({"number", "vmid"})
"""What a command takes without the name of an option: a generation's number behind the host, an orphan's id."""


def verb_words(verb: str, hosts: Sequence[str], args: Mapping[str, ArgValue]) -> tuple[str, ...]:
    """The command of a verb on hosts, word by word, without the leading `pvenix`.

    An orphan is no host's, so that only its id is named; the id of a VM to adopt, which the verb itself reads from the
    inventory, stands as `VMID`.
    """
    match verb:
        case "adopt":
            names: Sequence[str] = ("VMID", *hosts)
        case "remove-orphan":
            names = ()
        case _:
            names = hosts
    return (*COMMANDS.get(verb, (verb,)), *names, *_option_words(args))


def _option_words(args: Mapping[str, ArgValue]) -> tuple[str, ...]:
    words: list[str] = []
    for key, value in args.items():
        option = f"--{key.replace('_', '-')}"
        if key in _BARE:
            words.append(str(value))
        elif value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
    return tuple(words)

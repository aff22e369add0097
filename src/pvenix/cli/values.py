"""Values as a command line writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pvenix.model.errors import UsageError
from pvenix.model.plan import ArgValue

_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def scalar(text: str) -> ArgValue:
    """`text` as a truth value, a whole number or text, as YAML 1.2 and Ansible read plain words."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return int(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else text


def pairs(texts: Iterable[str], option: str) -> dict[str, ArgValue]:
    """The values of `KEY=VALUE` texts by key; a later one beats an earlier one.

    Raises: UsageError for a text without a key or an equals sign.
    """
    values: dict[str, ArgValue] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} {text!r} is not KEY=VALUE", hint=f"for example {option} reason=kernel")
        values[key.strip()] = scalar(value.strip())
    return values

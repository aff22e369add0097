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


def split_pair(text: str, what: str) -> tuple[str, str]:
    """Key and value of `KEY=VALUE`.

    Raises: UsageError for a text without a key or an equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"{text!r} is not {what}", hint="for example memory=8G")
    return key.strip(), value.strip()


def pairs(texts: Iterable[str], option: str) -> dict[str, ArgValue]:
    """The values of `KEY=VALUE` texts by key; a later one beats an earlier one.

    Raises: UsageError for a text that is not one.
    """
    return {key: scalar(value) for key, value in (split_pair(text, f"KEY=VALUE for {option}") for text in texts)}

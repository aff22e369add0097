"""How the lab reads and writes the YAML of its copy of a fleet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

_UNITS = {"M": 1, "G": 1024, "T": 1024 * 1024}


def round_trip() -> YAML:
    """A reader and writer that keeps comments, quotes and order."""
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def load(path: Path) -> dict[str, Any]:
    """The map in a file; empty when it holds none."""
    data = YAML(typ="safe", pure=False).load(path.read_text())
    return data if isinstance(data, dict) else {}


def merge(target: dict[str, Any], layer: dict[str, Any]) -> None:
    """Put a layer over `target`; a key that ends in `+` adds to its list."""
    for key, value in layer.items():
        if key.endswith("+"):
            target[key[:-1]] = [*target.get(key[:-1], []), *value]
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            target[key] = dict(target[key])
            merge(target[key], value)
        else:
            target[key] = value


def mib(value: object) -> int:
    """A size in MiB.

    Raises: ValueError when it is none.
    """
    match = re.fullmatch(r"(\d+)\s*([MGT])?i?B?", str(value))
    if match is None:
        raise ValueError(f"{value!r} is no size")
    return int(match[1]) * _UNITS[match[2] or "M"]


def flow(values: dict[str, Any]) -> CommentedMap:
    """A map that is written on one line."""
    result = CommentedMap(values)
    result.fa.set_flow_style()
    return result

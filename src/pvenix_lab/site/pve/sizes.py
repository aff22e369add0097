"""Sizes as Proxmox VE writes and reads them (source: pve-common Tools.pm, JSONSchema.pm parse_size and format_size)."""

from __future__ import annotations

import re

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB
_UNITS = {"": 1, "K": KIB, "M": MIB, "G": GIB, "T": TIB}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")


def size_bytes(text: str) -> int:
    """A size such as `32G`, `528K` or a number of bytes, in bytes; 0 for no size."""
    found = _SIZE.fullmatch(text)
    return int(float(found[1]) * _UNITS[found[2]]) if found else 0


def print_size(size: int) -> str:
    """A size as drives show it: in the largest unit that keeps it whole, bytes otherwise."""
    for unit, factor in (("T", TIB), ("G", GIB), ("M", MIB), ("K", KIB)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)

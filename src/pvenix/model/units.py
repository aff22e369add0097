"""Sizes and durations, as people write and read them."""

from __future__ import annotations

import re

_SIZE = re.compile(r"([0-9]{1,9})(?:([MGT])(?:iB)?)?")
_PART = re.compile(r"([0-9]{1,9})([smhd])")
_MIB = {"": 1, "M": 1, "G": 1024, "T": 1024 * 1024}
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def mib(value: int | str) -> int:
    """A size in MiB: a bare number counts MiB, `512M`, `4G` and `1T` are powers of 1024.

    Raises: ValueError when it is not a size.
    """
    match = _SIZE.fullmatch(str(value))
    if isinstance(value, bool) or not match or not int(match[1]):
        raise ValueError(f"{_shown(value)} is not a size; write 4096 (MiB), 512M, 4G or 1T")
    return int(match[1]) * _MIB[match[2] or ""]


def seconds(value: int | str) -> int:
    """A duration in seconds: a bare number counts seconds; `90s`, `2m`, `1h30m`, `1d`.

    Raises: ValueError when it is not a duration.
    """
    text = str(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return value
    if isinstance(value, str) and re.fullmatch(r"(?:[0-9]{1,9}[smhd])+", text):
        return sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    raise ValueError(f"{_shown(value)} is not a duration; write 90 (seconds), 90s, 2m or 1h30m")


def bytes_text(size: int) -> str:
    """A size for a person, in powers of 1024."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_BYTES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_BYTES[unit]}" if unit else f"{size} B"


def _shown(value: object) -> str:
    return repr(value)[:60]

"""Scalars of YAML: read as the core schema of YAML 1.2 says, written so that YAML 1.1 readers agree."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_PREFIX = "tag:yaml.org,2002:"
CORE_TAGS = {f"{_PREFIX}{name}": name for name in ("str", "int", "bool", "float", "null", "map", "seq")}

_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INT = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INF = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_NUMBER_START = frozenset("+-.0123456789")
_MAX_DIGITS = 300
"""Longer numbers stay text: converting them would take time that grows with the square."""

_PLAIN = re.compile(
    r"[A-Za-z_/~][A-Za-z0-9_./@+=-]*|[0-9][0-9]*[A-Za-z][A-Za-z0-9_.-]*|[0-9]+(?:\.[0-9]+){2,}(?:/[0-9]+)?"
)
_YAML11_WORDS = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan|0[xob]?[0-9a-f_]*|[0-9]+e[0-9]+")


def resolve(text: str) -> Any:
    """The value of a plain scalar: null, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START or len(text) > _MAX_DIGITS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INF.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def tagged(text: str, kind: str) -> Any:
    """The value of a scalar with an explicit core tag. Raises: ValueError when the text does not fit it."""
    if kind == "str":
        return text
    value = resolve(text)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    types: dict[str, type] = {"int": int, "bool": bool, "float": float, "null": type(None)}
    if type(value) is not types.get(kind):
        raise ValueError(f"not a YAML {kind}")
    return value


def render(value: Any) -> str:
    """`value` as YAML on one line, in flow style. Raises: TypeError for what YAML's core schema does not have."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{render_text(str(key))}: {render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(render(item) for item in value) + "]"
    if isinstance(value, str):
        return render_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    raise TypeError(f"{type(value).__name__} cannot be written as YAML")


def render_text(text: str) -> str:
    """A string as a scalar that every YAML reader takes for that string: plain when possible, else quoted."""
    if _PLAIN.fullmatch(text) and not _YAML11_WORDS.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]", _escape, quoted)


def _escape(match: re.Match[str]) -> str:
    return f"\\U{ord(match[0]):08x}"

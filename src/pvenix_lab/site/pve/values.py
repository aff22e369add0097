"""The check of one parameter's value against its schema (source: pve-common JSONSchema.pm, texts measured on 8.4.5)."""

from __future__ import annotations

import functools
import re
from typing import Any

from pvenix_lab.site.pve.formats import check_format, format_of

Value = str | int | float | list[str]
"""A checked parameter: booleans as 0 or 1."""
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
MISSING = "property is missing and it is not optional"

_TRUE = re.compile(r"(?i)1|on|yes|true")
_FALSE = re.compile(r"(?i)0|off|no|false")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)


def check_value(schema: dict[str, Any], raw: str | list[str], name: str) -> tuple[Value, dict[str, str]]:
    """The typed value of parameter `name`, and what is wrong with it: by parameter, `name[i]` for an item of an array."""
    if schema.get("type") == "array":
        items = [raw] if isinstance(raw, str) else list(raw)
        faults = {
            f"{name}[{i}]": _check(schema.get("items", {}), item, f"{name}[{i}]")[1] for i, item in enumerate(items)
        }
        return items, {key: fault for key, fault in faults.items() if fault is not None}
    # a repeated key reaches the backend as one NUL-joined string
    value, fault = _check(schema, raw if isinstance(raw, str) else "\0".join(raw), name)
    return value, {} if fault is None else {name: fault}


def _check(schema: dict[str, Any], text: str, name: str) -> tuple[Value, str | None]:
    kind = schema.get("type", "string")
    value, fault = _typed(kind, text)
    return value, fault or _ranged(schema, kind, text, name)


def _typed(kind: str, text: str) -> tuple[Value, str | None]:
    fault = f"type check ('{kind}') failed - got '{text}'"
    if kind == "boolean":
        if _TRUE.fullmatch(text):
            return 1, None
        return 0, None if _FALSE.fullmatch(text) else fault
    if kind == "integer":
        return (int(text), None) if _INTEGER.fullmatch(text) else (0, fault)
    if kind == "number":
        return (float(text), None) if _NUMBER.fullmatch(text) else (0, fault)
    return text, None


def _ranged(schema: dict[str, Any], kind: str, text: str, name: str) -> str | None:
    """The first fault in the order of the real check: format, pattern, length, range, enumeration."""
    if fault := _formatted(schema.get("format"), text, name):
        return f"invalid format - {fault}\n"
    if "pattern" in schema and not _pattern(schema["pattern"]).match(text):
        return "value does not match the regex pattern"
    if "maxLength" in schema and len(text) > schema["maxLength"]:
        return f"value may only be {schema['maxLength']} characters long"
    if "minLength" in schema and len(text) < schema["minLength"]:
        return f"value must be at least {schema['minLength']} characters long"
    if kind != "boolean" and ("maximum" in schema or "minimum" in schema) and _NUMBER.fullmatch(text):
        if "maximum" in schema and float(text) > schema["maximum"]:
            return f"value must have a maximum value of {schema['maximum']}"
        if "minimum" in schema and float(text) < schema["minimum"]:
            return f"value must have a minimum value of {schema['minimum']}"
    if "enum" in schema and text not in [str(item) for item in schema["enum"]]:
        return f"value '{text}' does not have a value in the enumeration '{', '.join(map(str, schema['enum']))}'"
    return None


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z", re.ASCII)


def _formatted(named: str | dict[str, Any] | None, text: str, name: str) -> str | None:
    if named is None:
        return None
    if isinstance(named, str):
        keys = format_of(named)
        if keys is None:
            return check_format(named, text)
        named = keys
    return _check_property_string(named, text, name)


def _check_property_string(keys: dict[str, dict[str, Any]], text: str, name: str) -> str | None:
    """What is wrong with `key=value,…` under a format of keys; every faulty key at once, as `name.key`."""
    found = _split_properties(keys, text)
    if isinstance(found, str):
        return found
    faults: dict[str, str] = {}
    for key, schema in keys.items():
        if key in found:
            fault = _check(schema, found[key], f"{name}.{key}")[1]
            if fault:
                faults[key] = fault.rstrip()
            needed = schema.get("requires")
            if needed and needed not in found:
                faults[needed] = f"missing property - '{name}.{key}' requires this property"
        elif not schema.get("optional") and "alias" not in schema and "default" not in schema:
            faults[key] = MISSING
    if not faults:
        return None
    return "format error\n" + "\n".join(f"{name}.{key}: {fault}" for key, fault in sorted(faults.items()))


def _split_properties(keys: dict[str, dict[str, Any]], text: str) -> dict[str, str] | str:
    """The values by key, aliases resolved (`virtio=<mac>` is `model=virtio,macaddr=<mac>`); a text when it cannot be split."""
    default_key = next((key for key, schema in keys.items() if schema.get("default_key")), None)
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals:
            if default_key is None:
                return "value without key, but schema does not define a default key"
            key, value = default_key, part
        elif not key or not value:
            return "missing key in comma-separated list property"
        if key in found:
            return f"duplicate key in comma-separated list property: {key}"
        schema = keys.get(key)
        if schema is None:
            return f"format error\n{key}: {UNKNOWN}"
        if "alias" in schema:
            if "keyAlias" in schema:
                found[schema["keyAlias"]] = key
            key = schema["alias"]
        found[key] = value
    return found

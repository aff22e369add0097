"""The part of the API schema that the site answers, and the check of a call against it (proxmox.md a3)."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pvenix_lab.site.pve.errors import ParameterError
from pvenix_lab.site.pve.formats import check_format

Value = str | int | float | list[str]
"""A checked parameter: booleans as 0 or 1."""
Properties = dict[str, dict[str, Any]]

_UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
_MISSING = "property is missing and it is not optional"
_TRUE = re.compile(r"(?i)1|on|yes|true")
_FALSE = re.compile(r"(?i)0|off|no|false")
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_INDEXED = re.compile(r"([a-z]+)(\d+)")
_MAX_INDEX = {
    "ide": 3,
    "sata": 5,
    "scsi": 30,
    "virtio": 15,
    "net": 31,
    "ipconfig": 31,
    "serial": 3,
    "parallel": 2,
    "usb": 13,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of one path: its parameters, its permission check, whether a token may call it, and whether it takes a second hop."""

    name: str
    pattern: str
    properties: Properties
    permissions: dict[str, Any]
    token_allowed: bool
    protected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A method found for a concrete path, with the path's own parameters."""

    method: Method
    uri_params: dict[str, str]


@functools.cache
def _load() -> dict[str, Any]:
    text = resources.files("pvenix_lab").joinpath("data/pve-api-schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@functools.cache
def methods() -> dict[tuple[str, str], Method]:
    """Every method that the schema subset has, by HTTP method and path pattern."""
    return {
        (name, pattern): Method(
            name=name,
            pattern=pattern,
            properties=info["parameters"],
            permissions=info["permissions"] or {},
            token_allowed=info.get("allowtoken", 1) != 0,
            protected=info.get("protected") == 1,
        )
        for pattern, entries in _load()["paths"].items()
        for name, info in entries.items()
    }


def find(method: str, path: str) -> Match | None:
    """The method for a concrete path; a literal segment wins over a placeholder. None if the schema has none."""
    segments = path.strip("/").split("/")
    best: tuple[int, Match] | None = None
    for (name, pattern), entry in methods().items():
        wanted = pattern.strip("/").split("/")
        if name != method or len(wanted) != len(segments):
            continue
        params: dict[str, str] = {}
        for want, got in zip(wanted, segments, strict=True):
            if want.startswith("{"):
                params[want[1:-1]] = got
            elif want != got:
                break
        else:
            if best is None or len(params) < best[0]:
                best = (len(params), Match(method=entry, uri_params=params))
    return best[1] if best else None


def property_for(properties: Properties, name: str) -> dict[str, Any] | None:
    """The schema of a parameter; `net0` finds `net[n]`. None if there is no such parameter."""
    if "[" in name:
        return None
    if name in properties:
        return properties[name]
    indexed = _INDEXED.fullmatch(name)
    if indexed is None or (indexed[2] != str(int(indexed[2]))):
        return None
    if int(indexed[2]) > _MAX_INDEX.get(indexed[1], 255):
        return None
    return properties.get(f"{indexed[1]}[n]")


def check(properties: Properties, params: dict[str, str | list[str]]) -> dict[str, Value]:
    """The parameters with their types.

    Raises:
        ParameterError: with the text for every faulty parameter at once.
    """
    errors: dict[str, str] = {}
    result: dict[str, Value] = {}
    for name, raw in params.items():
        schema = property_for(properties, name)
        if schema is None:
            errors[name] = _UNKNOWN
            continue
        value, fault = check_value(schema, raw)
        if fault is not None:
            errors[name] = fault
        else:
            result[name] = value
    for name, schema in properties.items():
        if not schema.get("optional") and "[" not in name and name not in params:
            errors[name] = _MISSING
        needed = schema.get("requires")
        if needed and name in params and needed not in params:
            errors[needed] = f"missing property - '{name}' requires this property"
    if errors:
        raise ParameterError(errors)
    return result


def check_value(schema: dict[str, Any], raw: str | list[str]) -> tuple[Value, str | None]:
    """The typed value and what is wrong with it (None if nothing)."""
    kind = schema.get("type", "string")
    if kind == "array":
        return ([raw] if isinstance(raw, str) else list(raw)), None
    text = (
        raw if isinstance(raw, str) else "\0".join(raw)
    )  # a repeated key reaches the backend as one NUL-joined string
    value, fault = _typed(kind, text)
    return value, fault or _ranged(schema, kind, text, value)


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


def _ranged(schema: dict[str, Any], kind: str, text: str, value: Value) -> str | None:
    named = schema.get("format")
    if isinstance(named, str) and (fault := check_format(named, text)):
        return f"invalid format - {fault}\n"
    if isinstance(named, dict) and (fault := _check_property_string(named, text)):
        return f"invalid format - {fault}\n"
    if isinstance(value, int | float) and kind != "boolean":
        if "minimum" in schema and value < schema["minimum"]:
            return f"value must have a minimum value of {schema['minimum']}"
        if "maximum" in schema and value > schema["maximum"]:
            return f"value must have a maximum value of {schema['maximum']}"
    if "maxLength" in schema and len(text) > schema["maxLength"]:
        return f"value may only be {schema['maxLength']} characters long"
    if "minLength" in schema and len(text) < schema["minLength"]:
        return f"value must be at least {schema['minLength']} characters long"
    if "enum" in schema and text not in [str(item) for item in schema["enum"]]:
        return f"value '{text}' does not have a value in the enumeration '{', '.join(map(str, schema['enum']))}'"
    if "pattern" in schema and not re.fullmatch(schema["pattern"], text):
        return "value does not match the regex pattern"
    return None


def _check_property_string(keys: dict[str, dict[str, Any]], text: str) -> str | None:
    """What is wrong with `key=value,…` under an inline format; the first fault only, as the backend lists them."""
    default_key = next((key for key, schema in keys.items() if schema.get("default_key")), None)
    seen: set[str] = set()
    for part in filter(None, text.split(",")):
        key, found, value = part.partition("=")
        if not found:
            if default_key is None or default_key in seen:
                return f"value without key, but schema does not define a default key\n{key}"
            key, value = default_key, part
        schema = keys.get(key)
        if schema is None:
            return f"format error\n{key}: {_UNKNOWN}"
        key, schema = _resolve_alias(keys, key, schema)
        if key in seen:
            return f"duplicate key in comma-separated list property: {key}"
        seen.add(key)
        _, fault = check_value(schema, value)
        if fault:
            return f"format error\n{key}: {fault.rstrip()}"
        seen.add(str(keys.get(part.partition("=")[0], {}).get("keyAlias", key)))
    missing = next(
        (k for k, v in keys.items() if not v.get("optional", "alias" in v or "default" in v) and k not in seen), None
    )
    return f"format error\n{missing}: {_MISSING}" if missing else None


def _resolve_alias(keys: dict[str, dict[str, Any]], key: str, schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """`virtio=<mac>` stands for `model=virtio,macaddr=<mac>`: the value is checked as the alias's."""
    alias = schema.get("alias")
    return (alias, keys[alias]) if alias else (key, schema)

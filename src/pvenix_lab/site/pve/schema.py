"""The API's schema in both releases, and the check of a call against it (proxmox.md a3).

The data file holds 8.4.5 as dumped, equal parameters once, and for 9.2 what differs; nothing is expanded before it is asked for.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pvenix_lab.site.pve.errors import ParameterError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.values import UNKNOWN, Value, check_value

__all__ = ["Match", "Method", "Properties", "Value", "check", "check_value", "find", "methods", "property_for"]

Properties = dict[str, dict[str, Any]]

_MISSING = "property is missing and it is not optional"
_INDEXED = re.compile(r"([a-z]+)(0|[1-9]\d*)")
_MAX_INDEX = {
    "hostpci": 15,
    "ide": 3,
    "ipconfig": 31,
    "link": 7,
    "net": 31,
    "numa": 7,
    "parallel": 2,
    "sata": 5,
    "scsi": 30,
    "serial": 3,
    "usb": 13,
    "virtio": 15,
    "virtiofs": 9,
}
"""The highest number of the parameters that are counted (source: qemu-server QemuServer.pm); of the others it is 255."""
_REST_OF_PATH = frozenset({"{volume}"})
"""Placeholders that take what is left of the path, slashes included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of one path: its parameters, its permission check, whether a token may call it, and where it is done.

    `protected` calls take a second hop to the daemon of the node, `proxied` ones are done on the node of the path.
    """

    name: str
    pattern: str
    properties: Properties
    permissions: dict[str, Any]
    token_allowed: bool
    protected: bool
    proxied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A method found for a concrete path, with the path's own parameters."""

    method: Method
    uri_params: dict[str, str]


class _Schema:
    """The methods of one release, expanded one by one."""

    def __init__(self, flavour: Flavour) -> None:
        data = _load()
        self._pool: list[dict[str, Any]] = data["properties"]
        self._raw: dict[str, dict[str, Any]] = dict(data["methods"])
        for key, changed in data.get(flavour.value, {}).items():
            self._raw[key] = _changed(self._raw[key], changed) if key in self._raw else changed
        self._known: dict[str, Method] = {}
        self._tree: dict[str, Any] = {}
        for key in self._raw:
            name, _, pattern = key.partition(" ")
            branch = self._tree
            for segment in pattern.strip("/").split("/"):
                branch = branch.setdefault(segment, {})
            branch.setdefault("", {})[name] = key

    def keys(self) -> list[str]:
        return list(self._raw)

    def method(self, key: str) -> Method:
        known = self._known.get(key)
        if known is None:
            name, _, pattern = key.partition(" ")
            raw = self._raw[key]
            known = self._known[key] = Method(
                name=name,
                pattern=pattern,
                properties={n: self._pool[v] if isinstance(v, int) else v for n, v in raw["parameters"].items()},
                permissions=raw.get("permissions", {}),
                token_allowed=raw.get("allowtoken", 1) != 0,
                protected=raw.get("protected") == 1,
                proxied=raw.get("proxyto") == 1,
            )
        return known

    def find(self, name: str, path: str) -> Match | None:
        found = _descend(self._tree, path.strip("/").split("/"), 0)
        if found is None:
            return None
        names, params = found
        key = names.get(name)
        return Match(method=self.method(key), uri_params=params) if key else None


def _changed(base: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    parameters = {**base["parameters"], **changed.get("parameters", {})}
    return {**base, **changed, "parameters": {name: value for name, value in parameters.items() if value is not None}}


def _descend(branch: dict[str, Any], segments: list[str], depth: int) -> tuple[dict[str, str], dict[str, str]] | None:
    """The methods at the end of a path and its parameters; a literal segment wins over a placeholder."""
    if depth == len(segments):
        return (branch[""], {}) if "" in branch else None
    segment = segments[depth]
    if segment and segment[0] != "{" and segment in branch:
        return _descend(branch[segment], segments, depth + 1)
    for name, below in branch.items():
        if not name.startswith("{") or not segment:
            continue
        if name in _REST_OF_PATH:
            return below[""], {name[1:-1]: "/".join(segments[depth:])}
        found = _descend(below, segments, depth + 1)
        if found:
            found[1][name[1:-1]] = segment
        return found
    return None


@functools.cache
def _load() -> dict[str, Any]:
    text = resources.files("pvenix_lab").joinpath("data/pve-api-schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@functools.cache
def _schema(flavour: Flavour) -> _Schema:
    return _Schema(flavour)


def methods(flavour: Flavour) -> dict[tuple[str, str], Method]:
    """Every method of a release, by HTTP method and path pattern."""
    schema = _schema(flavour)
    found = [schema.method(key) for key in schema.keys()]  # noqa: SIM118  no mapping, a method of that name
    return {(method.name, method.pattern): method for method in found}


def find(method: str, path: str, flavour: Flavour = Flavour.PVE_8_4) -> Match | None:
    """The method for a concrete path; None if the release has none."""
    return _schema(flavour).find(method, path)


def property_for(properties: Properties, name: str) -> dict[str, Any] | None:
    """The schema of a parameter; `net0` finds `net[n]`. None if there is no such parameter."""
    if "[" in name:
        return None
    if name in properties:
        return properties[name]
    indexed = _INDEXED.fullmatch(name)
    if indexed is None or int(indexed[2]) > _MAX_INDEX.get(indexed[1], 255):
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
            errors[name] = UNKNOWN
            continue
        value, faults = check_value(schema, raw, name)
        if faults:
            errors |= faults
        else:
            result[name] = value
        needed = schema.get("requires")
        if needed and needed not in params:
            errors[needed] = f"missing property - '{name}' requires this property"
    for name, schema in properties.items():
        if not schema.get("optional") and "[" not in name and name not in params:
            errors[name] = _MISSING
    if errors:
        raise ParameterError(errors)
    return result

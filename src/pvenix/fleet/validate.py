"""A tree against a schema: the model's value, or every problem at the place where the wrong value was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pvenix.fleet import codes
from pvenix.fleet.node import Kind, Node
from pvenix.model.findings import Finding
from pvenix.model.nearest import did_you_mean

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

T = TypeVar("T")

_INSTEAD = {
    "dhcp": "write `address: dhcp`",
    "ip": "write `address: IP/prefix`",
    "cidr": "write `address: IP/prefix`",
    "host": "raw PCI addresses are refused; write {mapping: NAME}",
    "groups": "groups are made in inventory/hosts.yaml",
    "name": "the host's name is its key in inventory/hosts.yaml",
    "hostname": "the host's name is its key in inventory/hosts.yaml",
    "vlan": "VLANs belong to a zone of site.yaml, or to `network.vlan`",
    "args": "raw QEMU arguments are refused",
    "password": "a password must not stand in the fleet",
    "cipassword": "a password must not stand in the fleet",
}
_WORDING = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text; quote it",
    "list_type": "must be a list",
    "dict_type": "must be a map",
    "string_too_short": "must not be empty",
}


def check(adapter: TypeAdapter[T], node: Node, found: list[Finding], *, root: Path, path: str = "") -> T | None:
    """The value that the schema makes of `node`, or None; every problem goes to `found`.

    `path` is written before the field names of findings; files named in the fleet are relative to `root`.
    """
    from pydantic import ValidationError

    opaque = list(_opaque(node))
    found.extend(opaque)
    try:
        return adapter.validate_python(node.plain(), context={"root": root})
    except ValidationError as error:
        schema = _schema(adapter)
        details = error.errors(include_url=False, include_input=False)
        places = {(finding.file, finding.line, finding.column) for finding in opaque}
        wrong = [_finding(node, detail, path, schema) for detail in details]
        found.extend(one for one in wrong if (one.file, one.line, one.column) not in places)
        return None


@cache
def _schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON schema, which knows the keys of every map; making it takes milliseconds."""
    return adapter.json_schema()


def _opaque(node: Node) -> list[Finding]:
    """Findings for tags such as `!vault`, which only Ansible could read."""
    found = []
    stack = [node]
    while stack:
        here = stack.pop()
        if here.tag:
            found.append(
                here.finding(codes.VALUE, f"the tag {here.tag[:40]} means nothing to pvenix", "remove the tag")
            )
        stack.extend(here.items)
        stack.extend(entry.value for entry in here.entries.values())
    return found


def _finding(node: Node, detail: ErrorDetails, path: str, schema: Mapping[str, Any]) -> Finding:
    kind = detail["type"]
    loc = [part for part in detail["loc"] if part != "[key]"]
    place = _locate(node, loc, on_key=kind == "extra_forbidden" or "[key]" in detail["loc"])
    field = ".".join(part for part in (path, *map(str, loc)) if part)
    if kind == "extra_forbidden":
        key = str(loc[-1])
        hint = _INSTEAD.get(key) or did_you_mean(key, _choices(schema, loc[:-1]))
        return place.finding(codes.UNKNOWN_KEY, f"unknown key `{field[:120]}`", hint)
    if kind == "missing":
        return place.finding(codes.MISSING, f"`{field}` is missing")
    code = kind if kind.startswith("PVX") else codes.VALUE
    return place.finding(code, f"`{field[:120]}`: {_wording(detail)}")


def _wording(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    return _WORDING.get(kind) or detail["msg"].replace("Input should be", "must be").replace("String should", "must")


def _locate(node: Node, loc: list[str | int], *, on_key: bool) -> Node:
    """The node that `loc` leads to, or the last one on the way."""
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if node.kind == Kind.MAP and str(part) in node.entries:
            entry = node.entries[str(part)]
            node = entry.key if last and on_key else entry.value
        elif node.kind == Kind.SEQ and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return node
    return node


def _choices(schema: Mapping[str, Any], loc: Sequence[str | int]) -> list[str]:
    """The keys that the map at `loc` knows."""
    here: Mapping[str, Any] = _follow(schema, schema)
    for part in loc:
        if isinstance(part, int):
            step = here.get("items")
        else:
            step = here.get("properties", {}).get(part) or here.get("additionalProperties")
        here = _follow(schema, step) if isinstance(step, Mapping) else {}
    return [key for key in here.get("properties", {}) if key != "x-*"]


def _follow(schema: Mapping[str, Any], here: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in here:
        here = schema["$defs"][here["$ref"].rpartition("/")[2]]
    return here

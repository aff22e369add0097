"""A VM's firewall: options, rules and aliases, kept and shown; nothing is filtered (source: pve-firewall API2/Firewall)."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list

_FIREWALL = "/nodes/{node}/qemu/{vmid}/firewall"
_RULE = _FIREWALL + "/rules/{pos}"
_ALIAS = _FIREWALL + "/aliases/{name}"
_NOT_STORED = frozenset({"delete", "digest", "moveto", "name", "node", "pos", "rename", "vmid"})


def _firewall(call: Call) -> dict[str, Any]:
    """The firewall of the VM; a VM that is made again under the same id starts with none."""
    vm = call.vm()
    known = call.cluster.sections.setdefault("firewall", {})
    if known.get(str(vm.vmid), {}).get("uuid") != vm.uuid:
        known[str(vm.vmid)] = {"uuid": vm.uuid, "options": {}, "rules": [], "aliases": {}}
    return known[str(vm.vmid)]


def _settings(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.params.items() if name not in _NOT_STORED}


@route("GET", _FIREWALL)
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    return [{"name": name} for name in ("rules", "aliases", "ipset", "options", "log", "refs")]


@route("GET", _FIREWALL + "/options")
async def options(call: Call) -> dict[str, Any]:
    """The options that are set."""
    return dict(_firewall(call)["options"])


@route("PUT", _FIREWALL + "/options")
async def set_options(call: Call) -> None:
    """Set or delete options."""
    kept = _firewall(call)["options"]
    for name in split_list(call.text("delete")):
        kept.pop(name, None)
    kept |= _settings(call)


@route("GET", _FIREWALL + "/rules")
async def rules(call: Call) -> list[dict[str, Any]]:
    """The rules with their positions."""
    return [{"pos": pos, **rule} for pos, rule in enumerate(_firewall(call)["rules"])]


@route("POST", _FIREWALL + "/rules")
async def add_rule(call: Call) -> None:
    """A new rule, the first one unless a position is given."""
    _firewall(call)["rules"].insert(call.number("pos"), {"enable": 0, **_settings(call)})


@route("GET", _RULE)
async def rule(call: Call) -> dict[str, Any]:
    """One rule."""
    return {"pos": call.number("pos"), **_rule(call)}


@route("PUT", _RULE)
async def change_rule(call: Call) -> None:
    """Other settings for a rule, or another position."""
    found = _rule(call)
    for name in split_list(call.text("delete")):
        found.pop(name, None)
    found |= _settings(call)
    if "moveto" in call.params:
        kept = _firewall(call)["rules"]
        kept.remove(found)
        kept.insert(call.number("moveto"), found)


@route("DELETE", _RULE)
async def remove_rule(call: Call) -> None:
    """Remove a rule; those behind it move up."""
    _firewall(call)["rules"].remove(_rule(call))


def _rule(call: Call) -> dict[str, Any]:
    kept, pos = _firewall(call)["rules"], call.number("pos")
    if pos >= len(kept):
        raise PveError(f"no rule at position {pos}")
    found: dict[str, Any] = kept[pos]
    return found


@route("GET", _FIREWALL + "/aliases")
async def aliases(call: Call) -> list[dict[str, Any]]:
    """The names for addresses."""
    return [{"name": name, **entry} for name, entry in _firewall(call)["aliases"].items()]


@route("POST", _FIREWALL + "/aliases")
async def add_alias(call: Call) -> None:
    """A new name for an address."""
    kept = _firewall(call)["aliases"]
    if call.text("name") in kept:
        raise ParameterError({"name": f"alias '{call.text('name')}' already exists"})
    kept[call.text("name")] = _settings(call)


@route("GET", _ALIAS)
async def alias(call: Call) -> dict[str, Any]:
    """One name."""
    return {"name": call.text("name"), **_alias(call)}


@route("PUT", _ALIAS)
async def change_alias(call: Call) -> None:
    """Another address or another name."""
    kept = _firewall(call)["aliases"]
    _alias(call).update(_settings(call))
    kept[call.text("rename", call.text("name"))] = kept.pop(call.text("name"))


@route("DELETE", _ALIAS)
async def remove_alias(call: Call) -> None:
    """Forget a name."""
    _alias(call)
    del _firewall(call)["aliases"][call.text("name")]


def _alias(call: Call) -> dict[str, Any]:
    found: dict[str, Any] | None = _firewall(call)["aliases"].get(call.text("name"))
    if found is None:
        raise ParameterError({"name": f"no such alias '{call.text('name')}'"})
    return found

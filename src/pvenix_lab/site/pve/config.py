"""Reading and writing a VM's configuration (proxmox.md a5, a6, a7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.options import (
    MASKED_PASSWORD,
    NOT_OPTIONS,
    applies_at_once,
    check_root_only,
    stored,
)
from pvenix_lab.site.pve.schema import property_for
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import ConfigValue, Vm

_CONFIG = "/nodes/{node}/qemu/{vmid}/config"
_UNUSED = re.compile(r"unused\d+")


@route("GET", _CONFIG)
async def read(call: Call) -> dict[str, Any]:
    """The configuration with pending changes applied, unless `current` or `snapshot` asks otherwise."""
    vm = call.vm()
    if "snapshot" in call.params:
        name = call.text("snapshot")
        if name not in vm.snapshots:
            raise PveError(f"snapshot '{name}' does not exist")
        return _shown(vm.snapshots[name].config) | {"digest": vm.digest()}
    config = dict(vm.config)
    if not call.flag("current"):
        apply_pending(config, vm.pending)
    result = _shown(config) | {"digest": vm.digest()}
    if vm.lock:
        result["lock"] = vm.lock
    if vm.current_parent:
        result["parent"] = vm.current_parent
    return result


@route("GET", "/nodes/{node}/qemu/{vmid}/pending")
async def pending(call: Call) -> list[dict[str, Any]]:
    """One item per option: its value now, and what the next start makes of it."""
    vm = call.vm()
    shown = _shown(vm.config) | {"digest": vm.digest()}
    items: dict[str, dict[str, Any]] = {key: {"key": key, "value": value} for key, value in shown.items()}
    for key, value in vm.pending.items():
        item = items.setdefault(key, {"key": key})
        if value is None:
            item["delete"] = 1
        else:
            item["pending"] = value
    return list(items.values())


@route("PUT", _CONFIG)
async def write(call: Call) -> None:
    """Write options at once; the answer comes when all is done."""
    _write(call)


@route("POST", _CONFIG)
async def write_in_task(call: Call) -> str:
    """Write options in a task; parameters and locks are checked in the call."""
    vm = call.vm()
    _check(call, vm)

    async def worker(_task: Task) -> None:
        _write(call)

    return launch(call, "qmconfig", worker)


@route("PUT", "/nodes/{node}/qemu/{vmid}/unlink")
async def unlink(call: Call) -> None:
    """Detach drives, or with `force` free them (and those that are unused already)."""
    vm = call.vm()
    check_lock(vm)
    for key in split_list(call.text("idlist")):
        if property_for(call.properties, key) is None and key not in vm.config:
            continue
        _delete(vm, key)
        if call.flag("force") and not _UNUSED.fullmatch(key):
            _drop_last_unused(vm)


def apply_pending(config: dict[str, ConfigValue], changes: dict[str, ConfigValue | None]) -> None:
    """Apply pending changes to a configuration in place."""
    for key, value in changes.items():
        if value is None:
            config.pop(key, None)
        else:
            config[key] = value


def apply_at_start(vm: Vm) -> None:
    """What a start does with pending changes: all apply."""
    apply_pending(vm.config, vm.pending)
    vm.pending.clear()


def _shown(config: dict[str, ConfigValue]) -> dict[str, Any]:
    result: dict[str, Any] = dict(config)
    if "cipassword" in result:
        result["cipassword"] = MASKED_PASSWORD
    return result


def _changes(call: Call) -> dict[str, Any]:
    return {key: value for key, value in call.params.items() if key not in NOT_OPTIONS}


def _check(call: Call, vm: Vm) -> None:
    changes = _changes(call)
    deleted, reverted = split_list(call.text("delete")), split_list(call.text("revert"))
    if "skiplock" in call.params:
        raise ParameterError({"skiplock": "Only root may use this option."})
    if not changes and not deleted and not reverted:
        raise PveError("no options specified")
    for name, keys in (("delete", deleted), ("revert", reverted)):
        for key in keys:
            if (property_for(call.properties, key) is None or key in NOT_OPTIONS) and not _UNUSED.fullmatch(key):
                raise ParameterError({name: f"unknown option '{key}'"})
            if key in changes:
                raise ParameterError({name: f"you can't use '-{key}' and -{name} {key}' at the same time"})
    for key in (*changes, *deleted):
        check_root_only(key, changes.get(key, "mapping=none"))
    if "digest" in call.params and call.text("digest") != vm.digest():
        raise PveError("checksum mismatch (file change by other user?)")
    check_lock(vm)


def _write(call: Call) -> None:
    vm = call.vm()
    _check(call, vm)
    values = {key: stored(vm, call.cluster, call.site.rng, key, value) for key, value in _changes(call).items()}
    for key in split_list(call.text("revert")):
        vm.pending.pop(key, None)
    for key in split_list(call.text("delete")):
        if vm.running and not applies_at_once(key):
            if key in vm.config:
                vm.pending[key] = None
            else:
                vm.pending.pop(key, None)
        else:
            _delete(vm, key)
    for key, value in values.items():
        _set(vm, key, value)
    custom = values.get("cicustom")
    if custom is not None:
        check_custom(custom)


def check_custom(custom: ConfigValue) -> None:
    """Raise PveError for a snippet that does not exist; the site has none, and the setting stays (measured, proxmox.md a6)."""
    for part in str(custom).split(","):
        raise PveError(f"volume '{part.partition('=')[2]}' does not exist")


def _set(vm: Vm, key: str, value: ConfigValue) -> None:
    if vm.running and not applies_at_once(key):
        if vm.config.get(key) == value:
            vm.pending.pop(key, None)
        else:
            vm.pending[key] = value
        return
    if DISK_KEY.match(key) and key in vm.config and _volume(vm.config[key]) != _volume(value):
        _delete(vm, key)
    vm.config[key] = value
    vm.pending.pop(key, None)


def _volume(value: ConfigValue) -> str:
    return str(value).partition(",")[0]


def _delete(vm: Vm, key: str) -> None:
    """Remove an option; a drive becomes the next `unusedN`, except a CD-ROM."""
    value = vm.config.pop(key, None)
    vm.pending.pop(key, None)
    if value is None or not DISK_KEY.match(key) or "media=cdrom" in str(value) or str(value).startswith("none"):
        return
    number = next(n for n in range(256) if f"unused{n}" not in vm.config)
    vm.config[f"unused{number}"] = _volume(value)


def _drop_last_unused(vm: Vm) -> None:
    keys = [key for key in vm.config if _UNUSED.fullmatch(key)]
    if keys:
        del vm.config[keys[-1]]

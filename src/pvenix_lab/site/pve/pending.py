"""Pending changes: what a running VM takes at once and what waits for the next start (source: qemu-server 8.4 QemuServer.pm).

Of `vmconfig_hotplug_pending` the rules are here, not the devices: nothing is plugged, so nothing can fail to unplug.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import cloudinit
from pvenix_lab.site.pve.disks import deallocate
from pvenix_lab.site.pve.drives import is_cdrom, is_cloudinit, parse_drive, register_unused
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.snippets import snippets
from pvenix_lab.site.pve.vm import DISK_KEY, NET_KEY, parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.call import Call
    from pvenix_lab.site.pve.vm import ConfigValue, Vm

_FAST = frozenset(
    [
        *("description", "hookscript", "lock", "migrate_downtime", "migrate_speed", "name", "onboot", "protection"),
        *("shares", "startup", "tags", "vmstatestorage"),
    ]
)
"""Options without any effect on the running process, beside those of cloud-init."""
_CGROUP = frozenset({"cpulimit", "cpuunits"})
_DEFAULT_FEATURES = frozenset({"disk", "network", "usb"})
_COLD_DISK = re.compile(r"efidisk0|tpmstate0|ide\d+|sata\d+")
_COLD_PROPERTIES = ("aio", "discard", "iothread", "queues", "product", "cache", "ssd", "vendor", "ro")


def applied(config: dict[str, ConfigValue], changes: dict[str, ConfigValue | None]) -> dict[str, ConfigValue]:
    """A copy of the configuration with the changes in it."""
    result = dict(config)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def clean(vm: Vm) -> None:
    """Drop pending changes that change nothing."""
    for key, value in list(vm.pending.items()):
        if value == vm.config.get(key):
            del vm.pending[key]
            vm.forced.discard(key)


def apply(call: Call, vm: Vm) -> dict[str, str]:
    """Apply every pending change to a stopped VM; a detached disk becomes `unusedN`, or is freed where that was asked.

    The result tells by option what could not be applied and goes on waiting.
    """
    clean(vm)
    errors: dict[str, str] = {}
    drive_written = False
    for key, value in list(vm.pending.items()):
        try:
            _detach_old(call, vm, key, value)
        except PveError as error:
            errors[key] = f"unable to apply pending change {key} : {error.message}\n"
            continue
        _take(vm, key, value)
        drive_written = drive_written or (value is not None and is_cloudinit(key, value))
    if drive_written:
        _regenerate(call, vm)
    return errors


def _take(vm: Vm, key: str, value: ConfigValue | None) -> None:
    if key == "lock":  # root itself may set one by hand
        vm.lock = None if value is None else str(value)
    elif value is None:
        vm.config.pop(key, None)
    else:
        vm.config[key] = value
    del vm.pending[key]
    vm.forced.discard(key)


def hotplug(call: Call, vm: Vm, keys: set[str]) -> None:
    """Apply to a running VM what it can take; of the others those that were just written (`keys`) are tried, the rest waits.

    Raises:
        ParameterError: a device refused, with one text per option; the rest was applied.
    """
    errors: dict[str, str] = {}
    for key, value in list(vm.pending.items()):
        if key not in keys and key not in _FAST:
            continue
        old = vm.config.get(key)
        fault = _media_fault(key, old, value)
        if fault:
            errors[key] = f"hotplug problem - {fault}\n"
        elif _takes(vm, key, old, value):
            try:
                _detach_old(call, vm, key, value)
            except PveError as error:
                errors[key] = f"hotplug problem - {error.message}\n"
            else:
                _take(vm, key, value)
    if "cloudinit" in _features(vm):
        _regenerate(call, vm)
    if errors:
        raise ParameterError(errors)


def _regenerate(call: Call, vm: Vm) -> None:
    custom = snippets(call.cluster, vm, vm.config.get("cicustom"))
    cloudinit.regenerate(vm, resolver=call.cluster.resolver, custom=custom)


def _detach_old(call: Call, vm: Vm, key: str, value: ConfigValue | None) -> None:
    """Look after the disk that a change takes away."""
    old = vm.config.get(key)
    if old is None or not DISK_KEY.match(key):
        return
    drive = parse_drive(old)
    if value is not None and parse_drive(value)["file"] == drive["file"]:
        return
    if value is None and key in vm.forced:
        deallocate(call, vm, key, drive)
    else:
        register_unused(call.cluster, vm, drive)


def _features(vm: Vm) -> frozenset[str]:
    value = str(vm.config.get("hotplug", "1"))
    if value == "1":
        return _DEFAULT_FEATURES
    return frozenset() if value == "0" else frozenset(split_list(value))


def _takes(vm: Vm, key: str, old: ConfigValue | None, new: ConfigValue | None) -> bool:
    features = _features(vm)
    if key in _FAST or key in _CGROUP or cloudinit.is_option(key):
        return True
    if NET_KEY.match(key):
        return "network" in features or (new is not None and old is not None and _same_card(old, new))
    if DISK_KEY.match(key):
        return _takes_disk(key, old, new, hot="disk" in features)
    if key == "balloon":
        return new is not None and bool(old is None or int(old)) == bool(int(new))
    if key == "hotplug":
        return not {"memory", "cpu"} & {word for value in (old, new) for word in split_list(str(value or ""))}
    if key == "agent":
        return new is not None and old is not None and _switched_on(old) == _switched_on(new)
    needed = {"memory": "memory", "vcpus": "cpu", "tablet": "usb"}.get(key, "usb" if key.startswith("usb") else "")
    return bool(needed) and needed in features


def _switched_on(value: ConfigValue) -> str:
    return parse_properties(str(value), "enabled").get("enabled", "0")


def _same_card(old: ConfigValue, new: ConfigValue) -> bool:
    """True if model, MAC, queues and MTU stay: bridge, tag and link change without unplugging."""
    fixed = [
        {k: v for k, v in parse_properties(str(value)).items() if ":" in v or k in ("queues", "mtu")}
        for value in (old, new)
    ]
    return fixed[0] == fixed[1]


def _takes_disk(key: str, old: ConfigValue | None, new: ConfigValue | None, *, hot: bool) -> bool:
    if new is None:
        return hot and not _COLD_DISK.fullmatch(key)
    if key in {"efidisk0", "tpmstate0"}:
        return False
    drive = parse_drive(new)
    if old is not None:
        before = parse_drive(old)
        if is_cdrom(before):
            return True
        if before["file"] == drive["file"]:
            return all(before.get(name) == drive.get(name) for name in _COLD_PROPERTIES)
    return hot and not _COLD_DISK.fullmatch(key)


def _media_fault(key: str, old: ConfigValue | None, new: ConfigValue | None) -> str | None:
    if old is None or new is None or not DISK_KEY.match(key):
        return None
    media = [parse_drive(value).get("media", "disk") for value in (old, new)]
    return "unable to change media type" if media[0] != media[1] else None

"""Permissions that the handlers check themselves, beside those of the schema (source: qemu-server 8.4 API2/Qemu.pm, proxmox.md a8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.cloudinit import is_option
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.vm import DISK_KEY, NET_KEY, parse_properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pvenix_lab.site.pve.call import Call
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import ConfigValue

_CPU = frozenset({"cores", "cpu", "cpulimit", "cpuunits", "numa", "smp", "sockets", "vcpus"})
_MEMORY = frozenset({"memory", "balloon", "shares"})
_HARDWARE = frozenset(
    [
        *("acpi", "hotplug", "kvm", "machine", "scsihw", "smbios1", "tablet", "vga", "watchdog", "audio0", "rng0"),
        "allow-ksm",
    ]
)
_OPTIONS = frozenset(
    [
        *("agent", "autostart", "bios", "description", "keyboard", "localtime", "migrate_downtime", "migrate_speed"),
        *("name", "onboot", "ostype", "protection", "reboot", "startdate", "startup", "tags", "tdf", "template"),
    ]
)
_DISK = frozenset({"boot", "bootdisk", "vmstatestorage"})
_BY_VALUE = re.compile(r"(?:unused|serial|usb|hostpci|virtiofs)\d+|cdrom")
_PRIVILEGES = (
    (_CPU, "VM.Config.CPU"),
    (_MEMORY, "VM.Config.Memory"),
    (_HARDWARE, "VM.Config.HWType"),
    (_OPTIONS, "VM.Config.Options"),
    (frozenset({"freeze"}), "VM.PowerMgmt"),
    (_DISK, "VM.Config.Disk"),
)


def need_vm(call: Call, vmid: int, *privileges: str, pool: str = "", any_of: bool = False) -> None:
    """Check privileges on a VM; for a VM that is being made the pool that takes it counts as well."""
    if not pool or not call.allowed(f"/pool/{pool}", *privileges, any_of=any_of):
        call.require(f"/vms/{vmid}", *privileges, any_of=any_of)


def root_parameters(call: Call, *names: str) -> None:
    """Raise ParameterError for a set parameter that only root@pam may use (measured on 8.4.5, proxmox.md a2)."""
    if not call.caller.is_root:
        for name in names:
            if call.params.get(name):
                raise ParameterError({name: "Only root may use this option."})


def need_options(call: Call, vmid: int, keys: Iterable[str], *, pool: str = "") -> None:
    """Check the privilege that writing or deleting each option takes.

    Raises:
        PermissionDeniedError: it is missing.
        PveError: only root@pam may set the option.
    """
    if call.caller.is_root:
        return
    for key in keys:
        if DISK_KEY.match(key) or _BY_VALUE.fullmatch(key):
            continue
        if NET_KEY.match(key):
            need_vm(call, vmid, "VM.Config.Network", pool=pool)
        elif is_option(key):
            need_vm(call, vmid, "VM.Config.Cloudinit", "VM.Config.Network", pool=pool, any_of=True)
        else:
            need_vm(call, vmid, _privilege(key), pool=pool)
            if key == "startup":  # it changes how the host behaves
                call.require("/", "Sys.Modify")


def _privilege(key: str) -> str:
    if re.fullmatch(r"numa\d+", key):
        return "VM.Config.CPU"
    found = next((privilege for keys, privilege in _PRIVILEGES if key in keys), None)
    if found is None:
        raise PveError(f"only root can set '{key}' config")
    return found


def need_device(call: Call, vmid: int, key: str, value: Value | ConfigValue, *, pool: str = "") -> None:
    """Check what a serial port, a USB or PCI device or a shared directory takes, which depends on its value."""
    if call.caller.is_root:
        return
    text = str(value)
    if key.startswith("serial"):
        if text != "socket":
            raise PveError(f"only root can set '{key}' config for real devices")
        need_vm(call, vmid, "VM.Config.HWType", pool=pool)
    elif key.startswith(("usb", "hostpci")):
        _need_mapped(call, vmid, key, text, pool)
    elif key.startswith("virtiofs"):
        need_vm(call, vmid, "VM.Config.Disk", pool=pool)
        call.require(f"/mapping/dir/{parse_properties(text, 'dirid').get('dirid', '')}", "Mapping.Use")


def _need_mapped(call: Call, vmid: int, key: str, text: str, pool: str) -> None:
    kind = "usb" if key.startswith("usb") else "pci"
    parts = parse_properties(text, "host")
    if "host" in parts and not (kind == "usb" and parts["host"].lower() == "spice"):
        devices = "real" if kind == "usb" else "non-mapped"
        raise PveError(f"only root can set '{key}' config for {devices} devices")
    if "mapping" in parts:
        call.require(f"/mapping/{kind}/{parts['mapping']}", "Mapping.Use")
    elif "host" not in parts:
        raise PveError("either 'host' or 'mapping' must be set.")
    need_vm(call, vmid, "VM.Config.HWType", pool=pool)


def need_bridges(call: Call, config: Mapping[str, Value | ConfigValue]) -> None:
    """Check SDN.Use on every bridge that a configuration names (measured on 8.4.5 without any SDN zone)."""
    if call.caller.is_root:
        return
    for key, value in config.items():
        if not NET_KEY.match(key):
            continue
        parts = parse_properties(str(value), "model")
        bridge = f"/sdn/zones/localnetwork/{parts.get('bridge', '')}"
        tags = [parts["tag"]] if "tag" in parts else parts.get("trunks", "").split(";")
        for path in [f"{bridge}/{tag}" for tag in tags if tag] or [bridge]:
            call.require(path, "SDN.Use")


def need_quorum(call: Call) -> None:
    """Raise PveError without a quorum: the configurations are read-only then (F43)."""
    if not call.cluster.quorate:
        raise PveError("cluster not ready - no quorum?")


def need_mappings(call: Call, config: Mapping[str, Value | ConfigValue]) -> None:
    """Check Mapping.Use on every mapped device of a configuration (source: qemu-server 8.4 check_mapping_access)."""
    for key, value in config.items():
        kind = "usb" if key.startswith("usb") else "pci" if key.startswith("hostpci") else ""
        name = parse_properties(str(value), "host").get("mapping") if kind else None
        if name:
            call.require(f"/mapping/{kind}/{name}", "Mapping.Use")

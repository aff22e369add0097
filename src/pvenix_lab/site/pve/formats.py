"""The named value formats of the API (proxmox.md a10; source: pve-common JSONSchema.pm, pve-storage, qemu-server)."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PATTERNS: dict[str, tuple[str, str]] = {
    "pve-vmid": (r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "dns-name": (rf"{_LABEL}(?:\.{_LABEL})*", "value does not look like a valid DNS name"),
    "pve-node": (_LABEL, "value does not look like a valid node name"),
    "pve-configid": (r"[a-zA-Z][a-zA-Z0-9_-]+", "invalid configuration ID '{value}'"),
    "pve-storage-id": (r"[a-zA-Z](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?", "storage ID '{value}' contains illegal characters"),
    "pve-bridge-id": (r"[-_.\w]+", "invalid bridge ID '{value}'"),
    "pve-iface": (r"[a-zA-Z][a-zA-Z0-9_]{1,20}(?:[:.]\d+)?", "invalid network interface name '{value}'"),
    "pve-volume-id": (r"[a-zA-Z][a-zA-Z0-9._-]*:.+", "unable to parse volume ID '{value}'"),
    "pve-volume-id-or-qm-path": (
        r"none|cdrom|/.+|[a-zA-Z][a-zA-Z0-9._-]*:.+",
        "unable to parse volume ID '{value}'",
    ),
    "pve-volume-id-or-absolute-path": (r"/.+|[a-zA-Z][a-zA-Z0-9._-]*:.+", "unable to parse volume ID '{value}'"),
    "pve-poolid": (r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+){0,2}", "pool name '{value}' contains invalid characters"),
    "pve-userid": (
        r"(?=.{3,64}\Z)[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+",
        "value '{value}' does not look like a valid user name",
    ),
    "pve-tokenid": (
        r"[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+",
        "value '{value}' does not look like a valid token ID",
    ),
    "pve-realm": (r"[A-Za-z][A-Za-z0-9._-]+", "value does not look like a valid realm"),
    "pve-groupid": (r"[A-Za-z0-9._-]+", "group name '{value}' contains invalid characters"),
    "pve-roleid": (r"[A-Za-z0-9._-]+", "role name '{value}' contains invalid characters"),
    "pve-replication-job-id": (r"[1-9][0-9]{2,8}-\d{1,9}", "invalid replication job id '{value}'"),
    "pve-ha-resource-or-vm-id": (r"[a-z]+:\S+|\d+", "unable to parse ha resource id or vm id"),
    "pve-ha-resource-id": (r"[a-z]+:\S+", "unable to parse ha resource id"),
    "pve-sdn-vnet-id": (r"[a-zA-Z][a-zA-Z0-9]*[a-zA-Z0-9]", "vnet ID '{value}' contains illegal characters"),
    "pve-sdn-zone-id": (r"[a-zA-Z][a-zA-Z0-9]*[a-zA-Z0-9]", "zone ID '{value}' contains illegal characters"),
    "pve-storage-path": (r"/.*", "invalid path: {value}"),
    "pve-storage-content": (
        "none|images|rootdir|vztmpl|iso|backup|snippets|import",
        "invalid content type '{value}'",
    ),
    "storage-pair": (
        r"[a-zA-Z0-9][\w.-]*:[a-zA-Z][\w.-]*|[a-zA-Z][\w.-]*|1",
        "storage ID '{value}' contains illegal characters",
    ),
    "urlencoded": (r"[-%a-zA-Z0-9_.!~*'()]*", "invalid urlencoded string: {value}"),
    "pve-tag": (r"(?i)[a-z0-9_][a-z0-9_+.-]*", "invalid characters in tag"),
    "mac-addr": (r"(?i)[0-9a-f][02468ace](?::[0-9a-f]{2}){5}", "value does not look like a valid unicast MAC address"),
    "mac-prefix": (r"(?i)[0-9a-f][02468ace](?::[0-9a-f]{2}){0,2}:?", "value is not a valid unicast MAC address prefix"),
    "email": (r"[^\s@]+@[^\s@]+\.[^\s@.]+", "value does not look like a valid email address"),
    "email-or-username": (r"[^\s@]+(?:@[^\s@]+)?", "value does not look like a valid email address or user name"),
    "disk-size": (r"\d+(?:\.\d+)?[KMGT]?", "value '{value}' does not look like a valid disk size"),
    "pve-cpuset": (r"\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*", "invalid cpuset '{value}'"),
    "pve-qm-bootdisk": (r"(?:ide|sata|scsi|virtio|efidisk|tpmstate)\d+", "invalid boot disk '{value}'"),
    "pve-hotplug-features": (
        r"1|0|(?:disk|network|usb|memory|cpu|cloudinit)(?:[,;\s]+(?:disk|network|usb|memory|cpu|cloudinit))*",
        "unable to parse hotplug option",
    ),
    "pve-task-status-type": (r"ok|error|warning|unknown", "value '{value}' does not look like a valid status type"),
    "pve-day-of-week": (r"mon|tue|wed|thu|fri|sat|sun", "invalid day '{value}'"),
    "pve-startup-order": (
        r"(?:(?:order=)?\d+|up=\d+|down=\d+)(?:,(?:up=\d+|down=\d+))*",
        "unable to parse startup options",
    ),
}
_IP_CONFIG_KEYS = frozenset({"ip", "gw", "ip6", "gw6"})


def _keys(*names: str, default: str = "") -> dict[str, dict[str, Any]]:
    """A format of optional text properties; `default` may be given without its key."""
    return {
        name: {"type": "string", "optional": 1} | ({"default_key": 1} if name == default else {})
        for name in dict.fromkeys((*names, *filter(None, [default])))
    }


_PROPERTY_FORMATS: Mapping[str, dict[str, dict[str, Any]]] = {
    "backup-fleecing": _keys("storage", default="enabled"),
    "backup-performance": _keys("max-workers", "pbs-entries-max"),
    "prune-backups": _keys(
        *(f"keep-{which}" for which in ("all", "last", "hourly", "daily", "weekly", "monthly", "yearly"))
    ),
    "pve-node-location": _keys("latitude", "longitude", "name"),
    "pve-qemu-sev-fmt": _keys("allow-smt", "kernel-hashes", "no-debug", "no-key-sharing", default="type"),
    "pve-qm-boot": _keys("order", default="legacy"),
    "pve-qm-cicustom": _keys("meta", "network", "user", "vendor"),
    "pve-qm-hostpci": _keys(
        *("device-id", "legacy-igd", "mapping", "mdev", "pcie", "rombar", "romfile", "sub-device-id"),
        *("sub-vendor-id", "vendor-id", "x-vga", "driver"),
        default="host",
    ),
    "pve-qm-rng": _keys("max_bytes", "period", default="source"),
    "pve-qm-smbios1": _keys("base64", "family", "manufacturer", "product", "serial", "sku", "uuid", "version"),
    "pve-qm-watchdog": _keys("action", default="model"),
    "pve-vm-cpu-conf": _keys(
        "flags", "guest-phys-bits", "hidden", "hv-vendor-id", "phys-bits", "reported-model", default="cputype"
    ),
    "realm-sync-options": _keys("enable-new", "full", "purge", "remove-vanished", "scope"),
}
_UNKNOWN_PROPERTY = "property is not defined in schema and the schema does not allow additional properties"


def split_list(value: str) -> list[str]:
    """The items of a list value: separated by comma, semicolon, white space or NUL."""
    return [item for item in re.split(r"[,;\s\0]+", value) if item]


def normalise_tags(value: str) -> str:
    """Tags as stored: sorted, unique, lower case, joined by semicolons (proxmox.md a7)."""
    return ";".join(sorted({tag.lower() for tag in split_list(value)}))


def format_of(name: str) -> dict[str, dict[str, Any]] | None:
    """The properties of a named format that is a property string; None for any other."""
    return _PROPERTY_FORMATS.get(name)


def check_format(name: str, value: str) -> str | None:
    """What is wrong with `value` under the named format, None if nothing. A format that is not modelled accepts all."""
    if name.endswith("-list"):
        return next((fault for item in split_list(value) if (fault := check_format(name[:-5], item))), None)
    if name.endswith("-opt"):
        return check_format(name[:-4], value) if value else None
    if name in _PATTERNS:
        pattern, text = _PATTERNS[name]
        return None if re.fullmatch(pattern, value, re.ASCII) else text.format(value=value)
    if name == "pve-qm-ipconfig":
        return _check_ipconfig(value)
    if name in _ADDRESSES:
        return _ADDRESSES[name](value)
    return None


def _is_address(value: str, version: int | None = None) -> bool:
    try:
        return version in {None, ipaddress.ip_address(value).version}
    except ValueError:
        return False


def _is_network(value: str, version: int | None = None) -> bool:
    try:
        interface = ipaddress.ip_interface(value)
    except ValueError:
        return False
    return "/" in value and version in {None, interface.version} and interface.network.prefixlen >= 8


def _refused(what: str, *, good: bool) -> str | None:
    return None if good else f"value does not look like a valid {what}"


_ADDRESSES: Mapping[str, Callable[[str], str | None]] = {
    "ip": lambda value: _refused("IP address", good=_is_address(value)),
    "ipv4": lambda value: _refused("IPv4 address", good=_is_address(value, 4)),
    "ipv6": lambda value: _refused("IPv6 address", good=_is_address(value, 6)),
    "CIDR": lambda value: _refused("CIDR network", good=_is_network(value)),
    "CIDRv4": lambda value: _refused("IPv4 CIDR network", good=_is_network(value, 4)),
    "CIDRv6": lambda value: _refused("IPv6 CIDR network", good=_is_network(value, 6)),
    "address": lambda value: _refused(
        f"address: {value}", good=_is_address(value) or check_format("dns-name", value) is None
    ),
}


def _check_ipconfig(value: str) -> str | None:
    """`[gw=<ip>][,gw6=<ip>][,ip=<cidr|dhcp>][,ip6=<cidr|auto|dhcp>]`; a gateway needs its address."""
    parts = dict(part.partition("=")[::2] for part in value.split(","))
    for key, text in parts.items():
        if key not in _IP_CONFIG_KEYS:
            return f"format error\n{key}: {_UNKNOWN_PROPERTY}"
        if fault := _check_ip_value(key, text):
            return f"format error\n{key}: invalid format - {fault}"
    for gateway, address in (("gw", "ip"), ("gw6", "ip6")):
        if gateway in parts and address not in parts:
            return f"gateway specified without specifying an IP{'v6' if address == 'ip6' else ''} address"
    return None


def _check_ip_value(key: str, text: str) -> str | None:
    version = 6 if key.endswith("6") else 4
    if (text == "dhcp" and key.startswith("ip")) or (text == "auto" and key == "ip6"):
        return None
    if key.startswith("gw"):
        return _refused(f"IPv{version} address", good=_is_address(text, version))
    return _refused(f"ipv{version} network configuration", good=_is_network(text, version))

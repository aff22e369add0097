"""The named value formats of the API (proxmox.md a10; source: pve-common JSONSchema.pm, pve-storage, qemu-server)."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

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
    "pve-volume-id": (r"[a-zA-Z][a-zA-Z0-9._-]*:.+", "unable to parse volume ID '{value}'"),
    "pve-poolid": (r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+){0,2}", "value '{value}' has invalid characters in pool name"),
    "urlencoded": (r"[-%a-zA-Z0-9_.!~*'()]*", "invalid urlencoded string: {value}"),
    "pve-tag": (r"(?i)[a-z0-9_][a-z0-9_+.-]*", "invalid characters in tag"),
    "mac-addr": (r"(?i)[0-9a-f][02468ace](?::[0-9a-f]{2}){5}", "value does not look like a valid unicast MAC address"),
    "disk-size": (r"\d+(?:\.\d+)?[KMGT]?", "value '{value}' does not look like a valid disk size"),
    "pve-startup-order": (
        r"(?:(?:order=)?\d+|up=\d+|down=\d+)(?:,(?:up=\d+|down=\d+))*",
        "unable to parse startup options",
    ),
}
_IP_CONFIG_KEYS = frozenset({"ip", "gw", "ip6", "gw6"})
_PROPERTY_KEYS: Mapping[str, tuple[frozenset[str], str]] = {
    "pve-qm-boot": (frozenset({"legacy", "order"}), "legacy"),
    "pve-qm-cicustom": (frozenset({"meta", "network", "user", "vendor"}), ""),
    "pve-qm-hostpci": (
        frozenset(
            {
                *("device-id", "host", "legacy-igd", "mapping", "mdev", "pcie", "rombar", "romfile"),
                *("sub-device-id", "sub-vendor-id", "vendor-id", "x-vga"),
            }
        ),
        "host",
    ),
    "pve-qm-smbios1": (
        frozenset({"base64", "family", "manufacturer", "product", "serial", "sku", "uuid", "version"}),
        "",
    ),
}
_UNKNOWN_PROPERTY = "property is not defined in schema and the schema does not allow additional properties"


def split_list(value: str) -> list[str]:
    """The items of a list value: separated by comma, semicolon, white space or NUL."""
    return [item for item in re.split(r"[,;\s\0]+", value) if item]


def normalise_tags(value: str) -> str:
    """Tags as stored: sorted, unique, lower case, joined by semicolons (proxmox.md a7)."""
    return ";".join(sorted({tag.lower() for tag in split_list(value)}))


def check_format(name: str, value: str) -> str | None:
    """What is wrong with `value` under the named format, None if nothing. A format that is not modelled accepts all."""
    if name.endswith("-list") and name != "pve-hotplug-features-list":
        return next((fault for item in split_list(value) if (fault := check_format(name[:-5], item))), None)
    if name in _PATTERNS:
        pattern, text = _PATTERNS[name]
        return None if re.fullmatch(pattern, value) else text.format(value=value)
    if name == "pve-qm-ipconfig":
        return _check_ipconfig(value)
    if name in _PROPERTY_KEYS:
        keys, default_key = _PROPERTY_KEYS[name]
        return _check_keys(value, keys, default_key)
    if name in _ADDRESSES:
        return _ADDRESSES[name](value)
    return None


def _check_address(value: str) -> str | None:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return f"value does not look like a valid IP address: {value}"
    return None


_ADDRESSES: Mapping[str, Callable[[str], str | None]] = {"address": _check_address, "ip": _check_address}


def _check_keys(value: str, keys: frozenset[str], default_key: str) -> str | None:
    for part in value.split(","):
        key, found, _ = part.partition("=")
        if (not found and not default_key) or (found and key not in keys):
            return f"format error\n{key}: {_UNKNOWN_PROPERTY}"
    return None


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
    if text == "dhcp" and key.startswith("ip"):
        return None
    if text == "auto" and key == "ip6":
        return None
    try:
        if key.startswith("gw"):
            good = ipaddress.ip_address(text).version == version
        else:
            interface = ipaddress.ip_interface(text)
            good = "/" in text and interface.version == version and interface.network.prefixlen >= 8
    except ValueError:
        good = False
    return (
        None
        if good
        else f"value does not look like a valid ipv{version} {'address' if key[0] == 'g' else 'network configuration'}"
    )

"""How Proxmox spells the values of a VM's options, and what two spellings have in common.

Sources: qemu-server (`PVE/QemuServer.pm`, `PVE/QemuServer/Drive.pm`, `PVE/QemuServer/Network.pm`) for keys without a name in
property strings and for defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

DISK: Final = re.compile(r"(?:scsi|virtio|sata|ide)\d+|efidisk0|tpmstate0")
NIC: Final = re.compile(r"net\d+")
CLOUD_INIT: Final = re.compile(r"ci[a-z]+|sshkeys|ipconfig\d+|nameserver|searchdomain")
ROOT_DISK: Final = "scsi0"
_UNNAMED: Final = (
    (DISK, "file"),
    (re.compile(r"hostpci\d+"), "host"),
    (re.compile("vga"), "type"),
    (re.compile("cpu"), "cputype"),
    (re.compile("agent"), "enabled"),
    (re.compile("startup"), "order"),
    (re.compile("memory"), "current"),
    (re.compile("machine"), "type"),
)
_MODEL: Final = re.compile(r"virtio|e1000\w*|rtl8139|vmxnet3|ne2k_\w+|i8255\w+|pcnet")
_FLAGS: Final = frozenset(
    {"onboot", "protection", "numa", "ciupgrade", "enabled", "firewall", "ssd", "iothread", "backup", "pcie", "x-vga"}
    | {"pre-enrolled-keys", "discard", "link_down"}
)
_TRUE: Final = frozenset({"1", "on", "yes", "true"})
_DEFAULTS: Final = {
    "cores": "1",
    "memory": "512",
    "numa": "0",
    "onboot": "0",
    "protection": "0",
    "ciupgrade": "1",
    "hotplug": "disk;network;usb",
    "scsihw": "lsi",
    "ostype": "other",
    "machine": "pc",
    "bios": "seabios",
    "vga": "std",
    "cpu": "kvm64",
    "backup": "1",
    "tag": "0",
}
_UNITS: Final = {"K": 2**-10, "M": 1.0, "G": 2.0**10, "T": 2.0**20}


def parts_of(key: str, text: str) -> dict[str, str]:
    """A property string taken apart; a NIC's model and MAC as `model` and `macaddr`, a disk's volume as `file`."""
    found: dict[str, str] = {}
    for word in text.split(","):
        name, equals, value = word.strip().partition("=")
        if NIC.fullmatch(key) and _MODEL.fullmatch(name):
            found |= {"model": name} | ({"macaddr": value} if value else {})
        elif equals:
            found[name] = value
        elif name:
            found[next((unnamed for keys, unnamed in _UNNAMED if keys.fullmatch(key)), name)] = name
    if "volume" in found:
        found["file"] = found.pop("volume")
    return found


def joined(key: str, parts: Mapping[str, str]) -> str:
    """The property string of these parts, the unnamed one first."""
    rest = dict(parts)
    words = []
    if NIC.fullmatch(key):
        mac = rest.pop("macaddr", "")
        words.append(rest.pop("model", "virtio") + (f"={mac}" if mac else ""))
    unnamed = next((unnamed for keys, unnamed in _UNNAMED if keys.fullmatch(key)), "")
    if unnamed in rest:
        words.append(rest.pop(unnamed))
    return ",".join([*words, *(f"{name}={value}" for name, value in sorted(rest.items()))])


def read(key: str, part: str, text: str) -> str:
    """What `text`, the value of option `key`, means for `part` of it; what is not there means Proxmox' default."""
    if not part:
        return meaning(key, text)
    parts = parts_of(key, text)
    if part == "storage":
        return parts.get("file", "").partition(":")[0]
    if part == "size":
        return size(parts.get("size", ""))
    return meaning(part, parts.get(part, ""))


def meaning(name: str, text: str) -> str:
    """A value, or a part of one, as we spell it: two spellings of the same are equal afterwards."""
    text = text.strip() or _DEFAULTS.get(name, "")
    if name in _FLAGS:
        return "1" if text.lower() in _TRUE else "0"
    if name == "sshkeys":
        return "\n".join(sorted(line.strip() for line in unquote(text).splitlines() if line.strip()))
    if name in ("tags", "trunks", "nameserver", "searchdomain"):
        words = [word for word in re.split(r"[;,\s]+", text.lower()) if word]
        return " ".join(words) if name in ("nameserver", "searchdomain") else ";".join(sorted(set(words)))
    if name == "hotplug":
        return {"1": _DEFAULTS["hotplug"], "0": ""}.get(text, ";".join(sorted(re.split(r"[;,\s]+", text))))
    if name == "macaddr":
        return text.upper()
    if name in ("memory", "vga", "machine"):
        unnamed = {"memory": "current", "vga": "type", "machine": "type"}[name]
        return parts_of(name, text).get(unnamed, _DEFAULTS[name])
    if name in ("cpu", "startup"):
        return joined(name, parts_of(name, text))
    return text.lower() if name in ("ip", "ip6", "gw", "gw6") else text


def size(text: str) -> str:
    """A disk's size such as `20G`; `512M` when it is no whole number of GiB, empty when there is none."""
    mib = mib_of(text)
    return "" if not mib else f"{mib // 1024:.0f}G" if mib % 1024 == 0 else f"{mib:.0f}M"


def mib_of(text: str) -> float:
    """A size as Proxmox writes it, in MiB; a plain number is bytes, and 0 is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    if match is None:
        return 0.0
    return float(match[1]) * _UNITS[match[2]] if match[2] else float(match[1]) / 2**20


def is_hot(hotplug: str, feature: str) -> bool:
    """True when a VM with this `hotplug` option takes changes of `feature` while it runs."""
    return feature in meaning("hotplug", hotplug).split(";")

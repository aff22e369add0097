"""Values of Proxmox as the inventory spells them, so that what somebody changed there can become a line of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pvenix.lifecycle.ownership import MARKER_TAG
from pvenix.model.fleetplan import FieldPlan

Spell = Callable[[str], Any]


def spelt(one: FieldPlan) -> Any:
    """What a host_vars file would say for the field's value at Proxmox; None when no line of it would.

    Fields of disks and devices have the value of that one key of their entry.
    """
    for pattern, spell in _SPELLING.items():
        if pattern.fullmatch(one.field):
            return spell(one.there)
    return None


def _size(text: str) -> Any:
    """Mebibytes, in whole gibibytes where they are."""
    if not text.isdigit():
        return None
    return f"{int(text) // 1024}G" if int(text) and int(text) % 1024 == 0 else int(text)


def _number(text: str) -> Any:
    return int(text) if text.isdigit() else None


def _disk(text: str) -> Any:
    return text if re.fullmatch(r"[1-9][0-9]*[MGT]", text) else None


def _flag(text: str) -> Any:
    return {"1": True, "0": False}.get(text)


def _word(text: str) -> Any:
    return text or None


def _text(text: str) -> Any:
    return text


def _words(text: str) -> Any:
    return text.split() or None


def _lines(text: str) -> Any:
    return text.splitlines() or None


def _tags(text: str) -> Any:
    return [tag for tag in text.split(";") if tag and tag != MARKER_TAG]


def _numbers(text: str) -> Any:
    return [int(number) for number in text.split(";") if number]


def _or_off(text: str) -> Any:
    return text or "off"


def _present(text: str) -> Any:
    return bool(text)


def _startup(text: str) -> Any:
    """With the name of the first part, which Proxmox leaves out."""
    return f"order={text}" if text[:1].isdigit() else text or None


def _power(text: str) -> Any:
    return {"stopped": "stopped", "running": "present"}.get(text)


_SPELLING: Final[Mapping[re.Pattern[str], Spell]] = {
    re.compile(pattern): spell
    for pattern, spell in {
        r"state": _power,
        r"cores|network\.(vlan|mtu)": _number,
        r"memory|balloon": _size,
        r"disk|proxmox\.disks\.\w+\.size": _disk,
        r"proxmox\.(onboot|protect)|hardware\.(numa|secureboot)|network\.firewall": _flag,
        r"proxmox\.disks\.\w+\.(ssd|discard|backup|iothread)|proxmox\.pci\.\d+\.(pcie|primary)": _flag,
        r"proxmox\.startup": _startup,
        r"proxmox\.(pool|node|storage)|hardware\.(machine|bios|cpu|scsihw|display|ostype|hotplug)": _word,
        r"proxmox\.disks\.\w+\.storage|proxmox\.pci\.\d+\.mapping|bootstrap\.user": _word,
        r"network\.(bridge|mac|address|gateway|gateway6)": _word,
        r"hardware\.(serial|tpm)": _present,
        r"proxmox\.notes": _text,
        r"network\.(dns|search)": _words,
        r"network\.trunks": _numbers,
        r"network\.ip6": _or_off,
        r"bootstrap\.authorized_keys": _lines,
        r"tags": _tags,
    }.items()
}

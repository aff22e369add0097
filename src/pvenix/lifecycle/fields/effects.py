"""What it takes to bring a change about, which depends on whether the VM runs and on what it takes while it does.

Source: qemu-server, `PVE/QemuServer.pm`: `vmconfig_hotplug_pending`, `vmconfig_update_net`, `vmconfig_update_disk`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pvenix.lifecycle.fields.values import CLOUD_INIT, DISK, NIC, is_hot, mib_of
from pvenix.model.fleetplan import Effect

_LIVE: Final = frozenset({"tags", "description", "onboot", "protection", "startup", "pool", "backup"})
_OFFLINE: Final = frozenset({"scsihw", "tpmstate0", "efidisk0"})
_RECREATE: Final = frozenset({"bios", "machine"})
_PLUGGABLE: Final = re.compile(r"(?:scsi|virtio)\d+")
_CARD: Final = frozenset({"macaddr", "model", "mtu"})
_COLD_DISK: Final = frozenset({"ssd", "discard", "iothread"})
SYS_MODIFY: Final = "needs Sys.Modify on /"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """A change to a VM."""

    key: str
    part: str
    old: str
    new: str
    present: str
    """The whole option now, empty when there is none."""
    running: bool
    hotplug: str
    """The VM's option."""
    protected: bool = False
    """Whether the VM is protected, and is to stay so."""

    def hot(self, feature: str) -> Effect:
        """Live for a VM that takes changes of `feature` while it runs."""
        return Effect.LIVE if is_hot(self.hotplug, feature) else Effect.REBOOT


def effect_of(doing: Doing) -> tuple[Effect, str]:
    """What the change takes, and what to know of it."""
    refused = _refused(doing)
    if refused:
        return Effect.REFUSE, refused
    if doing.key in _RECREATE:
        return Effect.RECREATE, "only another VM would have it"
    if doing.key == "efidisk0" and doing.present:
        return Effect.RECREATE, "the variables of the firmware are made once"
    if doing.key == "node" or (DISK.fullmatch(doing.key) and doing.part == "storage" and doing.present):
        return Effect.MOVE, ""
    note = SYS_MODIFY if doing.key in ("startup", "backup") else ""
    if _is_detached(doing):
        note = "detached, and kept as unused"
    return (_while_running(doing) if doing.running else Effect.LIVE), note


def _refused(doing: Doing) -> str:
    if doing.part == "size" and doing.old and mib_of(doing.new) < mib_of(doing.old):
        return f"no disk shrinks: it has {doing.old}; ask for {doing.old} or more"
    if doing.protected and _is_detached(doing):
        return "Proxmox detaches no disk of a protected VM: set proxmox.protect: false first"
    return ""


def _is_detached(doing: Doing) -> bool:
    whole = doing.part in ("", "version") and not doing.new
    return bool(DISK.fullmatch(doing.key)) and whole and bool(doing.present)


def _while_running(doing: Doing) -> Effect:
    key, part = doing.key, doing.part
    if key in _OFFLINE:
        return Effect.OFFLINE
    if key in _LIVE or (part == "size" and doing.present):
        return Effect.LIVE
    if CLOUD_INIT.fullmatch(key):
        return Effect.REBOOT
    if NIC.fullmatch(key):
        whole = not doing.present or not part or part in _CARD
        return doing.hot("network") if whole else Effect.LIVE
    if DISK.fullmatch(key):
        return _of_disk(doing)
    if key == "hotplug":
        both = f"{doing.old};{doing.new}"
        return Effect.REBOOT if "memory" in both or "cpu" in both else Effect.LIVE
    if key == "memory" and doing.old.isdigit() and int(doing.new) > int(doing.old):
        return doing.hot("memory")
    if key == "balloon" and doing.new not in ("", "0") and doing.old != "0":
        return Effect.LIVE
    return Effect.REBOOT


def _of_disk(doing: Doing) -> Effect:
    if doing.present and doing.part:
        return Effect.REBOOT if doing.part in _COLD_DISK else Effect.LIVE
    return doing.hot("disk") if _PLUGGABLE.fullmatch(doing.key) else Effect.REBOOT

"""One virtual machine as Proxmox VE keeps it: configuration, pending changes, lock, power state, snapshots."""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

ConfigValue = str | int
"""A configuration value as the API returns it: integers and booleans are numbers, the rest is text (proxmox.md a1)."""

DISK_KEY = re.compile(r"^(?:ide[0-3]|sata[0-5]|scsi(?:[12]?\d|30)|virtio(?:1[0-5]|\d)|efidisk0|tpmstate0)$")
NET_KEY = re.compile(r"^net(?:[12]?\d|3[01])$")
_MAC = re.compile(r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")


def new_uuid(rng: random.Random) -> str:
    """A version 4 UUID from the site's own random numbers, so that a seed repeats it."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def new_mac(rng: random.Random) -> str:
    """A MAC address under the prefix that Proxmox VE 8 assigns by default."""
    return "BC:24:11:" + ":".join(f"{rng.randrange(256):02X}" for _ in range(3))


def parse_properties(value: str, default_key: str = "") -> dict[str, str]:
    """A property string (`virtio=AA:…,bridge=lan`) as a map; the first bare word gets `default_key`."""
    result: dict[str, str] = {}
    for part in value.split(","):
        key, found, text = part.partition("=")
        if found:
            result[key.strip()] = text.strip()
        elif key.strip():
            result.setdefault(default_key, key.strip())
    return result


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """A snapshot of the configuration; the guest's disk is kept beside the guests by the site.

    `state` is the snapstate of an unfinished one (`prepare`, `delete`); a saved memory is `vmstate` in `config`.
    """

    name: str
    description: str
    taken_at: int
    parent: str | None
    config: dict[str, ConfigValue]
    running: bool = False
    state: str | None = None


@dataclass(slots=True, kw_only=True)
class Vm:
    """A VM or template. `config` is what applies now, `pending` what the next start applies (None: delete).

    `forced` are the pending deletions that also free the disk; `frozen` is the guest's file systems; `wedged` a monitor that is silent.
    """

    vmid: int
    node: str
    config: dict[str, ConfigValue] = field(default_factory=dict)
    pending: dict[str, ConfigValue | None] = field(default_factory=dict)
    lock: str | None = None
    status: str = "stopped"
    paused: bool = False
    pid: int | None = None
    started_at: float = 0.0
    pool: str | None = None
    cloudinit: dict[str, str] = field(default_factory=dict)
    cloudinit_config: dict[str, ConfigValue] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    current_parent: str | None = None
    forced: set[str] = field(default_factory=set)
    frozen: bool = False
    wedged: bool = False

    @property
    def name(self) -> str:
        """The configured name, or `VM <id>` as Proxmox VE shows a VM without one."""
        return str(self.config.get("name") or f"VM {self.vmid}")

    @property
    def template(self) -> bool:
        """True for a template."""
        return self.config.get("template") == 1

    @property
    def running(self) -> bool:
        """True while a QEMU process exists, paused or not."""
        return self.status == "running"

    @property
    def uuid(self) -> str:
        """The smbios1 uuid, renewed by every clone; empty if none is configured."""
        return parse_properties(str(self.config.get("smbios1", ""))).get("uuid", "")

    @property
    def agent_enabled(self) -> bool:
        """True if the guest agent option is on."""
        return parse_properties(str(self.config.get("agent", "0")), "enabled").get("enabled") == "1"

    def cloudinit_files(self) -> dict[str, str]:
        """user-data, network-config, meta-data and vendor-data as last generated; empty before the first time."""
        return dict(self.cloudinit)

    def macs(self) -> dict[str, str]:
        """The MAC address of every network device, by key (`net0`)."""
        found = ((key, _MAC.search(str(value))) for key, value in sorted(self.config.items()) if NET_KEY.match(key))
        return {key: match.group() for key, match in found if match}

    def disks(self) -> dict[str, dict[str, str]]:
        """Every drive by key, its volume under `file`."""
        return {k: parse_properties(str(v), "file") for k, v in sorted(self.config.items()) if DISK_KEY.match(k)}

    def cloudinit_drive(self) -> str | None:
        """The key of the cloud-init drive, None without one."""
        return next((key for key, disk in self.disks().items() if "cloudinit" in disk.get("file", "")), None)

    def digest(self) -> str:
        """SHA-1 over everything that the configuration file holds; changes with every write (proxmox.md a5)."""
        lines = [f"{key}: {value}" for key, value in sorted(self.config.items())]
        lines += [f"[pending] {key}: {value}" for key, value in sorted(self.pending.items())]
        lines += [f"[{name}] {snapshot.taken_at}" for name, snapshot in sorted(self.snapshots.items())]
        lines += [f"parent: {self.current_parent}", f"lock: {self.lock}"]
        return hashlib.sha1("\n".join(lines).encode(), usedforsecurity=False).hexdigest()

"""A host: a machine in the inventory, as all layers together say it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pvenix.model.secretref import SecretRef
from pvenix.model.update import Nix, Update


class State(StrEnum):
    """What the inventory wants of a host."""

    PRESENT = "present"
    STOPPED = "stopped"
    ABSENT = "absent"
    """A tombstone: the name, address and VM id stay taken for one release."""
    ARCHIVED = "archived"
    EXTERNAL = "external"
    """Known so that nothing clashes with it, but not managed."""

    @property
    def managed(self) -> bool:
        """True when pvenix works on such a host without being told its name."""
        return self in (State.PRESENT, State.STOPPED)


class Install(StrEnum):
    """How NixOS gets onto the machine."""

    CLONE = "clone"
    ANYWHERE = "anywhere"
    IMAGE = "image"
    ISO = "iso"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Iso:
    """The image that an empty VM installs itself from: one that a storage has, or one to fetch there."""

    volume: str = ""
    """`storage:iso/name.iso`; empty when it is to be fetched."""
    url: str = ""
    """Where a node downloads it from."""
    sha256: str = ""
    """64 small hex digits, checked by the node that downloads it."""
    storage: str = ""
    """Where a download is kept."""

    @property
    def wanted(self) -> str:
        """The volume as Proxmox names it, fetched or not."""
        return self.volume or f"{self.storage}:iso/{self.url.rpartition('/')[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk beside the root disk."""

    slot: str
    size_mib: int
    storage: str = ""
    ssd: bool = False
    discard: bool = False
    backup: bool = True
    iothread: bool = False
    purpose: str = ""
    fs: str = ""
    keep_on_destroy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pci:
    """A device passed through by the name of its resource mapping."""

    mapping: str
    pcie: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ha:
    """High availability wishes."""

    failover: str = ""
    priority: int = 0
    max_restart: int = 1
    replicate: str = ""
    """A Proxmox calendar event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxmox:
    """Where and how the VM lives."""

    vmid: int = 0
    """0 until one is allocated and written back."""
    node: str = "auto"
    nodes: tuple[str, ...] = ()
    """The only nodes that may be chosen; empty is any."""
    avoid: tuple[str, ...] = ()
    spread: str = ""
    """Hosts with the same key go to different nodes when possible."""
    pin: bool = False
    storage: str = ""
    """Of the root disk; the cluster's default unless said otherwise."""
    pool: str = ""
    onboot: bool = True
    startup: str = ""
    protect: bool = False
    notes: str = ""
    disks: tuple[Disk, ...] = ()
    pci: tuple[Pci, ...] = ()
    full: bool = False
    """Copy the template's disks instead of linking to them."""
    ha: Ha | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Virtual hardware; an empty field keeps what the template has."""

    machine: str = ""
    bios: str = ""
    cpu: str = ""
    scsihw: str = ""
    display: str = ""
    serial: bool | None = None
    tpm: bool | None = None
    secureboot: bool | None = None
    numa: bool | None = None
    hotplug: str = ""
    ostype: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network card; bridge and VLAN come from the zone unless said otherwise, of the first one gateway and DNS too."""

    zone: str = ""
    bridge: str = ""
    vlan: int = 0
    address: str = "dhcp"
    """`dhcp` or `IP/prefix`."""
    gateway: str = ""
    ip6: str = "auto"
    """`auto`, `dhcp`, `off` or `IP/prefix`."""
    gateway6: str = ""
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    mac: str = ""
    """Upper case with colons; empty lets Proxmox choose."""
    mtu: int = 0
    firewall: bool = False
    trunks: tuple[int, ...] = ()
    prefer: str = "any"
    """`v4`, `v6` or `any`: which of the guest's addresses is used."""

    @property
    def static(self) -> bool:
        """True when the address is fixed by the inventory."""
        return self.address != "dhcp"

    @property
    def ip(self) -> str:
        """The fixed address without its prefix, empty for DHCP."""
        return self.address.partition("/")[0] if self.static else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key, as a line or as the file that holds one; exactly one is set."""

    line: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """The first login."""

    user: str = "tappaas"
    authorized_keys: tuple[PublicKey, ...] = ()
    agent_timeout_s: int = 300
    address_timeout_s: int = 120
    ssh_timeout_s: int = 180
    cloudinit_timeout_s: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Snapshots around updates."""

    before_update: bool = False
    """One is taken before each activation of a rebuild."""
    keep: int = 5
    freeze: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """Backups of the VM."""

    job: str = ""
    storage: str = ""
    schedule: str = ""
    keep: int = 0
    before_destroy: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Generations:
    """Which system generations stay when old ones are let go: the newest, and what was in use not long ago."""

    keep: int = 10
    older_than_s: int = 30 * 86400
    """How long a generation must be out of use before it may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What counts as drift."""

    ignore: tuple[str, ...] = ()
    """Paths in /etc/nixos, or patterns of them, that may be edited on the host: no drift, and a rebuild leaves them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything under `machine:`, merged from all layers and checked."""

    state: State = State.PRESENT
    size_class: str = ""
    """Spelt `class` in files."""
    cores: int = 2
    memory_mib: int = 4096
    balloon_mib: int = 0
    """0 switches ballooning off."""
    disk_mib: int = 20480
    """Of the root disk."""
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cluster: str = ""
    proxmox: Proxmox = field(default_factory=Proxmox)
    hardware: Hardware = field(default_factory=Hardware)
    template: str = "nixos"
    install: Install = Install.CLONE
    iso: Iso | None = None
    """What `install: iso` boots from."""
    network: Network = field(default_factory=Network)
    """The first card, net0, at whose address the host is reached."""
    nics: tuple[Network, ...] = ()
    """Further cards: net1, net2, …; in files also the rest of a `network` that is a list."""
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    nix: Nix = field(default_factory=Nix)
    update: Update = field(default_factory=Update)
    snapshot: Snapshot = field(default_factory=Snapshot)
    backup: Backup = field(default_factory=Backup)
    generations: Generations = field(default_factory=Generations)
    drift: Drift = field(default_factory=Drift)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    controller: bool = False
    """Spelt `self` in files: this VM runs pvenix; it is never stopped, rebooted or destroyed from inside."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The `x-…` keys, which are the user's."""

    @property
    def cards(self) -> tuple[Network, ...]:
        """Every network card, net0 first."""
        return (self.network, *self.nics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine of the inventory."""

    name: str
    groups: tuple[str, ...]
    """Groups of hosts.yaml, parents first, without `all`, and `role_<name>` for each role."""
    machine: Machine
    declared: frozenset[str] = frozenset()
    """Fields that a file or `--set` gives, dotted as files spell them, such as `proxmox.onboot`; a list is one field."""
    fqdn: str = ""
    """`<name>.<zone>.<domain>`, without the zone when there is none."""
    file: str = ""
    """Where the host is listed, relative to the fleet's root."""
    line: int = 0
    column: int = 1

    @property
    def roles(self) -> tuple[str, ...]:
        """The machine's roles, in order."""
        return self.machine.roles

"""What the Proxmox port gives and takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvenix.model.names import NodeName, Vmid


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A Proxmox server."""

    name: NodeName
    online: bool
    memory_total: int
    """Bytes."""
    memory_used: int
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmState:
    """A VM as the cluster lists it; the list may lag by ten seconds, so decisions read `Pve.config`."""

    vmid: Vmid
    node: NodeName
    name: str
    status: str
    """`running`, `stopped` or `unknown`."""
    template: bool
    tags: tuple[str, ...]
    memory_max: int
    """Bytes."""
    lock: str = ""
    cpus: int = 0
    pool: str = ""
    """Empty too when the token may not see the pool."""
    ha: str = ""
    """The state that the HA manager is to keep it in, empty when it is not its business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageState:
    """A storage on a node."""

    name: str
    node: NodeName
    shared: bool
    active: bool
    content: tuple[str, ...]
    available: int
    """Bytes."""
    total: int = 0
    """Bytes."""
    kind: str = ""
    """Its plugin, such as `zfspool`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConfig:
    """A VM's configuration with every value as text, as Proxmox mixes types."""

    values: Mapping[str, str]
    digest: str

    @property
    def uuid(self) -> str:
        """The smbios uuid, the VM's identity; empty when there is none."""
        for part in self.values.get("smbios1", "").split(","):
            key, _, value = part.partition("=")
            if key == "uuid":
                return value.lower()
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVm:
    """What a clone of a template is to be."""

    vmid: Vmid
    name: str
    description: str
    target: NodeName | None = None
    """Another node than the template's."""
    full: bool = False
    """Copy the disks instead of linking them to the template's."""
    storage: str | None = None
    """For full clones only."""
    pool: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """A finished Proxmox task."""

    upid: str
    ok: bool
    exit_text: str
    """`OK`, `WARNINGS: n` or the error."""
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface as the guest agent reports it."""

    name: str
    mac: str
    """Lower case."""
    addresses: tuple[str, ...]
    """`IP/prefix`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The whole cluster at one glance, as old as the last broadcast of its nodes: about ten seconds.

    What the token may not see is left out without a word, so an empty part proves nothing (`Pve.permissions`).
    """

    nodes: tuple[NodeState, ...]
    vms: tuple[VmState, ...]
    """Templates included, containers not."""
    storages: tuple[StorageState, ...]
    """One for each node that can use the storage."""
    containers: frozenset[int] = frozenset()
    """The ids of containers, which no VM can have."""

    @property
    def ids(self) -> frozenset[int]:
        """Every id that is taken, as far as the token may see."""
        return self.containers | {int(vm.vmid) for vm in self.vms}


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPending:
    """A VM's configuration in effect, and what waits for the next cold start."""

    config: VmConfig
    waiting: Mapping[str, str]
    """A key that will be deleted has an empty value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPower:
    """A VM as its node sees it at this moment."""

    status: str
    """`running` or `stopped`."""
    detail: str
    """QEMU's own word, such as `paused` or `prelaunch`."""
    uptime_s: int
    agent: bool
    """Whether the VM's options say that it has a guest agent."""
    lock: str = ""
    ha: str = ""
    cpu: float = 0.0
    """Use of all its cores, from 0 to 1."""
    cpus: int = 0
    memory: int = 0
    """Bytes in use, as the node or the guest's balloon driver sees it."""
    memory_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSnapshot:
    """A snapshot of a VM."""

    name: str
    description: str
    parent: str
    """The snapshot that it was taken after, empty for the first one."""
    taken_at: int
    """Seconds since 1970."""
    memory: bool
    """Whether it holds the running state."""
    unfinished: str = ""
    """`prepare` or `delete` while it is made or removed, and after a task that was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Something on a storage: a disk, an ISO image, a backup."""

    id: str
    """`storage:path`."""
    content: str
    """`images`, `iso`, `backup`, …"""
    size: int
    """Bytes."""
    vmid: int = 0
    """0 when it belongs to no VM."""
    made_at: int = 0
    """Seconds since 1970, 0 when unknown."""
    notes: str = ""
    """The first line of a backup's notes."""
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationCheck:
    """Where a VM could go now."""

    running: bool
    allowed: tuple[NodeName, ...]
    """Nodes that have its storages and mapped devices; all but its own when Proxmox does not say."""
    refused: Mapping[NodeName, str]
    """The other nodes, and why not."""
    local_disks: tuple[str, ...]
    """Volumes that only its own node has, CD-ROM images left out."""
    local_images: tuple[str, ...]
    """CD-ROM images that only its own node has; those do not move."""
    devices: tuple[str, ...]
    """Configuration keys of devices that are bound to the node, mapped ones included: they keep a running VM where it is."""
    bound: tuple[str, ...]
    """Those of the devices that have no mapping: they keep it where it is even when it is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task as its node lists it."""

    upid: str
    kind: str
    """Such as `qmclone`."""
    user: str
    began_at: int
    """Seconds since 1970."""
    running: bool
    exit_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupJob:
    """A scheduled backup job of the cluster."""

    id: str
    vmids: tuple[int, ...]
    """Empty when it takes all, or a pool."""
    everything: bool
    excluded: tuple[int, ...]
    pool: str
    storage: str
    schedule: str
    enabled: bool

    def covers(self, vmid: int, pool: str = "") -> bool:
        """True when the job backs up the VM, which is in `pool`."""
        if self.everything:
            return vmid not in self.excluded
        return vmid in self.vmids or bool(pool and pool == self.pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationJob:
    """A storage replication job of a guest."""

    id: str
    vmid: int
    target: NodeName
    schedule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """Whether the cluster takes writes."""

    quorate: bool
    nodes: int
    online: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """A command that the guest agent ran."""

    exit_status: int
    stdout: str
    stderr: str

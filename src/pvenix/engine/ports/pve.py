"""The Proxmox port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pvenix.engine.ports.output import OutputSink
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


class Pve(Protocol):
    """One Proxmox cluster. Methods that return a UPID start a task; `wait` sees it end."""

    async def version(self) -> str:
        """The product version, such as `8.4.5`."""
        ...

    async def nodes(self) -> tuple[NodeState, ...]:
        """Every node of the cluster."""
        ...

    async def vms(self) -> tuple[VmState, ...]:
        """Every VM of the cluster, templates included."""
        ...

    async def storages(self, node: NodeName) -> tuple[StorageState, ...]:
        """The storages that `node` can use."""
        ...

    async def volumes(self, node: NodeName, storage: str, vmid: Vmid) -> tuple[str, ...]:
        """Ids of the volumes on `storage` that belong to the VM, as far as the token may see them."""
        ...

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        """Privileges of the token by path; an empty mapping means that it has none."""
        ...

    async def pci_mappings(self) -> Mapping[str, frozenset[NodeName]]:
        """The nodes that have each mapped PCI device, as far as the token may see the mappings."""
        ...

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The VM's configuration, None when there is no such VM on that node."""
        ...

    async def pending(self, node: NodeName, vmid: Vmid) -> Mapping[str, str]:
        """Values written but not yet in effect."""
        ...

    async def status(self, node: NodeName, vmid: Vmid) -> str:
        """`running` or `stopped`, read from the node itself."""
        ...

    async def clone(self, node: NodeName, template: Vmid, new: NewVm) -> str:
        """Start a clone; returns its UPID.

        Raises: RemoteFailure with code PVX0511 when the VM id is taken.
        """
        ...

    async def set_config(
        self, node: NodeName, vmid: Vmid, values: Mapping[str, str], *, delete: Sequence[str] = (), digest: str = ""
    ) -> None:
        """Write values and delete keys; `digest` refuses when somebody wrote in between."""
        ...

    async def resize(self, node: NodeName, vmid: Vmid, disk: str, gib: int) -> str:
        """Grow `disk` to `gib` GiB in all; returns a UPID."""
        ...

    async def regenerate_cloudinit(self, node: NodeName, vmid: Vmid) -> None:
        """Write the cloud-init drive anew; a start does so by itself."""
        ...

    async def start(self, node: NodeName, vmid: Vmid) -> str:
        """Start the VM; returns a UPID."""
        ...

    async def stop(self, node: NodeName, vmid: Vmid) -> str:
        """Cut the VM's power; returns a UPID."""
        ...

    async def shutdown(self, node: NodeName, vmid: Vmid) -> str:
        """Ask the guest to power off; returns a UPID."""
        ...

    async def reset(self, node: NodeName, vmid: Vmid) -> str:
        """Press the reset button; returns a UPID."""
        ...

    async def destroy(self, node: NodeName, vmid: Vmid) -> str:
        """Destroy the stopped VM with its disks; returns a UPID."""
        ...

    async def tasks_of(self, node: NodeName, vmid: Vmid) -> tuple[str, ...]:
        """UPIDs of recent tasks whose id is `vmid`, newest first."""
        ...

    async def wait(self, upid: str, *, timeout_s: float, on_line: OutputSink) -> TaskResult:
        """The end of a task; survives failed polls.

        Raises: OutcomeUnknown when `timeout_s` passes or the task can no longer be read.
        """
        ...

    async def agent_ping(self, node: NodeName, vmid: Vmid) -> bool:
        """True when the guest agent answers."""
        ...

    async def agent_interfaces(self, node: NodeName, vmid: Vmid) -> tuple[Interface, ...]:
        """The guest's network interfaces, loopback and bridges included."""
        ...

    async def agent_read_file(self, node: NodeName, vmid: Vmid, path: str) -> str | None:
        """The file's text, None when there is no such file."""
        ...

    async def close(self) -> None:
        """End every connection."""
        ...

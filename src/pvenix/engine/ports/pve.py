"""The Proxmox port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pvenix.engine.ports.output import OutputSink
from pvenix.engine.ports.pve_values import (
    AgentResult,
    BackupJob,
    Interface,
    MigrationCheck,
    NewVm,
    Quorum,
    ReplicationJob,
    Resources,
    TaskResult,
    TaskState,
    VmConfig,
    VmPending,
    VmPower,
    VmSnapshot,
    Volume,
)
from pvenix.model.names import NodeName, Vmid


class ClusterPort(Protocol):
    """What belongs to the cluster or to a node of it."""

    async def version(self) -> str:
        """The product version, such as `8.4.5`."""
        ...

    async def quorum(self) -> Quorum:
        """Whether the cluster takes writes; a single server always does.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        ...

    async def permissions(self, path: str = "") -> Mapping[str, Mapping[str, int]]:
        """Privileges of the token by path; an empty mapping means that it has none.

        With `path` those on it alone: paths on which there are none are left out of the list of all.
        """
        ...

    async def resources(self) -> Resources:
        """Nodes, VMs and storages in one read."""
        ...

    async def bridges(self, node: NodeName) -> tuple[str, ...]:
        """Bridges and virtual networks of `node` that the token may see."""
        ...

    async def pools(self) -> tuple[str, ...]:
        """Resource pools that the token may see."""
        ...

    async def pci_mappings(self) -> Mapping[str, Mapping[NodeName, int]]:
        """How many devices each PCI mapping has on each of its nodes, as far as the token may see the mappings."""
        ...

    async def volumes(
        self, node: NodeName, storage: str, *, vmid: Vmid | None = None, content: str = ""
    ) -> tuple[Volume, ...]:
        """What is on `storage`, of one VM or of one kind if asked, as far as the token may see it."""
        ...

    async def download(self, node: NodeName, storage: str, url: str, *, filename: str, sha256: str) -> str:
        """Let `node` fetch an ISO image; returns a UPID. The task fails when the checksum differs."""
        ...

    async def delete_backup(self, node: NodeName, backup: str) -> str:
        """Delete a backup by its volume id, and nothing else; returns a UPID."""
        ...

    async def backup_jobs(self) -> tuple[BackupJob, ...]:
        """The scheduled backup jobs.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        ...

    async def set_backup_job(self, job: str, vmids: Sequence[int]) -> None:
        """Give a job that lists VMs another list."""
        ...

    async def replication_jobs(self) -> tuple[ReplicationJob, ...]:
        """The replication jobs of VMs that the token may see."""
        ...

    async def ha_resources(self) -> Mapping[int, str]:
        """The requested state of each VM that the HA manager keeps.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        ...

    async def remove_ha(self, vmid: Vmid) -> None:
        """Take the VM out of the HA manager's hands."""
        ...

    async def wait(
        self, upid: str, *, timeout_s: float, on_line: OutputSink, stall_s: float | None = None
    ) -> TaskResult:
        """The end of a task; survives failed polls.

        Raises: OutcomeUnknown when `timeout_s` passes or the task can no longer be read, and with code PVX0546 when it
        runs and has logged nothing new for `stall_s` seconds.
        """
        ...


class VmPort(Protocol):
    """What belongs to one VM. Methods that return a UPID start a task."""

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The VM's configuration with waiting values merged in, None when there is no such VM on that node."""
        ...

    async def pending(self, node: NodeName, vmid: Vmid) -> VmPending | None:
        """The VM's configuration in effect and what waits, None when there is no such VM on that node."""
        ...

    async def power(self, node: NodeName, vmid: Vmid) -> VmPower:
        """The VM's state, read from the node itself."""
        ...

    async def tasks_of(self, node: NodeName, vmid: Vmid) -> tuple[TaskState, ...]:
        """Recent tasks whose id is `vmid`, newest first; a clone's id is its template's."""
        ...

    async def clone(self, node: NodeName, template: Vmid, new: NewVm) -> str:
        """Start a clone; returns its UPID.

        Raises: RemoteFailure with code PVX0511 when the VM id is taken.
        """
        ...

    async def create(self, node: NodeName, vmid: Vmid, values: Mapping[str, str]) -> str:
        """Start making a VM without a template; returns a UPID. A disk is asked for as `storage:GiB`.

        Raises: RemoteFailure with code PVX0511 when the VM id is taken.
        """
        ...

    async def set_config(
        self, node: NodeName, vmid: Vmid, values: Mapping[str, str], *, delete: Sequence[str] = (), digest: str = ""
    ) -> None:
        """Write values and delete keys; `digest` refuses when somebody wrote in between.

        Deleting a disk's key detaches the disk as `unusedN`; nothing here frees one.
        """
        ...

    async def resize(self, node: NodeName, vmid: Vmid, disk: str, gib: int) -> str:
        """Grow `disk` to `gib` GiB in all; returns a UPID."""
        ...

    async def move_disk(self, node: NodeName, vmid: Vmid, disk: str, storage: str, *, digest: str = "") -> str:
        """Copy `disk` to `storage` and use the copy; the old one stays as `unusedN`. Returns a UPID."""
        ...

    async def migration(self, node: NodeName, vmid: Vmid) -> MigrationCheck:
        """Where the VM could go, and what of it is bound to its node."""
        ...

    async def migrate(self, node: NodeName, vmid: Vmid, target: NodeName, *, online: bool, local_disks: bool) -> str:
        """Move the VM to `target`, its local disks too if asked; returns a UPID."""
        ...

    async def put_in_pool(self, vmid: Vmid, pool: str) -> None:
        """Make the VM a member of `pool`, and of no other."""
        ...

    async def make_template(self, node: NodeName, vmid: Vmid) -> str:
        """Make the stopped VM a template, for good; returns a UPID."""
        ...

    async def cloudinit_file(self, node: NodeName, vmid: Vmid, kind: str) -> str:
        """The file `user`, `network` or `meta` as the cloud-init drive would have it now, the password masked.

        Raises: RemoteFailure when the VM has no such drive.
        """
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

    async def shutdown(self, node: NodeName, vmid: Vmid, *, timeout_s: int) -> str:
        """Ask the guest to power off, and fail after `timeout_s`; returns a UPID."""
        ...

    async def reboot(self, node: NodeName, vmid: Vmid, *, timeout_s: int) -> str:
        """Ask the guest to power off, and start it with what waited for that; fails after `timeout_s`. Returns a UPID."""
        ...

    async def reset(self, node: NodeName, vmid: Vmid) -> str:
        """Press the reset button; returns a UPID."""
        ...

    async def destroy(self, node: NodeName, vmid: Vmid) -> str:
        """Destroy the stopped VM with its disks, its snapshots and its entries in jobs; returns a UPID."""
        ...

    async def snapshots(self, node: NodeName, vmid: Vmid) -> tuple[VmSnapshot, ...]:
        """The VM's snapshots, each after its parent."""
        ...

    async def take_snapshot(self, node: NodeName, vmid: Vmid, name: str, *, description: str, memory: bool) -> str:
        """Take a snapshot; a running guest's file systems are frozen through its agent. Returns a UPID."""
        ...

    async def roll_back(self, node: NodeName, vmid: Vmid, snapshot: str) -> str:
        """Put the VM back to a snapshot; without memory it is stopped then. Returns a UPID."""
        ...

    async def delete_snapshot(self, node: NodeName, vmid: Vmid, snapshot: str) -> str:
        """Merge a snapshot away; returns a UPID."""
        ...

    async def back_up(self, node: NodeName, vmid: Vmid, storage: str, *, notes: str) -> str:
        """Back the VM up to `storage` while it runs; returns a UPID."""
        ...


class AgentPort(Protocol):
    """What goes through a VM's guest agent.

    Every method but `agent_ping` raises RemoteFailure when the agent does not answer.
    """

    async def agent_ping(self, node: NodeName, vmid: Vmid) -> bool:
        """True when the guest agent answers."""
        ...

    async def agent_interfaces(self, node: NodeName, vmid: Vmid) -> tuple[Interface, ...]:
        """The guest's network interfaces, loopback and bridges included."""
        ...

    async def agent_read_file(self, node: NodeName, vmid: Vmid, path: str) -> str | None:
        """The file's text, None when there is no such file."""
        ...

    async def agent_run(self, node: NodeName, vmid: Vmid, argv: Sequence[str], *, timeout_s: float) -> AgentResult:
        """Run a command as root and wait for its end; the program is named by its path.

        Raises: OutcomeUnknown when it does not end within `timeout_s` seconds; it goes on then.
        """
        ...

    async def agent_thaw(self, node: NodeName, vmid: Vmid) -> int:
        """Thaw the guest's file systems; how many were frozen."""
        ...


class Pve(ClusterPort, VmPort, AgentPort, Protocol):
    """One Proxmox cluster."""

    async def close(self) -> None:
        """End every connection."""
        ...

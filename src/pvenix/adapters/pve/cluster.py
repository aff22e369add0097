"""The typed calls of one cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pvenix.adapters.pve import answers, jobs
from pvenix.adapters.pve.agent import AgentCaller
from pvenix.adapters.pve.tasks import TaskWatch
from pvenix.adapters.pve.transport import api_path, backup_path
from pvenix.adapters.pve.vms import VmCaller
from pvenix.engine.ports import BackupJob, OutputSink, Quorum, ReplicationJob, Resources, TaskResult, Volume
from pvenix.model.names import NodeName, Vmid


class PveCluster(VmCaller, AgentCaller):
    """A Pve over any Transport."""

    async def close(self) -> None:
        """End the connections."""
        await self._transport.close()

    async def version(self) -> str:
        """The version of the answering node, such as `8.4.5`."""
        return await self._get(api_path("version"), lambda found: answers.text(answers.fields(found), "version"))

    async def quorum(self) -> Quorum:
        """Whether the cluster takes writes; a server that is in no cluster lists no cluster and always does.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        return await self._get(api_path("cluster", "status"), answers.quorum)

    async def permissions(self, path: str = "") -> Mapping[str, Mapping[str, int]]:
        """The token's privileges by path, or on `path` alone; 1 when they also hold below it."""
        params = {"path": path} if path else {}
        return await self._get(api_path("access", "permissions"), answers.permissions, params)

    async def resources(self) -> Resources:
        """Nodes, VMs and storages; an empty part may mean that the token may see none (`permissions`)."""
        return await self._get(api_path("cluster", "resources"), answers.resources)

    async def bridges(self, node: NodeName) -> tuple[str, ...]:
        """Bridges and virtual networks of `node`; Proxmox leaves out those that the token has no SDN right on."""
        path = api_path("nodes", node, "network")
        return await self._get(path, lambda found: answers.names(found, "iface"), {"type": "any_bridge"})

    async def pools(self) -> tuple[str, ...]:
        """Resource pools that the token may see."""
        return await self._get(api_path("pools"), lambda found: answers.names(found, "poolid"))

    async def pci_mappings(self) -> Mapping[str, Mapping[NodeName, int]]:
        """How many devices each PCI mapping has on each of its nodes, for the mappings that the token may see."""
        return await self._get(api_path("cluster", "mapping", "pci"), answers.pci_mappings)

    async def volumes(
        self, node: NodeName, storage: str, *, vmid: Vmid | None = None, content: str = ""
    ) -> tuple[Volume, ...]:
        """What is on `storage`; a volume that the token has no rights on is left out by Proxmox."""
        params = ({"vmid": str(vmid)} if vmid else {}) | ({"content": content} if content else {})
        return await self._get(api_path("nodes", node, "storage", storage, "content"), answers.volumes, params)

    async def download(self, node: NodeName, storage: str, url: str, *, filename: str, sha256: str) -> str:
        """Let `node` fetch an ISO image; returns a UPID. The task fails when the checksum differs."""
        params = {
            "url": url,
            "content": "iso",
            "filename": filename,
            "checksum": sha256,
            "checksum-algorithm": "sha256",
        }
        return await self._start("POST", api_path("nodes", node, "storage", storage, "download-url"), params)

    async def delete_backup(self, node: NodeName, backup: str) -> str:
        """Delete a backup by its volume id, and nothing else; returns a UPID."""
        return await self._start("DELETE", backup_path(node, backup), {})

    async def backup_jobs(self) -> tuple[BackupJob, ...]:
        """The scheduled backup jobs.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        return await self._get(api_path("cluster", "backup"), jobs.backup_jobs)

    async def set_backup_job(self, job: str, vmids: Sequence[int]) -> None:
        """Give a job that lists VMs another list; takes Sys.Modify on `/`."""
        await self._write(
            "PUT", api_path("cluster", "backup", job), {"vmid": ",".join(str(vmid) for vmid in sorted(vmids))}
        )

    async def replication_jobs(self) -> tuple[ReplicationJob, ...]:
        """The replication jobs of VMs that the token may see."""
        return await self._get(api_path("cluster", "replication"), jobs.replication_jobs)

    async def ha_resources(self) -> Mapping[int, str]:
        """The requested state of each VM that the HA manager keeps.

        Raises: Refused when the token lacks Sys.Audit on `/`.
        """
        return await self._get(api_path("cluster", "ha", "resources"), jobs.ha_resources, {"type": "vm"})

    async def remove_ha(self, vmid: Vmid) -> None:
        """Take the VM out of the HA manager's hands; takes Sys.Console on `/`. A running VM goes on running."""
        await self._write("DELETE", api_path("cluster", "ha", "resources", str(vmid)), {})

    async def wait(
        self, upid: str, *, timeout_s: float, on_line: OutputSink, stall_s: float | None = None
    ) -> TaskResult:
        """The end of a task; survives failed polls.

        Raises: OutcomeUnknown when `timeout_s` passes or the task can no longer be read, and with code PVX0546 when it
        runs and has logged nothing new for `stall_s` seconds.
        """
        return await TaskWatch(self._transport, upid, on_line).wait(self._clock, timeout_s, stall_s)

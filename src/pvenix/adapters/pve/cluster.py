"""The typed calls of one cluster. Reads are tried again, writes never: a lost answer is for the caller to look at."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from pvenix.adapters.pve import answers
from pvenix.adapters.pve.problems import Call, explained, transient
from pvenix.adapters.pve.tasks import TaskWatch
from pvenix.adapters.pve.transport import FAILURES, ApiPath, BadAnswer, Params, Transport, api_path, upid_node
from pvenix.engine.ports import (
    Clock,
    Interface,
    NewVm,
    NodeState,
    OutputSink,
    StorageState,
    TaskResult,
    VmConfig,
    VmState,
)
from pvenix.model.errors import OutcomeUnknown, RemoteFailure, UsageError
from pvenix.model.names import NodeName, Vmid

T = TypeVar("T")

_TRIES: Final = 3
_PAUSE_S: Final = 0.4
_NO_VM: Final = re.compile(r"Configuration file '[^']*' does not exist")
_NO_FILE: Final = re.compile(r"failed to open file|No such file or directory", re.IGNORECASE)
_RECENT_TASKS: Final = "50"


class PveCluster:
    """A Pve over any Transport. The cluster's and the token's names are for messages."""

    def __init__(self, transport: Transport, *, clock: Clock, cluster: str, token: str) -> None:
        self._transport = transport
        self._clock = clock
        self._cluster = cluster
        self._token = token
        self._random = random.Random()

    async def close(self) -> None:
        """End the connections."""
        await self._transport.close()

    # --- reads ---

    async def version(self) -> str:
        """The version of the answering node, such as `8.4.5`."""
        return await self._get(api_path("version"), lambda found: answers.text(answers.fields(found), "version"))

    async def nodes(self) -> tuple[NodeState, ...]:
        """Every server of the cluster."""
        return await self._get(api_path("nodes"), answers.node_states)

    async def vms(self) -> tuple[VmState, ...]:
        """Every VM that the token may see: an empty answer may mean that it may see none (`permissions`)."""
        return await self._get(api_path("cluster", "resources"), answers.vm_states, {"type": "vm"})

    async def storages(self, node: NodeName) -> tuple[StorageState, ...]:
        """The storages that `node` may use."""
        return await self._get(api_path("nodes", node, "storage"), lambda found: answers.storage_states(found, node))

    async def volumes(self, node: NodeName, storage: str, vmid: Vmid) -> tuple[str, ...]:
        """The VM's volumes on `storage`; one that the token has no rights on is left out by Proxmox."""
        path = api_path("nodes", node, "storage", storage, "content")
        return await self._get(path, answers.volume_ids, {"vmid": str(vmid)})

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        """The token's privileges by path; 1 when they also hold below it."""
        return await self._get(api_path("access", "permissions"), answers.permissions)

    async def pci_mappings(self) -> Mapping[str, frozenset[NodeName]]:
        """The nodes of each PCI mapping that the token may see."""
        return await self._get(api_path("cluster", "mapping", "pci"), answers.pci_mappings)

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The VM's configuration with pending values merged in, None when there is no such VM on that node."""
        try:
            return await self._get(_vm(node, vmid, "config"), answers.vm_config)
        except RemoteFailure as error:
            if _NO_VM.search(error.why):
                return None
            raise

    async def pending(self, node: NodeName, vmid: Vmid) -> Mapping[str, str]:
        """Values written but not yet in effect; empty for a key that will be deleted."""
        return await self._get(_vm(node, vmid, "pending"), answers.pending_values)

    async def status(self, node: NodeName, vmid: Vmid) -> str:
        """`running` or `stopped`, read from the node itself."""
        path = _vm(node, vmid, "status", "current")
        return await self._get(path, lambda found: answers.text(answers.fields(found), "status"))

    async def tasks_of(self, node: NodeName, vmid: Vmid) -> tuple[str, ...]:
        """UPIDs of recent tasks whose id is `vmid`, newest first; a clone's id is its template's."""
        params = {"vmid": str(vmid), "source": "all", "limit": _RECENT_TASKS}
        return await self._get(api_path("nodes", node, "tasks"), answers.task_ids, params)

    # --- writes ---

    async def clone(self, node: NodeName, template: Vmid, new: NewVm) -> str:
        """Start a clone; returns its UPID, which carries the template's id.

        Raises: RemoteFailure with code PVX0511 when the VM id is taken.
        """
        optional = {"target": new.target, "storage": new.storage, "pool": new.pool}
        params = {
            "newid": str(new.vmid),
            "name": new.name,
            "full": str(int(new.full)),
            "description": new.description,
        }
        params |= {key: value for key, value in optional.items() if value}
        return await self._start("POST", _vm(node, template, "clone"), params)

    async def set_config(
        self, node: NodeName, vmid: Vmid, values: Mapping[str, str], *, delete: Sequence[str] = (), digest: str = ""
    ) -> None:
        """Write `values` and remove `delete`; with `digest` only if nobody else changed the VM meanwhile.

        Raises: RemoteFailure with code PVX0536 when somebody did.
        """
        params = {key: answers.wire_value(key, value) for key, value in values.items()}
        if delete:
            params["delete"] = ",".join(delete)
        if digest:
            params["digest"] = digest
        await self._write("PUT", _vm(node, vmid, "config"), params)

    async def resize(self, node: NodeName, vmid: Vmid, disk: str, gib: int) -> str:
        """Grow `disk` to `gib` GiB in all; returns a UPID."""
        return await self._start("PUT", _vm(node, vmid, "resize"), {"disk": disk, "size": f"{gib}G"})

    async def regenerate_cloudinit(self, node: NodeName, vmid: Vmid) -> None:
        """Write the cloud-init drive anew; a start does so by itself."""
        await self._write("PUT", _vm(node, vmid, "cloudinit"), {})

    async def start(self, node: NodeName, vmid: Vmid) -> str:
        """Start the VM; that it exists or is locked shows in the task only."""
        return await self._start("POST", _vm(node, vmid, "status", "start"), {})

    async def stop(self, node: NodeName, vmid: Vmid) -> str:
        """Switch the VM off."""
        return await self._start("POST", _vm(node, vmid, "status", "stop"), {})

    async def shutdown(self, node: NodeName, vmid: Vmid) -> str:
        """Ask the VM to shut down; Proxmox waits 60 s."""
        return await self._start("POST", _vm(node, vmid, "status", "shutdown"), {})

    async def reset(self, node: NodeName, vmid: Vmid) -> str:
        """Press the VM's reset button."""
        return await self._start("POST", _vm(node, vmid, "status", "reset"), {})

    async def destroy(self, node: NodeName, vmid: Vmid) -> str:
        """Destroy the VM, its disks, and its entries in backup, replication and HA jobs."""
        return await self._start("DELETE", _vm(node, vmid), {"purge": "1"})

    async def wait(self, upid: str, *, timeout_s: float, on_line: OutputSink) -> TaskResult:
        """The end of a task; survives failed polls.

        Raises: OutcomeUnknown when `timeout_s` passes or the task can no longer be read.
        """
        return await TaskWatch(self._transport, upid, on_line).wait(self._clock, timeout_s)

    # --- guest agent ---

    async def agent_ping(self, node: NodeName, vmid: Vmid) -> bool:
        """True when the guest agent answers; a silent one costs Proxmox three seconds."""
        try:
            await self._write("POST", _vm(node, vmid, "agent", "ping"), {})
        except (RemoteFailure, OutcomeUnknown):
            return False
        return True

    async def agent_interfaces(self, node: NodeName, vmid: Vmid) -> tuple[Interface, ...]:
        """The guest's network interfaces.

        Raises: RemoteFailure when the agent does not answer.
        """
        return await self._get(_vm(node, vmid, "agent", "network-get-interfaces"), answers.interfaces)

    async def agent_read_file(self, node: NodeName, vmid: Vmid, path: str) -> str | None:
        """The file's text, None when there is no such file.

        Raises: RemoteFailure when the agent does not answer.
        """
        try:
            return await self._get(_vm(node, vmid, "agent", "file-read"), answers.file_text, {"file": path})
        except RemoteFailure as error:
            if _NO_FILE.search(error.why):
                return None
            raise

    # --- one call ---

    async def _get(self, path: ApiPath, parse: Callable[[object], T], params: Params | None = None) -> T:
        """The parsed answer of a read, tried a few times."""
        for attempt in range(1, _TRIES + 1):
            try:
                return parse(await self._transport.request("GET", path, params or {}))
            except FAILURES as error:
                if attempt == _TRIES or not transient(error):
                    raise explained(self._call("GET", path), error) from error
            await self._clock.sleep(_PAUSE_S * attempt * self._random.uniform(0.5, 1.5))
        raise AssertionError("unreachable")

    async def _write(self, method: str, path: ApiPath, params: Params) -> object:
        try:
            return await self._transport.request(method, path, params)
        except FAILURES as error:
            raise explained(self._call(method, path), error) from error

    async def _start(self, method: str, path: ApiPath, params: Params) -> str:
        """The UPID of the task that a write started."""
        upid = await self._write(method, path, params)
        try:
            upid_node(str(upid))
        except UsageError as error:
            raise explained(self._call(method, path), BadAnswer(f"a task id was expected: {error}")) from error
        return str(upid)

    def _call(self, method: str, path: ApiPath) -> Call:
        return Call(cluster=self._cluster, token=self._token, method=method, path=path)


def _vm(node: NodeName, vmid: Vmid, *rest: str) -> ApiPath:
    return api_path("nodes", node, "qemu", vmid, *rest)

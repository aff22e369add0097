"""The typed calls of one VM."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pvenix.adapters.pve import answers, jobs
from pvenix.adapters.pve.caller import Caller, vm_path
from pvenix.adapters.pve.transport import api_path
from pvenix.engine.ports import MigrationCheck, NewVm, TaskState, VmConfig, VmPending, VmPower, VmSnapshot
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import NodeName, Vmid

_NO_VM: Final = re.compile(r"Configuration file '[^']*' does not exist")
_RECENT_TASKS: Final = "50"


class VmCaller(Caller):
    """Reads and writes of VMs."""

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The VM's configuration with waiting values merged in, None when there is no such VM on that node."""
        try:
            return await self._get(vm_path(node, vmid, "config"), answers.vm_config)
        except RemoteFailure as error:
            if _NO_VM.search(error.why):
                return None
            raise

    async def pending(self, node: NodeName, vmid: Vmid) -> VmPending | None:
        """The VM's configuration in effect and what waits, None when there is no such VM on that node."""
        try:
            return await self._get(vm_path(node, vmid, "pending"), answers.vm_pending)
        except RemoteFailure as error:
            if _NO_VM.search(error.why):
                return None
            raise

    async def power(self, node: NodeName, vmid: Vmid) -> VmPower:
        """The VM's state, read from the node itself."""
        return await self._get(vm_path(node, vmid, "status", "current"), answers.vm_power)

    async def tasks_of(self, node: NodeName, vmid: Vmid) -> tuple[TaskState, ...]:
        """Recent tasks whose id is `vmid`, newest first; a clone's id is its template's."""
        params = {"vmid": str(vmid), "source": "all", "limit": _RECENT_TASKS}
        return await self._get(api_path("nodes", node, "tasks"), jobs.task_states, params)

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
        return await self._start("POST", vm_path(node, template, "clone"), params)

    async def create(self, node: NodeName, vmid: Vmid, values: Mapping[str, str]) -> str:
        """Start making a VM without a template; returns a UPID. A disk is asked for as `storage:GiB`.

        Raises: RemoteFailure with code PVX0511 when the VM id is taken.
        """
        params = {key: answers.wire_value(key, value) for key, value in values.items()}
        return await self._start("POST", api_path("nodes", node, "qemu"), {"vmid": str(vmid), **params})

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
        await self._write("PUT", vm_path(node, vmid, "config"), params)

    async def resize(self, node: NodeName, vmid: Vmid, disk: str, gib: int) -> str:
        """Grow `disk` to `gib` GiB in all; returns a UPID."""
        return await self._start("PUT", vm_path(node, vmid, "resize"), {"disk": disk, "size": f"{gib}G"})

    async def move_disk(self, node: NodeName, vmid: Vmid, disk: str, storage: str, *, digest: str = "") -> str:
        """Copy `disk` to `storage` and use the copy; the old one stays as `unusedN`. Returns a UPID."""
        params = {"disk": disk, "storage": storage} | ({"digest": digest} if digest else {})
        return await self._start("POST", vm_path(node, vmid, "move_disk"), params)

    async def migration(self, node: NodeName, vmid: Vmid) -> MigrationCheck:
        """Where the VM could go, and what of it is bound to its node."""
        return await self._get(vm_path(node, vmid, "migrate"), jobs.migration_check)

    async def migrate(self, node: NodeName, vmid: Vmid, target: NodeName, *, online: bool, local_disks: bool) -> str:
        """Move the VM to `target`, its local disks too if asked; returns a UPID."""
        params = {"target": str(target)}
        params |= ({"online": "1"} if online else {}) | ({"with-local-disks": "1"} if local_disks and online else {})
        return await self._start("POST", vm_path(node, vmid, "migrate"), params)

    async def put_in_pool(self, vmid: Vmid, pool: str) -> None:
        """Make the VM a member of `pool`, and of no other; `allow-move` is there since pve-manager 8.0.6."""
        await self._write("PUT", api_path("pools"), {"poolid": pool, "vms": str(vmid), "allow-move": "1"})

    async def make_template(self, node: NodeName, vmid: Vmid) -> str:
        """Make the stopped VM a template, for good; returns a UPID."""
        return await self._start("POST", vm_path(node, vmid, "template"), {})

    async def cloudinit_file(self, node: NodeName, vmid: Vmid, kind: str) -> str:
        """The file `user`, `network` or `meta` as the cloud-init drive would have it now, the password masked."""
        return await self._get(vm_path(node, vmid, "cloudinit", "dump"), answers.plain_text, {"type": kind})

    async def regenerate_cloudinit(self, node: NodeName, vmid: Vmid) -> None:
        """Write the cloud-init drive anew; a start does so by itself."""
        await self._write("PUT", vm_path(node, vmid, "cloudinit"), {})

    async def start(self, node: NodeName, vmid: Vmid) -> str:
        """Start the VM; that it exists or is locked shows in the task only."""
        return await self._start("POST", vm_path(node, vmid, "status", "start"), {})

    async def stop(self, node: NodeName, vmid: Vmid) -> str:
        """Switch the VM off."""
        return await self._start("POST", vm_path(node, vmid, "status", "stop"), {})

    async def shutdown(self, node: NodeName, vmid: Vmid, *, timeout_s: int) -> str:
        """Ask the guest to power off, and fail after `timeout_s`; returns a UPID."""
        return await self._start("POST", vm_path(node, vmid, "status", "shutdown"), {"timeout": str(timeout_s)})

    async def reboot(self, node: NodeName, vmid: Vmid, *, timeout_s: int) -> str:
        """Ask the guest to power off, and start it with what waited for that; fails after `timeout_s`. Returns a UPID."""
        return await self._start("POST", vm_path(node, vmid, "status", "reboot"), {"timeout": str(timeout_s)})

    async def reset(self, node: NodeName, vmid: Vmid) -> str:
        """Press the VM's reset button."""
        return await self._start("POST", vm_path(node, vmid, "status", "reset"), {})

    async def destroy(self, node: NodeName, vmid: Vmid) -> str:
        """Destroy the VM, its disks, and its entries in backup, replication and HA jobs."""
        return await self._start("DELETE", vm_path(node, vmid), {"purge": "1"})

    async def snapshots(self, node: NodeName, vmid: Vmid) -> tuple[VmSnapshot, ...]:
        """The VM's snapshots, each after its parent; Proxmox lists them in no order, and the present as `current`."""
        return await self._get(vm_path(node, vmid, "snapshot"), jobs.snapshots)

    async def take_snapshot(self, node: NodeName, vmid: Vmid, name: str, *, description: str, memory: bool) -> str:
        """Take a snapshot; a running guest's file systems are frozen through its agent. Returns a UPID."""
        params = {"snapname": name, "description": description, "vmstate": str(int(memory))}
        return await self._start("POST", vm_path(node, vmid, "snapshot"), params)

    async def roll_back(self, node: NodeName, vmid: Vmid, snapshot: str) -> str:
        """Put the VM back to a snapshot; without memory it is stopped then. Returns a UPID."""
        return await self._start("POST", vm_path(node, vmid, "snapshot", snapshot, "rollback"), {})

    async def delete_snapshot(self, node: NodeName, vmid: Vmid, snapshot: str) -> str:
        """Merge a snapshot away; returns a UPID."""
        return await self._start("DELETE", vm_path(node, vmid, "snapshot", snapshot), {})

    async def back_up(self, node: NodeName, vmid: Vmid, storage: str, *, notes: str) -> str:
        """Back the VM up to `storage` while it runs; returns a UPID."""
        params = {"vmid": str(vmid), "storage": storage, "mode": "snapshot", "compress": "zstd"}
        params |= {"notes-template": notes} if notes else {}
        return await self._start("POST", api_path("nodes", node, "vzdump"), params)

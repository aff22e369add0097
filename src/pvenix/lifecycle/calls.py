"""Calls that change something at Proxmox or in Git: the words that `--check` and the log show, and the call itself.

A verb makes its calls in one place, from which `commands` takes the words and `apply` sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pvenix.engine.ports import NewVm, Pve
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.ownership import Found
from pvenix.model.names import NodeName, Vmid

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One call, not made yet."""

    channel: str
    text: str
    make: Callable[[], Awaitable[T]]

    async def send(self, step: Step) -> T:
        """Show the call, then make it."""
        step.sends(self.channel, self.text)
        return await self.make()


def shown(calls: Iterable[Call[Any]]) -> Commands:
    """What `--check` shows of calls."""
    return tuple((call.channel, call.text) for call in calls)


class VmCalls:
    """The calls on one VM."""

    def __init__(self, pve: Pve, node: NodeName, vmid: Vmid) -> None:
        self.path = f"/nodes/{node}/qemu/{vmid or '<vmid>'}"
        self._pve = pve
        self._node = node
        self._vmid = vmid

    @classmethod
    def on(cls, pve: Pve, found: Found | None, facts: Mapping[str, str]) -> VmCalls:
        """The calls on a VM; on one that does not exist yet only to be shown, with what `facts` say of its place."""
        if found is not None:
            return cls(pve, found.node, found.vmid)
        return cls(pve, NodeName(facts.get("node", "<node>")), Vmid(int(facts.get("vmid", "0"))))

    def configure(self, values: Mapping[str, str], *, delete: Sequence[str] = (), digest: str = "") -> Call[None]:
        """Write `values` and take `delete` out; `digest` refuses when somebody wrote in between."""
        words = dict(sorted(values.items())) | ({"delete": ",".join(delete)} if delete else {})
        words |= {key: repr(values[key]) for key in ("description",) if key in values}
        return self._call(
            f"PUT {self.path}/config {_pairs(words)}",
            lambda: self._pve.set_config(self._node, self._vmid, values, delete=delete, digest=digest),
        )

    def resize(self, disk: str, gib: int) -> Call[str]:
        """Grow `disk` to `gib` GiB in all; gives a UPID."""
        return self._call(
            f"PUT {self.path}/resize disk={disk} size={gib}G",
            lambda: self._pve.resize(self._node, self._vmid, disk, gib),
        )

    def move_disk(self, disk: str, storage: str, *, digest: str = "") -> Call[str]:
        """Copy `disk` to `storage` and use the copy; gives a UPID."""
        return self._call(
            f"POST {self.path}/move_disk disk={disk} storage={storage}",
            lambda: self._pve.move_disk(self._node, self._vmid, disk, storage, digest=digest),
        )

    def migrate(self, target: NodeName, *, online: bool, local_disks: bool) -> Call[str]:
        """Move the VM to another node; gives a UPID."""
        flags = (" online=1" if online else "") + (" with-local-disks=1" if local_disks and online else "")
        return self._call(
            f"POST {self.path}/migrate target={target}{flags}",
            lambda: self._pve.migrate(self._node, self._vmid, target, online=online, local_disks=local_disks),
        )

    def make_template(self) -> Call[str]:
        """Make the stopped VM a template, for good; gives a UPID."""
        return self._call(f"POST {self.path}/template", lambda: self._pve.make_template(self._node, self._vmid))

    def regenerate_cloudinit(self) -> Call[None]:
        """Write the cloud-init drive anew."""
        return self._call(f"PUT {self.path}/cloudinit", lambda: self._pve.regenerate_cloudinit(self._node, self._vmid))

    def start(self) -> Call[str]:
        """Start the VM; gives a UPID."""
        return self._call(f"POST {self.path}/status/start", lambda: self._pve.start(self._node, self._vmid))

    def stop(self) -> Call[str]:
        """Cut the VM's power; gives a UPID."""
        return self._call(f"POST {self.path}/status/stop", lambda: self._pve.stop(self._node, self._vmid))

    def shutdown(self, *, timeout_s: int) -> Call[str]:
        """Ask the guest to power off; gives a UPID."""
        return self._call(
            f"POST {self.path}/status/shutdown timeout={timeout_s}",
            lambda: self._pve.shutdown(self._node, self._vmid, timeout_s=timeout_s),
        )

    def reboot(self, *, timeout_s: int) -> Call[str]:
        """Ask the guest to power off, and start it again; gives a UPID."""
        return self._call(
            f"POST {self.path}/status/reboot timeout={timeout_s}",
            lambda: self._pve.reboot(self._node, self._vmid, timeout_s=timeout_s),
        )

    def reset(self) -> Call[str]:
        """Press the reset button; gives a UPID."""
        return self._call(f"POST {self.path}/status/reset", lambda: self._pve.reset(self._node, self._vmid))

    def take_snapshot(self, name: str, *, description: str, memory: bool) -> Call[str]:
        """Take a snapshot; gives a UPID."""
        return self._call(
            f"POST {self.path}/snapshot snapname={name} vmstate={int(memory)} description={description!r}",
            lambda: self._pve.take_snapshot(self._node, self._vmid, name, description=description, memory=memory),
        )

    def roll_back(self, snapshot: str) -> Call[str]:
        """Put the VM back to a snapshot; gives a UPID."""
        return self._call(
            f"POST {self.path}/snapshot/{snapshot}/rollback",
            lambda: self._pve.roll_back(self._node, self._vmid, snapshot),
        )

    def delete_snapshot(self, snapshot: str) -> Call[str]:
        """Merge a snapshot away; gives a UPID."""
        return self._call(
            f"DELETE {self.path}/snapshot/{snapshot}",
            lambda: self._pve.delete_snapshot(self._node, self._vmid, snapshot),
        )

    def back_up(self, storage: str, *, notes: str) -> Call[str]:
        """Back the VM up while it runs; gives a UPID."""
        return self._call(
            f"POST /nodes/{self._node}/vzdump vmid={self._vmid} storage={storage} mode=snapshot",
            lambda: self._pve.back_up(self._node, self._vmid, storage, notes=notes),
        )

    def delete_backup(self, backup: str) -> Call[str]:
        """Delete a backup; gives a UPID."""
        return self._call(
            f"DELETE /nodes/{self._node}/storage/{backup.partition(':')[0]}/content/{backup}",
            lambda: self._pve.delete_backup(self._node, backup),
        )

    def destroy(self) -> Call[str]:
        """Destroy the VM with its disks; gives a UPID."""
        return self._call(f"DELETE {self.path} purge=1", lambda: self._pve.destroy(self._node, self._vmid))

    def put_in_pool(self, pool: str) -> Call[None]:
        """Make the VM a member of a resource pool, and of no other."""
        return self._call(
            f"PUT /pools poolid={pool} vms={self._vmid} allow-move=1", lambda: self._pve.put_in_pool(self._vmid, pool)
        )

    @staticmethod
    def _call(text: str, make: Callable[[], Awaitable[T]]) -> Call[T]:
        return Call(channel="pve", text=text, make=make)


def clone_call(pve: Pve, source: NodeName, template: Vmid, new: NewVm) -> Call[str]:
    """Clone `template` on `source`; gives a UPID."""
    optional = {"target": new.target, "storage": new.storage, "pool": new.pool}
    values = {
        "newid": str(new.vmid),
        "name": new.name,
        "full": str(int(new.full)),
        "description": repr(new.description),
    }
    values |= {key: value for key, value in optional.items() if value}
    return Call(
        channel="pve",
        text=f"POST /nodes/{source}/qemu/{template}/clone {_pairs(values)}",
        make=lambda: pve.clone(source, template, new),
    )


def backup_job_call(pve: Pve, job: str, vmids: Collection[int]) -> Call[None]:
    """Give a backup job another list of VMs."""
    listed = sorted(vmids)
    return Call(
        channel="pve",
        text=f"PUT /cluster/backup/{job} vmid={','.join(map(str, listed))}",
        make=lambda: pve.set_backup_job(job, listed),
    )


def create_call(pve: Pve, node: NodeName, new: Vmid, values: Mapping[str, str]) -> Call[str]:
    """Make an empty VM; gives a UPID."""
    return Call(
        channel="pve",
        text=f"POST /nodes/{node}/qemu vmid={new} {_pairs(dict(sorted(values.items())))}",
        make=lambda: pve.create(node, new, values),
    )


def download_call(pve: Pve, node: NodeName, storage: str, url: str, *, filename: str, sha256: str) -> Call[str]:
    """Let a node fetch an ISO image; gives a UPID."""
    words = {"url": url, "content": "iso", "filename": filename, "checksum-algorithm": "sha256", "checksum": sha256}
    return Call(
        channel="pve",
        text=f"POST /nodes/{node}/storage/{storage}/download-url {_pairs(words)}",
        make=lambda: pve.download(node, storage, url, filename=filename, sha256=sha256),
    )


def git_call(text: str, make: Callable[[], Awaitable[T]]) -> Call[T]:
    """A push."""
    return Call(channel="git", text=text, make=make)


def _pairs(values: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in values.items())

"""VMs that are being made: until its task has ended one has neither name nor notes, so nobody can say whose it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import TaskState
from pvenix.lifecycle.waiting import task_words
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid

BEING_MADE: Final = "PVX0549"
"""A VM without a name is being made, and it may be the host's."""
_LOCKS: Final = ("clone", "create")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A VM that a clone or a creation holds."""

    vmid: Vmid
    node: NodeName
    task: TaskState | None
    """The task that makes it, None when the token sees none that runs."""

    @property
    def shown(self) -> str:
        """What it is, and since when."""
        what = f"VM {self.vmid} on {self.node}"
        if self.task is None:
            return f"{what} is locked as one that is being made, and no task that makes it is seen to run"
        return f"{what} is being made: {task_words(self.task)}"

    def unclear(self, host: str) -> OutcomeUnknown:
        """The error of a host whose VM it may be."""
        if self.task is None:
            way = f"`pvenix orphans` shows it; when it is nobody's, on {self.node}: qm unlock {self.vmid} && "
            way += f"qm destroy {self.vmid}"
        else:
            way = "look again when that task has ended; if it moves no more, stop it in Proxmox, which takes the VM away: "
            way += f"pvesh delete /nodes/{self.node}/tasks/{self.task.upid}"
        return OutcomeUnknown(
            f"whether {host} has a VM is not known yet",
            why=f"{self.shown}; it gets its name and its notes at the end",
            hint=way,
            code=BEING_MADE,
        )


async def under_way(world: World, *, without: Collection[Vmid] = ()) -> tuple[UnderWay, ...]:
    """The VMs that are being made, as far as the token may see them, but for those ids."""
    held = [vm for vm in await world.survey.vms() if vm.lock in _LOCKS and vm.vmid not in without]
    return tuple([UnderWay(vmid=vm.vmid, node=vm.node, task=await _task(world, vm.node, vm.vmid)) for vm in held])


def may_be_of(one: UnderWay, host: Host, world: World) -> bool:
    """False for an id that the inventory gives to another host."""
    others = {other.machine.proxmox.vmid for other in world.fleet.hosts.values() if other.name != host.name}
    return one.vmid not in others


async def _task(world: World, node: NodeName, vmid: Vmid) -> TaskState | None:
    """The oldest running task that may make the VM: a creation has its id, a clone that of its template."""
    templates = [vm.vmid for vm in await world.survey.vms() if vm.template and vm.node == node]
    running: list[TaskState] = []
    for of in (vmid, *templates):
        try:
            tasks = await world.pve.tasks_of(node, of)
        except PvenixError:  # what it is called is told with the VM, and nothing depends on it
            return None
        running += [task for task in tasks if task.running and task.kind in ("qmclone", "qmcreate", "qmrestore")]
    return min(running, key=lambda task: task.began_at, default=None)

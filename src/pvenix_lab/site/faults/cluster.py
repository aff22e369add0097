"""States and events of the cluster and its VMs: what a person, the HA manager or another program does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec, Undo
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.faults import strangers
from pvenix_lab.site.pve import ha
from pvenix_lab.site.pve.rights import Entry
from pvenix_lab.site.pve.task import Task
from pvenix_lab.site.pve.vm import Snapshot, Vm

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

SOMEBODY = "root@pam"


def vm_of(site: Site, fault: Fault) -> Vm:
    """The VM that the fault is armed for: of several with its name the newest.

    Raises:
        ValueError: the host has none.
    """
    named = [vm for vm in site.cluster.vms.values() if vm.name == fault.host]
    if not named:
        raise ValueError(f"fault {fault.name!r}: {fault.host} has no VM")
    return named[-1]


def _rights_lost(site: Site, fault: Fault) -> Undo:
    """The owners of every role lose one privilege, or everything."""
    rights, gone = site.cluster.rights, fault.text("privilege")
    if gone == "all":
        before = dict(rights.acl)
        rights.acl.clear()
        return lambda: rights.acl.update(before)
    made: list[tuple[str, Entry, Entry, bool]] = []
    for path, entries in rights.acl.items():
        for entry, propagate in list(entries.items()):
            less = f"{entry.role}-without-{gone}"
            rights.roles[less] = (rights.role(entry.role) or frozenset()) - {gone}
            poorer = Entry(holder=entry.holder, name=entry.name, role=less)
            del entries[entry]
            entries[poorer] = propagate
            made.append((path, entry, poorer, propagate))

    def undo() -> None:
        for path, entry, poorer, propagate in made:
            rights.acl[path].pop(poorer, None)
            rights.acl[path][entry] = propagate

    return undo


# --- one VM ----------------------------------------------------------------------------------------------------------


def _locked(site: Site, fault: Fault) -> Undo:
    """Lock the VM's configuration, as a job of somebody else does; that job is a running task unless it has died."""
    vm, kind = vm_of(site, fault), fault.text("lock")
    vm.lock = kind
    task = _foreign_task(site, vm, _TASK_OF.get(kind, f"qm{kind}")) if fault.flag("alive") else None

    def undo() -> None:
        if vm.lock == kind:
            vm.lock = None
        if task is not None:
            task.end("OK", at=int(site.wall()))

    return undo


_TASK_OF = {"backup": "vzdump", "snapshot-delete": "qmdelsnapshot"}


def _foreign_task(site: Site, vm: Vm, kind: str) -> Task:
    now, pid = int(site.wall()), 900 + len(site.cluster.tasks)
    upid = f"UPID:{vm.node}:{pid:08X}:{pid:08X}:{now:08X}:{kind}:{vm.vmid}:{SOMEBODY}:"
    task = Task(upid=upid, node=vm.node, type=kind, id=str(vm.vmid), owner=SOMEBODY, pid=pid, pstart=pid, starttime=now)
    site.cluster.tasks[upid] = task
    return task


def _moved(site: Site, fault: Fault) -> None:
    vm, wanted = vm_of(site, fault), fault.text("node")
    target = wanted or next((name for name in site.cluster.nodes if name != vm.node), vm.node)
    if target not in site.cluster.nodes:
        raise ValueError(f"fault {fault.name!r}: there is no node {target!r}")
    vm.node = target


def _recycled(site: Site, fault: Fault) -> None:
    """Destroy the VM and let somebody make another one with its id, and its name if asked for."""
    vm = vm_of(site, fault)
    name = vm.name if fault.flag("same_name") else ""
    guest = site.guests.pop(vm.vmid, None)
    if guest is not None:
        site.spawn(guest.power_off(graceful=False), f"{vm.name}: gone")
    strangers.make(site, vm.vmid, vm.node, name=name)


def _edited(site: Site, fault: Fault) -> None:
    vm_of(site, fault).config[fault.text("key")] = fault.text("value")


def _snapshot(site: Site, fault: Fault) -> None:
    vm, name = vm_of(site, fault), fault.text("snapshot")
    vm.snapshots[name] = Snapshot(
        name=name,
        description="made by hand",
        taken_at=int(site.wall()),
        parent=vm.current_parent,
        config=dict(vm.config),
        running=vm.running,
    )
    vm.current_parent = name


def _ha_managed(site: Site, fault: Fault) -> Undo:
    """Make the VM a resource that shall run, as `ha-manager add` does; the manager of the site does the rest."""
    resources, name = site.cluster.sections.setdefault(ha.RESOURCES, {}), f"vm:{vm_of(site, fault).vmid}"
    resources[name] = {"type": "vm", "state": "started"}
    return lambda: resources.pop(name, None)


def _backup_job(site: Site, fault: Fault) -> Undo:
    """A backup job of the cluster that names the VM, as `/cluster/backup` shows it."""
    vm = vm_of(site, fault)
    jobs = site.cluster.sections.setdefault("jobs", {})
    jobs["backup-by-hand"] = {
        "id": "backup-by-hand",
        "type": "vzdump",
        "enabled": 1,
        "schedule": "02:00",
        "storage": "local",
        "mode": "snapshot",
        "vmid": str(vm.vmid),
    }
    return lambda: jobs.pop("backup-by-hand", None)


def _container(site: Site, fault: Fault) -> Undo:
    containers, ctid = site.cluster.containers, int(fault.number("ctid"))
    if ctid in site.cluster.vms:
        raise ValueError(f"fault {fault.name!r}: VM {ctid} has that id")
    containers[ctid] = fault.text("node")
    return lambda: containers.pop(ctid, None)


SPECS = (
    Spec(
        name="container-there",
        rows=("F01",),
        what="a container has an id, which no VM can have then, until cleared",
        args=(
            Arg(name="ctid", default=200, what="the id"),
            Arg(name="node", default="tappaas1", what="where it is"),
        ),
        face=Face.API,
        kind=Kind.STATE,
        begin=_container,
    ),
    Spec(
        name="rights-lost",
        rows=("F28", "R3"),
        what="every role loses a privilege: calls that need it are 403, lists are silently filtered, until cleared",
        args=(Arg(name="privilege", default="VM.Audit", what="the privilege, or `all`"),),
        face=Face.API,
        kind=Kind.STATE,
        begin=_rights_lost,
    ),
    Spec(
        name="vm-locked",
        rows=("F05",),
        what="the VM's configuration is locked by somebody's job, until cleared",
        args=(
            Arg(
                name="lock",
                default="backup",
                what="kind of the lock",
                choices=("backup", "clone", "migrate", "rollback", "snapshot", "snapshot-delete", "suspended"),
            ),
            Arg(name="alive", default=True, what="whether the job still runs; a dead one leaves its lock"),
        ),
        face=Face.API,
        kind=Kind.STATE,
        begin=_locked,
        needs_host=True,
    ),
    Spec(
        name="vm-moved",
        rows=("F26",),
        what="somebody, or the HA manager, moves the VM to another node",
        args=(Arg(name="node", default="", what="where to; empty for any other"),),
        face=Face.API,
        kind=Kind.EVENT,
        begin=_moved,
        needs_host=True,
    ),
    Spec(
        name="vmid-recycled",
        rows=("F03",),
        what="somebody destroys the VM and makes another one with its id",
        args=(Arg(name="same_name", default=True, what="whether it has the old one's name"),),
        face=Face.API,
        kind=Kind.EVENT,
        begin=_recycled,
        needs_host=True,
    ),
    Spec(
        name="config-edited",
        rows=("F21", "F37"),
        what="somebody sets an option of the VM",
        args=(
            Arg(name="key", default="cpulimit", what="the option"),
            Arg(name="value", default="2", what="its value"),
        ),
        face=Face.API,
        kind=Kind.EVENT,
        begin=_edited,
        needs_host=True,
    ),
    Spec(
        name="snapshot-by-hand",
        rows=("F36",),
        what="somebody takes a snapshot, newer than every other",
        args=(Arg(name="snapshot", default="by-hand", what="its name"),),
        face=Face.API,
        kind=Kind.EVENT,
        begin=_snapshot,
        needs_host=True,
    ),
    Spec(
        name="ha-managed",
        rows=("F27",),
        what="the VM is an HA resource: stop and shutdown only ask the HA manager, which stops it a round later, until cleared",
        face=Face.API,
        kind=Kind.STATE,
        begin=_ha_managed,
        needs_host=True,
    ),
    Spec(
        name="backup-job",
        rows=("F34",),
        what="a backup job of the cluster names the VM; `purge` takes it out, until cleared",
        face=Face.API,
        kind=Kind.STATE,
        begin=_backup_job,
        needs_host=True,
    ),
)

"""Cloning: what is copied, what is renewed, and which errors come late (proxmox.md a4, a5; source: qemu-server 8.4 clone_vm)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.copies import clone_now, linked, renewed, taken_text
from pvenix_lab.site.pve.disks import make_cloudinit
from pvenix_lab.site.pve.drives import is_cdrom, parse_drive, print_drive
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.features import has_feature
from pvenix_lab.site.pve.filelock import CLONE_WAIT_S, held
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.needs import need_bridges, need_mappings, need_quorum
from pvenix_lab.site.pve.sizes import print_size
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY, Vm
from pvenix_lab.site.pve.volumes import FILE_TYPES, Volume

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Storage
    from pvenix_lab.site.pve.vm import ConfigValue

__all__ = ["NO_CLEANUP", "clone", "clone_now"]

NO_CLEANUP = "kill -9"
"""Cancel a clone's job with this message to leave what a crash of its node leaves: a stub with `lock: clone` and no task (F32)."""
_FORMATTING = "Formatting '/var/lib/vz/images/{name}', fmt={fmt} size={size}"
"""The line by which a clone on a file storage names its new volume (recorded on 8.4.5, shortened)."""


@route("POST", "/nodes/{node}/qemu/{vmid}/clone")
async def clone(call: Call) -> str:
    """Start a clone; the UPID carries the source."""
    _check_rights(call)
    order = _Order.of(call)
    order.check()

    async def worker(task: Task) -> None:
        await order.run(task)

    return launch(call, "qmclone", worker)


def _check_rights(call: Call) -> None:
    """VM.Allocate on the new id or on the pool that takes it; the schema cannot say it."""
    pool = call.text("pool")
    if not call.allowed(f"/vms/{call.number('newid')}", "VM.Allocate"):
        call.require(f"/pool/{pool}" if pool else f"/vms/{call.number('newid')}", "VM.Allocate")


@dataclass(slots=True, kw_only=True)
class _Order:
    """What one clone call asks for. `node` is where the source is, `target` where the clone goes."""

    call: Call
    node: str
    target: str
    newid: int
    storage: str
    snapshot: str
    running: bool

    @classmethod
    def of(cls, call: Call) -> _Order:
        node = call.text("node")
        target = call.text("target", node)
        return cls(
            call=call,
            node=node,
            target=node if target == "localhost" else target,
            newid=call.number("newid"),
            storage=call.text("storage"),
            snapshot=call.text("snapname"),
            running=(vm := call.cluster.vms.get(call.vmid)) is not None and vm.running,
        )

    @property
    def _verbose(self) -> bool:
        """True for a release whose clones tell more (measured on 9.2.11)."""
        return self.call.flavour is Flavour.PVE_9_2

    def full(self, source: Vm) -> bool:
        return self.call.flag("full", default=not source.template)

    def check(self) -> tuple[Vm, dict[str, ConfigValue]]:
        """The source and the configuration that is copied; called before the task and again in it.

        Raises:
            ParameterError, PermissionDeniedError, PveError: with the backend's texts, in its order.
        """
        call, cluster = self.call, self.call.cluster
        if "pool" in call.params and call.text("pool") not in cluster.pools:
            raise PveError(f"pool '{call.text('pool')}' does not exist")
        if self.target not in cluster.nodes:
            raise PveError(f"no such cluster node '{self.target}'")
        self._check_storage()
        need_quorum(call)
        source = call.vm()
        check_lock(source)
        if source.running != self.running:
            raise PveError("unexpected state change")
        if self.snapshot and self.snapshot not in source.snapshots:
            raise PveError(f"snapshot '{self.snapshot}' does not exist")
        full = self.full(source)
        for name in ("storage", "format"):
            if name in call.params and not full:
                raise PveError(f"parameter '{name}' not allowed for linked clones")
        config = source.snapshots[self.snapshot].config if self.snapshot else source.config
        shared = self._check_volumes(config)
        need_mappings(call, config)
        need_bridges(call, config)
        if self.target != self.node and not shared:
            raise PveError(f"can't clone VM to node '{self.target}' (VM uses local storage)")
        if self.newid in cluster.vms:
            raise PveError(taken_text(self.newid))
        self._check_features(config, full=full)
        return source, config

    def _check_storage(self) -> None:
        if not self.storage:
            return
        storage = volumes.storage_named(self.call.cluster, self.storage, self.node)
        if "images" not in storage.content:
            raise ParameterError({"storage": f"storage '{storage.name}' does not support vm images"})
        if self.target != self.node:
            volumes.storage_named(self.call.cluster, self.storage, self.target)
            if not storage.shared:
                raise PveError(f"can't clone to non-shared storage '{storage.name}'")

    def _check_volumes(self, config: dict[str, ConfigValue]) -> bool:
        """True if every volume is on shared storage; the right to the storage of every disk is checked too."""
        shared = True
        for key, value in sorted(config.items()):
            home, found, _ = parse_drive(value)["file"].partition(":") if DISK_KEY.match(key) else ("", "", "")
            if not found:
                continue
            storage = volumes.storage_named(self.call.cluster, home, "")
            shared = shared and storage.shared
            if not is_cdrom(parse_drive(value)):
                self.call.require(f"/storage/{self.storage or home}", "Datastore.AllocateSpace")
        return shared

    def _check_features(self, config: dict[str, ConfigValue], *, full: bool) -> None:
        for key, value in sorted(config.items()):
            drive = parse_drive(value) if DISK_KEY.match(key) else {"file": "none"}
            if key == "tpmstate0" and full and self.running and not self.snapshot:
                raise PveError("cannot clone TPM state while VM is running")
            volume = volumes.find(self.call.cluster, self.node, drive["file"])
            if volume is None or is_cdrom(drive, strict=True):
                continue
            copied = full or is_cdrom(drive) or key == "tpmstate0"
            storage = self.call.cluster.storages[volume.storage]
            if not has_feature(storage, volume, "copy" if copied else "clone", snapshot=bool(self.snapshot)):
                kind, what = "Full" if copied else "Linked", " a snapshot of" if self.snapshot else ""
                raise PveError(f"{kind} clone feature is not supported for{what} '{drive['file']}' ({key})")

    async def run(self, task: Task) -> None:
        """The worker: the source's lock file shared (exclusive while it runs), the new id's exclusive, one second each."""
        cluster = self.call.cluster
        async with (
            held(cluster, self.node, self.call.vmid, shared=not self.running, wait_s=CLONE_WAIT_S),
            held(cluster, self.node, self.newid, wait_s=CLONE_WAIT_S),
        ):
            source, config = self.check()
            await self._copy(task, source, config)

    async def _copy(self, task: Task, source: Vm, config: dict[str, ConfigValue]) -> None:
        """Write the stub, make the volumes, then the whole configuration; a failure takes everything back."""
        site, cluster, name = self.call.site, self.call.cluster, self.call.text("name")
        if self.newid in cluster.containers:  # file_set_contents of pve-common; pmxcfs has one file for each id
            path = f"/etc/pve/nodes/{self.node}/qemu-server/{self.newid}.conf"
            raise PveError(f"close (rename) atomic file '{path}' failed: File exists")
        vm = cluster.vms[self.newid] = Vm(vmid=self.newid, node=self.node, lock="clone")
        cluster.volumes.known.add(self.newid)
        fresh = renewed(site, config)
        made: list[Volume] = []
        if self._verbose:
            task.log(f"creating a clone of VM {source.vmid} with ID {self.newid}")
        try:
            for key, value in sorted(config.items()):
                if DISK_KEY.match(key):
                    fresh[key] = self._drive(task, key, value, made, full=self.full(source))
            if source.pending:
                task.warn(f"found pending changes for '{','.join(sorted(source.pending))}', discarding for clone")
            await _copy_time(site, name or None)
            self._fail_on_purpose(name or None)
        except PveError as error:
            self._undo(made)
            raise PveError(f"clone failed: {error.message}") from None
        except asyncio.CancelledError as signal:  # a stopped task gets a TERM, which the clone takes for an error
            if signal.args != (NO_CLEANUP,):
                self._undo(made)
                task.end("clone failed: interrupted by signal", at=int(site.wall()))
            raise
        fresh["name"] = name or f"Copy-of-VM-{source.name}"
        if "description" in self.call.params:
            fresh["description"] = self.call.text("description")
        if self.snapshot:
            site.clone_snapshot(source.vmid, self.snapshot, self.newid)
        else:
            site.clone_disk(source.vmid, self.newid)
        vm.config, vm.node, vm.lock, vm.pool = fresh, self.target, None, self.call.text("pool") or None

    def _fail_on_purpose(self, name: str | None) -> None:
        fault = self.call.site.faults.take("clone-fails-in-task", name)
        if fault:
            text = f"zfs error: cannot create 'tanka1/vm-{self.newid}-disk-0': out of space"
            raise PveError(fault.text("message", text))

    def _undo(self, made: list[Volume]) -> None:
        for volume in made:
            volumes.free(self.call.cluster, volume)
        self.call.cluster.vms.pop(self.newid, None)
        self.call.cluster.volumes.known.discard(self.newid)

    def _drive(self, task: Task, key: str, value: ConfigValue, made: list[Volume], *, full: bool) -> str:
        drive = parse_drive(value)
        if ":" not in drive["file"] or is_cdrom(drive, strict=True):
            return str(value)
        cluster = self.call.cluster
        old = volumes.existing(cluster, self.node, drive["file"])
        storage = volumes.storage_named(cluster, self.storage or old.storage, self.node)
        copied = full or is_cdrom(drive) or key == "tpmstate0"
        task.log(f"create {'full' if copied else 'linked'} clone of drive {key} ({old.volid})")
        if is_cdrom(drive):
            volume = make_cloudinit(self.call, storage, self.node, self.newid)
        elif copied:
            volume = self._full(task, old, storage)
        else:
            volume = linked(self.call, old, storage, self.node, self.newid)
        made.append(volume)
        if storage.type in FILE_TYPES and copied:
            task.log(_FORMATTING.format(name=volume.name, fmt=volume.format, size=volume.size))
        if self._verbose and copied:
            task.log(f"allocated target volume '{volume.volid}'")
        return print_drive(volume.volid, drive | {"size": print_size(volume.size)})

    def _full(self, task: Task, old: Volume, storage: Storage) -> Volume:
        fmt = self.call.text("format") or (old.format if storage.type in FILE_TYPES else "raw")
        volume = volumes.allocate(
            self.call.cluster, storage, self.node, self.newid, old.size, fmt=fmt, now=int(self.call.site.wall())
        )
        size = print_size(old.size)
        task.log(f"transferred 0 B of {size} (0.00%)")
        task.log(f"transferred {size} of {size} (100.00%)")
        return volume


async def _copy_time(site: Site, name: str | None) -> None:
    fault = site.faults.take("clone-slow", name)
    if fault:
        await site.faults.last(fault, fault.number("seconds", 5.0))
    else:
        await site.sleep(site.timings.clone_s)

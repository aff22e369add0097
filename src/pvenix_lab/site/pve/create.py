"""Creating a VM and restoring one from a backup (proxmox.md a2, a8; source: qemu-server 8.4 create_vm)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import ha, options, volumes
from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.copies import renewed
from pvenix_lab.site.pve.disks import Disks, check_access, check_drives, check_volume
from pvenix_lab.site.pve.drives import is_cdrom, parse_drive, print_drive
from pvenix_lab.site.pve.errors import ParameterError, PermissionDeniedError, PveError
from pvenix_lab.site.pve.filelock import CLONE_WAIT_S, held
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.needs import need_bridges, need_device, need_options, need_quorum
from pvenix_lab.site.pve.power import start_now
from pvenix_lab.site.pve.sizes import print_size
from pvenix_lab.site.pve.tags import check_tags
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY, NET_KEY, Vm, new_uuid

if TYPE_CHECKING:
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import ConfigValue
    from pvenix_lab.site.pve.volumes import Volume

_DEVICE = ("serial", "usb", "hostpci", "virtiofs")
_QEMU = "9.2.0"
_BUSES = ("ide", "scsi", "sata", "virtio")
_RESTORE_ONLY = ("force", "unique")


@route("POST", "/nodes/{node}/qemu")
async def create(call: Call) -> str:
    """Create or restore in a task; what is wrong with the call shows at once, what the storage refuses only in the task."""
    settings = {key: value for key, value in call.params.items() if key not in options.NOT_OPTIONS}
    if "sshkeys" in settings:
        options.check_ssh_keys(str(settings["sshkeys"]))
    need_quorum(call)
    _check_rights(call)
    archive = _archive(call, settings)
    _check_settings(call, settings)
    vm = _stub(call, restore=archive is not None)

    async def worker(task: Task) -> None:
        async with held(call.cluster, vm.node, vm.vmid, wait_s=CLONE_WAIT_S):
            if archive is None:
                await _make(call, task, vm, settings)
            else:
                await _restore(call, task, vm, archive, settings)
        if call.flag("ha-managed"):
            resources = call.cluster.sections.setdefault(ha.RESOURCES, {})
            resources[f"vm:{vm.vmid}"] = {"type": "vm", "state": "started" if call.flag("start") else "stopped"}
        if call.flag("start"):
            await _start(call, task, vm)

    return launch(call, "qmcreate" if archive is None else "qmrestore", worker)


def _check_rights(call: Call) -> None:
    pool, storage = call.text("pool"), call.text("storage")
    if call.flag("ha-managed"):
        call.require("/", "Sys.Console")
    if pool and pool not in call.cluster.pools:
        raise PveError(f"pool '{pool}' does not exist")
    if storage:
        call.require(f"/storage/{storage}", "Datastore.AllocateSpace")
    if call.allowed(f"/vms/{call.vmid}", "VM.Allocate"):
        return
    if pool and call.allowed(f"/pool/{pool}", "VM.Allocate"):
        return
    replacing = "archive" in call.params and call.flag("force") and call.vmid in call.cluster.vms
    if not (replacing and call.allowed(f"/vms/{call.vmid}", "VM.Backup")):
        raise PermissionDeniedError


def _archive(call: Call, settings: dict[str, Value]) -> Volume | None:
    volid = call.text("archive")
    if not volid:
        for name in _RESTORE_ONLY:
            if name in call.params:
                raise ParameterError({"archive": f"missing property - '{name}' requires this property"})
        return None
    for key in settings:
        if DISK_KEY.match(key):
            raise ParameterError({key: "option conflicts with option 'archive'"})
    if volid == "-":
        raise PveError("pipe requires cli environment")
    check_volume(call, call.vmid, volid)
    if volumes.content_of(volid.partition(":")[2]) != "backup":
        raise PveError(f"unable to use volume {volid} - content type needs to be 'backup'")
    return volumes.existing(call.cluster, call.text("node"), volid)


def _check_settings(call: Call, settings: dict[str, Value]) -> None:
    pool = call.text("pool")
    check_access(call, call.vmid, settings, default=call.text("storage"))
    need_options(call, call.vmid, settings, pool=pool)
    if "tags" in settings and call.flavour is Flavour.PVE_9_2:
        check_tags(call, call.vmid, "", settings["tags"], pool=pool)
    for key, value in settings.items():
        if key.startswith(_DEVICE):
            need_device(call, call.vmid, key, value, pool=pool)
    need_bridges(call, settings)
    check_drives(settings)


def _stub(call: Call, *, restore: bool) -> Vm:
    """The locked empty configuration. Raises PveError with the text that stands for an id that is taken (F01)."""
    cluster, vmid, node = call.cluster, call.vmid, call.text("node")
    what = f"unable to {'restore' if restore else 'create'} VM {vmid} -"
    old = cluster.vms.get(vmid)
    if old is not None and not (restore and call.flag("force") and old.node == node):
        raise PveError(f"{what} VM {vmid} already exists on node '{old.node}'")
    if vmid in cluster.containers:
        raise PveError(f"{what} CT {vmid} already exists on node '{cluster.containers[vmid]}'")
    if old is not None:
        try:
            check_lock(old)
        except PveError as error:
            raise PveError(f"{what} {error.message}") from None
        if old.config.get("protection") == 1:
            raise PveError(f"{what} protection mode enabled")
        if old.running:
            raise PveError(f"{what} vm is running")
        old.lock = "create"
        return old
    vm = cluster.vms[vmid] = Vm(vmid=vmid, node=node, lock="create")
    cluster.volumes.known.add(vmid)
    return vm


def _forget(call: Call, vm: Vm) -> None:
    call.cluster.vms.pop(vm.vmid, None)
    call.cluster.volumes.known.discard(vm.vmid)


async def _make(call: Call, task: Task, vm: Vm, settings: dict[str, Value]) -> None:
    site = call.site
    disks = Disks(call=call, vm=vm, node=vm.node, default=call.text("storage"))
    try:
        drives = disks.create(settings, task.log)
        await site.sleep(site.timings.resize_s * (1 + len(drives)))
    except PveError as error:
        _forget(call, vm)
        raise PveError(f"unable to create VM {vm.vmid} - {error.message}") from None
    config: dict[str, ConfigValue] = {
        key: options.stored(site.rng, key, value, windows=str(settings.get("ostype", "")).startswith("w"))
        for key, value in settings.items()
    }
    config |= drives
    config.setdefault("boot", f"order={';'.join(_default_boot(config))}")
    config.setdefault("smbios1", f"uuid={new_uuid(site.rng)}")
    config.setdefault("vmgenid", new_uuid(site.rng))
    config["meta"] = f"creation-qemu={_QEMU},ctime={int(site.wall())}"
    vm.config, vm.lock, vm.pool = config, None, call.text("pool") or None


def _default_boot(config: dict[str, ConfigValue]) -> list[str]:
    """The first disk, the first CD-ROM, the first network card (source: qemu-server 8.4 get_default_bootdevices)."""
    drives = [key for bus in _BUSES for key in sorted(config) if key.startswith(bus) and DISK_KEY.match(key)]
    disks = [key for key in drives if not is_cdrom(parse_drive(config[key]))]
    cdroms = [key for key in drives if is_cdrom(parse_drive(config[key]), strict=True)]
    nets = sorted(key for key in config if NET_KEY.match(key))
    return [*disks[:1], *cdroms[:1], *nets[:1]]


async def _restore(call: Call, task: Task, vm: Vm, archive: Volume, settings: dict[str, Value]) -> None:
    """Make the VM what the backup has; its drives are allocated anew, with `unique` its addresses too."""
    site = call.site
    saved = dict(archive.backup_config or {})
    if not saved:
        vm.lock = None
        raise PveError("ERROR: archive contains no configuration file")
    task.log(f"restore vma archive: {archive.volid}")
    for volume in volumes.owned(call.cluster, vm.node, vm.vmid):
        volumes.free(call.cluster, volume)
    config = renewed(site, saved) if call.flag("unique") else {k: v for k, v in saved.items() if not DISK_KEY.match(k)}
    try:
        for key, value in sorted(saved.items()):
            if DISK_KEY.match(key):
                config[key] = _restore_drive(call, task, vm, key, value)
    except PveError:
        vm.lock = None  # what was restored stays, as the real one says: "VM state is NOT cleaned up"
        raise
    await site.sleep(site.timings.clone_s)
    config |= {key: options.stored(site.rng, key, value) for key, value in settings.items()}
    vm.config, vm.pending, vm.snapshots, vm.lock = config, {}, {}, None
    vm.pool = call.text("pool") or vm.pool


def _restore_drive(call: Call, task: Task, vm: Vm, key: str, value: ConfigValue) -> ConfigValue:
    drive = parse_drive(value)
    home, found, _ = drive["file"].partition(":")
    if not found or is_cdrom(drive, strict=True):
        return value
    storage = volumes.storage_named(call.cluster, call.text("storage") or home, vm.node)
    call.require(f"/storage/{storage.name}", "Datastore.AllocateSpace")
    made = Disks(call=call, vm=vm, node=vm.node)
    if is_cdrom(drive):
        return made.create({key: f"{storage.name}:cloudinit"})[key]
    size = volumes.size_of(drive)
    volume = volumes.allocate(call.cluster, storage, vm.node, vm.vmid, size, now=int(call.site.wall()))
    task.log(f"new volume ID is '{volume.volid}'")
    return print_drive(volume.volid, drive | {"size": print_size(size)})


async def _start(call: Call, task: Task, vm: Vm) -> None:
    """Start the new VM; that it does not start is a warning in the log, the creation is done."""
    task.log("Execute autostart")
    try:
        await start_now(call, vm, task)
    except PveError as error:
        task.log(error.message)

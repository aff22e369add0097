"""Making a template, and what a VM's storages can do (proxmox.md a4; source: qemu-server 8.4 template, vm_feature)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.disks import make_base
from pvenix_lab.site.pve.drives import is_cdrom, parse_drive, print_drive
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.features import has_feature
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.tasks import Task, launch
from pvenix_lab.site.pve.vm import DISK_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pvenix_lab.site.pve.vm import ConfigValue, Vm
    from pvenix_lab.site.pve.volumes import Volume

_VM = "/nodes/{node}/qemu/{vmid}"


@route("POST", _VM + "/template")
async def template(call: Call) -> str:
    """Turn a stopped VM without snapshots into a template, in a task: its disks become `base-<id>-disk-<n>`."""
    _check(call)

    async def worker(_task: Task) -> None:
        async with held(call.cluster, call.text("node"), call.vmid):
            vm = _check(call)
            await call.site.sleep(call.site.timings.resize_s)
            vm.config["template"] = 1
            for key, volume in list(_disks(call, vm, vm.config)):
                if call.text("disk", key) != key or volume.base:
                    continue
                if has_feature(call.cluster.storages[volume.storage], volume, "template"):
                    make_base(call, volume)
                    vm.config[key] = print_drive(volume.volid, parse_drive(vm.config[key]))

    return launch(call, "qmtemplate", worker)


def _check(call: Call) -> Vm:
    vm = call.vm()
    check_lock(vm)
    if vm.snapshots:
        raise PveError("unable to create template, because VM contains snapshots")
    if vm.template and "disk" not in call.params:
        raise PveError("you can't convert a template to a template")
    if vm.running:
        raise PveError("you can't convert a VM to template if VM is running")
    return vm


def _disks(call: Call, vm: Vm, config: dict[str, ConfigValue]) -> Iterator[tuple[str, Volume]]:
    for key, value in sorted(config.items()):
        drive = parse_drive(value) if DISK_KEY.match(key) else {"file": "none"}
        if ":" in drive["file"] and not is_cdrom(drive):
            yield key, volumes.existing(call.cluster, vm.node, drive["file"])


@route("GET", _VM + "/feature")
async def feature(call: Call) -> dict[str, Any]:
    """Whether all disks can be cloned, copied or snapshotted, and on which nodes."""
    vm, name = call.vm(), call.text("snapname")
    if name and name not in vm.snapshots:
        raise PveError(f"snapshot '{name}' does not exist")
    found = [volume for _, volume in _disks(call, vm, vm.snapshots[name].config if name else vm.config)]
    stores = [call.cluster.storages[volume.storage] for volume in found]
    wanted = call.text("feature")
    good = all(
        has_feature(storage, volume, wanted, snapshot=bool(name)) for storage, volume in zip(stores, found, strict=True)
    )
    nodes = [
        node for node in call.cluster.nodes
        if node == vm.node or all(storage.shared and node in storage.nodes for storage in stores)
    ]  # fmt: skip
    return {"hasFeature": 1 if good else 0, "nodes": nodes}

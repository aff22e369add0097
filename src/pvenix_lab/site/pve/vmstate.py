"""A VM's memory on a storage: made by a snapshot with memory and by a suspend to disk (source: qemu-server 8.4 QemuConfig.pm).

Only the volume is real. The site's guests have no memory to save, so one that comes back from a saved state boots anew.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.options import memory_mib
from pvenix_lab.site.pve.sizes import MIB
from pvenix_lab.site.pve.volumes import FILE_TYPES

if TYPE_CHECKING:
    from pvenix_lab.site.pve.call import Call
    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.vm import Vm

_DRIVER_STATE_MIB = 500
RUNNING_MACHINE = "pc-q35-9.2+pve1"


def state_storage(cluster: Cluster, vm: Vm) -> str:
    """Where the memory goes: what the VM says, else a shared storage of its disks, else any of them, else `local`."""
    if "vmstatestorage" in vm.config:
        return str(vm.config["vmstatestorage"])
    homes = [disk["file"].partition(":")[0] for disk in vm.disks().values() if ":" in disk.get("file", "")]
    shared = [name for name in homes if name in cluster.storages and cluster.storages[name].shared]
    return (shared or homes or ["local"])[0]


def save_state(call: Call, vm: Vm, storage: str = "", *, snapshot: str = "") -> str:
    """Allocate the volume and enter it in the configuration (or return it for a snapshot). Raises PveError if it has no room."""
    cluster = call.cluster
    home = volumes.storage_named(cluster, storage or state_storage(cluster, vm), vm.node)
    now = int(call.site.wall())
    what = snapshot or time.strftime("suspend-%Y-%m-%d", time.gmtime(now))
    plain = f"vm-{vm.vmid}-state-{what}"
    name = f"{vm.vmid}/{plain}.raw" if home.type in FILE_TYPES else plain
    factor = 2 if snapshot else 1  # a running guest goes on to write while its snapshot is taken
    size = (memory_mib(vm.config) * factor + _DRIVER_STATE_MIB) * MIB
    volume = volumes.allocate(cluster, home, vm.node, vm.vmid, size, fmt="raw", name=name, now=now)
    if not snapshot:
        vm.config |= {"vmstate": volume.volid, "runningmachine": RUNNING_MACHINE}
    return volume.volid


def drop_state(cluster: Cluster, vm: Vm) -> None:
    """Forget a saved memory and what held the VM for it."""
    volid = vm.config.pop("vmstate", None)
    volume = volumes.find(cluster, vm.node, str(volid)) if volid else None
    if volume is not None:
        volumes.free(cluster, volume)
    vm.config.pop("runningmachine", None)
    vm.config.pop("runningcpu", None)
    vm.lock = None


def state_volume(cluster: Cluster, vm: Vm, volid: str) -> None:
    """Raise PveError if the saved memory is gone."""
    if volumes.find(cluster, vm.node, volid) is None:
        raise PveError(f"volume '{volid}' does not exist")

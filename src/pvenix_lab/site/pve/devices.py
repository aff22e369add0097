"""What keeps QEMU from starting: bridges, volumes and devices that the node does not have (measured on 8.4.5, proxmox.md a4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.vm import NET_KEY, parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.tasks import Task
    from pvenix_lab.site.pve.vm import Vm


def check_devices(cluster: Cluster, vm: Vm, task: Task) -> None:
    """Raise PveError for a volume, a bridge or a mapped device that the node does not have, or that another VM holds."""
    _check_volumes(cluster, vm)
    for key, value in sorted(vm.config.items()):
        parts = parse_properties(str(value), "host")
        bridge = parts.get("bridge")
        if NET_KEY.match(key) and bridge and bridge not in cluster.nodes[vm.node].bridges:
            task.log(f"bridge '{bridge}' does not exist")
            task.log(
                f"kvm: -netdev type=tap,id={key},ifname=tap{vm.vmid}i{key[3:]}: network script failed with status 512"
            )
            raise PveError("start failed: QEMU exited with code 1")
        if key.startswith("hostpci"):
            _check_pci(cluster, vm, parts.get("mapping", ""))
        elif key.startswith("usb") and "mapping" in parts:
            _check_usb(cluster, vm, parts["mapping"])


def _check_volumes(cluster: Cluster, vm: Vm) -> None:
    for disk in vm.disks().values():
        volid = disk.get("file", "none")
        if ":" not in volid:
            continue
        storage = volumes.storage_named(cluster, volid.partition(":")[0], vm.node)
        if not storage.enabled:
            raise PveError(f"storage '{storage.name}' is disabled")
        if not storage.active:
            raise PveError(f"storage '{storage.name}' is not online")
        if volumes.find(cluster, vm.node, volid) is None:
            raise PveError(f"volume '{volid}' does not exist")


def _check_pci(cluster: Cluster, vm: Vm, name: str) -> None:
    mapping = cluster.mappings.get(name)
    if mapping is None:
        raise PveError(f"PCI device mapping not found for '{name}'")
    path = mapping.paths.get(vm.node)
    if path is None:
        raise PveError(f"no PCI device of '{name}' on node '{vm.node}'")
    for other in cluster.vms.values():
        if other is not vm and other.running and other.node == vm.node and name in _pci_names(other):
            raise PveError(f"PCI device '{path}' already in use by VMID '{other.vmid}'")


def _pci_names(vm: Vm) -> list[str]:
    found = (parse_properties(str(v), "host") for k, v in vm.config.items() if k.startswith("hostpci"))
    return [parts.get("mapping", "") for parts in found]


def _check_usb(cluster: Cluster, vm: Vm, name: str) -> None:
    mapping = cluster.sections.get("mapping/usb", {}).get(name)
    if mapping is None:
        raise PveError(f"USB device mapping not found for '{name}'")
    if not any(f"node={vm.node}" in line.split(",") for line in mapping.get("map", [])):
        raise PveError(f"USB device mapping not found for '{name}'")

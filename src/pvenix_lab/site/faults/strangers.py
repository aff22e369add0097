"""A VM that somebody else made, and that nobody here may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve.vm import Vm, new_mac, new_uuid

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

NAME = "somebodys-vm"


def make(site: Site, vmid: int, node: str, *, name: str = "") -> Vm:
    """A stopped VM without any marker, with a disk of its own."""
    vm = Vm(
        vmid=vmid,
        node=node,
        config={
            "name": name or f"{NAME}-{vmid}",
            "cores": 1,
            "memory": "512",
            "net0": f"virtio={new_mac(site.rng)},bridge=lan",
            "scsi0": f"tanka1:vm-{vmid}-disk-0,size=8G",
            "smbios1": f"uuid={new_uuid(site.rng)}",
        },
    )
    site.cluster.vms[vmid] = vm
    return vm

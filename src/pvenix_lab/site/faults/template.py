"""States of the template, and of the volumes that clones of it meet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec, Undo
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.keys import new_key
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.sizes import GIB
from pvenix_lab.site.pve.vm import Vm
from pvenix_lab.site.pve.volumes import Volume

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site


def _template(site: Site) -> Vm:
    found = next((vm for vm in site.cluster.vms.values() if vm.template), None)
    if found is None:
        raise ValueError("the site has no template")
    return found


def _larger(site: Site, fault: Fault) -> Undo:
    vm, gib = _template(site), int(fault.number("gib"))
    before = vm.config["scsi0"]
    vm.config["scsi0"] = re.sub(r"size=\w+", f"size={gib}G", str(before))
    volumes.enter(site.cluster)
    disk = next(v for v in site.cluster.volumes.entries.values() if v.volid == vm.disks()["scsi0"]["file"])
    size, disk.size = disk.size, gib * GIB

    def undo() -> None:
        vm.config["scsi0"], disk.size = before, size

    return undo


def _elsewhere(site: Site, fault: Fault) -> Undo:
    """The template on local storage of one node: no clone of it can be made on another."""
    vm, cluster = _template(site), site.cluster
    node, before = vm.node, {key: vm.config[key] for key in vm.disks()}
    local = next(s for s in cluster.storages.values() if not s.shared and "images" in s.content)
    vm.node = fault.text("node")
    for key, value in before.items():
        vm.config[key] = f"{local.name}:{str(value).partition(':')[2]}"
    volumes.enter_vm(cluster, vm)

    def undo() -> None:
        vm.node = node
        vm.config.update(before)
        volumes.enter_vm(cluster, vm)

    return undo


def _orphan(site: Site, fault: Fault) -> Undo:
    vmid, storage = int(fault.number("vmid")), site.cluster.storages.get(fault.text("storage"))
    if storage is None:
        raise ValueError(f"fault {fault.name!r}: there is no storage {fault.text('storage')!r}")
    left = Volume(storage=storage.name, name=f"vm-{vmid}-disk-0", size=8 * GIB, vmid=vmid)
    key = (volumes.place(storage, storage.nodes[0]), left.volid)
    site.cluster.volumes.entries[key] = left
    return lambda: site.cluster.volumes.entries.pop(key, None)


def _without_drive(site: Site, _fault: Fault) -> Undo:
    vm = _template(site)
    key = vm.cloudinit_drive()
    drive = vm.config.pop(key) if key else None
    return lambda: vm.config.update({key: drive} if key and drive is not None else {})


def _with_identity(site: Site, _fault: Fault) -> Undo:
    """The template's disk has a machine id and a host key: its clones share them."""
    vm, pair = _template(site), new_key("root@template")
    guest = site.guest_for(vm)
    tree = guest.tree if isinstance(guest, Guest) else VirtualRoot(site.guest_root(vm.vmid))
    given = {
        "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
        "/etc/ssh/ssh_host_ed25519_key": pair.private,
        "/etc/ssh/ssh_host_ed25519_key.pub": pair.public,
    }
    before = {path: tree.read_text(path) if tree.exists(path) else None for path in given}

    def write(files: dict[str, str | None]) -> None:
        for path, text in files.items():
            if text is None:
                tree.remove(path)
            else:
                tree.put(path, text, mode=0o600 if path.endswith("_key") else 0o644)

    write(dict(given))
    return lambda: write(before)


SPECS = (
    Spec(
        name="orphan-volume",
        rows=("F33",),
        what="a storage holds a volume of a VM id that no VM has, until cleared",
        args=(
            Arg(name="vmid", default=399, what="the id that owns it"),
            Arg(name="storage", default="tanka1", what="where it lies"),
        ),
        face=Face.API,
        kind=Kind.STATE,
        begin=_orphan,
    ),
    Spec(
        name="template-larger",
        rows=("F22",),
        what="the template's disk is larger than what hosts ask for, until cleared",
        args=(Arg(name="gib", default=500, what="its size in GiB"),),
        face=Face.API,
        kind=Kind.STATE,
        begin=_larger,
    ),
    Spec(
        name="template-elsewhere",
        rows=("F24",),
        what="the template is on another node, on that node's own storage, until cleared",
        args=(Arg(name="node", default="tappaas2", what="the node"),),
        face=Face.API,
        kind=Kind.STATE,
        begin=_elsewhere,
    ),
    Spec(
        name="template-without-drive",
        rows=("F20",),
        what="the template has no cloud-init drive: its clones get no user and no keys, until cleared",
        face=Face.API,
        kind=Kind.STATE,
        begin=_without_drive,
    ),
    Spec(
        name="template-has-identity",
        rows=("F31",),
        what="the template's disk holds a machine id and a host key, which its clones share, until cleared",
        face=Face.API,
        kind=Kind.STATE,
        begin=_with_identity,
    ),
)

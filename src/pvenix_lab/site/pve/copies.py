"""What a clone takes from its source: the configuration with a new identity, and linked volumes (proxmox.md a5, section 4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.drives import is_cdrom, is_cloudinit, parse_drive, print_drive
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.vm import DISK_KEY, NET_KEY, Vm, new_mac, new_uuid
from pvenix_lab.site.pve.volumes import FILE_TYPES, Volume

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.call import Call
    from pvenix_lab.site.pve.cluster import Storage
    from pvenix_lab.site.pve.vm import ConfigValue

_MAC = re.compile(r"(?i)\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")
_NOT_COPIED = re.compile(r"template|parent|lock|unused\d+|vmstate|snaptime|snapstate|runningmachine|runningcpu")


def clone_now(  # noqa: PLR0913  the parameters of the API's clone
    site: Site,
    source: Vm,
    newid: int,
    *,
    name: str | None = None,
    node: str | None = None,
    full: bool = False,
    storage: str | None = None,
    description: str | None = None,
    pool: str | None = None,
) -> Vm:
    """Clone at once, without a task: the configuration and the guest's disk. For seeding a site.

    Raises:
        PveError: the id is taken.
    """
    if newid in site.cluster.vms:
        raise PveError(taken_text(newid))
    vm = Vm(vmid=newid, node=node or source.node, pool=pool)
    site.cluster.vms[newid] = vm
    vm.config = renewed(site, source.config)
    for key, value in source.config.items():
        if DISK_KEY.match(key):
            vm.config[key] = _seed_drive(source, vm, value, full=full, storage=storage)
    vm.config["name"] = name or f"Copy-of-VM-{source.name}"
    if description is not None:
        vm.config["description"] = description
    site.clone_disk(source.vmid, newid)
    return vm


def taken_text(newid: int) -> str:
    """What a clone says to an id that is taken, at once or in its task."""
    return f"unable to create VM {newid}: config file already exists"


def renewed(site: Site, config: dict[str, ConfigValue]) -> dict[str, ConfigValue]:
    """A copy of a configuration without drives: new MAC addresses, smbios uuid and, if there is one, vmgenid."""
    result: dict[str, ConfigValue] = {}
    for key, value in sorted(config.items()):
        if NET_KEY.match(key):
            result[key] = _MAC.sub(new_mac(site.rng), str(value), count=1)
        elif key == "smbios1":
            result[key] = re.sub(r"uuid=[^,]*", f"uuid={new_uuid(site.rng)}", str(value))
        elif key == "vmgenid":
            result[key] = new_uuid(site.rng)
        elif not DISK_KEY.match(key) and not _NOT_COPIED.fullmatch(key):
            result[key] = value
    result.setdefault("smbios1", f"uuid={new_uuid(site.rng)}")
    return result


def _seed_drive(source: Vm, vm: Vm, value: ConfigValue, *, full: bool, storage: str | None) -> str:
    """The drive of a clone on a block storage, named as the source's; its volume is entered at the first look."""
    drive = parse_drive(value)
    home, found, name = drive["file"].partition(":")
    if not found or (is_cdrom(drive, strict=True)):
        return str(value)
    fresh = (
        name.rpartition("/")[2]
        .replace(f"base-{source.vmid}-", f"vm-{vm.vmid}-")
        .replace(str(source.vmid), str(vm.vmid))
    )
    if is_cloudinit("ide2", value):
        return print_drive(f"{storage or home}:{fresh}", drive | {"size": "4M"})
    link = "" if full else f"{name.rpartition('/')[2]}/"
    return print_drive(f"{(storage or home) if full else home}:{link}{fresh}", drive)


def linked(call: Call, base: Volume, storage: Storage, node: str, vmid: int) -> Volume:
    """A linked clone: on a directory `8100/base-8100-disk-0.qcow2/201/vm-201-disk-0.qcow2` (measured on 8.4.5)."""
    files = storage.type in FILE_TYPES
    fresh = volumes.disk_name(call.cluster, storage, vmid, "qcow2")
    leaf = base.name.rpartition("/")[2]
    owner = volumes.owner_of(leaf)
    link = "" if storage.type == "lvmthin" else f"{owner}/{leaf}/" if files else f"{leaf}/"
    parent = f"../{owner}/{leaf}" if files else leaf
    fmt = "qcow2" if files else "raw"
    now = int(call.site.wall())
    return volumes.allocate(
        call.cluster, storage, node, vmid, base.size, fmt=fmt, name=link + fresh, parent=parent, now=now
    )

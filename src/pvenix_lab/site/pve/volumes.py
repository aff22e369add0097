"""The volumes of the storages: what exists, who owns it, what hangs from it (source: pve-storage 8.3, the plugins and Storage.pm).

A volume is there whether a configuration names it or not, so an orphan is an entry that no VM names, and a lost disk a name without
an entry. A VM that was put into the cluster by hand (a seed, a test) brings its volumes along at the first look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.sizes import GIB, size_bytes
from pvenix_lab.site.pve.vm import DISK_KEY, parse_properties

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pvenix_lab.site.pve.cluster import Cluster, Storage
    from pvenix_lab.site.pve.vm import Vm

FILE_TYPES = frozenset({"btrfs", "cephfs", "cifs", "dir", "nfs"})
"""Storage types whose volumes are files: names carry a format, and other content than disks fits."""
CLOUDINIT_BYTES = 4 * 1024**2
THIN_SHARE = 0.1
"""Share of a thin disk that counts as written: a constant, nothing here measures."""
_DISK_NAME = re.compile(r"(?:vm|base)-(?P<vmid>\d+)-(?P<rest>.+)")
_CONTENT = {"iso": "iso", "vztmpl": "vztmpl", "backup": "backup", "import": "import", "snippets": "snippets"}
_NEXT_NAME_TRIES = 1000
_DEFAULT_FORMAT = "raw"
"""The format of a disk for which none is asked, on a directory too (measured on 8.4.5)."""


@dataclass(slots=True, kw_only=True)
class Volume:
    """One volume. `name` is what follows the storage in the volume id; `size` in bytes; `node` only on a storage that is not shared.

    `text` is what a snippet says, `backup_config` the configuration in a backup.
    """

    storage: str
    name: str
    size: int
    format: str = "raw"
    vmid: int | None = None
    content: str = "images"
    parent: str | None = None
    node: str = ""
    ctime: int = 0
    notes: str | None = None
    protected: bool = False
    snapshots: list[str] = field(default_factory=list)
    text: str = ""
    backup_config: dict[str, str | int] | None = None

    @property
    def volid(self) -> str:
        """The volume id."""
        return f"{self.storage}:{self.name}"

    @property
    def base(self) -> bool:
        """True for a base image, from which linked clones may hang."""
        return self.name.rpartition("/")[2].startswith("base-")

    @property
    def used(self) -> int:
        """Bytes that the volume takes: all of a file, a share of a disk."""
        return int(self.size * THIN_SHARE) if self.content == "images" else self.size


@dataclass(slots=True, kw_only=True)
class Volumes:
    """Every volume by node (empty on a shared storage) and volume id; `known` are the VMs whose disks are entered."""

    entries: dict[tuple[str, str], Volume] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)


def content_of(name: str) -> str:
    """The kind of content that a volume's name stands for."""
    return _CONTENT.get(name.partition("/")[0], "images")


def owner_of(name: str) -> int | None:
    """The VM that owns a disk or a backup of this name, None for other content."""
    leaf = name.rpartition("/")[2]
    found = _DISK_NAME.fullmatch(leaf) or re.match(r"vzdump-qemu-(?P<vmid>\d+)-", leaf)
    return int(found["vmid"]) if found else None


def format_of(name: str) -> str:
    """The format that a name tells: the extension of a file, `raw` without one."""
    leaf = name.rpartition("/")[2]
    extension = leaf.rpartition(".")[2] if "." in leaf else ""
    return "subvol" if extension == "subvol" else extension or "raw"


def storage_named(cluster: Cluster, name: str, node: str) -> Storage:
    """A storage as a node sees it. Raises PveError with the backend's text if it does not exist there or is disabled."""
    storage = cluster.storages.get(name)
    if storage is None:
        raise PveError(f"storage '{name}' does not exist")
    if node and node not in storage.nodes:
        raise PveError(f"storage '{name}' is not available on node '{node}'")
    return storage


def place(storage: Storage, node: str) -> str:
    """The first part of a volume's key: the node, unless the storage is shared."""
    return "" if storage.shared else node


def enter(cluster: Cluster) -> None:
    """Enter the volumes of the VMs that are not known yet."""
    if cluster.volumes.known >= cluster.vms.keys():
        return
    for vm in list(cluster.vms.values()):
        if vm.vmid not in cluster.volumes.known:
            enter_vm(cluster, vm)


def enter_vm(cluster: Cluster, vm: Vm) -> None:
    """Enter what one VM names and no entry stands for yet."""
    cluster.volumes.known.add(vm.vmid)
    ctime = int(parse_properties(str(vm.config.get("meta", ""))).get("ctime", "0"))
    for disk in _drives_of(vm):
        home, found, name = disk.get("file", "").partition(":")
        storage = cluster.storages.get(home)
        if not found or storage is None:
            continue
        key = (place(storage, vm.node), disk["file"])
        if key not in cluster.volumes.entries:
            size = size_bytes(disk.get("size", "")) or (CLOUDINIT_BYTES if "cloudinit" in name else GIB)
            cluster.volumes.entries[key] = Volume(
                storage=home, name=name, size=size, format=format_of(name), vmid=owner_of(name), content=content_of(name),
                parent=parent_of(name), node=key[0], ctime=ctime,
            )  # fmt: skip


def _drives_of(vm: Vm) -> Iterator[dict[str, str]]:
    """The drives that the VM names, now, in a pending change or in a snapshot; the present one first."""
    configs: list[Mapping[str, object]] = [vm.config, vm.pending, *(s.config for s in vm.snapshots.values())]
    for config in configs:
        for key, value in sorted(config.items()):
            if value is not None and (DISK_KEY.match(key) or key.startswith("unused")):
                yield parse_properties(str(value), "file")


def parent_of(name: str) -> str | None:
    """The base from which a linked clone of this name hangs, as the listings show it."""
    parts = name.split("/")
    if len(parts) == 2 and parts[0].startswith("base-"):
        return parts[0]
    return f"../{parts[0]}/{parts[1]}" if len(parts) == 4 else None


def find(cluster: Cluster, node: str, volid: str) -> Volume | None:
    """The volume as `node` sees it, None if there is none."""
    if ":" not in volid:
        return None
    enter(cluster)
    entries = cluster.volumes.entries
    return entries.get(("", volid)) or entries.get((node, volid))


def existing(cluster: Cluster, node: str, volid: str) -> Volume:
    """As `find`. Raises PveError if there is none."""
    volume = find(cluster, node, volid)
    if volume is None:
        raise PveError(f"volume '{volid}' does not exist")
    return volume


def _seen(cluster: Cluster, node: str) -> Iterator[Volume]:
    return (volume for volume in cluster.volumes.entries.values() if volume.node in {"", node})


def on_storage(cluster: Cluster, storage: Storage, node: str | None = None) -> list[Volume]:
    """The volumes of a storage, as one node sees them or everywhere."""
    enter(cluster)
    return [
        volume for volume in cluster.volumes.entries.values()
        if volume.storage == storage.name and (node is None or volume.node in {"", node})
    ]  # fmt: skip


def owned(cluster: Cluster, node: str, vmid: int) -> list[Volume]:
    """The disks of a VM on all storages that its node sees, named by a configuration or not."""
    enter(cluster)
    return [volume for volume in _seen(cluster, node) if volume.vmid == vmid and volume.content == "images"]


def room(cluster: Cluster, storage: Storage, node: str | None = None) -> dict[str, int]:
    """`total`, `used` and `avail` in bytes; of a local storage on one node, or where no node is named on its first one."""
    where = None if storage.shared else node or storage.nodes[0]
    used = min(storage.total, storage.base_used + sum(volume.used for volume in on_storage(cluster, storage, where)))
    return {"total": storage.total, "used": used, "avail": storage.total - used}


def disk_name(cluster: Cluster, storage: Storage, vmid: int, fmt: str) -> str:
    """The first free `vm-<id>-disk-<n>` on the storage, with directory and extension where volumes are files."""
    taken = {_plain(volume.name) for volume in on_storage(cluster, storage) if volume.vmid == vmid}
    plain = next((f"vm-{vmid}-disk-{n}" for n in range(_NEXT_NAME_TRIES) if f"disk-{n}" not in taken), None)
    if plain is None:
        raise PveError(f"unable to allocate an image name for VM {vmid} in storage '{storage.name}'")
    return f"{vmid}/{plain}.{fmt}" if storage.type in FILE_TYPES else plain


def _plain(name: str) -> str:
    found = _DISK_NAME.fullmatch(name.rpartition("/")[2])
    return found["rest"].partition(".")[0] if found else ""


def allocate(  # noqa: PLR0913  the parameters of the backend's vdisk_alloc
    cluster: Cluster, storage: Storage, node: str, vmid: int, size: int, *, fmt: str | None = None, name: str | None = None,
    parent: str | None = None, now: int = 0,
) -> Volume:  # fmt: skip
    """Make a disk of `size` bytes.

    Raises:
        PveError: the storage is full, cannot hold the format, or has a volume of this name.
    """
    fmt = fmt or _DEFAULT_FORMAT
    if storage.type not in FILE_TYPES and fmt != "raw":
        raise PveError(f"unsupported format '{fmt}'")
    name = name or disk_name(cluster, storage, vmid, fmt)
    where = place(storage, node)
    key = (where, f"{storage.name}:{name}")
    enter(cluster)
    if key in cluster.volumes.entries:
        raise PveError(taken_text(storage, name))
    if parent is None and size > room(cluster, storage, node)["avail"]:
        raise PveError(full_text(storage, name))
    volume = Volume(
        storage=storage.name, name=name, size=size, format=fmt, vmid=vmid, parent=parent, node=where, ctime=now
    )
    cluster.volumes.entries[key] = volume
    return volume


def taken_text(storage: Storage, name: str) -> str:
    """What the storage says to a name that it has already (F33)."""
    if storage.type in FILE_TYPES:
        return f"disk image '/var/lib/vz/images/{name}' already exists"
    if storage.type in {"lvm", "lvmthin"}:
        return f"lvcreate '{storage.name}/{name}' error:   Logical Volume \"{name}\" already exists in volume group"
    return f"zfs error: cannot create '{storage.name}/{name}': dataset already exists"


def full_text(storage: Storage, name: str) -> str:
    """What the storage says when there is no room."""
    if storage.type in FILE_TYPES:
        return f"unable to create image: qemu-img: /var/lib/vz/images/{name}: Could not resize file: No space left on device"
    if storage.type in {"lvm", "lvmthin"}:
        return f"lvcreate '{storage.name}/{name}' error:   Volume group \"{storage.name}\" has insufficient free space"
    return f"zfs error: cannot create '{storage.name}/{name}': out of space"


def children(cluster: Cluster, volume: Volume) -> list[Volume]:
    """The linked clones that hang from a base."""
    leaf = volume.name.rpartition("/")[2]
    return [
        other for other in cluster.volumes.entries.values()
        if other.storage == volume.storage and other.parent is not None and other.parent.rpartition("/")[2] == leaf
    ]  # fmt: skip


def free(cluster: Cluster, volume: Volume) -> None:
    """Remove a volume. Raises PveError while linked clones hang from it, or for a protected backup."""
    if volume.base and children(cluster, volume):
        raise PveError(f"base volume '{volume.name}' is still in use by linked clones")
    if volume.protected:
        raise PveError(f"cannot remove protected volume '{volume.volid}' on '{volume.storage}'")
    cluster.volumes.entries.pop((volume.node, volume.volid), None)


def rename(cluster: Cluster, volume: Volume, name: str, *, node: str | None = None) -> None:
    """Give a volume another name, or move it to another node's local storage."""
    del cluster.volumes.entries[volume.node, volume.volid]
    volume.name = name
    volume.node = volume.node if node is None else node
    cluster.volumes.entries[volume.node, volume.volid] = volume


def size_of(drive: dict[str, str]) -> int:
    """The size that a drive's entry shows, a GiB if it shows none."""
    return size_bytes(drive.get("size", "")) or GIB

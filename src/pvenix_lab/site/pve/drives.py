"""Drives as the configuration writes them: reading, printing, and who names a volume (source: qemu-server 8.4 Drive.pm)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.sizes import size_bytes
from pvenix_lab.site.pve.vm import DISK_KEY, parse_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pvenix_lab.site.pve.cluster import Cluster
    from pvenix_lab.site.pve.schema import Value
    from pvenix_lab.site.pve.vm import ConfigValue, Vm

UNUSED = re.compile(r"unused\d+")
MAX_UNUSED = 256
_NEW_DISK = re.compile(r"(?:([^/:\s]+):)?(\d+(?:\.\d+)?)")
_NOT_STORED = frozenset({"file", "format", "import-from"})


def print_drive(volume: str, properties: Mapping[str, str]) -> str:
    """A drive as the configuration keeps it: the volume, then its properties by name."""
    rest = [f"{key}={value}" for key, value in sorted(properties.items()) if key not in _NOT_STORED]
    return ",".join([volume, *rest])


def parse_drive(value: Value | ConfigValue) -> dict[str, str]:
    """A drive's properties, its volume under `file`."""
    parts = parse_properties(str(value), "file")
    if "volume" in parts:
        parts["file"] = parts.pop("volume")
    return parts


def is_cdrom(drive: Mapping[str, str], *, strict: bool = False) -> bool:
    """True for a CD-ROM; the cloud-init drive counts as one unless `strict`."""
    return drive.get("media") == "cdrom" and not (strict and "cloudinit" in drive.get("file", ""))


def new_disk(drive: Mapping[str, str]) -> tuple[str, float] | None:
    """Storage and GiB of a drive that asks for a new disk (`tanka1:32`), None for any other."""
    found = _NEW_DISK.fullmatch(drive.get("file", ""))
    return (found[1] or "", float(found[2])) if found else None


def is_cloudinit(key: str, value: object) -> bool:
    """True if a configuration entry is a cloud-init drive."""
    return DISK_KEY.match(key) is not None and "cloudinit" in str(value).partition(",")[0]


def register_unused(cluster: Cluster, vm: Vm, drive: Mapping[str, str]) -> None:
    """Keep a detached disk as the next `unusedN`; nothing for a CD-ROM, a foreign volume and one that is named already.

    The volume of a cloud-init drive is freed. Raises PveError if there are too many unused ones.
    """
    volid = drive.get("file", "")
    if "cloudinit" in volid:
        volume = volumes.find(cluster, vm.node, volid)
        if volume is not None and volume.vmid == vm.vmid:
            volumes.free(cluster, volume)
        return
    if is_cdrom(drive) or ":" not in volid or volumes.owner_of(volid.partition(":")[2]) != vm.vmid:
        return
    add_unused(vm, volid)


def add_unused(vm: Vm, volid: str) -> None:
    """Keep a volume as the next `unusedN`, unless it is one already. Raises PveError if there are too many."""
    if any(UNUSED.fullmatch(key) and value == volid for key, value in vm.config.items()):
        return
    free = next((n for n in range(MAX_UNUSED) if f"unused{n}" not in vm.config), None)
    if free is None:
        raise PveError("Too many unused volumes - please delete them first.")
    vm.config[f"unused{free}"] = volid


def in_use(vm: Vm, key: str, volid: str) -> bool:
    """True if another entry, a pending change or a snapshot names the volume."""
    configs: list[Mapping[str, object]] = [
        vm.config,
        vm.pending,
        *(snapshot.config for snapshot in vm.snapshots.values()),
    ]
    return any(
        str(value).partition(",")[0] == volid
        for number, config in enumerate(configs)
        for other, value in config.items()
        if not (number == 0 and other == key)
    )


def drive_bytes(value: object) -> int:
    """The size that a drive's entry shows, in bytes."""
    return size_bytes(parse_properties(str(value), "file").get("size", ""))

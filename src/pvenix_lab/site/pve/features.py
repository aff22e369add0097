"""What a storage can do with a volume: clone, copy, snapshot, make a base of it (source: pve-storage 8.3, volume_has_feature)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.pve.volumes import FILE_TYPES

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Storage
    from pvenix_lab.site.pve.volumes import Volume

_FEATURES: dict[str, frozenset[str]] = {
    "dir": frozenset({"clone/base", "copy/base", "copy/current", "copy/snap", "snapshot/current", "template/current"}),
    "zfspool": frozenset({"clone/base", "copy/base", "copy/current", "snapshot/current", "template/current"}),
    "lvmthin": frozenset(
        {"clone/base", "copy/base", "copy/current", "copy/snap", "snapshot/current", "template/current"}
    ),
    "lvm": frozenset({"copy/base", "copy/current"}),
}
_RAW_FILE = frozenset({"clone/base", "copy/base", "copy/current", "template/current"})
_SNAPSHOT_BLOCKS = frozenset({"rbd"})


def has_feature(storage: Storage, volume: Volume, feature: str, *, snapshot: bool = False) -> bool:
    """True if the storage can do `clone`, `copy`, `snapshot` or `template` with the volume in its state."""
    state = "snap" if snapshot else "base" if volume.base else "current"
    return f"{feature}/{state}" in _features(storage, volume)


def _features(storage: Storage, volume: Volume) -> frozenset[str]:
    if storage.type in FILE_TYPES:
        return _FEATURES["dir"] if volume.format == "qcow2" else _RAW_FILE
    if storage.type in _SNAPSHOT_BLOCKS:
        return _FEATURES["lvmthin"]
    return _FEATURES.get(storage.type, _FEATURES["zfspool"])

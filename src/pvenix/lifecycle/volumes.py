"""The volumes of a VM: which there are, and what is left of them once the VM was destroyed.

A token sees only the volumes that it has rights on, and an empty list is no proof; so a volume counts as gone only when it
was listed before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pvenix.engine.ports import Pve, VmConfig
from pvenix.lifecycle.ownership import Found
from pvenix.model.errors import Refused, RemoteFailure
from pvenix.model.names import NodeName, Vmid

_DRIVE = re.compile(r"(?:scsi|virtio|sata|ide|efidisk|tpmstate|unused)[0-9]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """The volumes of a VM that exists."""

    listed: frozenset[str]
    hidden: frozenset[str]
    """Named by its configuration, but not listed: nobody will see whether they go."""


def drives_in(config: VmConfig) -> frozenset[str]:
    """The volumes that a VM's configuration names, without images that are no disk of its own (`local:iso/x.iso`)."""
    words = (value.partition(",")[0] for key, value in config.values.items() if _DRIVE.fullmatch(key))
    return frozenset(word for word in words if ":" in word and not word.partition(":")[2].startswith("iso/"))


async def volumes_of(pve: Pve, found: Found) -> Volumes:
    """What there is of the VM on the storages that its configuration names.

    Raises: Unreachable.
    """
    named = drives_in(found.config)
    listed = await _listed(pve, found.node, found.vmid, named)
    return Volumes(listed=listed, hidden=named - listed)


async def left_of(pve: Pve, node: NodeName, vmid: Vmid, before: Iterable[str]) -> tuple[str, ...]:
    """Those of the volumes listed `before` that are still there.

    Raises: Unreachable.
    """
    known = frozenset(before)
    return tuple(sorted(known & await _listed(pve, node, vmid, known)))


async def _listed(pve: Pve, node: NodeName, vmid: Vmid, volumes: Iterable[str]) -> frozenset[str]:
    """The VM's volumes on the storages of `volumes`; its backups there outlive it."""
    found: set[str] = set()
    for storage in sorted({volume.partition(":")[0] for volume in volumes}):
        try:
            found.update(volume.id for volume in await pve.volumes(node, storage, vmid=vmid, content="images"))
        except (Refused, RemoteFailure):
            continue  # what may not be listed is hidden, and told as such
    return frozenset(found)

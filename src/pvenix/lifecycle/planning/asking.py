"""What a host asks of its site, and how a name is looked for in a list that the token may see only in part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import Resources, VmPending
from pvenix.fleet.node import Node
from pvenix.lifecycle.world import World
from pvenix.model.findings import Finding
from pvenix.model.host import Host
from pvenix.model.names import NodeName
from pvenix.model.nearest import did_you_mean
from pvenix.model.privileges import effective

NODE: Final = "PVX0580"
"""A node that the cluster does not have."""
STORAGE: Final = "PVX0581"
"""A storage that is not there, not active, not on the node or not for this content."""
BRIDGE: Final = "PVX0582"
"""A bridge or virtual network that no node in question has."""
MAPPING: Final = "PVX0583"
"""A PCI mapping that is not there, or has no device on a node in question."""
POOL: Final = "PVX0584"
"""A resource pool that is not there."""
TEMPLATE: Final = "PVX0585"
"""A template that is not there, or is none."""
DISK: Final = "PVX0586"
"""A disk smaller than the template's, or than it is: nothing shrinks a disk."""
VMID: Final = "PVX0587"
"""A VM id that another VM has."""
JOB: Final = "PVX0588"
"""A backup job that is not there."""
IMAGE: Final = "PVX0589"
"""An ISO image that is not there."""
UNCHECKED: Final = "PVX0590"
"""What the API token may not see, so that nobody knows whether it is there (a warning)."""

DOCTOR: Final = "pvenix doctor prints the line that grants it"
_FEW: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of thing that has names."""

    word: str
    code: str
    """Of the finding that there is none of the name."""
    acl: str
    """The path on which a privilege shows it, with `{}` for the name."""
    privileges: tuple[str, ...]
    """Any of these shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A host between its fields and the site."""

    world: World
    host: Host
    seen: VmPending | None
    """Its VM's configuration, None when it has none."""
    resources: Resources

    def at(self, *path: str | int) -> Node:
        """Where a field of the host is written."""
        return self.world.fleet.place(self.host.name, *path)

    async def unknown(self, at: Node, kind: Kind, name: str, known: Iterable[str]) -> Finding:
        """What to say of a name that is not in a list: that there is none only if the token would see it."""
        acl = kind.acl.format(name)
        if set(kind.privileges) & effective(await self.world.survey.permissions(), acl):
            return at.finding(kind.code, f"there is no {kind.word} `{name}`", choices(kind.word, name, known))
        lacks = f"the API token lacks {' or '.join(kind.privileges)} on {acl}"
        return at.finding(UNCHECKED, f"{kind.word} `{name}` cannot be checked: {lacks}", DOCTOR, warning=True)

    def candidates(self) -> list[NodeName]:
        """The nodes that the VM is on or may come to, without those that are down."""
        proxmox = self.host.machine.proxmox
        up = [node.name for node in self.resources.nodes if node.online]
        here = {vm.node for vm in self.resources.vms if self.seen and vm.name == self.host.name and not vm.template}
        if here:
            return [name for name in up if name in here]
        return [
            name
            for name in up
            if proxmox.node in ("auto", name) and name in (proxmox.nodes or (name,)) and name not in proxmox.avoid
        ]


def choices(word: str, name: str, known: Iterable[str]) -> str:
    """A hint: the nearest name, or all of them, or that there are none."""
    names = sorted(set(known))
    return did_you_mean(name, names) if names else f"the site has no {word} at all; make it, or leave the field out"


def any_of(nodes: Iterable[str]) -> str:
    """Nodes in words."""
    names = sorted(nodes)
    return f"any of {len(names)} nodes in question" if len(names) > _FEW else " or ".join(names)

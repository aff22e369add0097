"""Wrong bridges, devices, pools and backup jobs of a host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from pvenix.lifecycle.planning.asking import (
    BRIDGE,
    DOCTOR,
    JOB,
    MAPPING,
    POOL,
    UNCHECKED,
    Asked,
    Kind,
    any_of,
    choices,
)
from pvenix.model.errors import Refused, Unreachable
from pvenix.model.findings import Finding
from pvenix.model.names import NodeName

_BRIDGE: Final = Kind(word="bridge", code=BRIDGE, acl="/sdn/zones/localnetwork/{}", privileges=("SDN.Audit", "SDN.Use"))
"""Proxmox lists a bridge only for who has one of these on it (pve-manager, `API2/Network.pm`)."""
_MAPPING: Final = Kind(
    word="PCI mapping",
    code=MAPPING,
    acl="/mapping/pci/{}",
    privileges=("Mapping.Audit", "Mapping.Use", "Mapping.Modify"),
)
_POOL: Final = Kind(word="pool", code=POOL, acl="/pool/{}", privileges=("Pool.Audit", "Pool.Allocate"))


async def bridges(asked: Asked) -> AsyncIterator[Finding]:
    """The bridge of each card, on the nodes in question."""
    cards = asked.host.machine.cards
    wanted = {index: card.bridge for index, card in enumerate(cards) if card.bridge}
    listed = {node: await _listed(asked, node) for node in asked.candidates()} if wanted else {}
    known = {bridge for bridges in listed.values() for bridge in bridges or ()}
    unread = not listed or any(bridges is None for bridges in listed.values())
    for index, bridge in wanted.items():
        if bridge in known or unread:
            continue
        path: tuple[str | int, ...] = ("network", "bridge") if not index else ("nics", index - 1, "bridge")
        found = await asked.unknown(asked.at(*path), _BRIDGE, bridge, known)
        yield found if found.warning else replace(found, what=f"{found.what} on {any_of(listed)}")


async def mappings(asked: Asked) -> AsyncIterator[Finding]:
    """The mapped PCI devices."""
    devices = asked.host.machine.proxmox.pci
    listed = await asked.world.survey.pci_mappings() if devices else {}
    candidates = asked.candidates()
    for index, device in enumerate(devices):
        at = asked.at("proxmox", "pci", index, "mapping")
        if device.mapping not in listed:
            yield await asked.unknown(at, _MAPPING, device.mapping, listed)
        elif candidates and not set(listed[device.mapping]) & set(candidates):
            nodes = ", ".join(sorted(listed[device.mapping])) or "no node"
            what = f"`{device.mapping}` has no device on {any_of(candidates)}, only on {nodes}"
            yield at.finding(MAPPING, what, "let `proxmox.node` or `proxmox.nodes` name one of these")


async def pool(asked: Asked) -> AsyncIterator[Finding]:
    """The resource pool."""
    name = asked.host.machine.proxmox.pool
    known = await asked.world.survey.pools() if name else ()
    if name and name not in known:
        yield await asked.unknown(asked.at("proxmox", "pool"), _POOL, name, known)


async def jobs(asked: Asked) -> AsyncIterator[Finding]:
    """The backup job."""
    name = asked.host.machine.backup.job
    if not name:
        return
    at = asked.at("backup", "job")
    try:
        known = [job.id for job in await asked.world.survey.backup_jobs()]
    except Refused:
        what = f"backup job `{name}` cannot be checked: the API token lacks Sys.Audit on /"
        yield at.finding(UNCHECKED, what, DOCTOR, warning=True)
        return
    if name not in known:
        yield at.finding(JOB, f"there is no backup job `{name}`", choices("backup job", name, known))


async def _listed(asked: Asked, node: NodeName) -> tuple[str, ...] | None:
    try:
        return await asked.world.survey.bridges(node)
    except Unreachable:
        return None

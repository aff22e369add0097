"""What an API token needs on a cluster for a fleet: privileges by path of the access control list, and who asks for them.

Sources: the `permissions` of every call in the API's schema (Proxmox VE 8.4 and 9.2), the checks that qemu-server makes
itself, and what each 403 asked for on a running 8.4.5. Proxmox VE 9 has no VM.Monitor; VM.GuestAgent.* are in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pvenix.model.host import Host, Install, State
from pvenix.model.site import Cluster, Site
from pvenix.model.update import SecondNet

GRANULAR_AGENT: Final = 9
"""The major release since which the guest agent has privileges of its own (pve-access-control 9.0.2)."""
_CONFIG: Final = ("Cloudinit", "CPU", "Disk", "Memory", "Network", "Options")


class Level(StrEnum):
    """How much a token may do; each level includes those before it."""

    VIEWER = "viewer"
    """Status, plans and this examination."""
    OPERATOR = "operator"
    """Power, snapshots, backups and what goes through the guest agent, on VMs that are there."""
    PROVISIONER = "provisioner"
    """Everything that the fleet asks for: VMs are made, changed, moved and destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One of `any_of` on `path`, and why. The first is the one to give; the others are as good."""

    path: str
    any_of: tuple[str, ...]
    reason: str
    or_at: tuple[str, ...] = ()
    """Other paths at which it counts as well."""
    below: bool = True
    """Whether it may hold on everything below the path too."""

    @property
    def privilege(self) -> str:
        """The privilege to give."""
        return self.any_of[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What a fleet touches on a cluster."""

    pools: frozenset[str] = frozenset()
    outside_pools: bool = False
    """Whether some VM belongs to no pool."""
    templates: frozenset[int] = frozenset()
    storages: frozenset[str] = frozenset()
    """Of disks."""
    backups: frozenset[str] = frozenset()
    """Storages of backups."""
    images: frozenset[str] = frozenset()
    """Storages that ISO images are read from."""
    downloads: frozenset[str] = frozenset()
    """Storages that a node downloads ISO images to."""
    networks: frozenset[tuple[str, int]] = frozenset()
    """Bridge and VLAN, 0 for the bridge itself."""
    mappings: frozenset[str] = frozenset()
    hardware: bool = False
    startup: bool = False
    jobs: bool = False
    ha: bool = False
    agent_net: bool = False
    """Whether a host that SSH does not reach is asked through its guest agent to go back."""
    empty: bool = False
    """Whether VMs are made without a template."""
    new_templates: bool = False
    """Whether templates are made anew, and so cloned before their ids are known."""

    @property
    def guests(self) -> tuple[str, ...]:
        """The paths of the fleet's VMs: their pools, if each is in one; what holds on `/vms` holds on members of pools."""
        pools = tuple(f"/pool/{pool}" for pool in sorted(self.pools))
        return ("/vms",) if self.outside_pools or not pools else pools


@dataclass(slots=True)
class _List:
    """Needs as they are told."""

    found: list[Need] = field(default_factory=list)

    def add(self, paths: Iterable[str], *privileges: str, why: str, below: bool = True) -> None:
        for path in paths:
            pooled = ("/vms",) if path.startswith("/pool/") and privileges[0].startswith("VM.") else ()
            self.found.append(Need(path=path, any_of=privileges, reason=why, or_at=pooled, below=below))


def uses(site: Site, cluster: Cluster, hosts: Iterable[Host]) -> Uses:
    """What the hosts of `cluster` that pvenix manages make use of."""
    all_hosts = [host for host in hosts if host.machine.cluster in ("", cluster.name)]
    mine = [host for host in all_hosts if host.machine.state.managed]
    machines = [host.machine for host in mine]
    proxmox = [machine.proxmox for machine in machines]
    cloned = {machine.template for machine in machines if machine.install is Install.CLONE}
    templates = [one for name, one in site.templates.items() if name in cloned and one.cluster == cluster.name]
    isos = [machine.iso for machine in machines if machine.install is Install.ISO and machine.iso]
    backup_names = {machine.backup.storage for machine in machines} | {cluster.storage.get("backup", "")}
    disks = {disk.storage for one in proxmox for disk in one.disks} | {one.storage for one in proxmox}
    named = {storage for purpose, storage in cluster.storage.items() if purpose != "backup"}
    return Uses(
        pools=frozenset(one.pool for one in proxmox if one.pool),
        outside_pools=any(not one.pool for one in proxmox),
        templates=frozenset(vmid for one in templates for vmid in (one.vmid, *one.replicas.values())),
        storages=frozenset({*disks, *named, *(one.storage for one in templates)} - {""}),
        backups=frozenset(backup_names - {""}),
        images=frozenset(iso.wanted.partition(":")[0] for iso in isos),
        downloads=frozenset(iso.storage for iso in isos if iso.url),
        networks=frozenset(network for host in mine for network in _networks(site, host)),
        mappings=frozenset(device.mapping for one in proxmox for device in one.pci),
        hardware=any(_changes_hardware(host) for host in mine),
        startup=any(one.startup for one in proxmox),
        jobs=any(machine.backup.job for machine in machines),
        ha=any(one.ha is not None for one in proxmox),
        agent_net=any(SecondNet.AGENT in machine.update.second_net for machine in machines),
        new_templates=any(host.machine.state is State.ARCHIVED and host.machine.update.canary for host in all_hosts),
        empty=any(machine.install not in (Install.CLONE, Install.ADOPT) for machine in machines),
    )


def _networks(site: Site, host: Host) -> list[tuple[str, int]]:
    found = []
    for card in host.machine.cards:
        zone = site.zones.get(card.zone)
        bridge, vlan = card.bridge or (zone.bridge if zone else ""), card.vlan or (zone.vlan if zone else 0)
        found += [(bridge, vlan)] if bridge else []
        found += [(bridge, trunk) for trunk in card.trunks if bridge]
    return found


def _changes_hardware(host: Host) -> bool:
    """True when something that VM.Config.HWType guards is declared (qemu-server API2/Qemu.pm, `$hwtypeoptions`)."""
    machine = host.machine
    declared = any(field.startswith("hardware.") for field in host.declared)
    return declared or bool(machine.proxmox.pci or machine.hardware.display) or machine.install is not Install.CLONE


def needs(found: Uses, level: Level, release: int) -> tuple[Need, ...]:
    """Every privilege that a token of `level` needs on a cluster of this major release."""
    result = _List()
    _viewing(result, found)
    if level is not Level.VIEWER:
        _operating(result, found, release)
    if level is Level.PROVISIONER:
        _provisioning(result, found, release)
    return tuple(result.found)


def _viewing(result: _List, found: Uses) -> None:
    templates = [f"/vms/{vmid}" for vmid in sorted(found.templates)]
    storages = sorted(found.storages | found.backups | found.images | found.downloads)
    result.add(["/"], "Sys.Audit", why="quorum, backup jobs and HA are read", below=False)
    result.add(["/nodes"], "Sys.Audit", why="figures of nodes decide where a VM goes; tasks of others are read")
    result.add(
        ["/vms"],
        "VM.Audit",
        why="a VM is in its pool only once it is whole; without it lists leave VMs out; cloud-init files are shown",
    )
    result.add(templates, "VM.Audit", why="the template is looked for")
    result.add([f"/pool/{pool}" for pool in sorted(found.pools)], "Pool.Audit", why="the pool is looked for")
    result.add([f"/storage/{one}" for one in storages], "Datastore.Audit", why="free space and volumes are read")
    result.add(_bridges(found), "SDN.Audit", "SDN.Use", why="the bridge is looked for", below=False)
    result.add(_mappings(found), "Mapping.Audit", "Mapping.Use", "Mapping.Modify", why="the device is looked for")


def _operating(result: _List, found: Uses, release: int) -> None:
    vms = found.guests
    result.add(vms, "VM.PowerMgmt", why="start, stop, shutdown, reset")
    result.add(vms, "VM.Snapshot", why="snapshots are taken and deleted")
    result.add(vms, "VM.Snapshot.Rollback", "VM.Snapshot", why="back to a snapshot")
    if found.backups:
        result.add(vms, "VM.Backup", why="a backup before something is destroyed")
        stores = [f"/storage/{one}" for one in sorted(found.backups)]
        result.add(stores, "Datastore.AllocateSpace", why="room for backups")
    if release < GRANULAR_AGENT:
        result.add(vms, "VM.Monitor", why="host keys, addresses and commands through the guest agent")
        return
    everything = "VM.GuestAgent.Unrestricted"
    result.add(vms, "VM.GuestAgent.Audit", everything, why="addresses through the guest agent")
    result.add(vms, "VM.GuestAgent.FileRead", everything, why="the host key is read through the guest agent")
    result.add(vms, "VM.GuestAgent.FileSystemMgmt", everything, why="a freeze that hangs is thawed")
    if found.agent_net:
        result.add(vms, everything, why="a host that SSH does not reach is asked through its agent to go back")


def _provisioning(result: _List, found: Uses, release: int) -> None:
    vms = found.guests
    result.add([f"/vms/{vmid}" for vmid in sorted(found.templates)], "VM.Clone", why="the template is cloned")
    result.add(vms, "VM.Allocate", why="VMs are made and destroyed")
    for what in _CONFIG:
        result.add(vms, f"VM.Config.{what}", why="the VM is given what the inventory says")
    if found.new_templates:
        result.add(vms, "VM.Clone", why="a new template is proved by clones of it")
    result.add([f"/pool/{one}" for one in sorted(found.pools)], "Pool.Allocate", why="a VM is put into the pool")
    if found.hardware:
        result.add(vms, "VM.Config.HWType", why="display, machine type or devices are declared")
    if found.empty:
        result.add(vms, "VM.Config.CDROM", why="an installation's image is attached")
    result.add(vms, "VM.Migrate", why="a VM moves to another node")
    if release >= GRANULAR_AGENT:
        result.add(vms, "VM.GuestAgent.Unrestricted", why="commands through the guest agent at first boot")
    stores = [f"/storage/{one}" for one in sorted(found.storages)]
    result.add(stores, "Datastore.AllocateSpace", why="room for disks")
    result.add(_bridges(found), "SDN.Use", why="a network card on the bridge", below=False)
    result.add(_mappings(found), "Mapping.Use", why="a device is passed through")
    result.add([f"/storage/{one}" for one in sorted(found.downloads)], "Datastore.AllocateTemplate", why="ISO images")
    if found.downloads:
        result.add(["/nodes"], "Sys.AccessNetwork", why="a node downloads an ISO image")
    if found.startup or found.jobs:
        result.add(["/"], "Sys.Modify", why="the order of starts, or backup jobs, are declared", below=False)
    if found.ha:
        result.add(["/"], "Sys.Console", why="a VM is taken from the HA manager before it is destroyed", below=False)


def _bridges(found: Uses) -> list[str]:
    base = "/sdn/zones/localnetwork"
    return [f"{base}/{bridge}/{vlan}" if vlan else f"{base}/{bridge}" for bridge, vlan in sorted(found.networks)]


def _mappings(found: Uses) -> list[str]:
    return [f"/mapping/pci/{one}" for one in sorted(found.mappings)]


def effective(granted: Mapping[str, Mapping[str, int]], path: str) -> frozenset[str]:
    """The privileges on `path`: Proxmox tells the paths that have entries, and a 1 where one holds below as well.

    An entry takes the place of those above it (`get_effective_permissions`, pve-access-control), so the nearest counts.
    """
    if path in granted:
        return frozenset(granted[path])
    above = path
    while above != "/":
        above = above.rpartition("/")[0] or "/"
        if above in granted:
            return frozenset(name for name, below in granted[above].items() if below)
    return frozenset()


def missing(wanted: Sequence[Need], granted: Mapping[str, Mapping[str, int]]) -> tuple[Need, ...]:
    """The needs that are not met."""
    return tuple(need for need in wanted if not _met(need, granted))


def _met(need: Need, granted: Mapping[str, Mapping[str, int]]) -> bool:
    wanted = frozenset(need.any_of)
    for path in (need.path, *need.or_at):
        has = effective(granted, path)
        if path in granted and (path in ("/nodes", "/vms") or path.startswith("/pool/")):  # what is meant is below them
            has = frozenset(name for name, below in granted[path].items() if below)
        if wanted & has:
            return True
    return False

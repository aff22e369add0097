"""Which VM is a host's own. The marker says so: the notes that a clone is given, and later its tags."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.engine.ports import Clock, Pve, VmConfig, VmState
from pvenix.engine.step import Step
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.lifecycle import notes
from pvenix.lifecycle.survey import Survey
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from pvenix.model.names import NodeName, Vmid, node_name
from pvenix.model.names import vmid as vm_id

MARKER_TAG: Final = "pvenix"
"""The tag of every VM that pvenix made."""
STRANGER: Final = "PVX0512"
"""The error of an id that another machine has."""
_SEE: Final = "VM.Audit"
_MOVING_TRIES: Final = 6
_MOVING_PAUSE_S: Final = 1.0
"""Five seconds in all: a configuration is renamed from node to node in far less, and the list lags by a broadcast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A host's VM, read from its node."""

    node: NodeName
    vmid: Vmid
    config: VmConfig

    @property
    def facts(self) -> dict[str, str]:
        """What later steps of the host know it by."""
        return {"node": self.node, "vmid": str(self.vmid), "uuid": self.config.uuid}


class OwnVms:
    """Finds the VMs of a fleet's hosts, and no other."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        pve: Pve,
        survey: Survey,
        clock: Clock,
        trust: TrustStore,
        read: Callable[[NodeName, Vmid], Awaitable[VmConfig | None]] | None = None,
    ) -> None:
        """`read` gives a VM's configuration in another way than `Pve.config`, as from what was read already."""
        self._fleet = fleet
        self._declared = {host.machine.proxmox.vmid for host in fleet.hosts.values()} - {0}
        self._pve = pve
        self._config = read or pve.config
        self._survey = survey
        self._clock = clock
        self._trust = trust

    async def find(self, name: str, facts: Mapping[str, str] | None = None) -> Found | None:
        """The host's own VM: where earlier steps left it (`facts`), by the inventory's VM id, or by our marker.

        The cluster's list may lag by ten seconds and then has no names, so a VM's own configuration decides; its notes,
        which the clone brings, and not its tags, which come later.
        Raises: Refused when the VM of the inventory's id is another machine, or when two VMs are marked as the host's and
        the inventory does not say which one is; Unreachable when a node that does not answer has a VM that may be it, or
        one is listed whose configuration does not come.
        """
        declared = self._fleet.hosts[name].machine.proxmox.vmid
        if facts and {"node", "vmid"} <= facts.keys():
            node, vmid = node_name(facts["node"]), vm_id(facts["vmid"])
            config = await self._config(node, vmid)
            if config is not None and self._is_of(name, config, declared=vmid == declared):
                return Found(node=node, vmid=vmid, config=config)
        found, silent = await self._search(name, declared)
        if len(found) > 1:
            raise _twins(name, found)
        if not found and silent is not None:
            raise silent
        return found[0] if found else None

    async def certain(self, name: str, facts: Mapping[str, str] | None = None) -> Found | None:
        """As `find`, but None says that there is no VM: lists leave out what the token may not see, and say nothing.

        Raises: Refused too when the token may not see the host's VM.
        """
        found = await self.find(name, facts)
        if found is not None:
            return found
        self.refuse_blind(name, await self._granted(name, facts or {}), facts)
        self._survey.outdated()  # the right may have come back since that list
        return await self.find(name, facts)

    async def _granted(self, name: str, facts: Mapping[str, str]) -> Mapping[str, Mapping[str, int]]:
        """The token's rights by path, with those on the host's VM of a known id, even if it has none there."""
        proxmox = self._fleet.hosts[name].machine.proxmox
        granted = dict(await self._pve.permissions())
        known = facts.get("vmid") or str(proxmox.vmid or "")
        if known and not proxmox.pool:  # what a pool gives holds only on VMs that are there
            granted |= await self._pve.permissions(f"/vms/{known}")
        return granted

    def refuse_blind(
        self, name: str, granted: Mapping[str, Mapping[str, int]], facts: Mapping[str, str] | None = None
    ) -> None:
        """Return when a token with the rights `granted` would see the host's VM.

        Raises: Refused when it may not.
        """
        proxmox = self._fleet.hosts[name].machine.proxmox
        if not _may_see(granted, proxmox.pool, {str(proxmox.vmid), (facts or {}).get("vmid", "")}):
            raise _blind(name, proxmox.pool)

    async def _search(self, name: str, declared: int) -> tuple[list[Found], Unreachable | None]:
        """The VMs that are the host's, only the declared one if it is; and why the search may have missed one."""
        silent: dict[NodeName, Unreachable] = {}
        found: list[Found] = []
        for vm in _likely_first(await self._survey.vms(), name, declared, self._declared - {declared}):
            if vm.node in silent:
                continue
            try:
                read = await self._read(vm)
            except Unreachable as error:
                silent[vm.node] = error
                continue
            if read is None:
                continue
            if self._is_of(name, read.config, declared=vm.vmid == declared):
                found.append(read)
                if vm.vmid == declared:
                    break
            elif vm.vmid == declared and read.config.values.get("lock") not in ("clone", "create"):
                raise _stranger(vm.vmid, read.config, name)
        return found, next(iter(silent.values()), None)

    async def _read(self, vm: VmState) -> Found | None:
        """A listed VM, wherever it is by now; None when it is listed no more.

        While a VM moves to another node its configuration is on neither: to take it for gone would make a second one.
        Raises: Unreachable when it stays listed without one.
        """
        for _ in range(_MOVING_TRIES):
            config = await self._config(vm.node, vm.vmid)
            if config is not None:
                return Found(node=vm.node, vmid=vm.vmid, config=config)
            await self._clock.sleep(_MOVING_PAUSE_S)
            self._survey.outdated()
            listed = next((other for other in await self._survey.vms() if other.vmid == vm.vmid), None)
            if listed is None:
                return None
            vm = listed
        raise Unreachable(
            f"VM {vm.vmid} is listed on {vm.node}, where its configuration is not",
            why="it may be on its way to another node",
            hint="look again in a moment",
            code="PVX0544",
        )

    async def of(self, step: Step) -> Found:
        """The VM of the step's host.

        Raises: RemoteFailure when there is none.
        """
        found = await self.find(step.host, step.facts)
        if found is None:
            raise RemoteFailure(
                f"{step.host} has no VM", hint=f"pvenix run playbooks/onboard.yaml -l {step.host}", code="PVX0513"
            )
        return found

    async def running(self, found: Found) -> bool:
        """True when the VM's node says that it runs, if only paused."""
        return (await self._pve.power(found.node, found.vmid)).status == "running"

    def owns(self, config: VmConfig, name: str) -> bool:
        """True when the VM's notes say that we made it for host `name` of this fleet.

        A clone inherits the tags of its template, so tags alone do not count; and no template is a host's VM.
        """
        named = notes.parse(config.values.get("description", "")).host == name
        return named and config.values.get("template") != "1" and self._not_of_another_fleet(config)

    def _is_of(self, name: str, config: VmConfig, *, declared: bool) -> bool:
        """True for the VM of host `name`: it has its name, and our notes or the id that the inventory declares.

        An id may have been given to another machine since: where a machine is pinned it must be that one.
        """
        known = (declared and self._not_of_another_fleet(config) and self._pinned(name, config)) or self.owns(
            config, name
        )
        return known and config.values.get("name") == name

    def _pinned(self, name: str, config: VmConfig) -> bool:
        """False when the host's key is pinned together with the uuid of another machine."""
        pin = self._trust.get(name)
        return pin is None or not pin.uuid or not config.uuid or pin.uuid == config.uuid

    def _not_of_another_fleet(self, config: VmConfig) -> bool:
        return fleet_of(config) in ("", self._fleet.site.name)


def marker(host: str, *, fleet: str, run: str) -> str:
    """The notes of a VM that pvenix made: they say whose it is before its tags do."""
    return str(notes.Notes(host=host, fleet=fleet, run=run))


def is_tagged(config: VmConfig) -> bool:
    """True when the VM has our tag, as a template may have too."""
    return MARKER_TAG in config.values.get("tags", "").split(";")


def fleet_of(config: VmConfig) -> str:
    """The fleet that the VM's notes name, empty when they name none."""
    return notes.parse(config.values.get("description", "")).fleet


def _likely_first(vms: Sequence[VmState], host: str, declared: int, others: Collection[int]) -> list[VmState]:
    """The VMs that may be the host's: that of the declared id, those of its name, then those without a name.

    The list has no names for a while after a node went down; an id that another host declares (`others`) is that one's.
    """
    may_be = [
        vm
        for vm in vms
        if not vm.template and (vm.vmid == declared or vm.name == host or (not vm.name and vm.vmid not in others))
    ]
    return sorted(may_be, key=lambda vm: (vm.vmid != declared, vm.name != host))


def _may_see(granted: Mapping[str, Mapping[str, int]], pool: str, ids: Collection[str]) -> bool:
    """True when a token with the rights `granted` sees a VM of the pool, or of one of the ids.

    Proxmox gives `/vms` and `/pool` with what they inherit, and a 1 for a right that holds below its path too
    (`get_effective_permissions`, pve-access-control); what holds on a pool holds on its VMs.
    """
    own = [f"/vms/{one}" for one in ids]
    if any(path in granted and _SEE not in granted[path] for path in own):
        return False  # an entry of its own takes the place of those above it
    above = any(granted.get(path, {}).get(_SEE) for path in ("/vms", *(("/pool",) if pool else ())))
    at = own + ([f"/pool/{pool}"] if pool else [])
    return above or any(_SEE in granted.get(path, {}) for path in at)


def _blind(name: str, pool: str) -> Refused:
    return Refused(
        f"the API token may not see whether {name} has a VM",
        why=f"without {_SEE} the lists leave a VM out and say nothing",
        hint=f"it takes {_SEE} on {f'/pool/{pool}' if pool else '/vms'}: `pvenix doctor` prints the pveum lines",
        code="PVX0532",
    )


def _stranger(vmid: Vmid, config: VmConfig, name: str) -> Refused:
    if config.values.get("name") == name:
        return Refused(
            f"VM {vmid} has the name of {name} and is another machine",
            why=f"its smbios uuid is {config.uuid}, and neither its notes nor a pin say that it is {name}",
            hint=f"if you made it in its place, remove the pin of {name} and boot it again; else choose another "
            "machine.proxmox.vmid: pvenix never takes over a stranger's VM",
            code=STRANGER,
        )
    return Refused(
        f"VM {vmid} is {config.values.get('name')!r}, not {name}",
        why=f"the inventory gives {vmid} to {name}",
        hint=f"choose another machine.proxmox.vmid for {name}; pvenix never takes over a stranger's VM",
        code=STRANGER,
    )


def _twins(name: str, found: Sequence[Found]) -> Refused:
    ids = " and ".join(f"{vm.vmid} on {vm.node}" for vm in found)
    return Refused(
        f"VMs {ids} are both marked as {name}",
        why="their names and notes are the same, as after a copy made by hand",
        hint=f"take pvenix's lines out of the notes of the one that is not {name}, or name the right one: "
        f"pvenix host edit {name} proxmox.vmid={found[0].vmid}",
        code="PVX0543",
    )

"""What the verbs work on: the fleet, the ports, and one shared look at the cluster."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pvenix.engine.ports import Clock, Guest, Pve, Repo, Target, VmConfig, VmState
from pvenix.engine.step import Step
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.lifecycle.addresses import choose_addresses
from pvenix.lifecycle.remote import Remote
from pvenix.model.errors import PvenixError, Refused, RemoteFailure, Unreachable, UsageError
from pvenix.model.host import Host
from pvenix.model.names import CommitId, NodeName, Vmid, node_name
from pvenix.model.names import vmid as vm_id
from pvenix.model.site import Cluster

MARKER_TAG = "pvenix"
"""The tag of every VM that pvenix made."""
_SURVEY_AGE_S = 1.0
_FAILURE_AGE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A host's VM, read from its node."""

    node: NodeName
    vmid: Vmid
    config: VmConfig


@dataclass(slots=True, kw_only=True)
class Ledger:
    """VM ids and memory promised to hosts of this run whose VMs do not exist yet."""

    vmids: dict[str, Vmid] = field(default_factory=dict)
    memory: dict[str, tuple[NodeName, int]] = field(default_factory=dict)
    """Node and bytes by host."""
    refused: set[Vmid] = field(default_factory=set)
    """Ids that Proxmox said are taken: the token may not see every VM, and the list lags."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def reserved(self, host: str, vms: Sequence[VmState]) -> dict[NodeName, int]:
        """Bytes by node that are promised to others and that `vms` does not show yet."""
        shown = {vm.vmid for vm in vms if vm.memory_max}
        found: dict[NodeName, int] = {}
        for name, (node, memory) in self.memory.items():
            if name != host and self.vmids.get(name) not in shown:
                found[node] = found.get(node, 0) + memory
        return found


class Survey:
    """The cluster's VMs, read once for all hosts that ask within a second."""

    def __init__(self, pve: Pve, clock: Clock) -> None:
        self._pve = pve
        self._clock = clock
        self._vms: tuple[VmState, ...] = ()
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def vms(self) -> tuple[VmState, ...]:
        """Every VM of the cluster, at most a second old."""
        async with self._lock:
            if self._clock.monotonic() - self._read_at > _SURVEY_AGE_S:
                self._vms = await self._pve.vms()
                self._read_at = self._clock.monotonic()
            return self._vms

    def outdated(self) -> None:
        """Forget what was read, as after a VM was made or destroyed."""
        self._read_at = float("-inf")


class World:
    """The site as one run sees it."""

    def __init__(self, *, fleet: Fleet, pve: Pve, guest: Guest, repo: Repo, clock: Clock, trust: TrustStore) -> None:
        self.fleet = fleet
        self.pve = pve
        self.guest = guest
        self.repo = repo
        self.clock = clock
        self.trust = trust
        self.survey = Survey(pve, clock)
        self.ledger = Ledger()
        self._fetching = asyncio.Lock()
        self._fetched = False
        self._failed: tuple[float, PvenixError] | None = None

    def cluster(self, host: Host) -> Cluster:
        """The cluster that the host lives in: the one it names, or the only one."""
        clusters = self.fleet.site.clusters
        return clusters[host.machine.cluster] if host.machine.cluster else next(iter(clusters.values()))

    def host(self, step: Step) -> Host:
        """The inventory's entry of the step's host."""
        return self.fleet.hosts[step.host]

    async def find_vm(self, name: str, facts: Mapping[str, str] | None = None) -> Found | None:
        """The host's own VM: where earlier steps left it (`facts`), by the inventory's VM id, or by our marker.

        The cluster's list may lag by ten seconds and then has no names, so a VM's own configuration decides; its notes,
        which the clone brings, and not its tags, which come later.
        Raises: Refused when the VM of the inventory's id is another machine, Unreachable when a node that does not answer
        has a VM that may be it.
        """
        declared = self.fleet.hosts[name].machine.proxmox.vmid
        if facts and {"node", "vmid"} <= facts.keys():
            node, vmid = node_name(facts["node"]), vm_id(facts["vmid"])
            config = await self.pve.config(node, vmid)
            if config is not None and self._is_of(name, config, declared=vmid == declared):
                return Found(node=node, vmid=vmid, config=config)
        silent: dict[NodeName, Unreachable] = {}
        for vm in _likely_first(await self.survey.vms(), name, declared):
            if vm.node in silent:
                continue
            try:
                config = await self.pve.config(vm.node, vm.vmid)
            except Unreachable as error:
                silent[vm.node] = error
                continue
            if config is None:
                continue
            if self._is_of(name, config, declared=vm.vmid == declared):
                return Found(node=vm.node, vmid=vm.vmid, config=config)
            if vm.vmid == declared and config.values.get("lock") != "clone":
                raise _stranger(vm.vmid, config, name)
        if silent:
            raise next(iter(silent.values()))
        return None

    def owns(self, config: VmConfig, name: str) -> bool:
        """True when the VM's notes say that we made it for host `name` of this fleet.

        A clone inherits the tags of its template, so tags alone do not count.
        """
        named = f"pvenix-host: {name}" in config.values.get("description", "").split("\n")
        return named and self._not_of_another_fleet(config)

    def _is_of(self, name: str, config: VmConfig, *, declared: bool) -> bool:
        """True for the VM of host `name`: it has its name, and our notes or the id that the inventory declares."""
        known = (declared and self._not_of_another_fleet(config)) or self.owns(config, name)
        return known and config.values.get("name") == name

    def _not_of_another_fleet(self, config: VmConfig) -> bool:
        return fleet_of(config) in ("", self.fleet.site.name)

    async def vm_of(self, step: Step) -> Found:
        """The host's VM.

        Raises: RemoteFailure when there is none.
        """
        found = await self.find_vm(step.host, step.facts)
        if found is None:
            raise RemoteFailure(
                f"{step.host} has no VM", hint=f"pvenix run playbooks/onboard.yaml -l {step.host}", code="PVX0513"
            )
        return found

    async def address_of(self, name: str) -> str:
        """Where the host answers: the inventory's address, else what the guest agent reports.

        Raises: Unreachable when neither is known.
        """
        fixed = self.fleet.hosts[name].machine.network.ip
        if fixed:
            return fixed
        found = await self.find_vm(name)
        if found is None:
            raise Unreachable(f"{name} has no VM, so no address", code="PVX0403")
        candidates = choose_addresses(await self.pve.agent_interfaces(found.node, found.vmid), found.config)
        if not candidates:
            raise Unreachable(f"the guest agent of {name} reports no usable address", code="PVX0404")
        return candidates[0]

    async def target(self, name: str, address: str = "") -> Target:
        """How to reach the host, at `address` or wherever it is, with the key that it must show.

        Raises: Refused when no key is pinned, Unreachable when there is no address.
        """
        pin = self.trust.get(name)
        if pin is None:
            raise Refused(
                f"no host key is pinned for {name}",
                why="the first connection would trust whoever answers",
                hint=f"pvenix boot {name} reads the key through the guest agent",
                code="PVX0805",
            )
        access = self.fleet.site.access
        return Target(
            host=name,
            address=address or await self.address_of(name),
            port=access.port,
            user=access.user,
            host_key=pin.key,
            key_file=self._key_file(),
            jump=self._jump(),
        )

    def _jump(self) -> Target | None:
        access = self.fleet.site.access
        if access.jump is None:
            return None
        return Target(
            host="jump",
            address=access.jump.host,
            port=access.jump.port,
            user=access.jump.user,
            host_key=access.jump.host_key,
            pinned_in="access.jump.host_key in inventory/site.yaml",
            key_file=self._key_file(),
        )

    def _key_file(self) -> str:
        key = self.fleet.site.access.key
        if key is None:
            raise UsageError(
                "the site names no SSH key",
                hint="set access.key in inventory/site.yaml: key: {file: ~/.ssh/id_ed25519}",
            )
        return str(key)

    async def remote(self, step: Step) -> Remote:
        """The run's session to the step's host.

        Raises: Refused, Unreachable.
        """
        return Remote(session=await self.guest.session(await self.target(step.host)), step=step)

    @property
    def branch(self) -> str:
        """The branch that hosts are built from."""
        repository = self.fleet.site.repository
        return repository.branch if repository else "main"

    async def expected(self) -> CommitId:
        """The commit that every host should run; the remote is asked once a run.

        Raises: what kept the remote from being read: what was fetched earlier is not what hosts should run now.
        """
        async with self._fetching:
            if not self._fetched:
                return await self._fetch()
        return await self.repo.main()

    async def _fetch(self) -> CommitId:
        """The remote's tip; a failure holds for all hosts that ask at the same time."""
        if self._failed is not None and self.clock.monotonic() - self._failed[0] < _FAILURE_AGE_S:
            raise self._failed[1]
        try:
            commit = await self.repo.fetch()
        except PvenixError as error:
            self._failed = self.clock.monotonic(), error
            raise
        self._fetched = True
        return commit

    async def registered(self, name: str) -> bool:
        """True when the main branch holds the host's NixOS configuration."""
        return await self.repo.read(await self.expected(), host_file(name)) is not None


def marker(host: str, *, fleet: str, run: str) -> str:
    """The notes of a VM that pvenix made: they say whose it is before its tags do."""
    return f"pvenix-host: {host}\npvenix-fleet: {fleet}\npvenix-run: {run}"


def fleet_of(config: VmConfig) -> str:
    """The fleet that the VM's notes name, empty when they name none."""
    found = re.search(r"^pvenix-fleet: (.*)$", config.values.get("description", ""), re.MULTILINE)
    return found.group(1) if found else ""


def _likely_first(vms: Sequence[VmState], host: str, declared: int) -> list[VmState]:
    """The VMs that may be the host's: that of the declared id, those of its name, then those without a name."""
    may_be = [vm for vm in vms if not vm.template and (vm.vmid == declared or vm.name in ("", host))]
    return sorted(may_be, key=lambda vm: (vm.vmid != declared, vm.name != host))


def _stranger(vmid: Vmid, config: VmConfig, name: str) -> Refused:
    return Refused(
        f"VM {vmid} is {config.values.get('name')!r}, not {name}",
        why=f"the inventory gives {vmid} to {name}",
        hint=f"choose another machine.proxmox.vmid for {name}; pvenix never takes over a stranger's VM",
        code="PVX0512",
    )


def host_file(name: str) -> str:
    """Path of a host's NixOS configuration in the fleet."""
    return f"nix/hosts/{name}.nix"


def hardware_file(name: str) -> str:
    """Path of a host's hardware configuration in the fleet."""
    return f"nix/hardware/{name}-hw.nix"

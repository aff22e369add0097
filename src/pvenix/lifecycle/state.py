"""The four facts of a host: booted, current, profile, and the commit that it should run."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from pvenix.engine.ports import Entry
from pvenix.engine.readings import Readings
from pvenix.engine.step import Step
from pvenix.lifecycle import hardware
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.ignoring import without_ignored
from pvenix.lifecycle.lineage import Repository
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, RemoteFailure, Unreachable
from pvenix.model.generation import HostFacts, Sync, drift, sync_state
from pvenix.model.host import State
from pvenix.model.names import Vmid
from pvenix.model.paths import hardware_file
from pvenix.model.status import HardwareLook, HostStatus

_AT_ONCE: Final = 64
_HOST_S: Final = 30.0
"""What one host may take: reading a busy one takes a second, a login on a silent one gives up after 15."""
_HARDWARE_S: Final = 60.0
"""What its generator may take beside that."""


class _NoJournal:
    """Looking leaves no record."""

    async def intent(self, host: str, step: str, **data: str) -> None:
        """Nothing is intended."""

    def evidence(self, host: str, step: str, **data: str) -> None:
        """Nothing is under way."""

    async def result(self, host: str, step: str, **data: str) -> None:
        """Nothing ended."""

    def entries(self) -> tuple[Entry, ...]:
        """Nothing was written."""
        return ()


def looking_at(name: str) -> Step:
    """A step that only looks and tells nobody."""
    return Step(
        run="",
        host=name,
        id="0.0.status",
        verb="status",
        args={},
        check=True,
        facts={},
        journal=_NoJournal(),
        tell=lambda _text: None,
        show=lambda _channel, _text, _writes: None,
        output=lambda _text: None,
    )


async def host_statuses(
    world: World, names: Sequence[str], *, readings: Readings | None = None, hardware: bool = False
) -> AsyncIterator[HostStatus]:
    """The state of each host, in the order in which they answer; one that does not answer comes with its last reading.

    `hardware` has each host generate its hardware file too, which costs seconds of its own. Those that answered last
    come first, so that many dead ones do not keep the others waiting.
    """
    repository, cluster, known = Repository(world), Cluster(world), readings or Readings()
    slots = asyncio.Semaphore(_AT_ONCE)
    answers: asyncio.Queue[HostStatus] = asyncio.Queue()
    last = {name: known.get(name) for name in names}

    async def one(name: str) -> None:
        async with slots:
            doubtful = not world.ways.reached(name).address
            look = Look(world, name, repository, cluster, hardware=hardware, doubtful=doubtful)
            await answers.put(_remembered(known, await look.status(), last[name]))

    try:
        async with asyncio.TaskGroup() as group:
            for name in sorted(names, key=lambda name: not world.ways.reached(name).address):
                group.create_task(one(name))
            for _ in names:
                yield await answers.get()
    finally:
        known.save()


def _remembered(known: Readings, status: HostStatus, last: HostStatus | None) -> HostStatus:
    if status.sync is Sync.ABSENT:
        known.forget(status.host)
    elif status.facts is not None:
        known.put(status)
    elif not status.sync.answered:
        return replace(status, last=last)
    return status


class Cluster:
    """What Proxmox lists, asked once for all hosts of a look: a silent one costs one time-out and not one for each host."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = asyncio.Lock()
        self._asked = False
        self.running: frozenset[Vmid] = frozenset()
        """The VMs that run; the list lags, so a VM that is missing here may run too."""
        self.silent: Unreachable | None = None

    async def ready(self) -> None:
        """Return once Proxmox was asked.

        Raises: Refused and the like, when it answers and refuses.
        """
        async with self._lock:
            if self._asked or self.silent is not None:
                return
            try:
                vms = await self._world.survey.vms()
            except Unreachable as error:
                self.silent = error
                return
            self._asked = True
            self.running = frozenset(vm.vmid for vm in vms if vm.status == "running")


class Look:
    """One look at one host."""

    def __init__(
        self, world: World, name: str, repository: Repository, cluster: Cluster, *, hardware: bool, doubtful: bool
    ) -> None:
        """`doubtful` gives no address of the host the full time of a login: it may well be dead."""
        self._world = world
        self._step = looking_at(name)
        self._repository = repository
        self._cluster = cluster
        self._hardware = hardware
        self._doubtful = doubtful
        self._status = HostStatus(host=name, sync=Sync.UNREACHABLE, seen_at=world.clock.utc())

    async def status(self) -> HostStatus:
        """What is known of the host now, within a time-out of its own."""
        try:
            async with asyncio.timeout(_HOST_S + self._hardware * _HARDWARE_S):
                return await self._read()
        except TimeoutError:
            return self._failed(Sync.UNKNOWN, f"not read within {_HOST_S + self._hardware * _HARDWARE_S:.0f} s")
        except (OutcomeUnknown, RemoteFailure) as error:
            return self._failed(Sync.UNKNOWN, str(error))
        except PvenixError as error:
            return self._failed(Sync.UNREACHABLE, str(error))

    def _failed(self, sync: Sync, problem: str) -> HostStatus:
        return replace(self._status, sync=sync, seen_at=self._world.clock.utc(), problem=problem)

    def _stopped(self) -> HostStatus:
        wanted = self._world.host(self._step).machine.state is State.STOPPED
        shown = "the VM is stopped, as the inventory says" if wanted else "the VM is stopped"
        return replace(self._failed(Sync.UNREACHABLE, shown), resting=wanted)

    async def _read(self) -> HostStatus:
        world, repository, name = self._world, self._repository, self._step.host
        await repository.ready()
        self._status = replace(
            self._status, expected=repository.expected, registration=repository.registration(name), sync=Sync.ABSENT
        )
        found, silent = await self._find()
        if found is None and silent is None:
            return replace(self._status, seen_at=world.clock.utc(), problem="onboarding makes one")
        if not repository.registered(name):
            if silent is not None:
                raise silent
            return replace(self._status, sync=Sync.UNREGISTERED, seen_at=world.clock.utc())
        if found is not None and self._status.power != "running":
            return self._stopped()
        try:
            session = await world.ways.session(name, facts=found.facts if found else None, probing=self._doubtful)
        except Unreachable:
            if found is None or (power := (await world.pve.power(found.node, found.vmid)).status) == "running":
                raise
            self._status = replace(self._status, power=power)
            return self._stopped()
        problem = "; ".join(filter(None, (repository.problem, f"its VM is not known: {silent}" if silent else "")))
        return replace(await self._compared(Remote(session=session, step=self._step)), problem=problem)

    async def _find(self) -> tuple[Found | None, Unreachable | None]:
        """The host's VM, or why Proxmox does not say: the host itself may answer all the same."""
        world = self._world
        await self._cluster.ready()
        if self._cluster.silent is not None:
            return None, self._cluster.silent
        try:
            found = await world.vms.find(self._step.host)
        except Unreachable as error:
            return None, error
        if found is not None:
            listed = found.vmid in self._cluster.running
            power = "running" if listed else (await world.pve.power(found.node, found.vmid)).status
            self._status = replace(self._status, vmid=found.vmid, node=found.node, power=power)
        return found, None

    async def _compared(self, remote: Remote) -> HostStatus:
        """What the host says of itself, against what the repository says."""
        ignored = self._world.host(self._step).machine.drift.ignore
        facts = without_ignored(await read_facts(remote), ignored)
        lineage = await self._repository.lineage(facts)
        hardware = await self._look_at_hardware(remote, facts) if self._hardware else None
        found = drift(facts, lineage)
        if hardware is not None and hardware.diff:
            found += (f"hardware: {hardware.lines} lines differ from what the generator writes now",)
        seen = self._world.ways.reached(remote.step.host)
        return replace(
            self._status,
            sync=sync_state(facts, lineage, drifted=bool(found)),
            seen_at=self._world.clock.utc(),
            facts=facts,
            generation=facts.generation,
            address=seen.address,
            address_why=seen.why,
            address_at=seen.at,
            drift=found,
            hardware=hardware,
        )

    async def _look_at_hardware(self, remote: Remote, facts: HostFacts) -> HardwareLook:
        """What the generator writes now against the file at the commit that the host was built from."""
        name = remote.step.host
        try:
            now = await hardware.printed(remote, remote.step)
            committed = await self._repository.hardware(name, facts.revision)
        except PvenixError as error:
            return HardwareLook(problem=str(error))
        path = hardware_file(name)
        if committed is None:
            return HardwareLook(problem=f"{path} is not known at {facts.revision[:10] or 'no commit'}")
        lines = difflib.unified_diff(
            committed.splitlines(), now.splitlines(), f"{path} at {facts.revision[:10]}", f"{name} now", lineterm=""
        )
        return HardwareLook(diff="\n".join(lines))

"""What the verbs work on: the fleet, the ports, and the way from a host's name to its guest."""

from __future__ import annotations

import asyncio

from pvenix.engine.ports import Clock, Guest, Pve, Repo, Target
from pvenix.engine.sightings import Sightings
from pvenix.engine.step import Step
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.lifecycle.ownership import OwnVms
from pvenix.lifecycle.quorum import QuorumGuard
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.slots import Slots
from pvenix.lifecycle.survey import Ledger, Survey
from pvenix.lifecycle.turns import Turns
from pvenix.lifecycle.ways import Ways
from pvenix.model.errors import PvenixError, Refused, UsageError
from pvenix.model.host import Host
from pvenix.model.names import CommitId
from pvenix.model.paths import host_file
from pvenix.model.site import Cluster

_FAILURE_AGE_S = 5.0


class World:
    """The site as one run sees it."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        pve: Pve,
        guest: Guest,
        repo: Repo,
        clock: Clock,
        trust: TrustStore,
        sightings: Sightings | None = None,
        own_keys: frozenset[str] = frozenset(),
    ) -> None:
        """Without `sightings` a run remembers nothing of where hosts were; `own_keys` are the host keys of this machine."""
        self.own_keys = own_keys
        self.turns = Turns(clock)
        self.fleet = fleet
        self.pve = pve
        self.guest = guest
        self.repo = repo
        self.clock = clock
        self.trust = trust
        self.survey = Survey(pve, clock)
        self.ledger = Ledger()
        self.quorum = QuorumGuard(pve, clock)
        self.slots = Slots()
        self.vms = OwnVms(fleet=fleet, pve=pve, survey=self.survey, clock=clock, trust=trust)
        self.sightings = sightings or Sightings()
        self.ways = Ways(self, guest, self.sightings)
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

    async def target(self, name: str) -> Target:
        """How to reach the host wherever it is, as far as is known without connecting, with the key that it must show.

        Raises: Refused when no key is pinned, Unreachable when there is no address.
        """
        return self.target_at(name, await self.ways.address(name))

    def target_at(self, name: str, address: str) -> Target:
        """How to reach the host at `address`, with the key that it must show.

        Raises: Refused when no key is pinned.
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
            address=address,
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
        """The run's session to the step's host, at the address that answers.

        Raises: Refused, Unreachable.
        """
        return Remote(session=await self.ways.session(step.host, facts=step.facts, tell=step.tell), step=step)

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

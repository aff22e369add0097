"""A fleet's files, its directories on this machine, and its site's ports: each opened when it is first asked for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.directories import directories_of
from pvenix.engine.readonly import by_environment, refuse
from pvenix.engine.runfiles import RunStore
from pvenix.engine.sightings import Sightings
from pvenix.engine.trust import TrustStore, own_host_keys
from pvenix.model.plan import ArgValue
from pvenix.model.secret import Secret
from pvenix.operator import author

if TYPE_CHECKING:
    from pvenix.adapters.pve.login import Ask
    from pvenix.fleet.load import Fleet
    from pvenix.lifecycle.world import World


class OpenFleet:
    """What the parts of a `Workspace` share."""

    def __init__(
        self, root: Path, *, inventory: Path | None, extra: Mapping[str, ArgValue], read_only: bool = False
    ) -> None:
        self.root = root
        self.read_only = read_only or by_environment()
        """Whether every method that would change something refuses."""
        self._inventory = inventory
        self._extra = dict(extra)
        self._fleet: Fleet | None = None
        self._fleet_seen: tuple[object, ...] = ()
        self._world: World | None = None
        self.ask: Ask | None = None
        """Gets a secret from the person; None when there is nobody to ask."""
        self._reading = threading.RLock()
        """Threads read the fleet and open the site one after the other."""

    def refuse_change(self, what: str) -> None:
        """Return when `what` may be done (`approve a branch`).

        Raises: ReadOnly when this fleet was opened for looking only.
        """
        if self.read_only:
            refuse(what)

    def fleet(self) -> Fleet:
        """What the fleet's files say, read again when one of them changed.

        Raises: InvalidInput with every finding.
        """
        from pvenix.fleet.load import load_fleet
        from pvenix.fleet.stamp import stamp

        with self._reading:
            seen = stamp(self.root, self._inventory)
            if self._fleet is None or seen != self._fleet_seen:
                self._fleet = load_fleet(self.root, inventory=self._inventory, overrides=self._extra)
                self._fleet_seen = seen
            return self._fleet

    @property
    def state_dir(self) -> Path:
        """Where runs, locks and pins of this fleet are kept."""
        return directories_of(self.fleet().site, self.root).state

    @property
    def cache_dir(self) -> Path:
        """Where the mirror of this fleet's repository is kept."""
        return directories_of(self.fleet().site, self.root).cache

    @property
    def runs(self) -> RunStore:
        """Every run of this fleet on this machine."""
        return RunStore(self.state_dir / "runs", read_only=self.read_only)

    @property
    def sightings(self) -> Sightings:
        """Where hosts were last reached from this machine."""
        return Sightings(self.state_dir / "seen")

    @property
    def trust(self) -> TrustStore:
        """The host keys that are pinned for this fleet."""
        return TrustStore(fleet=self.root, local=self.state_dir / "trust")

    async def close(self) -> None:
        """End every connection."""
        if self._world is not None:
            world, self._world = self._world, None
            await world.guest.close()
            await world.repo.close()
            await world.pve.close()

    async def _site(self, *, fresh: bool = False) -> World:
        """The site's ports, opened once; `fresh` forgets what was read of it.

        In a thread: the adapters' libraries, the inventory and the secret's command take their time.
        """
        return await asyncio.to_thread(self._open_world, fresh=fresh)

    def _git_home(self) -> Path:
        """A directory without settings of Git, for git when it works in this checkout."""
        home = self.cache_dir
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return home

    async def _asked(self, question: str) -> Secret:
        """The answer of whoever is at the terminal now: a run's screen has a way of its own to ask."""
        return await self.ask(question) if self.ask else Secret("")

    def _open_world(self, *, fresh: bool = False) -> World:
        from pvenix.adapters.site import open_ports
        from pvenix.lifecycle.turns import Turns
        from pvenix.lifecycle.world import World

        with self._reading:
            fleet = self.fleet()
            if self._world is None:
                ports = open_ports(
                    fleet.site, cache=self.cache_dir, author=author(), ask=self._asked if self.ask else None
                )
                self._world = World(
                    fleet=fleet, trust=self.trust, sightings=self.sightings, own_keys=own_host_keys(), **ports
                )
                self._world.turns = Turns(self._world.clock, self.state_dir / "turns")
            elif fresh or self._world.fleet is not fleet:
                old = self._world
                self._world = World(
                    fleet=fleet,
                    trust=old.trust,
                    sightings=old.sightings,
                    own_keys=old.own_keys,
                    pve=old.pve,
                    guest=old.guest,
                    repo=old.repo,
                    clock=old.clock,
                )
                self._world.turns = old.turns
            return self._world

"""From a fleet's directory to a working engine: the one place that knows every layer.

The front ends call `Workspace`; it loads adapters only when something outside is asked.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pvenix.detached import execute_detached
from pvenix.directories import directories_of
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.sightings import Sightings
from pvenix.engine.trust import TrustStore
from pvenix.fleet import planning
from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.events import Event
from pvenix.model.generation import Generation
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task
from pvenix.model.review import Review
from pvenix.model.status import Console, HostStatus
from pvenix.operator import author, operator

if TYPE_CHECKING:
    from pvenix.adapters.pve.login import Ask
    from pvenix.engine.ports import Commit
    from pvenix.fleet.load import Fleet
    from pvenix.lifecycle.daytwo import DayTwo
    from pvenix.lifecycle.placement import Decision
    from pvenix.lifecycle.planning.drift import Accepted
    from pvenix.lifecycle.world import World
    from pvenix.model.doctor import Report
    from pvenix.model.fleetplan import FleetPlan
    from pvenix.model.initialised import Initialised
    from pvenix.model.privileges import Level
    from pvenix.model.template import TemplateHealth


class Workspace:
    """A fleet on this machine, and the site that it describes."""

    def __init__(self, root: Path, *, inventory: Path | None, extra: Mapping[str, ArgValue]) -> None:
        self.root = root
        self._inventory = inventory
        self._extra = dict(extra)
        self._fleet: Fleet | None = None
        self._fleet_seen: tuple[object, ...] = ()
        self._world: World | None = None
        self.ask: Ask | None = None
        """Gets a secret from the person; None when there is nobody to ask."""
        self._reading = threading.RLock()
        """Threads read the fleet and open the site one after the other."""

    @classmethod
    def open(
        cls, start: Path, *, inventory: Path | None = None, extra: Mapping[str, ArgValue] | None = None
    ) -> Workspace:
        """The fleet that `start` is in.

        Raises: UsageError when there is none.
        """
        from pvenix.fleet.root import find_root

        root = find_root(start)
        if root is not None:
            return cls(root, inventory=inventory, extra=extra or {})
        raise UsageError(
            f"there is no fleet in {start} or above",
            why="a fleet has inventory/site.yaml",
            hint="start one with `pvenix init DIR`, or try everything on a simulated site with --lab",
        )

    def fleet(self) -> Fleet:
        """What the fleet's files say, read again when one of them changed.

        Raises: InvalidInput with every finding.
        """
        from pvenix.fleet.load import load_fleet, stamp

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
        return RunStore(self.state_dir / "runs")

    @property
    def sightings(self) -> Sightings:
        """Where hosts were last reached from this machine."""
        return Sightings(self.state_dir / "seen")

    # --- plans -------------------------------------------------------------------------------------------------------

    def plan_verb(
        self, verb: str, hosts: Sequence[str], *, args: Mapping[str, ArgValue] | None = None, **mode: bool | int
    ) -> RunPlan:
        """One verb on some hosts; `mode` takes check, diff, step and forks."""
        return self._run_plan(planning.one_play((Task(verb=verb, args=dict(args or {})),), hosts), mode)

    def plan_verbs(
        self,
        verbs: Sequence[str],
        hosts: Sequence[str],
        *,
        args: Mapping[str, Mapping[str, ArgValue]] | None = None,
        **mode: bool | int,
    ) -> RunPlan:
        """Several verbs in order on some hosts, such as the whole onboarding; `args` by verb."""
        tasks = tuple(Task(verb=verb, args=dict((args or {}).get(verb, {}))) for verb in verbs)
        return self._run_plan(planning.one_play(tasks, hosts), mode)

    def plan_playbook(
        self,
        path: Path,
        *,
        limit: str = "all",
        tags: Sequence[str] = (),
        skip_tags: Sequence[str] = (),
        start_at: str = "",
        extra: Mapping[str, ArgValue] | None = None,
        **mode: bool | int,
    ) -> RunPlan:
        """A playbook on the hosts that it and `limit` name.

        Raises: InvalidInput with every finding, UsageError for an unknown host or task.
        """
        plays = planning.playbook_plays(
            self.fleet(), path, limit=limit, tags=tags, skip_tags=skip_tags, start_at=start_at, extra=dict(extra or {})
        )
        return self._run_plan(plays, mode, title=path.stem)

    async def plan_fleet(self, pattern: str, limit: str = "") -> FleetPlan:
        """What the site has against what the inventory wants of the hosts that both patterns mean."""
        from pvenix.adapters.git.checkout import head
        from pvenix.lifecycle.planning.building import fleet_plan

        world, home = await self._site(fresh=True), self.cache_dir
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        commit = await head(self.root, home=home)
        return await fleet_plan(world, pattern=pattern, limit=limit, commit=commit, extra=self._extra)

    def plan_apply(
        self, plan: FleetPlan, *, reboot: bool = False, offline: bool = False, **mode: bool | int
    ) -> RunPlan:
        """The run that does what a plan says, bound to what it decided; without plays when there is nothing to do."""
        from pvenix.lifecycle.planning.running import decisions_of, plays_of

        run = self._run_plan(plays_of(self.fleet(), plan, reboot=reboot, offline=offline), mode, title="apply")
        return replace(run, decisions=decisions_of(plan))

    async def accept_drift(self, plan: FleetPlan, fields: Sequence[str] = ()) -> tuple[Accepted, ...]:
        """Push what a plan found changed at Proxmox to a branch of each host, for a review."""
        from pvenix.lifecycle.planning.drift import accept_drift

        return await accept_drift(await self._site(), plan, fields)

    def _run_plan(self, plays: tuple[PlayPlan, ...], mode: Mapping[str, bool | int], *, title: str = "") -> RunPlan:
        return RunPlan(
            title=title or plays[0].name,
            plays=plays,
            fleet=str(self.root),
            inventory=str(self._inventory.absolute()) if self._inventory else "",
            check=bool(mode.get("check", False)),
            diff=bool(mode.get("diff", False)),
            step=bool(mode.get("step", False)),
            forks=int(mode.get("forks", 32)),
            extra=self._extra,
            operator=operator(),
        )

    # --- runs --------------------------------------------------------------------------------------------------------

    async def execute(self, run: RunDir, *, on_event: Callable[[Event], None], resume: bool = False) -> int:
        """Execute a run in this process; returns its exit code.

        Raises: LockHeld when another process executes it, InvalidInput, LocalResource.
        """
        from pvenix.adapters.text import sanitise
        from pvenix.engine.execution import Tools
        from pvenix.engine.journal import SqliteJournal
        from pvenix.engine.locks import HostLocks
        from pvenix.engine.narrator import Narrator
        from pvenix.engine.runner import Runner
        from pvenix.lifecycle.table import verbs

        plan = run.plan()
        world = await self._site()
        world.ledger.awaited = plan.hosts
        with (
            run.locked(),
            SqliteJournal(run.journal_path) as journal,
            Narrator(run, world.clock, on_event, clean=sanitise) as narrator,
        ):
            locks = HostLocks(self.state_dir / "locks")
            tools = Tools(verbs=verbs(world), journal=journal, clock=world.clock, locks=locks)
            return int(await Runner(plan, run, tools, narrator).execute(resume=resume))

    def start_detached(self, plan: RunPlan) -> RunDir:
        """Start a run in a process of its own, which outlives this one.

        Raises: LocalResource when the process cannot be started.
        """
        run = self.runs.create(plan)
        execute_detached(run, self.root, resume=False)
        return run

    def resume_detached(self, run: RunDir) -> None:
        """Go on with an interrupted or failed run in a process of its own.

        Raises: LocalResource when the process cannot be started.
        """
        execute_detached(run, self.root, resume=True)

    # --- the site ----------------------------------------------------------------------------------------------------

    async def status(self, hosts: Sequence[str]) -> AsyncIterator[HostStatus]:
        """The state of each host, in the order in which they answer."""
        from pvenix.lifecycle.state import host_statuses

        async for status in host_statuses(await self._site(fresh=True), hosts):
            yield status

    async def place(self, hosts: Sequence[str]) -> dict[str, Decision | PvenixError]:
        """Where hosts are or would go, or why there is no place; changes nothing."""
        from pvenix.lifecycle.placement import look_up

        world = await self._site(fresh=True)
        return await look_up(world, [world.fleet.host(name) for name in hosts])

    async def console(self, host: str) -> Console:
        """The ways to the host's console; its SSH command reads a file of pinned keys that is written here."""
        from pvenix.lifecycle.consoles import console, write_known

        world = await self._site()
        return await console(world, host, known_hosts=write_known(world, host, self.state_dir / "console"))

    async def generations(self, host: str) -> tuple[Generation, ...]:
        """The host's generations, oldest first."""
        from pvenix.lifecycle.state import host_generations

        return await host_generations(await self._site(), host)

    async def consequences(self, host: str) -> tuple[str, ...]:
        """What the destruction of the host's VM changes beside it, a line each."""
        from pvenix.lifecycle.removal import consequences_of

        return await consequences_of(await self._site(), host)

    async def day_two(self) -> DayTwo:
        """Snapshots, orphans and adoption, on the site as it is now."""
        from pvenix.lifecycle.daytwo import DayTwo

        return DayTwo(await self._site(fresh=True), self.runs)

    async def template_healths(self, names: Sequence[str] = ()) -> tuple[TemplateHealth, ...]:
        """Whether clones of these templates, or of all, will be what they should."""
        from pvenix.lifecycle.template import template_healths

        return await template_healths(await self._site(), names)

    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]:
        """The main branch's commits, newest first."""
        repo = (await self._site()).repo
        return await repo.log(await repo.fetch(), limit=limit)

    async def reviews(self) -> tuple[Review, ...]:
        """Registration branches that are not merged, without files and checks."""
        from pvenix.lifecycle.review import open_reviews

        return await open_reviews(await self._site())

    async def review(self, host: str) -> Review:
        """The registration branch of `host` with its files and checks."""
        from pvenix.lifecycle.review import read

        return await read(await self._site(), host)

    async def approve(self, host: str, commit: str, comment: str = "") -> None:
        """Approve exactly `commit`."""
        from pvenix.lifecycle.review import approve

        await approve(await self._site(), host, commit, comment=comment, by=operator())

    async def reject(self, host: str, commit: str, comment: str) -> None:
        """Reject exactly `commit`."""
        from pvenix.lifecycle.review import reject

        await reject(await self._site(), host, commit, comment=comment, by=operator())

    async def merge(self, host: str, commit: str) -> str:
        """Merge exactly the approved `commit` into main; returns the new tip."""
        from pvenix.lifecycle.review import merge

        return await merge(await self._site(), host, commit)

    async def examine(self, level: Level) -> Report:
        """What is wrong with the site, if anything."""
        from pvenix.checkup import examine

        return await examine(self.fleet(), level, self._site)

    def pveum_lines(self, level: Level, release: int) -> tuple[str, ...]:
        """The lines that make a login and all that it needs on a site of this major release."""
        from pvenix.checkup import pveum_lines

        return pveum_lines(self.fleet(), level, release)

    async def init_remote(self, say: Callable[[str], None]) -> Initialised:
        """Make the repository that site.yaml names, and this directory its clone."""
        from pvenix.init_remote import init_remote

        trust = TrustStore(fleet=self.root, local=self.state_dir / "trust")
        return await init_remote(self.fleet(), trust=trust, cache=self.cache_dir, say=say)

    async def stage(self, path: Path) -> bool:
        """Stage an edited file of this checkout, so that a pull which brings the same text goes on; True when done."""
        from pvenix.adapters.git.checkout import stage

        home = self.cache_dir
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return await stage(self.root, path, home=home)

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

    async def _asked(self, question: str) -> str:
        """The answer of whoever is at the terminal now: a run's screen has a way of its own to ask."""
        return await self.ask(question) if self.ask else ""

    def _open_world(self, *, fresh: bool = False) -> World:
        from pvenix.adapters.site import open_ports
        from pvenix.lifecycle.world import World

        with self._reading:
            fleet = self.fleet()
            if self._world is None:
                ports = open_ports(
                    fleet.site, cache=self.cache_dir, author=author(), ask=self._asked if self.ask else None
                )
                trust = TrustStore(fleet=self.root, local=self.state_dir / "trust")
                self._world = World(fleet=fleet, trust=trust, sightings=self.sightings, **ports)
            elif fresh or self._world.fleet is not fleet:
                old = self._world
                self._world = World(
                    fleet=fleet,
                    trust=old.trust,
                    sightings=old.sightings,
                    pve=old.pve,
                    guest=old.guest,
                    repo=old.repo,
                    clock=old.clock,
                )
            return self._world

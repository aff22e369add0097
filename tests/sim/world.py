"""One simulated site with its repository, and the processes of pvenix that work on it one after another."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.engine.execution import Tools
from pvenix.engine.locks import HostLocks
from pvenix.engine.narrator import Narrator
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.runner import Runner
from pvenix.engine.sightings import Sightings
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.lifecycle.table import verbs
from pvenix.lifecycle.world import World
from pvenix.model.errors import ExitCode
from pvenix.model.events import Event
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.pve.vm import Vm
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN
from tests.sim.golden import NAMESAKE, STRANGER, Golden
from tests.sim.ports import Calls, ForwardFaults, Machines, SimGuest, SimTransport
from tests.sim.records import SimJournal, SimRemote, counted_repo
from tests.sim.virtual import LoopClock

MARK = "pvenix-host: "
KILLED = None
"""What `run` returns for a process that was killed."""


@dataclass
class Sim:
    """Everything of one seed."""

    root: Path
    golden: Golden
    site: Site
    faults: ForwardFaults
    remote: SimRemote
    machines: Machines
    rng: random.Random
    watch: Callable[[Sim, Event], None]
    fleet: Fleet
    """What the operators' inventory says at this moment."""
    verbose: bool = False
    journals: dict[str, SimJournal] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    rebooted: dict[str, float] = field(default_factory=dict)
    """When a host was last rebooted by somebody else."""
    began: dict[str, str] = field(default_factory=dict)
    """The main branch's tip when a run was planned."""
    calls: Calls = field(default_factory=Calls)
    """Those of the process that was started last."""
    alive: list[Calls] = field(default_factory=list)
    reached: Counter[str] = field(default_factory=Counter)
    """What befell this site, counted: `acts onboard`, `faults pve-596`, `deaths`, ..."""
    _log: list[tuple[float, str | Event]] = field(default_factory=list)
    broken: AssertionError | None = None
    """The first rule that was broken during a run; raised when its process has ended."""

    @classmethod
    def make(
        cls, golden: Golden, root: Path, seed: int, watch: Callable[[Sim, Event], None], *, real_files: bool = False
    ) -> Sim:
        """A fresh copy of the golden site for this seed."""
        site = golden.site(root / "site", seed, real_files=real_files)
        site.faults = faults = ForwardFaults(site)
        return cls(
            root=root,
            golden=golden,
            site=site,
            faults=faults,
            remote=golden.remote(),
            machines=Machines(site),
            rng=random.Random(seed),
            watch=watch,
            fleet=golden.fleet,
        )

    @property
    def trust(self) -> TrustStore:
        """The pins of the fleet, as each operator has them."""
        return TrustStore(fleet=self.golden.fleet.root, local=self.root / "state/trust")

    @property
    def sightings(self) -> Sightings:
        """Where the operator's machine last reached each host."""
        return Sightings(self.root / "state/seen")

    def plan(self, title: str, hosts: tuple[str, ...], *tasks: Task, serial: int = 0, named: bool = True) -> RunDir:
        """A new run on disk; not `named`, it is one that a playbook asks for."""
        size = serial or len(hosts)
        waves = tuple(hosts[start : start + size] for start in range(0, len(hosts), size))
        plan = RunPlan(
            title=title,
            plays=(PlayPlan(name=title, waves=waves, tasks=tasks),),
            fleet=str(self.golden.fleet.root),
            named=named,
        )
        store = RunStore(
            self.root / "state/runs" / str(len(self.journals))
        )  # ids are of real seconds, and many fit in one
        run = store.create(plan)
        self.journals[run.run] = SimJournal()
        self.began[run.run] = self.main()
        return run

    async def run(self, run: RunDir, calls: Calls, *, resume: bool = False, machine: str = "state") -> ExitCode | None:
        """One process on an operator's machine executes the run; None when it was killed."""
        self.calls = calls
        self.alive.append(calls)
        self.reached["runs resumed" if resume else "runs begun"] += 1
        journal = self.journals[run.run]
        journal.opened_by(calls)
        async with asyncio.TaskGroup() as group:
            calls.task = group.create_task(self._process(run, calls, journal, machine, resume=resume))
            await asyncio.wait((calls.task,))
        if self.broken is not None:
            raise self.broken
        if calls.task.cancelled():
            assert calls.dead, "the process ended as if it had been cancelled, but nobody killed it"
            self.reached["deaths"] += 1
            self.note(f"killed at call {calls.count}: {calls.last}")
            return KILLED
        code: ExitCode = calls.task.result()
        self.reached[f"exits {code.name}"] += 1
        self.note(f"exit code {code.name} after {calls.count} calls")
        return code

    async def _process(self, run: RunDir, calls: Calls, journal: SimJournal, machine: str, *, resume: bool) -> ExitCode:
        clock = LoopClock()
        cluster = PveCluster(SimTransport(self.site, calls), clock=clock, cluster="lab", token=TOKEN)
        cluster._random = random.Random(self.rng.random())
        world = World(
            fleet=self.fleet,
            pve=cluster,
            guest=SimGuest(self.machines, calls),
            repo=counted_repo(MemoryRepo(self.remote), calls),
            clock=clock,
            trust=self.trust,
            sightings=self.sightings,
        )
        tools = Tools(verbs=verbs(world), journal=journal, clock=clock, locks=HostLocks(self.root / machine / "locks"))
        with run.locked(), Narrator(run, clock, self._seen) as narrator:
            return await Runner(run.plan(), run, tools, narrator).execute(resume=resume)

    def _seen(self, event: Event) -> None:
        self.events.append(event)
        self.note(event)
        try:
            self.watch(self, event)
        except AssertionError as broken:
            self.break_rule(broken)

    def break_rule(self, broken: AssertionError) -> None:
        """Remember the first rule that was broken, and end the process."""
        self.note(f"*** {broken}")
        self.broken = self.broken or broken
        for calls in self.alive:
            calls.kill()

    def note(self, what: str | Event) -> None:
        """Remember what happened."""
        self._log.append((asyncio.get_running_loop().time(), what))
        if self.verbose:
            print(_line(*self._log[-1]))  # noqa: T201 - tools/sim.py --verbose

    @property
    def log(self) -> list[str]:
        """What happened, a line each."""
        return [_line(at, what) for at, what in self._log]

    # --- the far side, as nobody but the test sees it ---

    def guest(self, host: str) -> Guest | None:
        """The guest of the host's VM, if it has ever been started."""
        for vmid, guest in self.site.guests.items():
            if isinstance(guest, Guest) and guest.name == host and vmid in self.own_vms(host):
                return guest
        return None

    def own_vms(self, host: str) -> dict[int, Vm]:
        """The VMs that are the host's by name or notes, strangers left out."""
        return self.owned().get(host, {})

    def owned(self) -> dict[str, dict[int, Vm]]:
        """Every host's VMs."""
        found: dict[str, dict[int, Vm]] = {}
        for vmid, vm in self.site.cluster.vms.items():
            if vmid not in (NAMESAKE, STRANGER):
                notes = str(vm.config.get("description", "")).splitlines()
                marks = [line.removeprefix(MARK) for line in notes if line.startswith(MARK)]
                for host in (vm.name, *marks):
                    found.setdefault(host, {})[vmid] = vm
        return found

    def main(self) -> str:
        """The tip of the main branch, now."""
        return self.remote.refs["refs/heads/main"]

    def read(self, commit: str, path: str) -> bytes | None:
        """A file of a commit."""
        found = self.remote.commits[commit].files.get(path)  # type: ignore[index]
        return found[1] if found else None

    def change_host(self, host: str, **machine: Any) -> None:
        """Somebody edits the inventory: from the next run on these fields of the host are others."""
        old = self.fleet.hosts[host]
        new = replace(old, machine=replace(old.machine, **machine))
        self.fleet = replace(self.fleet, hosts={**self.fleet.hosts, host: new})
        self.note(f"somebody wants {machine} of {host}")

    def change_main(self, path: str, text: str, who: str = "Somebody <somebody@example.org>") -> str:
        """Another operator pushes a change to main."""
        old = self.remote.refs["refs/heads/main"]
        files = {**self.remote.commits[old].files, path: ("100644", text.encode())}
        new = self.remote.store(files, [old], who, f"Change {path}")
        self.remote.refs["refs/heads/main"] = new
        self.note(f"somebody pushed {new[:10]}")
        return new


def _line(at: float, what: str | Event) -> str:
    if not isinstance(what, str):
        shown = {key: value for key, value in what.to_json().items() if key not in ("run", "seq", "at")}
        what = " ".join(f"{key}={value}" for key, value in shown.items() if value not in ("", (), [], False))
    return f"{at:9.3f} {what[:300]}"

"""A site with a fault and pvenix's own engine, verbs and adapters over it, in memory and under a virtual clock.

What a test says of a row is asked of the far side: the cluster's VMs, the guests' files, the counters of writes.
"""

from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import ExitCode
from pvenix.model.events import Command, Event, StepEnded
from pvenix.model.plan import Task
from pvenix.model.verbs import ONBOARDING
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.pve.vm import Vm
from tests.sim.gitless import Gitless
from tests.sim.golden import CONTROLLER, RESIDENTS, Golden, workplace
from tests.sim.invariants import Invariants
from tests.sim.ports import Calls
from tests.sim.virtual import run_virtual
from tests.sim.world import Sim

NEW = "tappaas-litellm"
"""A host without a VM; somebody else's VM has its name."""
OTHER = "tappaas-vllm"
"""Another one, with a larger disk and a device of one node."""
OLD = "dns01"
"""A host that runs."""
T = TypeVar("T", bound=Callable[..., object])
Due = Mapping[int | str, list[Callable[[], object]]]


def row(*names: str) -> Callable[[T], T]:
    """Mark a test as the proof of these rows; docs/faults.md lists it."""

    def mark(test: T) -> T:
        test.rows = names  # type: ignore[attr-defined]
        return test

    return mark


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run's end: its exit code and what it told."""

    code: ExitCode
    events: tuple[Event, ...]
    output: str
    """What the hosts' logs hold."""
    seconds: float

    @property
    def text(self) -> str:
        """Every word of the events."""
        return "\n".join(str(event.to_json()) for event in self.events)

    @property
    def last(self) -> StepEnded:
        """The last step that ended."""
        return [event for event in self.events if isinstance(event, StepEnded)][-1]

    @property
    def why(self) -> str:
        """What the last step says of its end."""
        return "\n".join((self.last.summary, self.last.hint, *self.last.evidence))

    def sent(self, text: str) -> int:
        """How many commands or calls hold this text."""
        return sum(text in event.text for event in self.events if isinstance(event, Command))


class Scene:
    """One site under way."""

    def __init__(self, golden: Golden, sim: Sim, rules: Invariants) -> None:
        self.golden = golden
        self.sim = sim
        self.rules = rules
        self.site = sim.site
        self._run: RunDir | None = None

    def arm(self, name: str, host: str | None = None, times: int | None = None, **fields: object) -> None:
        """Arm a fault by its name or row."""
        self.site.faults.arm(name, host, times, **fields)  # type: ignore[arg-type]  # as the control port passes them
        self.rules.begin(self.sim)  # what the fault did to strangers is not pvenix' doing

    def clear(self) -> None:
        """End every fault."""
        self.site.faults.clear()
        self.rules.begin(self.sim)

    async def run(
        self, *tasks: str | Task, hosts: tuple[str, ...] = (NEW,), due: Due | None = None, named: bool = True
    ) -> Done:
        """One run of these verbs over the hosts; rules that no moment may break are looked at after it.

        `due` is what happens to the site before the first call whose name holds a text; not `named`, it is a playbook's.
        """
        known = [task if isinstance(task, Task) else _task(task, hosts[0]) for task in tasks]
        self._run = self.sim.plan("faults", hosts, *known, named=named)
        return await self._go(self._run, Calls(due={**(due or {})}), resume=False)

    @property
    def run_id(self) -> str:
        """The last run's id."""
        assert self._run is not None
        return self._run.run

    async def resume(self) -> Done:
        """The last run gone on with."""
        assert self._run is not None
        return await self._go(self._run, Calls(), resume=True)

    async def _go(self, run: RunDir, calls: Calls, *, resume: bool) -> Done:
        sim, seen = self.sim, len(self.sim.events)
        began = asyncio.get_running_loop().time()
        code = await sim.run(run, calls, resume=resume)
        assert code is not None
        assert "Traceback" not in str(sim.log)
        self.rules.always(sim)
        logs = "".join(path.read_text() for path in sorted(run.path.rglob("*.log")))
        seconds = asyncio.get_running_loop().time() - began
        return Done(code=code, events=tuple(sim.events[seen:]), output=logs, seconds=seconds)

    async def later(self, seconds: float) -> None:
        """Let time pass, as until a dead-man has spoken."""
        await asyncio.sleep(seconds)

    async def onboard(self, host: str = NEW) -> Done:
        """Every step of a newcomer, which must go well."""
        done = await self.run(*ONBOARDING, hosts=(host,))
        assert done.code is ExitCode.OK, done.why
        return done

    def vm(self, host: str = NEW) -> Vm:
        """The host's one VM."""
        [vm] = self.sim.own_vms(host).values()
        return vm

    def vms(self, host: str = NEW) -> int:
        """How many VMs the host has."""
        return len(self.sim.own_vms(host))

    def guest(self, host: str) -> Guest:
        """The host's guest."""
        guest = self.sim.guest(host)
        assert guest is not None
        return guest

    def strangers(self) -> dict[int, tuple[object, ...]]:
        """What everybody else's VMs are now."""
        mine = {vmid for host in (NEW, OTHER, *RESIDENTS, CONTROLLER) for vmid in self.sim.own_vms(host)}
        return {
            vmid: (copy.deepcopy(vm.config), copy.deepcopy(vm.pending), vm.status, vm.node)
            for vmid, vm in self.site.cluster.vms.items()
            if vmid not in mine
        }

    @property
    def writes(self) -> int:
        """Calls and commands that changed something, since the site's beginning."""
        return self.site.counters.pve_writes + self.site.counters.guest_mutations


def _task(verb: str, host: str) -> Task:
    args: dict[str, bool | str] = {"review": {"approve": True}, "retire": {"confirm": host}}.get(verb, {})  # type: ignore[assignment]
    return Task(verb=verb, args=dict(args))


def undeclared(golden: Golden) -> Golden:
    """The same site with a fleet that leaves every VM id to pvenix."""
    hosts = {
        name: replace(host, machine=replace(host.machine, proxmox=replace(host.machine.proxmox, vmid=0)))
        for name, host in golden.fleet.hosts.items()
    }
    return replace(golden, fleet=replace(golden.fleet, hosts=hosts))


def scene(golden: Golden, act: Callable[[Scene], Awaitable[None]], *, seed: int = 1) -> Sim:
    """Play `act` on a fresh site, whose residents run."""
    root = workplace()
    rules = Invariants()
    sim = Sim.make(golden, root, seed, rules.watch)
    git = Gitless(sim.site, sim.remote)

    async def play() -> None:
        with git.in_place(), rules.watching_units(sim):
            async with sim.site:
                golden.boot(sim.site, (CONTROLLER, *RESIDENTS))
                rules.begin(sim)
                await act(Scene(golden, sim, rules))
                sim.site.faults.clear()

    try:
        run_virtual(play())
    except AssertionError as error:
        error.add_note("\n".join(sim.log[-30:]))
        raise
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return sim

"""What a seed means: acts on one to three hosts, with faults and deaths at calls that the seed chooses.

An act is one run. It may be killed up to three times and is resumed each time; then the faults end, time passes until
the dead-men have spoken, and what is left is resumed until it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import ExitCode
from pvenix.model.events import HostEnded
from pvenix.model.plan import Task
from pvenix.model.verbs import ONBOARDING
from pvenix_lab.site.guest.generations import generations
from tests.sim.gitless import Gitless
from tests.sim.golden import CONTROLLER, NEWCOMERS, RESIDENTS, Golden, workplace
from tests.sim.invariants import Invariants, require
from tests.sim.ports import Calls
from tests.sim.virtual import run_virtual
from tests.sim.world import Sim

REST_S = 1500.0
"""Longer than every dead-man, health budget and task."""
GOOD = (ExitCode.OK,)
RESUMES = 4
PROTECTED = "dns01"
"""The resident whose destruction the inventory forbids."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """One fault: when, which, for whom."""

    call: int
    name: str
    host: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    lasts_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Death:
    """The process is killed at a call, before its effect or after; somebody comes back to it `pause_s` later.

    With `anew` they start another run of the same instead of resuming, which must find what the first one left.
    """

    call: int = 0
    on: str = ""
    """Instead of a number: the first call whose name contains this."""
    before: bool = True
    pause_s: float = 0.0
    anew: bool = False


@dataclass(frozen=True, kw_only=True)
class Act:
    """One run with what befalls it."""

    kind: str
    hosts: tuple[str, ...]
    strikes: tuple[Strike, ...] = ()
    deaths: tuple[Death, ...] = ()
    meanwhile: tuple[Strike, ...] = ()
    """What happens while the process is dead."""
    serial: int = 0


@dataclass(frozen=True, kw_only=True)
class Script:
    """The acts of a seed."""

    seed: int
    acts: tuple[Act, ...]


Trouble = tuple[str, Callable[[random.Random], dict[str, object]]]
_ANYWHERE: tuple[Trouble, ...] = (
    ("ssh-drop", lambda _: {}),
    ("ssh-cut-during-activation", lambda _: {}),
    ("port-closed-by-new-system", lambda _: {}),
    ("activation-slow", lambda rng: {"seconds": rng.choice((5, 60, 110, 130, 200))}),
    ("activation-hangs", lambda _: {}),
    ("unit-fails", lambda _: {}),
    ("build-fails", lambda _: {}),
    ("eval-fails", lambda _: {}),
    ("pve-596", lambda rng: {"method": rng.choice(("POST", "PUT", "GET")), "effect": rng.random() < 0.5}),
    ("pve-500", lambda rng: {"method": rng.choice(("POST", "PUT", "GET"))}),
    ("repository-away", lambda _: {}),
    ("main-moves", lambda _: {}),
    ("reboot", lambda _: {}),
    ("edit", lambda _: {}),
)
_ONBOARDING: tuple[Trouble, ...] = (
    ("clone-fails-in-task", lambda _: {"message": "clone failed: storage is busy"}),
    ("clone-slow", lambda rng: {"seconds": rng.choice((20, 300))}),
    ("agent-absent", lambda _: {}),
    ("pve-596", lambda rng: {"method": "POST", "path": "clone", "effect": rng.random() < 0.7}),
    ("pve-596", lambda rng: {"method": "POST", "path": "start", "effect": rng.random() < 0.7}),
    ("pve-596", lambda rng: {"method": "PUT", "path": "config", "effect": rng.random() < 0.7}),
)
_RETIRING: tuple[Trouble, ...] = (
    ("pve-596", lambda rng: {"method": "DELETE", "effect": rng.random() < 0.7}),
    ("pve-596", lambda rng: {"method": "POST", "path": "stop", "effect": rng.random() < 0.7}),
)
_SPAN = {"onboard": 130, "rebuild": 60, "rollback": 60, "retire": 20}
"""About how many calls a host's part of an act makes."""


def script(seed: int) -> Script:
    """The acts that a seed stands for."""
    rng = random.Random(seed * 7919 + 1)
    acts: list[Act] = []
    newcomers: tuple[str, ...] = ()
    if rng.random() < 0.55:
        newcomers = tuple(rng.sample(NEWCOMERS, rng.choice((1, 1, 2))))
        acts.append(_act(rng, "onboard", newcomers))
    residents = tuple(rng.sample(RESIDENTS, rng.choice((1, 2)) if not newcomers else rng.choice((0, 1))))
    if residents:
        acts.append(_act(rng, "rebuild", (*residents, *newcomers)[:3]))
    everyone = (*residents, *newcomers)
    if rng.random() < 0.5:
        acts.append(_act(rng, "rollback", (rng.choice(everyone),)))
    if rng.random() < 0.4 and set(everyone) != {PROTECTED}:
        acts.append(_act(rng, "retire", (rng.choice([host for host in everyone if host != PROTECTED]),)))
    return Script(seed=seed, acts=tuple(acts))


def _act(rng: random.Random, kind: str, hosts: tuple[str, ...]) -> Act:
    span = _SPAN[kind] * len(hosts)
    own = {"onboard": _ONBOARDING, "retire": _RETIRING}.get(kind, ())
    strikes = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        name, arguments = rng.choice(own if own and rng.random() < 0.4 else _ANYWHERE)
        strikes.append(
            Strike(
                call=rng.randint(1, span),
                name=name,
                host=rng.choice(hosts),
                args=arguments(rng),
                lasts_s=rng.choice((5.0, 40.0, 400.0)),
            )
        )
    deaths = tuple(
        Death(
            call=rng.randint(1, span),
            before=rng.random() < 0.5,
            pause_s=rng.choice((0.0, 1.0, 30.0, 130.0, 600.0)),
            anew=rng.random() < 0.25,
        )
        for _ in range(rng.choice((0, 1, 1, 2, 3)))
    )
    return Act(kind=kind, hosts=hosts, strikes=tuple(strikes), deaths=deaths, serial=rng.choice((0, 0, 1)))


class Play:
    """Plays a script on a fresh site."""

    def __init__(
        self, golden: Golden, told: Script, root: Path, *, verbose: bool = False, real_git: bool = False
    ) -> None:
        self.told = told
        self.rules = Invariants()
        self.broken: AssertionError | None = None
        self.sim = Sim.make(golden, root, told.seed, self.rules.watch, real_files=real_git)
        self.sim.verbose = verbose
        self._golden = golden
        self._git = None if real_git else Gitless(self.sim.site, self.sim.remote)

    async def play(self) -> None:
        """Every act, then a last look that changes nothing."""
        sim = self.sim
        hosts = tuple(dict.fromkeys(host for act in self.told.acts for host in act.hosts))
        with self._git.in_place() if self._git else contextlib.nullcontext(), self.rules.watching_units(sim):
            async with sim.site:
                running = (CONTROLLER, *(host for host in hosts if host in RESIDENTS))
                self._golden.boot(sim.site, running, real_files=self._git is None)
                self.rules.begin(sim)
                self.rules.mark(sim)
                for number, act in enumerate(self.told.acts):
                    await self._act(number, act)
                await self._nothing_to_do(hosts)

    async def _act(self, number: int, act: Act) -> None:
        sim = self.sim
        sim.note(f"=== act {number}: {act}")
        sim.reached[f"acts {act.kind}"] += 1
        run, code = await self._with_trouble(number, act)
        await self._rest(act)
        for _ in range(RESUMES):
            if code in GOOD:
                break
            code = await sim.run(run, Calls(), resume=True)
            await self._rest(act)
        ends = {event.host: f"{event.status}: {event.summary}" for event in sim.events if isinstance(event, HostEnded)}
        require(f"act {number} ({act.kind}) is done in the end", code in GOOD, ends)
        self.rules.clean(sim, act.hosts)

    def _prepare(self, number: int, act: Act) -> RunDir:
        sim = self.sim
        if act.kind == "onboard":
            tasks = [Task(verb=verb, args={"approve": True} if verb == "review" else {}) for verb in ONBOARDING]
            return sim.plan("onboard", act.hosts, *tasks, serial=act.serial)
        if act.kind == "rebuild":
            sim.change_main("nix/modules/role-base.nix", _touched(sim, number))
            return sim.plan("rebuild", act.hosts, Task(verb="rebuild"), serial=act.serial)
        [host] = act.hosts
        if act.kind == "rollback":
            guest = sim.guest(host)
            assert guest is not None
            number = sim.rng.choice([one.number for one in generations(guest.tree) if one.number > 1])
            self.rules.step_args[host] = number
            return sim.plan("rollback", act.hosts, Task(verb="rollback", args={"to": number}))
        return sim.plan("retire", act.hosts, Task(verb="retire", args={"confirm": host}))

    async def _with_trouble(self, number: int, act: Act) -> tuple[RunDir, ExitCode | None]:
        """The run with its faults, killed and resumed as told; another run where somebody begins anew."""
        due: dict[int, list[Callable[[], object]]] = {}
        for strike in act.strikes:
            due.setdefault(strike.call, []).append(functools.partial(self._strike, strike))
        run, resume = self._prepare(number, act), False
        code: ExitCode | None = None
        for death in (*act.deaths, Death()):
            code = await self.sim.run(
                run, Calls(die_at=death.call, die_on=death.on, before=death.before, due=due), resume=resume
            )
            resume = True
            self.rules.always(self.sim)
            self.rules.mark(self.sim)
            if code is not None:
                break
            for strike in act.meanwhile:
                self._strike(strike)
            await asyncio.sleep(death.pause_s)
            if death.anew and not self._activating(run) and self.sim.remote.reachable:
                run, resume = self._prepare(number, act), False
        return run, code

    def _activating(self, run: RunDir) -> bool:
        """True when the run may hold a fence: then only its own `resume` goes on, as the error would say."""
        rows = self.sim.journals[run.run].entries()
        return any("attempt" in row.data for row in rows)

    def _strike(self, strike: Strike) -> None:
        sim, host = self.sim, strike.host
        sim.note(f"!!! {strike}")
        sim.reached[f"strikes {strike.name}"] += 1
        guest = sim.guest(host)
        match strike.name:
            case "repository-away":
                sim.remote.reachable = False
                asyncio.get_running_loop().call_later(strike.lasts_s, self._repository_back)
            case "main-moves":
                if sim.remote.reachable:
                    sim.change_main("docs/notes.md", f"at {sim.calls.count}\n")
            case "ssh-drop":
                if guest is not None:
                    guest.cut_connections()
            case "reboot":
                if guest is not None and guest.running:
                    sim.rebooted[host] = asyncio.get_running_loop().time()
                    guest.reboot()
            case "edit":
                if guest is not None and guest.tree.exists("/etc/nixos/nix/configuration.nix"):
                    guest.tree.put("/etc/nixos/nix/configuration.nix", "by hand\n")
            case "agent-absent":
                sim.site.faults.arm(strike.name, host, times=0)
                loop = asyncio.get_running_loop()
                loop.call_later(strike.lasts_s, lambda: sim.site.faults.clear(strike.name, host))
            case name:
                sim.site.faults.arm(name, host, times=1, **strike.args)

    def _repository_back(self) -> None:
        self.sim.remote.reachable = True

    async def _rest(self, act: Act) -> None:
        """The faults are over; time passes until nothing moves by itself any more."""
        sim = self.sim
        await asyncio.sleep(REST_S)
        sim.site.faults.clear()
        sim.remote.reachable = True
        self.rules.at_rest(sim)
        self.rules.mark(sim)
        for host in act.hosts:
            guest = sim.guest(host)
            if guest is not None:
                guest.port_closed_by.clear()  # what closed the port was the fault's doing, and the fault is over
        sim.note("--- at rest")

    async def _nothing_to_do(self, hosts: tuple[str, ...]) -> None:
        """Bring every host that is left to main; a second run of the same then writes nothing anywhere."""
        sim = self.sim
        left = tuple(host for host in hosts if sim.own_vms(host) and sim.read(sim.main(), f"nix/hosts/{host}.nix"))
        if not left:
            return
        for again in (False, True):
            before = (sim.site.counters.pve_writes, sim.site.counters.guest_mutations, dict(sim.remote.refs))
            run = sim.plan("rebuild all", left, Task(verb="rebuild"))
            code = await sim.run(run, Calls())
            require("a last rebuild goes well", code in GOOD, code)
            after = (sim.site.counters.pve_writes, sim.site.counters.guest_mutations, dict(sim.remote.refs))
            require("a second run writes nothing", not again or before == after, (before, after))
        self.rules.clean(sim, left)


def _touched(sim: Sim, number: int) -> str:
    text = sim.read(sim.main(), "nix/modules/role-base.nix") or b"{ }\n"
    return text.decode() + f"# act {number}\n"


def replay(golden: Golden, told: Script, *, verbose: bool = False, real_git: bool = False) -> Play:
    """Play a script from its beginning to its end; the play knows what happened, also when it broke a rule."""
    root = workplace()
    play = Play(golden, told, root, verbose=verbose, real_git=real_git)
    try:
        run_virtual(play.play())
    except AssertionError as broken:
        play.broken = broken
    finally:
        shutil.rmtree(root, ignore_errors=True)
    play.sim.reached.update({f"faults {name}": count for name, count in play.sim.faults.struck.items() if count})
    return play

"""Plays the acts of a script on a site of its own.

An act is one run. It may be killed up to three times and is resumed each time; then the faults end, time passes until
the dead-men have spoken, and what is left is resumed until it is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pvenix.engine.narrator import Narrator
from pvenix.engine.runfiles import RunDir
from pvenix.engine.skipping import refusal, skip, standing
from pvenix.model.errors import ExitCode
from pvenix.model.events import HostEnded
from pvenix.model.plan import Task
from pvenix.model.verbs import ONBOARDING
from pvenix_lab.site.faults import CATALOGUE, Kind
from pvenix_lab.site.guest.generations import generations
from pvenix_lab.site.pve.cluster import TEMPLATE_VMID
from tests.contract.memory_repo import Loss
from tests.sim.gitless import Gitless
from tests.sim.golden import CONTROLLER, NAMESAKE, RESIDENTS, WITH_DEVICE, Golden, workplace
from tests.sim.invariants import FENCE, Invariants, require
from tests.sim.ports import Calls
from tests.sim.script import Act, Death, Script
from tests.sim.troubles import Strike
from tests.sim.virtual import LoopClock, run_virtual
from tests.sim.world import Sim

REST_S = 1500.0
"""Longer than every dead-man, health budget and task."""
GOOD = (ExitCode.OK,)
CREATING = ("place", "clone", "cloudinit", "boot")
RESUMES = 4


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
        self._wanted = 0
        """The generation that the runs of this act go back to, also one that somebody begins anew."""
        self._git = None if real_git else Gitless(self.sim.site, self.sim.remote)

    async def play(self) -> None:
        """Every act, then a last look that changes nothing."""
        sim = self.sim
        hosts = tuple(dict.fromkeys(host for act in self.told.acts for host in act.hosts))
        with self._git.in_place() if self._git else contextlib.nullcontext(), self.rules.watching_units(sim):
            async with sim.site:
                running = (CONTROLLER, *(host for host in hosts if host in RESIDENTS))
                self._golden.boot(sim.site, running, real_files=self._git is None)
                if not self.told.namesake:
                    del sim.site.cluster.vms[NAMESAKE]
                self.rules.begin(sim)
                self.rules.mark(sim)
                for number, act in enumerate(self.told.acts):
                    await self._act(number, act)
                    self.rules.no_orphan(sim)
                await self._nothing_to_do(hosts)

    async def _act(self, number: int, act: Act) -> None:
        sim = self.sim
        sim.note(f"=== act {number}: {act}")
        sim.reached[f"acts {act.kind}"] += 1
        self._wanted = act.to
        async with asyncio.TaskGroup() as group:
            rival = group.create_task(self._rival(act)) if act.rival_s >= 0 else None
            run, code = await self._with_trouble(number, act)
        await self._rest(act)
        runs = {"state": (run, code)} | ({} if rival is None else {"rival": rival.result()})
        await self._finish(number, act, runs)
        self.rules.clean(sim, act.hosts)

    async def _finish(self, number: int, act: Act, runs: dict[str, tuple[RunDir, ExitCode | None]]) -> None:
        """Each operator resumes until it is done; in turn, as one may have what the other waits for."""
        for _ in range(RESUMES):
            for machine, (run, code) in runs.items():
                if code not in GOOD:
                    runs[machine] = run, await self.sim.run(run, Calls(), resume=True, machine=machine)
                    await self._rest(act)
        ended = [event for event in self.sim.events if isinstance(event, HostEnded)]
        ends = {event.host: f"{event.status}: {event.summary}" for event in ended}
        done = all(code in GOOD for _, code in runs.values())
        require(f"act {number} ({act.kind}) is done in the end", done, ends)

    async def _rival(self, act: Act) -> tuple[RunDir, ExitCode | None]:
        """Somebody on another machine does the same, with nothing in the way but the others."""
        await asyncio.sleep(act.rival_s)
        self.sim.note("+++ a rival begins")
        self.sim.reached["rivals"] += 1
        name = f"{act.kind} by another"
        if act.kind == "rollback":
            run = self._rollback(name, act.hosts, act.rival_to or self._wanted)
        else:
            run = self.sim.plan(name, act.hosts, Task(verb=act.kind), serial=act.serial)
        return run, await self.sim.run(run, Calls(), machine="rival")

    def _prepare(self, number: int, act: Act) -> RunDir:
        sim = self.sim
        if act.kind == "onboard":
            tasks = [Task(verb=verb, args={"approve": True} if verb == "review" else {}) for verb in ONBOARDING]
            return sim.plan("onboard", act.hosts, *tasks, serial=act.serial)
        if act.kind == "rebuild":
            sim.change_main("nix/modules/role-base.nix", _touched(sim, number))
            return sim.plan("rebuild", act.hosts, Task(verb="rebuild"), serial=act.serial)
        if act.kind == "create":
            return sim.plan("create", act.hosts, *(Task(verb=verb) for verb in CREATING), serial=act.serial)
        if act.kind == "resize":
            for host in act.hosts:
                sim.change_host(host, **_larger(sim, host))
            return sim.plan("resize", act.hosts, Task(verb="configure", args={"reboot": True}), serial=act.serial)
        [host] = act.hosts
        if act.kind == "rollback":
            guest = sim.guest(host)
            assert guest is not None
            numbers = [one.number for one in generations(guest.tree) if one.number > 1]
            self._wanted = self._wanted or sim.rng.choice(numbers)
            return self._rollback("rollback", act.hosts, self._wanted)
        return sim.plan("retire", act.hosts, Task(verb="retire", args={"confirm": host}))

    def _rollback(self, title: str, hosts: tuple[str, ...], number: int) -> RunDir:
        run = self.sim.plan(title, hosts, Task(verb="rollback", args={"to": number}))
        self.rules.asked[run.run] = number
        return run

    async def _with_trouble(self, number: int, act: Act) -> tuple[RunDir, ExitCode | None]:
        """The run with its faults, killed and resumed as told; another run where somebody begins anew."""
        due: dict[int | str, list[Callable[[], object]]] = {}
        for strike in act.strikes:
            due.setdefault(strike.on or strike.call, []).append(functools.partial(self._strike, strike))
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
            await self._skip(run, act)
            await asyncio.sleep(death.pause_s)
            if death.lost:
                self._free(act)
                run, resume = self.sim.plan(act.kind, act.hosts, Task(verb=act.kind)), False
            elif death.anew and not self._activating(run) and self.sim.remote.reachable:
                run, resume = self._prepare(number, act), False
        return run, code

    async def _skip(self, run: RunDir, act: Act) -> None:
        """What `pvenix runs skip` does about a run that nobody executes."""
        journal, plan = self.sim.journals[run.run], run.plan()
        for host in act.hosts:
            at = standing(plan, host, journal.entries())
            if at is None or at.task.verb not in act.skips or refusal(plan, host, at.step, journal.entries()):
                continue
            journal.opened_by(Calls())
            with Narrator(run, LoopClock(), self.sim.events.append) as narrator:
                await skip(journal, narrator, host, at.step, "ana")
            self.sim.reached["skips"] += 1

    def _free(self, act: Act) -> None:
        """What the error about a fence says to do on a host where nobody is at work: `rm -r` of it."""
        for host in act.hosts:
            guest = self.sim.guest(host)
            if guest is not None and guest.tree.is_dir(FENCE):
                [attempt] = guest.tree.listdir(FENCE)
                guest.tree.remove(FENCE)
                guest.units.units.pop(
                    f"pvenix-activate-{attempt}.service", None
                )  # it has ended, and stays till a reboot

    def _activating(self, run: RunDir) -> bool:
        """True when the run may hold a fence: then only its own `resume` goes on, as the error would say."""
        rows = self.sim.journals[run.run].entries()
        return any("attempt" in row.data for row in rows)

    def _strike(self, strike: Strike) -> None:
        sim = self.sim
        sim.note(f"!!! {strike}")
        sim.reached[f"strikes {strike.name}"] += 1
        if strike.name in CATALOGUE:
            self._arm(strike)
        else:
            getattr(self, "_" + strike.name.replace("-", "_"))(strike)

    def _arm(self, strike: Strike) -> None:
        sim, spec, host = self.sim, CATALOGUE[strike.name], strike.host
        if spec.needs_host and not self._is_alone(host):
            return  # it befalls a VM, and there is none yet, or another one might be meant
        if strike.name == "id-taken" and sim.fleet.hosts[host].machine.proxmox.vmid:
            return  # the inventory wants this id: a person has to choose another
        if strike.name == "vm-moved" and host == WITH_DEVICE:
            return  # its device is on the node where it is: a person has to move it back
        if strike.name.startswith("template-"):
            self.rules.strangers.pop(TEMPLATE_VMID, None)  # somebody changes it
        if strike.name == "guest-reboots":
            sim.rebooted[host] = asyncio.get_running_loop().time()
        schedule: dict[str, Any] = {"nth": strike.nth} if spec.kind is Kind.OCCASION else {}
        if spec.kind is Kind.STATE:
            schedule = {"for_s": strike.lasts_s}
        try:
            sim.site.faults.arm(strike.name, host, **schedule, **strike.args)
        except ValueError as refused:
            sim.note(f"!!! it could not: {refused}")  # the VM is off, or has no disk

    def _is_alone(self, host: str) -> bool:
        named = [vm for vm in self.sim.site.cluster.vms.values() if vm.name == host]
        return len(named) == len(self.sim.own_vms(host)) == 1

    def _repository_away(self, strike: Strike) -> None:
        self.sim.remote.reachable = False
        asyncio.get_running_loop().call_later(strike.lasts_s, self._repository_back)

    def _repository_back(self) -> None:
        self.sim.remote.reachable = True

    def _main_moves(self, _strike: Strike) -> None:
        if self.sim.remote.reachable:
            self.sim.change_main("docs/notes.md", f"at {self.sim.calls.count}\n")

    def _git_race(self, _strike: Strike) -> None:
        self.sim.remote.races += 1

    def _git_refused(self, strike: Strike) -> None:
        self.sim.remote.refuse = lambda _ref: "no space left on device"
        asyncio.get_running_loop().call_later(strike.lasts_s, self._git_taken)

    def _git_taken(self) -> None:
        self.sim.remote.refuse = lambda _ref: None

    def _git_cut(self, strike: Strike) -> None:
        self.sim.remote.loss = Loss.AFTER if strike.args["after"] else Loss.BEFORE

    def _edit(self, strike: Strike) -> None:
        guest = self.sim.guest(strike.host)
        if guest is not None and guest.tree.exists("/etc/nixos/nix/configuration.nix"):
            guest.tree.put("/etc/nixos/nix/configuration.nix", "by hand\n")

    async def _rest(self, act: Act) -> None:
        """The faults are over; time passes until nothing moves by itself any more."""
        sim = self.sim
        await asyncio.sleep(REST_S)
        sim.site.faults.clear()
        sim.remote.calm()
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


def _larger(sim: Sim, host: str) -> dict[str, Any]:
    """Of some of its sizes more than the inventory wants now."""
    machine = sim.fleet.hosts[host].machine
    more = {
        "disk_mib": machine.disk_mib + sim.rng.choice((1, 4, 10)) * 1024,
        "memory_mib": machine.memory_mib + sim.rng.choice((256, 1024)),
        "cores": machine.cores + 1,
    }
    return {field: more[field] for field in sim.rng.sample(sorted(more), sim.rng.randint(1, 3))}


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
    except ExceptionGroup as several:
        play.broken = _first_broken(several)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    play.sim.reached.update({f"faults {name}": count for name, count in play.sim.faults.struck.items() if count})
    return play


def _first_broken(several: ExceptionGroup) -> AssertionError:
    """The broken rule among errors of tasks. Raises: the group, when there is something else in it."""
    rules, others = several.split(AssertionError)
    if rules is None or others is not None:
        raise several
    found: BaseException = rules
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, AssertionError)
    return found

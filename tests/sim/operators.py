"""Two operators change the same host from two machines, of which one may fall asleep: never two activations at once.

What ran when is asked of the site's own service manager, not of pvenix.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pytest
from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import ExitCode
from pvenix.model.events import HostEnded
from pvenix.model.plan import Task
from pvenix_lab.site.guest.generations import current_number
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.unit import Command, Unit
from pvenix_lab.site.guest.unitrun import Runner
from tests.sim.golden import Golden
from tests.sim.invariants import ATTEMPTS, FENCE, require
from tests.sim.ports import Calls
from tests.sim.scenario import REST_S
from tests.story.fault_scene import Scene, scene

T = TypeVar("T")
HOST: Final = "docker01"
MACHINES: Final = ("state", "rival")
"""The operators' machines: each has locks and runs of its own."""
RESUMES: Final = 6
HELD: Final = (
    "$ mv -T -n /run/pvenix", "$ systemd-run --unit=pvenix-deadman-", "$ systemd-run --unit=pvenix-activate-",
    "$ systemctl show pvenix-activate-", "/armed-health", "/confirmed", "$ nix-env -p /nix/var/nix/profiles/system",
    "switch-to-configuration boot", "/released",
)  # fmt: skip
"""Calls of a run that holds the fence, in their order."""


@dataclass
class Sleepy(Calls):
    """Calls of a process whose machine is suspended before one of them."""

    sleep_at: int | str = 0
    """The number of the call, or a part of its name."""
    sleep_s: float = 0.0
    wakes: float = 0.0

    @override
    async def make(self, name: str, effect: Callable[[], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        if self.sleep_at and (
            self.sleep_at == self.count + 1 or (isinstance(self.sleep_at, str) and self.sleep_at in name)
        ):
            self.sleep_at = 0
            self.wakes = loop.time() + self.sleep_s
        if loop.time() < self.wakes:
            await asyncio.sleep(self.wakes - loop.time())
        return await super().make(name, effect)

    def asleep(self) -> bool:
        """Whether nothing of the process moves now."""
        return asyncio.get_running_loop().time() < self.wakes


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One activation by the service manager: the unit, and from when to when."""

    unit: str
    began: float
    ended: float


@dataclass
class History:
    """What the guests' service managers did."""

    ran: list[Ran] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """Units whose condition did not hold."""

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Keep it as long as this lasts."""
        execute, skipped, history = Runner._execute, Runner._skipped, self

        async def executed(runner: Runner, unit: Unit, command: Command) -> int:
            began = asyncio.get_running_loop().time()
            try:
                return await execute(runner, unit, command)
            finally:
                if any("switch-to-configuration" in word for word in command.argv):
                    history.ran.append(Ran(unit=unit.name, began=began, ended=asyncio.get_running_loop().time()))

        def looked(runner: Runner, unit: Unit) -> bool:
            found = skipped(runner, unit)
            if found:
                history.skipped.append(unit.name)
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Runner, "_execute", executed)
            patch.setattr(Runner, "_skipped", looked)
            yield

    def overlaps(self) -> list[tuple[Ran, Ran]]:
        """Activations that ran at the same time."""
        ran = sorted(self.ran, key=lambda one: one.began)
        return [(a, b) for n, a in enumerate(ran) for b in ran[n + 1 :] if b.began < a.ended and a.began < b.ended]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an interleaving came to."""

    ends: Counter[str]
    activations: int
    skipped: int
    """Activation units that their fence kept from starting."""
    taken_over: int
    """How often a fence was removed whose owner slept."""


def interleaved(golden: Golden, seed: int) -> Told:
    """One interleaving of two runs.

    Raises: AssertionError when two activations ran at once, or the host is not at peace in the end.
    """
    rng, history, ends, taken = random.Random(f"operators {seed}"), History(), Counter[str](), [0]

    async def act(site: Scene) -> None:
        sim, tasks = site.sim, await wanted(site, rng)
        runs = [planned(site, task) for task in tasks]
        calls = [
            Sleepy(sleep_at=falls_asleep(rng, 0.8), sleep_s=rng.choice((1.0, 20.0, 150.0, 700.0))),
            Sleepy(sleep_at=falls_asleep(rng, 0.2), sleep_s=rng.choice((1.0, 20.0, 150.0))),
        ]  # fmt: skip
        late_s, bold = rng.choice((0.0, rng.uniform(0.0, 3.0), rng.uniform(0.0, 60.0))), rng.random() < 0.6
        codes: list[ExitCode | None] = [None, None]

        async def operator(me: int) -> None:
            await asyncio.sleep(late_s * me)
            codes[me] = await sim.run(runs[me], calls[me], machine=MACHINES[me])
            if bold and codes[me] is ExitCode.LOCKED and calls[1 - me].asleep() and removed(site):
                taken[0] += 1
                codes[me] = await sim.run(runs[me], Calls(), resume=True, machine=MACHINES[me])

        async with asyncio.TaskGroup() as group:
            for me in (0, 1):
                group.create_task(operator(me))
        await site.later(REST_S)
        await at_peace(site, runs, codes)
        ends.update(event.status for event in sim.events if isinstance(event, HostEnded))

    with history.kept():
        scene(golden, act, seed=seed)
    require("no two activations at once", not history.overlaps(), history.overlaps())
    activations = [one for one in history.ran if one.unit.startswith("pvenix-activate-")]
    skipped = sum(name.startswith("pvenix-activate-") for name in history.skipped)
    return Told(ends=ends, activations=len(activations), skipped=skipped, taken_over=taken[0])


def falls_asleep(rng: random.Random, chance: float) -> int | str:
    """Where a machine is suspended: more often where the host is held than before."""
    if rng.random() >= chance:
        return 0
    return rng.choice(HELD) if rng.random() < 0.7 else rng.randint(1, 100)


async def wanted(site: Scene, rng: random.Random) -> list[Task]:
    """What the two want: a rebuild each, a generation each, or one of both."""
    rebuild, number = Task(verb="rebuild"), current_number(site.guest(HOST).tree)
    kinds = rng.choice(
        (("rebuild", "rebuild"), ("rollback", "rebuild"), ("rebuild", "rollback"), ("rollback", "rollback"))
    )
    for words in ("one", "two"):
        change(site, words)
        assert (await site.run(rebuild, hosts=(HOST,))).code is ExitCode.OK
    change(site, "three")
    earlier = iter(rng.sample((number, number + 1), 2))
    return [rebuild if kind == "rebuild" else Task(verb="rollback", args={"to": next(earlier)}) for kind in kinds]


def change(site: Scene, words: str) -> None:
    text = site.sim.read(site.sim.main(), "nix/modules/role-base.nix") or b"{ }\n"
    site.sim.change_main("nix/modules/role-base.nix", text.decode() + f"# {words}\n")


def planned(site: Scene, task: Task) -> RunDir:
    run = site.sim.plan(task.verb, (HOST,), task)
    if "to" in task.args:
        site.rules.asked[run.run] = int(task.args["to"])
    return run


def removed(site: Scene) -> bool:
    """Somebody removes the fence, as the error about it says: only while nobody is at work on the host, no dead-man either."""
    guest = site.guest(HOST)
    at_work = [name for name, unit in guest.units.units.items() if name.startswith("pvenix-") and unit.at_work]
    if at_work or not guest.tree.is_dir(FENCE) or confirmed(guest):
        return False
    guest.tree.remove(FENCE)
    return True


def confirmed(guest: Guest) -> bool:
    """Whether only the boot default is left of what holds the fence.

    Left out here: an owner that sleeps just then is not kept from writing it, as that is no unit with a condition.
    """
    return any(guest.tree.exists(f"{ATTEMPTS}/{attempt}/confirmed") for attempt in guest.tree.listdir(FENCE))


async def at_peace(site: Scene, runs: list[RunDir], codes: list[ExitCode | None]) -> None:
    """Each operator resumes until it is done, in turn; then the host runs what it boots and nothing is in the way."""
    sim = site.sim
    for _ in range(RESUMES):
        for me, code in enumerate(codes):
            if code is not ExitCode.OK:
                codes[me] = await sim.run(runs[me], Calls(), resume=True, machine=MACHINES[me])
                await site.later(REST_S)
    require("both are done in the end", codes == [ExitCode.OK] * 2, (codes, sim.log[-6:]))
    site.rules.at_rest(sim)
    site.rules.clean(sim, (HOST,))

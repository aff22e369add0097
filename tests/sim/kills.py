"""A run of one verb is killed at a chosen moment and resumed: its end is that of a twin that nobody disturbed."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix_lab.site.guest.generations import boot_default, current_number, generations
from pvenix_lab.site.guest.guest import Guest
from tests.sim.golden import Golden
from tests.sim.invariants import FENCE, require
from tests.sim.kill_scenes import SCENES
from tests.sim.ports import Calls
from tests.sim.scenario import REST_S
from tests.sim.world import Sim
from tests.story.fault_scene import Scene, scene

T = TypeVar("T")
PAUSES_S: Final = (0.0, 1.0, 30.0, 130.0, 600.0)
RESUMES: Final = 3


class Moment(StrEnum):
    """When the process is killed."""

    INTENT = "before the intent is recorded"
    EFFECT = "after the effect and before the result"
    RESULT = "after the result"


@dataclass
class Traced(Calls):
    """Calls that note which of them changed the site, a guest or the repository."""

    sim: Sim | None = None
    effects: list[int] = field(default_factory=list)

    @override
    async def make(self, name: str, effect: Callable[[], Awaitable[T]]) -> T:
        before = self._written()
        number = self.count + 1
        try:
            return await super().make(name, effect)
        finally:
            if self._written() != before:
                self.effects.append(number)

    def _written(self) -> tuple[object, ...]:
        assert self.sim is not None
        counters = self.sim.site.counters
        return counters.pve_writes, counters.guest_mutations, tuple(sorted(self.sim.remote.refs.items()))

    def candidates(self, moment: Moment) -> list[int]:
        """The calls at which this moment is; a verb that records no intent is killed while it looks."""
        *before, last = [number for number, name in enumerate(self.trace, 1) if name.startswith("journal result ")]
        first = before[-1] + 1 if before else 1
        intents = [number for number in range(first, last) if self.trace[number - 1].startswith("journal intent ")]
        if moment is Moment.RESULT:
            return [last]
        if moment is Moment.INTENT:
            return intents or list(range(first, last))
        effects = [number for number in self.effects if first <= number < last]
        return effects or list(range(intents[0] if intents else first, last))


@dataclass(frozen=True, kw_only=True)
class Twin:
    """An undisturbed run."""

    code: ExitCode | None
    state: dict[str, Any]
    calls: Traced
    log: list[str]
    """Its last lines."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What became of a run that was killed."""

    verb: str
    moment: Moment
    seed: int
    place: str
    """The call at which it died, and whether before its effect or after."""
    resumes: int


def twin(golden: Golden, verb: str, seed: int) -> Twin:
    """The verb on its scene, with nothing in its way."""
    found: list[Twin] = []

    async def act(site: Scene) -> None:
        run = await planned(site, verb, SCENES[verb].host(seed))
        calls = Traced(sim=site.sim)
        code = await site.sim.run(run, calls)
        await site.later(REST_S)
        found.append(Twin(code=code, state=state(site.sim), calls=calls, log=site.sim.log[-6:]))

    scene(SCENES[verb].fleet(golden), act, seed=seed)
    require(f"{verb} goes well undisturbed", found[0].code is ExitCode.OK, (found[0].code, found[0].log))
    require(f"{verb} has something to do in its scene", found[0].calls.effects or verb in READS, verb)
    return found[0]


async def planned(site: Scene, verb: str, host: str) -> RunDir:
    """The run of the verb on its scene, which is ready."""
    args = await SCENES[verb].ready(site, host)
    before = (Task(verb=each) for each in SCENES[verb].same_run)
    run = site.sim.plan(verb, (host,), *before, Task(verb=verb, args=args))
    if verb == "rollback":
        site.rules.asked[run.run] = int(args["to"])
    return run


READS: Final = ("place", "hardware", "preflight")
"""Verbs whose work is a look."""


def kill(golden: Golden, like: Twin, verb: str, moment: Moment, seed: int) -> Kill:
    """The same with a process that dies at the moment.

    Raises: AssertionError when the end is another than that of `like`, or something was done twice or lost.
    """
    rng = random.Random(f"{verb} {moment} {seed}")
    at = rng.choice(like.calls.candidates(moment))
    pause_s, again = rng.choice(PAUSES_S), rng.random() < 0.25
    found: list[Kill] = []

    async def act(site: Scene) -> None:
        sim, host = site.sim, SCENES[verb].host(seed)
        run = await planned(site, verb, host)
        calls = Traced(sim=sim, die_at=at, before=moment is Moment.INTENT, fails_too=True)
        code = await sim.run(run, calls)
        require("the process died", code is None, code)
        wanted = masked(like.calls.trace[at - 1])
        require("it died where its twin went on", masked(calls.trace[at - 1]) == wanted, (calls.trace[at - 1], wanted))
        await site.later(pause_s)
        resumes = 0
        if again:  # whoever resumes is killed as well, somewhere
            resumes += 1
            code = await sim.run(run, Calls(die_at=rng.randint(1, at), fails_too=True), resume=True)
        while code is not ExitCode.OK and resumes < RESUMES:
            resumes += 1
            code = await sim.run(run, Calls(), resume=True)
            await site.later(REST_S if code is not ExitCode.OK else 0)
        require("resume ends as the twin did", code is like.code, (code, resumes, sim.log[-3:]))
        await site.later(REST_S)
        site.rules.at_rest(sim)
        site.rules.clean(sim, (host,))
        compare(like.state, state(sim), SCENES[verb].again)
        place = f"{'before' if moment is Moment.INTENT else 'after'} {masked(calls.trace[at - 1])}"
        found.append(Kill(verb=verb, moment=moment, seed=seed, place=place, resumes=resumes))

    scene(SCENES[verb].fleet(golden), act, seed=seed)
    return found[0]


def compare(wanted: dict[str, Any], seen: dict[str, Any], again: tuple[str, ...]) -> None:
    """Raises: AssertionError naming what differs. Of tasks in `again` there may be more."""
    different = {key: (wanted.get(key), seen.get(key)) for key in wanted | seen if wanted.get(key) != seen.get(key)}
    if TASKS in different:
        more = {kind for kind, count in seen[TASKS].items() if count > wanted[TASKS][kind]}
        if more <= {*again} and not wanted[TASKS] - seen[TASKS]:
            del different[TASKS]
    told = "\n".join(f"  {key}:\n    twin   {pair[0]}\n    killed {pair[1]}" for key, pair in different.items())
    require("the end is the twin's", not different, f"\n{told}")


# --- the end state, as nobody but the test sees it ---

TASKS: Final = "tasks that ended well"
_MASKS: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"), "<mac>"),
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}"), "<run>"),
    (re.compile(r"\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d"), "<moment>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?"), "<moment>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<commit>"),
    (re.compile(r"ctime=\d+"), "ctime=<moment>"),
    (re.compile(r"(?:task-)?UPID:\S+?:"), "<task>"),
    (re.compile(r"ssh-ed25519 AAAA[\w+/=]+"), "<key>"),
)


def masked(value: object) -> str:
    """Text without what is drawn or of a moment."""
    text = str(value)
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text


def state(sim: Sim) -> dict[str, Any]:
    """Everything of the site that a run may leave behind: VMs, volumes, tasks, guests, branches."""
    cluster = sim.site.cluster
    found: dict[str, Any] = {
        TASKS: Counter(task.type for task in cluster.tasks.values() if task.exitstatus == "OK"),
        "volumes": Counter(masked((one.storage, one.name, one.size, one.content)) for one in cluster.volumes.entries.values()),
        "configuration files": masked({name: each for name, each in cluster.sections.items() if each}),
    }  # fmt: skip
    for vmid, vm in cluster.vms.items():
        config = {key: masked(value) for key, value in sorted(vm.config.items())}
        snapshots = sorted((masked(name), masked(one.parent)) for name, one in vm.snapshots.items())
        found[f"vm {vmid}"] = (vm.node, vm.status, vm.lock, vm.pool, masked(vm.pending), snapshots, config)
    for vmid, guest in sim.site.guests.items():
        if isinstance(guest, Guest):
            found[f"guest {vmid}"] = guest_state(guest)
    for ref, tip in sim.remote.refs.items():
        line = sim.remote.ancestors(tip)
        found[f"branch {ref}"] = (len(line), [masked(commit.message) for commit in line.values()])
        for path, (mode, content) in sim.remote.commits[tip].files.items():
            found[masked(f"{ref}: {path}")] = (mode, masked(content.decode(errors="replace")))
    return found


def guest_state(guest: Guest) -> tuple[object, ...]:
    """A guest's systems, and what must not be left there."""
    tree = guest.tree
    known = [(one.number, one.path) for one in generations(tree)]
    left = [name for name in guest.units.units if name.startswith("pvenix-")]
    return (
        guest.name, guest.running, guest.current_path if guest.running else "", boot_default(tree), known,
        current_number(tree), tree.exists(FENCE), left,
    )  # fmt: skip

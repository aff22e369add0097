"""The runner's waves against what Ansible's documentation says, case after case: `tests/wave_oracle.py` knows nothing of pvenix."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from pvenix.engine.step import Step
from pvenix.fleet.plays import Play, expand
from pvenix.model.outcome import Outcome, Status
from pvenix.model.plan import Task
from pvenix.model.selector import parse_selector
from tests.sim.golden import workplace
from tests.unit.engine_support import Action, Bench, FakeVerb, bench
from tests.wave_oracle import OraclePlay, OracleTask, Told, oracle

CASES: Final = 2600
VERBS: Final = ("boot", "hardware", "build", "rebuild")
BAD: Final = (
    Status.FAILED, Status.UNREACHABLE, Status.UNKNOWN, Status.REFUSED, Status.ROLLED_BACK, Status.LOCKED,
)  # fmt: skip
SERIAL: Final[tuple[tuple[int | str, ...], ...]] = (
    (), (), (1,), (2,), (3,), (5,), ("10%",), ("25%",), ("34%",), ("50%",), ("100%",),
    (1, 2), (1, 3, "50%"), ("20%", "50%"), (2, "30%"), (1, 1, 4),
)  # fmt: skip
LIMITS: Final = (None, None, 0, 20, 24, 25, 33, 34, 49, 50, 66, 75, 99, 100)


def case(seed: int) -> OraclePlay:
    """The play that a seed stands for."""
    rng = random.Random(seed)
    hosts = tuple(f"h{number:02d}" for number in range(rng.choice((1, 2, 3, 4, 5, 6, 8, 10))))
    share = rng.choice((0.0, 0.1, 0.2, 0.35, 0.5, 0.8))
    tasks = tuple(
        OracleTask(
            bad=frozenset(host for host in hosts if rng.random() < share),
            run_once=rng.random() < 0.12,
            throttle=rng.choice((0, 0, 0, 1, 2)),
        )
        for _ in range(rng.choice((1, 1, 2, 3, 4)))
    )
    return OraclePlay(
        hosts=hosts,
        tasks=tasks,
        serial=rng.choice(SERIAL),
        max_fail_percentage=rng.choice(LIMITS),
        any_errors_fatal=rng.random() < 0.25,
    )


def played(root: Path, play: OraclePlay, seed: int) -> tuple[Bench, dict[str, FakeVerb]]:
    """The same play by the runner; a bad end comes a moment earlier than a good one, as tasks go in lockstep there."""
    rng = random.Random(seed)
    verbs = {}
    for verb, task in zip(VERBS, play.tasks, strict=False):
        ends: dict[str, Action | Outcome] = {host: bad_end(rng.choice(BAD)) for host in sorted(task.bad)}
        verbs[verb] = FakeVerb(ends)
    tasks = tuple(
        Task(verb=verb, run_once=task.run_once, throttle=task.throttle)
        for verb, task in zip(VERBS, play.tasks, strict=False)
    )
    batches = tuple((int(str(size).rstrip("%")), str(size).endswith("%")) for size in play.serial)
    limit = 100.0 if play.max_fail_percentage is None else play.max_fail_percentage
    fatal = play.any_errors_fatal
    spec = Play(
        name="play",
        hosts=parse_selector("all"),
        tasks=tasks,
        serial=batches,
        max_fail_percentage=limit,
        any_errors_fatal=fatal,
    )
    one = bench(root, expand(spec, play.hosts), verbs=verbs)
    one.go()
    return one, verbs


def bad_end(status: Status) -> Callable[[Step], Awaitable[Outcome]]:
    async def end(_step: Step) -> Outcome:
        await asyncio.sleep(0.5)
        return Outcome(status=status)

    return end


def seen(one: Bench) -> Told:
    """What the runner did, in the oracle's words."""
    numbers = {verb: number for number, verb in enumerate(VERBS)}
    ends = one.ends()
    return Told(
        done=frozenset((host, numbers[verb]) for host, verb in one.started()),
        failed=frozenset(host for host, end in ends.items() if end in BAD),
        stopped=frozenset(host for host, end in ends.items() if end == "cancelled"),
        batches=one.plan.plays[0].waves,
    )


def test_whatever_fails_the_runner_does_what_ansible_s_documentation_says() -> None:
    root = workplace()
    reached: Counter[str] = Counter()
    try:
        for seed in range(CASES):
            play = case(seed)
            one, verbs = played(root / str(seed), play, seed)
            told, did = oracle(play), seen(one)
            why = "" if did == told else excuse(play, told, did)
            assert did == told or why, f"case {seed}: {play}\n{did}\n{told}"
            for verb, task in zip(verbs.values(), play.tasks, strict=False):
                assert verb.most_at_once <= (task.throttle or len(play.hosts)), f"case {seed}: {play}"
            reached.update([why] if why else kinds(play, told))
            reached["equal"] += did == told
    finally:
        shutil.rmtree(root, ignore_errors=True)
    assert reached["equal"] >= 2000, reached
    assert all(count > 50 for kind, count in reached.items() if kind != THROTTLE), reached


THROTTLE: Final = "hosts that wait behind a throttle when the play stops are not started"
"""Where the runner is known to differ: it starts nothing more, where Ansible ends the task for the whole batch."""


def excuse(play: OraclePlay, told: Told, did: Told) -> str:
    """The known difference if this is it, else empty; no host of a later batch does anything either way."""
    begun = {host for host, _ in told.done}
    batches = [batch for batch in told.batches if begun & set(batch)]
    later = {host for batch in told.batches[len(batches) :] for host in batch}
    if not (told.stopped or did.stopped) or any(host in later for host, _ in did.done):
        return ""
    return THROTTLE if any(task.throttle for task in play.tasks) else ""


def kinds(play: OraclePlay, told: Told) -> list[str]:
    """What a case is an example of."""
    first_bad = {host for host, number in told.done if number < len(play.tasks) - 1 and host in told.failed}
    return [
        "all well" if not told.failed else "failures",
        "stopped" if told.stopped else "not stopped",
        *(["a percentage"] if any(isinstance(size, str) for size in play.serial) else []),
        *(["a list"] if len(play.serial) > 1 else []),
        *(["several batches"] if len(told.batches) > 1 else []),
        *(["stopped between tasks"] if first_bad and told.stopped else []),
        *(["run once"] if any(task.run_once for task in play.tasks) else []),
        *(["throttle"] if any(task.throttle for task in play.tasks) else []),
        *(["fatal"] if play.any_errors_fatal and told.stopped else []),
    ]

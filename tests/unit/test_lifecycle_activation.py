"""The activation against one host in memory: who decides, and what is said, when the new system locks us out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.engine.ports import CommandResult, End
from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.activation.attempt import next_id
from pvenix.lifecycle.activation.transaction import activate
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable
from pvenix.model.outcome import Outcome, Status
from pvenix.model.site import HealthCheck, HealthKind, OnFailure
from tests.unit.lifecycle_support import host

OLD = "/nix/store/00000000000000000000000000000000-nixos-old"
NEW = "/nix/store/11111111111111111111111111111111-nixos-new"
FIRST_BOOT = "11111111-1111-1111-1111-111111111111"
CONFIRM_S = 120
SWITCH_S = 5
DNS = HealthCheck(kind=HealthKind.DNS, name="example.org", within_s=60)


@dataclass
class Unit:
    until: float
    then: Callable[[], None]
    sub: str = "start"
    state: str = "loaded"


@dataclass
class FakeHost:
    """A host with systems, units, files and a clock; what a fault changes is a plain attribute."""

    now: float = 0.0
    current: str = OLD
    profile: str = OLD
    boot_id: str = FIRST_BOOT
    files: set[str] = field(default_factory=set)
    units: dict[str, Unit] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    policy: OnFailure = OnFailure.ROLLBACK
    refuses: Callable[[FakeHost], Exception | None] = lambda _host: None
    """What a new connection meets."""
    answers: Callable[[FakeHost, str], CommandResult | None] = lambda _host, _text: None
    """Answers of its own to commands."""

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for unit in list(self.units.values()):
            if unit.sub in ("start", "start-pre") and unit.until <= self.now:
                unit.then()

    def run(self, words: list[str]) -> tuple[int, str]:
        match words:
            case ["readlink", "-f", *_]:
                return 0, f"{OLD}\n{self.current}\n{self.profile}\n"
            case ["cat", "/proc/sys/kernel/random/boot_id", *_]:
                return 0, self.boot_id
            case ["mv", "-T", "-n", source, target]:
                self.files = {path.replace(source, target) for path in self.files}
                return 0, ""
            case ["mv", "-T", source, target]:
                if not any(path.startswith(source) for path in self.files):
                    return 1, ""
                self.files = {path.replace(source, target) for path in self.files}
                return 0, ""
            case ["dd", target, *_]:
                self.files.add(target.removeprefix("of="))
                return 0, ""
            case ["test", "-e", path]:
                return int(path not in self.files), ""
            case ["ls", "-1", folder]:
                return 0, "".join(path.rpartition("/")[2] for path in self.files if path.startswith(f"{folder}/"))
            case _:
                return self._manage(words)

    def _manage(self, words: list[str]) -> tuple[int, str]:
        match words:
            case ["systemctl", "show", name, *_]:
                unit = self.units.get(name)
                active = {"exited": "active", "failed": "failed"}.get(unit.sub, "activating") if unit else "inactive"
                sub = unit.sub if unit else "dead"
                return 0, f"LoadState={'loaded' if unit else 'not-found'}\nActiveState={active}\nSubState={sub}\n"
            case ["systemctl", "stop", *names]:
                for name in names:
                    self.units.pop(name, None)
                return 0, ""
            case ["systemd-run", name, *rest]:
                return self._start(name.removeprefix("--unit="), rest)
            case ["nix-env", "-p", _, "--set", path]:
                self.profile = path
                return 0, ""
            case _:
                return 0, ""

    def _start(self, name: str, words: list[str]) -> tuple[int, str]:
        if name in self.units:
            return 1, ""
        system = words[-2].removesuffix("/bin/switch-to-configuration")
        if "deadman" in name:
            seconds = int(
                next(word for word in words if word.startswith("ExecStartPre=-") and "sleep" in word).split()[-1]
            )
            self.units[name] = Unit(self.now + seconds, lambda: self._fire(name, system), sub="start-pre")
        else:
            self.units[name] = Unit(self.now + SWITCH_S, lambda: self._switched(name, system))
        return 0, ""

    def _switched(self, name: str, system: str) -> None:
        self.current = system
        self.units[name].sub = "exited"

    def _fire(self, name: str, old: str) -> None:
        attempt, _, phase = name.removeprefix("pvenix-deadman-").removesuffix(".service").rpartition("-")
        if self.run(list(words.take_token(attempt, phase, words.FIRED)))[0]:
            self.units.pop(name)
            return
        self.units.pop(words.activation_unit(attempt), None)
        self.profile = old
        self.units[name] = Unit(self.now + SWITCH_S, lambda: self._reverted(name, old))

    def _reverted(self, name: str, old: str) -> None:
        self.current = old
        self.units.pop(name)


@dataclass
class Session:
    host: FakeHost
    alive: bool = True

    async def run(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60, **_: Any) -> CommandResult:
        del sudo, timeout_s
        text = " ".join(argv)
        self.host.sent.append(text)
        own = self.host.answers(self.host, text)
        if own is not None:
            return own
        status, out = self.host.run(list(argv))
        return answer(status, out)

    @asynccontextmanager
    async def stream(self, *_: object, **__: object) -> AsyncIterator[AsyncIterator[str]]:
        async def nothing() -> AsyncIterator[str]:
            return
            yield

        yield nothing()


def answer(status: int, out: str = "", err: str = "", end: End = End.EXITED) -> CommandResult:
    return CommandResult(argv=(), end=end, exit_status=status, stdout=out, stderr=err, seconds=0)


class FakeWorld:
    """What the transaction asks of a World."""

    def __init__(self, there: FakeHost) -> None:
        self.there = there
        self.clock = SimpleNamespace(monotonic=lambda: there.now, sleep=self._sleep, utc=lambda: "2026-01-01T00:00:00Z")
        self.ways = SimpleNamespace(fresh=self._fresh)
        self.fleet = SimpleNamespace(on_failure=lambda _name: there.policy)

    async def _sleep(self, seconds: float) -> None:
        self.there.advance(seconds)

    async def _fresh(self, _name: str) -> Session:
        if (error := self.there.refuses(self.there)) is not None:
            raise error
        return Session(self.there)

    async def remote(self, step: Step) -> Remote:
        return Remote(session=cast("Any", Session(self.there)), step=step)

    def host(self, _step: Step) -> Any:
        one = host()
        return SimpleNamespace(
            machine=SimpleNamespace(update=SimpleNamespace(confirm_timeout_s=CONFIRM_S)), name=one.name
        )


class Killed(BaseException):
    """The process dies."""


async def make_default(remote: Remote) -> None:
    await remote.write(argv.set_profile(NEW))
    await remote.write(argv.switch_to(NEW, "boot"))


def a_step() -> Step:
    step = looking_at("dns01")
    step.id, step.run = "0.1.rebuild", "20260101-000000-abcd"
    return step


async def run(there: FakeHost, step: Step | None = None, checks: tuple[HealthCheck, ...] = ()) -> Outcome:
    return await activate(cast("World", FakeWorld(there)), step or a_step(), NEW, make_default, checks=checks)


async def killed(there: FakeHost, step: Step, when: str, checks: tuple[HealthCheck, ...] = ()) -> None:
    """The first process, which dies when it is about to send `when`."""
    own = there.answers

    def die(_host: FakeHost, text: str) -> CommandResult | None:
        if when in text:
            raise Killed
        return own(_host, text)

    there.answers = die
    with pytest.raises(Killed):
        await run(there, step, checks)
    there.answers = own


def now_on(there: FakeHost) -> tuple[str, str]:
    return there.current, there.profile


async def test_a_system_that_answers_is_confirmed_and_becomes_the_boot_default() -> None:
    there = FakeHost()
    assert (await run(there)).status is Status.CHANGED
    assert now_on(there) == (NEW, NEW)
    assert not there.units


@pytest.mark.parametrize("error", [Unreachable("gone"), Refused("it does not accept the key"), Refused("other key")])
async def test_a_system_that_does_not_let_us_in_is_undone_by_its_dead_man(error: Exception) -> None:
    there = FakeHost(refuses=lambda here: error if here.current == NEW else None)
    assert (await run(there)).status is Status.ROLLED_BACK
    assert now_on(there) == (OLD, OLD)


async def test_a_system_that_takes_sudo_away_is_undone_by_its_dead_man() -> None:
    there = FakeHost(answers=lambda here, text: answer(1) if here.current == NEW and text == "true" else None)
    assert (await run(there)).status is Status.ROLLED_BACK
    assert now_on(there) == (OLD, OLD)


async def test_a_systemd_that_does_not_answer_has_not_ended_the_activation() -> None:
    """As while it starts itself anew, in the middle of the switch."""

    def deaf(here: FakeHost, text: str) -> CommandResult | None:
        if text.startswith("systemctl show") and 1 < here.now < 3:
            here.current = NEW
            return answer(1, err="Failed to get properties: Transport endpoint is not connected")
        return None

    there = FakeHost(answers=deaf)
    assert (await run(there)).status is Status.CHANGED
    assert there.now >= SWITCH_S


async def test_a_health_check_that_hangs_is_not_healthy() -> None:
    def hangs(_here: FakeHost, text: str) -> CommandResult | None:
        if text.startswith("getent"):
            _here.advance(30)
            raise OutcomeUnknown("no end")
        return None

    there = FakeHost(answers=hangs)
    outcome = await run(there, checks=(DNS,))
    assert outcome.status is Status.ROLLED_BACK
    assert "no answer within 30 s" in outcome.summary


async def test_a_decision_to_go_back_outlives_the_process_that_took_it() -> None:
    """Killed when its way back had begun: the new system, healthy again meanwhile, is not confirmed over it."""
    sick = FakeHost(answers=lambda _here, text: answer(2) if text.startswith("getent") else None)
    step = a_step()
    await killed(sick, step, "systemctl show pvenix-deadman", (DNS,))
    sick.answers = lambda _here, _text: None
    assert (await run(sick, step, (DNS,))).status is Status.ROLLED_BACK
    assert now_on(sick) == (OLD, OLD)
    assert not sick.units


async def test_an_activation_of_the_running_system_is_repeated_when_it_never_started() -> None:
    """A system that somebody tested by hand: old and new are the same, and only the boot default differs."""
    there, step = FakeHost(current=NEW), a_step()
    await killed(there, step, "systemd-run --unit=pvenix-activate")
    assert (await run(there, step)).status is Status.CHANGED
    assert now_on(there) == (NEW, NEW)


async def test_a_reboot_between_profile_and_boot_loader_does_not_end_in_unknown_for_ever() -> None:
    there, step = FakeHost(), a_step()
    await killed(there, step, "switch-to-configuration boot")
    there.current, there.boot_id = OLD, FIRST_BOOT.replace("1", "2")
    there.units.clear()
    assert (await run(there, step)).status is Status.CHANGED
    assert now_on(there) == (NEW, NEW)


async def test_a_fence_is_not_forgotten_with_the_connection_that_gives_it_back() -> None:
    there, step = FakeHost(), a_step()
    there.answers = lambda _here, text: answer(-1, end=End.LOST) if "/released" in text else None
    assert (await run(there, step)).status is Status.UNKNOWN
    there.answers = lambda _here, _text: None
    assert (await run(there, step)).status is Status.CHANGED
    assert not [path for path in there.files if path.startswith(argv.FENCE)]


async def test_a_dead_man_on_its_way_back_is_not_stopped() -> None:
    """Its first lines, before the switch: the old path is still in place, as the activation was stopped before its turn."""
    there, step = FakeHost(), a_step()
    await killed(there, step, "systemd-run --unit=pvenix-activate")
    unit = next(iter(there.units))
    attempt = step.known["attempt"]
    there.run(list(words.take_token(attempt, "contact", words.FIRED)))
    there.units[unit].until = there.now + 3
    reverted: list[float] = []

    def gone_back() -> None:
        reverted.append(there.now)
        there.units.pop(unit)

    there.units[unit].then = gone_back
    assert (await run(there, step)).status is Status.CHANGED
    assert reverted


async def test_a_boot_loader_that_fails_leaves_the_profile_at_what_boots() -> None:
    """Otherwise the next look would find that what runs is what boots, and call it done."""
    failing = f"{NEW}/bin/switch-to-configuration boot"
    there = FakeHost(answers=lambda _host, text: answer(1, err="no space in /boot") if text == failing else None)
    with pytest.raises(RemoteFailure, match="no space in /boot"):
        await run(there)
    assert (there.current, there.profile) == (NEW, OLD)


def test_attempts_of_two_steps_never_have_one_name() -> None:
    steps = [replace(looking_at("dns01"), id=f"{name}.rebuild", run="r") for name in ("1.11", "11.1")]
    assert [next_id(step) for step in steps] == ["r-1.11-1", "r-11.1-1"]
    steps[0].known = {"attempt": "r-1.11-1"}
    assert next_id(steps[0]) == "r-1.11-2"

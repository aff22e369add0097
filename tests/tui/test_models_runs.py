from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pvenix.engine.durations import Durations
from pvenix.model.events import Event, HostEnded, RunEnded, RunStarted, StepEnded, StepStarted, StepWaiting
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix_tui.models.eta import left
from pvenix_tui.models.lines import cells, plain
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.run import HostRun, RunModel
from pvenix_tui.models.runrows import run_summary
from pvenix_tui.models.runtimes import elapsed, host_time
from pvenix_tui.models.states import epoch
from pvenix_tui.models.tiles import layout, tile_grid
from pvenix_tui.ticker import RATE_HZ, SLOWEST, WATCHED, Ticker

T0 = "2026-11-20T10:00:00.000Z"
T1 = "2026-11-20T10:00:30.000Z"


def plan(*verbs: str, hosts: tuple[str, ...] = ("a", "b"), forks: int = 32) -> RunPlan:
    tasks = tuple(Task(verb=verb) for verb in verbs)
    return RunPlan(title="t", plays=(PlayPlan(name="p", waves=(hosts,), tasks=tasks),), fleet="/f", forks=forks)


class Told:
    """The events of a run, as it tells them."""

    def __init__(self, *verbs: str, hosts: tuple[str, ...] = ("a", "b"), forks: int = 32) -> None:
        self.model = RunModel(plan(*verbs, hosts=hosts, forks=forks))
        self._seq = 0
        self.tell(RunStarted, title="t", hosts=hosts, steps=(), pid=1)

    def tell(self, kind: type[Event], *, at: str = T0, **values: object) -> None:
        self._seq += 1
        self.model.apply([kind(run="r", seq=self._seq, at=at, **values)])  # type: ignore[arg-type]

    def begin(self, host: str, step: str, at: str = T0) -> None:
        self.tell(StepStarted, at=at, host=host, step=step, verb=step.rpartition(".")[2], name=step)

    def end(self, host: str, step: str, status: str) -> None:
        self.tell(StepEnded, host=host, step=step, verb=step.rpartition(".")[2], status=status)
        self.tell(HostEnded, host=host, status=status)


def seconds_after(stamp: str, seconds: float) -> float:
    at = epoch(stamp)
    assert at is not None
    return at + seconds


def test_hosts_at_work_and_failed_ones_come_first_and_those_that_ended_well_last() -> None:
    told = Told("build", hosts=("done", "later", "broken", "busy", "gate"))
    told.end("done", "0.0.build", "ok")
    told.end("broken", "0.0.build", "failed")
    told.begin("busy", "0.0.build")
    told.tell(StepWaiting, host="gate", step="0.0.build", verb="build", reason="continue before build")
    assert [host.host for host in told.model.ordered()] == ["broken", "busy", "gate", "later", "done"]
    assert [host.host for host in told.model.ordered(failed_only=True)] == ["broken", "gate"]


def test_what_is_left_is_what_the_steps_to_come_took_before_less_what_the_step_at_work_has_had() -> None:
    times = Durations(
        by_host={("build", "a"): (40.0,), ("boot", "a"): (20.0,)}, by_verb={"build": (40.0,), "boot": (20.0,)}
    )
    told = Told("build", "boot", hosts=("a",))
    told.begin("a", "0.0.build")
    now = seconds_after(T0, 10)
    found = left(told.model, times, now)
    assert found is not None
    assert (found.seconds, found.guess) == (50.0, False)
    told.begin("a", "0.1.boot", at=T1)
    later = left(told.model, times, seconds_after(T1, 5))
    assert later is not None
    assert later.seconds == 15.0
    told.end("a", "0.1.boot", "ok")
    assert left(told.model, times, now) is None


def test_a_host_that_is_judged_by_others_makes_the_time_a_guess_and_nothing_known_gives_none() -> None:
    told = Told("build", hosts=("a", "b"), forks=1)
    found = left(told.model, Durations(by_host={("build", "a"): (30.0,)}, by_verb={"build": (30.0,)}), 0.0)
    assert found is not None
    assert (found.seconds, found.guess) == (60.0, True)
    assert left(told.model, Durations(), 0.0) is None
    told.tell(RunEnded, exit_code=0, counts={})
    assert left(told.model, Durations(by_verb={"build": (30.0,)}), 0.0) is None


@pytest.mark.parametrize(("width", "height", "across", "down"), [(120, 14, 3, 2), (160, 19, 4, 3), (80, 9, 2, 1)])
def test_as_many_tiles_show_as_there_is_room_for(width: int, height: int, across: int, down: int) -> None:
    found = layout(200, 0, width, height)
    assert (found.across, found.down) == (across, down)
    assert found.width * across + across - 1 <= width
    assert found.height * down < height


def test_the_page_of_tiles_is_the_one_with_the_host_that_has_the_keys_and_the_rest_is_counted() -> None:
    hosts = [HostRun(host=f"h{number}", steps=1) for number in range(10)]
    lines = tile_grid(hosts, lambda _: LineRing(100), 120, 13, focus="h7")
    text = [plain(line) for line in lines]
    assert "> h7 " in text[0]
    assert "h5" not in "".join(text)
    assert text[-1].strip() == "7-10 of 10; l and h turn the page; the others:  . queued 6"
    assert all(cells(line) <= 120 for line in lines)


def test_a_failed_host_s_tile_says_what_failed_what_to_do_and_which_keys_help() -> None:
    told = Told("rebuild", hosts=("a", "b", "c"))
    told.tell(
        StepEnded,
        host="a",
        step="0.0.rebuild",
        verb="rebuild",
        status="failed",
        summary="unit vllm failed",
        hint="journalctl",
    )
    told.tell(HostEnded, host="a", status="failed", summary="unit vllm failed")
    text = [plain(line)[:40] for line in tile_grid(told.model.ordered(), lambda _: LineRing(100), 120, 12, focus="a")]
    assert "x failed" in text[0]
    assert [line.strip() for line in text[1:4]] == [
        "unit vllm failed",
        "journalctl",
        "r retry  b rollback  enter log",
    ]


def test_a_skipped_host_s_tile_says_why() -> None:
    told = Told("rebuild", hosts=("a",))
    told.tell(HostEnded, host="a", status="skipped", summary="not registered yet: pvenix run onboard.yaml")
    text = [plain(line).strip() for line in tile_grid(told.model.ordered(), lambda _: LineRing(100), 60, 6)]
    assert "- skipped" in text[0]
    assert "not registered yet: pvenix run" in text[1]


def test_a_tile_keeps_its_state_and_time_however_long_the_name_is() -> None:
    host = HostRun(
        host="a-host-with-a-name-that-is-much-too-long", steps=2, state="rolled back", started_at=T0, ended_at=T1
    )
    [title, *_] = tile_grid([host, host], lambda _: LineRing(100), 120, 6)
    assert "rolled back" in plain(title)
    assert "00:30" in plain(title)
    assert cells(title) <= 120


def test_a_run_that_is_gone_on_with_counts_its_time_anew_and_leaves_hosts_that_were_done_as_they_were() -> None:
    later = "2026-11-20T11:00:00.000Z"
    told = Told("build", hosts=("a", "b"))
    for host in ("a", "b"):
        told.begin(host, "0.0.build")
    told.tell(HostEnded, at=T1, host="a", status="ok")
    told.tell(HostEnded, at=T1, host="b", status="failed")
    told.tell(RunStarted, at=later, title="t", hosts=("a", "b"), steps=(), pid=2, resumed=True)
    told.tell(HostEnded, at=later, host="a", status="ok")
    now = seconds_after(later, 5)
    assert host_time(told.model.hosts["a"], now) == "00:30"
    assert host_time(told.model.hosts["b"], now) == ""
    told.begin("b", "0.0.build", at=later)
    assert host_time(told.model.hosts["b"], now) == "00:05"
    assert told.model.hosts["b"].first_at == T0
    assert elapsed(told.model.started_at, "", now) == 5


def test_a_host_that_was_only_looked_at_is_not_ok_before_it_was_rebuilt_too() -> None:
    told = Told("preflight", "rebuild", hosts=("a", "b"))
    for host in ("a", "b"):
        told.begin(host, "0.0.preflight")
        told.tell(StepEnded, host=host, step="0.0.preflight", verb="preflight", status="ok")
    assert dict(told.model.counts) == {"queued": 2}
    assert told.model.done_share == 0.5
    told.begin("a", "1.0.rebuild")
    told.end("a", "1.0.rebuild", "changed")
    assert dict(told.model.counts) == {"changed": 1, "queued": 1}
    assert told.model.done_share == 0.75


def test_a_host_that_is_through_with_one_play_waits_for_a_person_at_the_gate_of_the_next() -> None:
    told = Told("preflight", "rebuild", hosts=("a",))
    told.begin("a", "0.0.preflight")
    told.end("a", "0.0.preflight", "ok")
    told.tell(StepWaiting, host="a", step="1.0.rebuild", verb="rebuild", reason="waiting to go on")
    host = told.model.hosts["a"]
    assert host.gate
    assert host.needs_person
    assert not host.ended


class Watch:
    """Seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1.0

    def __call__(self) -> float:
        return self.now


class Counting:
    """A view that counts its ticks."""

    def __init__(self) -> None:
        self.ticks = 0
        self.shows = True

    def ticking(self) -> bool:
        return self.shows

    def tick(self) -> None:
        self.ticks += 1


def beats(ticker: Ticker, watch: Watch, count: int, *, late: float = 0.0) -> None:
    for _ in range(count):
        watch.now += 1 / RATE_HZ + late
        ticker.beat()


def test_views_are_drawn_half_as_often_while_the_loop_is_late_and_as_often_again_two_seconds_after() -> None:
    watch, view = Watch(), Counting()
    ticker = Ticker(watch)
    ticker.add(view)
    beats(ticker, watch, 2 * WATCHED)
    assert (ticker.stride, view.ticks) == (1, 2 * WATCHED)
    beats(ticker, watch, 3, late=0.03)
    assert ticker.stride == 2
    before = view.ticks
    beats(ticker, watch, 20)
    assert view.ticks - before == 10
    beats(ticker, watch, 4 * WATCHED, late=0.03)
    assert ticker.stride == SLOWEST
    beats(ticker, watch, 3 * WATCHED)
    assert ticker.stride == 1


def test_a_view_that_does_not_show_costs_nothing() -> None:
    watch, view = Watch(), Counting()
    ticker = Ticker(watch)
    ticker.add(view)
    view.shows = False
    beats(ticker, watch, 100)
    assert view.ticks == 0


@dataclass
class Live:
    """A run at work."""

    model: RunModel
    state: str = "running"


def test_a_narrow_head_leaves_out_what_it_has_no_room_for_as_a_whole_and_keeps_the_id() -> None:
    run = Live(RunModel(replace(plan("build"), title="rebuild dns01", operator="ana")))
    heads = [plain(run_summary(run, 0.0, width, run="0baf")[0]).split("dns01")[1] for width in (80, 58, 50, 36)]
    assert [" ".join(head.split()) for head in heads] == [
        "2 hosts, 32 at a time by ana 0baf",
        "2 hosts, 32 at a time 0baf",
        "2 hosts 0baf",
        "0baf",
    ]

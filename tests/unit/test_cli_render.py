"""Live lines on a terminal, and what a person's ctrl-c does to a run."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast

import pyte
import pytest

from pvenix.cli.driver import GATE, Driver
from pvenix.cli.render.live import Live
from pvenix.cli.render.machine import JsonDocument
from pvenix.cli.text import cells, cut, table
from pvenix.engine.runfiles import RunDir
from pvenix.model.events import Event, HostEnded, Progress, RunStarted, StepEnded, StepStarted, StepWaiting
from pvenix.model.plan import PlayPlan, RunPlan, Task
from tests.unit.cli_fake import Cli


class Terminal:
    """A live renderer whose stdout and stderr are one small screen."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 60, lines: int = 8) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("LINES", str(lines))
        self._written = io.StringIO()
        monkeypatch.setattr("click.echo", lambda text="", **_: self._written.write(f"{text}\n"))
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.Stream(self._screen)
        self.live = Live(terminal=self._written)
        self._seq = 0

    def event(self, kind: type[Event], **values: Any) -> None:
        self._seq += 1
        self.live.event(kind(run="r", seq=self._seq, at="", **values))

    def rows(self) -> list[str]:
        """The lines on the screen."""
        self.live._drawn_at = 0.0
        self.live.tick()
        self._stream.feed(self._written.getvalue().replace("\n", "\r\n"))
        self._written.seek(0)
        self._written.truncate()
        return [row.rstrip() for row in self._screen.display if row.strip()]


def step(host: str, verb: str = "clone") -> dict[str, str]:
    return {"host": host, "step": f"0.0.{verb}"}


def test_active_hosts_have_a_line_each_that_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    terminal.event(RunStarted, title="onboard", hosts=("dns01", "web01"), steps=(), pid=1)
    for host in ("dns01", "web01"):
        terminal.event(StepStarted, verb="clone", name="Clone it", **step(host))
    terminal.event(Progress, text="10 %", **step("dns01"))
    terminal.event(Progress, text="20 %", **step("dns01"))
    terminal.event(StepWaiting, verb="clone", reason="a slot", **step("web01"))
    assert terminal.rows() == [
        "run r: onboard, 2 hosts",
        "dns01  clone       0:00  20 %",
        "web01  clone       0:00  waits: a slot",
        "0 of 2 hosts through",
    ]


def test_what_ended_scrolls_by_above_the_live_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    terminal.event(RunStarted, title="onboard", hosts=("dns01", "web01"), steps=(), pid=1)
    for host in ("dns01", "web01"):
        terminal.event(StepStarted, verb="clone", name="", **step(host))
    terminal.rows()
    terminal.event(StepEnded, verb="clone", status="changed", summary="VM 200", **step("dns01"))
    terminal.event(HostEnded, host="dns01", status="changed")
    assert terminal.rows()[1:] == [
        "dns01  clone      changed     VM 200",
        "web01  clone       0:00",
        "1 of 2 hosts through",
    ]


def test_a_word_about_a_host_that_ended_scrolls_by_and_does_not_make_it_active(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    terminal.event(RunStarted, title="onboard", hosts=("dns01",), steps=(), pid=1)
    terminal.event(HostEnded, host="dns01", status="failed", summary="broke")
    terminal.event(Progress, host="dns01", text="not tried again: its wave is over")
    assert terminal.rows()[-1].endswith("not tried again: its wave is over")
    assert terminal.live.view.active == []


def test_more_hosts_than_rows_are_counted_and_long_lines_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, columns=30, lines=8)
    hosts = tuple(f"h{number}" for number in range(20))
    terminal.event(RunStarted, title="t", hosts=hosts, steps=(), pid=1)
    for host in hosts:
        terminal.event(StepStarted, verb="build", name="", **step(host, "build"))
        terminal.event(Progress, text="x" * 99 + "\x1b[2J", **step(host, "build"))
    rows = terminal.rows()
    assert "… and 17 more" in rows
    assert max(len(row) for row in rows) == 29


@pytest.mark.parametrize(("text", "columns", "shown"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…")])
def test_text_is_cut_by_columns_and_not_by_characters(text: str, columns: int, shown: str) -> None:
    assert cut(text, columns) == shown
    assert cells(shown) <= columns


def test_a_table_keeps_its_rows_whatever_a_cell_holds() -> None:
    assert table(("A", "B"), [("x\ny", "\x1b[31mz"), ("", "")]).split("\n")[1:] == ["x y  z", ""]


def hanging_driver(tmp_path: Path) -> Driver:
    pvenix = Cli(tmp_path / "fleet")
    pvenix.workspace.hang = True
    play = PlayPlan(name="p", waves=(("dns01",),), tasks=(Task(verb="rebuild"),))
    run = pvenix.workspace.runs.create(RunPlan(title="t", plays=(play,), fleet=str(tmp_path)))
    return Driver(cast("Any", pvenix.workspace), run, JsonDocument(), tails=False, ask=False)


async def test_the_first_interrupt_asks_and_the_second_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = hanging_driver(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    asyncio.get_running_loop().call_later(0.01, signal.raise_signal, signal.SIGINT)
    asyncio.get_running_loop().call_later(0.03, signal.raise_signal, signal.SIGTERM)
    assert await driver.drive(resume=False) == 130
    [request] = driver._run.take_requests()
    said = capsys.readouterr().err
    assert request.kind == "cancel"
    assert "1 running end first" in said
    assert f"dns01 0.0.rebuild: unit pvenix-activate-{driver._run.run}-0.0-1.service" in said
    assert f"pvenix resume {driver._run.run}" in said
    assert signal.getsignal(signal.SIGTERM) is before


async def test_a_run_whose_output_nobody_reads_stops_after_its_steps_and_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver, ended = hanging_driver(tmp_path), []

    async def execute(_run: RunDir, *, on_event: Callable[[Event], None], **_: Any) -> int:
        for seq in (1, 2):
            on_event(RunStarted(run="r", seq=seq, at="", title="t", hosts=(), steps=(), pid=1))
        ended.append("to its end")
        return 0

    def unread(_event: Event) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(driver._workspace, "execute", execute)
    monkeypatch.setattr(driver._renderer, "event", unread)
    with pytest.raises(BrokenPipeError):
        await driver.drive(resume=False)
    assert ended == ["to its end"]
    assert [request.kind for request in driver._run.take_requests()] == ["cancel"]
    assert capsys.readouterr().err.count(f"pvenix resume {driver._run.run}") == 1


class Stepping:
    """A run in step mode whose two hosts wait for a word before each of two steps; the answers are typed meanwhile."""

    def __init__(self, answers: tuple[str, ...], keyboard: int) -> None:
        self.heard: list[str] = []
        self.ask = None
        self._answers = iter(answers)
        self._keyboard = keyboard

    async def execute(
        self, run: RunDir, *, on_event: Callable[[Event], None], resume: bool, only: Collection[str] = ()
    ) -> int:
        for verb in ("clone", "boot"):
            for number, host in enumerate(("dns01", "web01")):
                on_event(StepWaiting(run="r", seq=number, at="", verb=verb, reason=GATE, **step(host, verb)))
            os.write(self._keyboard, next(self._answers, "").encode())
            while not (requests := run.take_requests()):  # noqa: ASYNC110 - requests are files, as for the runner
                await asyncio.sleep(0.001)
            self.heard.append(requests[0].kind)
            if requests[0].kind == "cancel":
                return 130
        return 0


@pytest.mark.parametrize(
    ("answers", "heard", "code"),
    [
        (("y\n", "y\n"), ["continue", "continue"], 0),
        (("c\n",), ["continue", "continue"], 0),
        (("y\n", "n\n"), ["continue", "cancel"], 130),
        (("what\nn\n",), ["cancel"], 130),
    ],
)
async def test_a_step_starts_when_the_person_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...], heard: list[str], code: int
) -> None:
    run = hanging_driver(tmp_path)._run
    read, keyboard = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(keyboard, "wb"):
        monkeypatch.setattr("sys.stdin", stdin)
        stepping = Stepping(answers, keyboard)
        driver = Driver(cast("Any", stepping), run, JsonDocument(), tails=False, ask=True)
        assert await driver.drive(resume=False) == code
    assert stepping.heard == heard

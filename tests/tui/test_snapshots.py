"""Whole frames at the smallest supported size: a change of layout has to be looked at. Renew: --snapshot-update."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session
from tests.tui.driver import FixedClock, Ui
from tests.tui.fake_backend import FakeBackend, waits

pytestmark = pytest.mark.tui


async def host(ui: Ui) -> None:
    await ui.press("j", "j", "j", "enter")


async def generations(ui: Ui) -> None:
    await host(ui)
    await ui.press("right_square_bracket", "j")


async def rollback(ui: Ui) -> None:
    await ui.press("b")


async def plan(ui: Ui) -> None:
    await ui.press("o")


async def retire(ui: Ui) -> None:
    await ui.press("D")


async def verbs(ui: Ui) -> None:
    await ui.press("x", *["down"] * 20)


async def restore(ui: Ui) -> None:
    await ui.press("x")
    await ui.type("restore")
    await ui.press("enter")


async def migrate(ui: Ui) -> None:
    await ui.press("x")
    await ui.type("migrate")
    await ui.press("enter", "up")


async def options(ui: Ui) -> None:
    await ui.press("x")
    await ui.type("shutdown")
    await ui.press("enter", "o", "enter")


async def run(ui: Ui) -> None:
    await ui.press("space", "space", "space", "r", "G")
    ui.later()
    await ui.press("y")
    run = ui.run()
    for index, name in enumerate(("tappaas-cicd", "dns01")):
        ui.backend.step(run, name, "rebuild")
        ui.backend.output(run, name, "".join(f"copying path {line}/30 for {name}\n" for line in range(30)))
        if index:
            ui.backend.step(
                run, name, "rebuild", "rolled back", summary="port 22 did not answer: generation 41 is back"
            )
            ui.backend.end_host(run, name, "rolled back", "port 22 did not answer: generation 41 is back")
    await ui.tick()


async def approval(ui: Ui) -> None:
    await ui.press("space", "space", "space", "r")
    ui.later()
    await ui.press("y")
    ui.backend.asked_now = (waits("dns01"),)
    for name in ("tappaas-cicd", "dns01"):
        ui.backend.step(ui.run(), name, "rebuild", "waiting" if name == "dns01" else "changed", summary="as approved")
        ui.backend.end_host(ui.run(), name, "waiting" if name == "dns01" else "changed", "as approved")
    ui.backend.end_run(ui.run(), 10, changed=1, waiting=1)
    for _ in range(10):
        await ui.tick()


async def runs(ui: Ui) -> None:
    await run(ui)
    ui.backend.end_run(ui.run(), 6, changed=1, **{"rolled back": 1})
    await ui.press("2")


async def reviews(ui: Ui) -> None:
    await ui.press("3")


async def review(ui: Ui) -> None:
    await ui.press("3", "enter")


async def keys(ui: Ui) -> None:
    await ui.press("question_mark")


async def fleet(ui: Ui) -> None:
    await ui.press("space")


STORIES: dict[str, Callable[[Ui], Awaitable[None]]] = {
    story.__name__: story
    for story in (
        fleet,
        host,
        generations,
        rollback,
        plan,
        retire,
        verbs,
        restore,
        migrate,
        options,
        run,
        approval,
        runs,
        reviews,
        review,
        keys,
    )
}


@pytest.mark.parametrize("name", STORIES)
def test_the_screen_looks_as_it_did_when_somebody_looked(name: str, backend: FakeBackend, snap_compare: Any) -> None:
    clock = FixedClock()
    app = PvenixApp(Session(backend, clock=clock), ticking=False)

    async def story(pilot: Pilot[int]) -> None:
        ui = Ui(app, pilot, backend, clock)
        await ui.settle()
        await STORIES[name](ui)
        app.session.said = None

    try:
        assert snap_compare(app, terminal_size=(80, 24), run_before=story)
    finally:
        backend.live.close()

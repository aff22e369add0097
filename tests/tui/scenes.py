"""Screens worth looking at, each reached as a person reaches it: snapshots and the pictures of the documents show them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pvenix.model.act import Act
from tests.tui.driver import Ui
from tests.tui.fake_backend import TIP, waits
from tests.tui.fake_playbooks import BACK, BROKEN, REBUILD

Scene = Callable[[Ui], Awaitable[None]]


async def fleet(ui: Ui) -> None:
    await ui.do("fleet.mark")
    ui.later(3)  # at rest, what is counted by filters is counted anew
    await ui.tick()
    await ui.tick()


async def host(ui: Ui) -> None:
    await ui.go_to("tappaas-vllm")
    await ui.do("fleet.open")


async def rollback(ui: Ui) -> None:
    await ui.do("host.rollback")


async def plan(ui: Ui) -> None:
    await ui.do("host.onboard")


async def retire(ui: Ui) -> None:
    await ui.do("host.retire")


async def verbs(ui: Ui) -> None:
    await ui.do("host.verbs")
    await ui.press(*["down"] * 20)


async def options(ui: Ui) -> None:
    await ui.do("host.verbs")
    await ui.type("shutdown")
    await ui.press("enter")
    await ui.do("plan.options")


async def newhost(ui: Ui) -> None:
    await ui.do("fleet.new")


async def run(ui: Ui) -> None:
    await ui.press("space", "space", "space", "r", "G")
    await ui.confirm()
    started = ui.run()
    for index, name in enumerate(("tappaas-cicd", "dns01")):
        ui.backend.step(started, name, "rebuild")
        ui.backend.output(started, name, "".join(f"copying path {line}/30 for {name}\n" for line in range(30)))
        if index:
            ended = "port 22 did not answer: generation 41 is back"
            ui.backend.step(started, name, "rebuild", "rolled back", summary=ended)
            ui.backend.end_host(started, name, "rolled back", ended)
    for _ in range(10):
        await ui.tick()


async def approval(ui: Ui) -> None:
    await ui.press("space", "space", "space", "r", "G")
    await ui.confirm()
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
    await ui.do("app.runs")


async def reviews(ui: Ui) -> None:
    await ui.do("app.reviews")


async def review(ui: Ui) -> None:
    await reviews(ui)
    await ui.do("reviews.open")


async def playbooks(ui: Ui) -> None:
    for name, text in (("all.yaml", REBUILD), ("back.yaml", BACK), ("broken.yaml", BROKEN)):
        ui.backend.add_playbook(name, text)
    await ui.do("app.playbooks")


async def journal(ui: Ui) -> None:
    """Two days of a fleet."""
    past = ui.backend
    past.did(
        "20261118-080000-0003", "2026-11-18T08:00:10Z", ("dns01", "snapshot", "changed"), known={"snapshot": "before-42"},
        who="bo",
    )  # fmt: skip
    past.did(
        "20261120-093000-0002", "2026-11-20T09:30:00Z",
        *(("tappaas-litellm", verb, "changed") for verb in ("clone", "cloudinit", "boot", "register", "review", "rebuild")),
    )  # fmt: skip
    about = f"registration/docker01 {'c' * 40}"
    past.acted(Act.MERGE, "2026-11-20T09:58:00Z", host="docker01", commit=TIP, about=about)
    steps = (("dns01", "rebuild", "changed"), ("nix-cache01", "rebuild", "failed"))
    past.did("20261120-101002-0001", "2026-11-20T10:10:02Z", *steps)
    await ui.do("app.journal")


async def entry(ui: Ui) -> None:
    await journal(ui)
    await ui.do("journal.open")


async def history(ui: Ui) -> None:
    await ui.do("fleet.history")


async def keys(ui: Ui) -> None:
    await ui.do("app.help")


async def palette(ui: Ui) -> None:
    await ui.do("app.palette")
    await ui.type("rebuild")


SCENES: Final[dict[str, Scene]] = {
    scene.__name__: scene
    for scene in (
        fleet, host, rollback, plan, retire, verbs, options, newhost, run, approval, runs, reviews, review, playbooks,
        journal, entry, history, keys, palette,
    )
}  # fmt: skip

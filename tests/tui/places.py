"""Every screen, with something on it to act upon, each reached as a person reaches it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pvenix.engine.runfiles import RunDir
from pvenix.model.plan import RunPlan
from pvenix.model.verbs import ONBOARDING
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend, fake_review, waits
from tests.tui.scenes import SCENES, Scene

HOST: Final = "tappaas-litellm"


def of_somebody(backend: FakeBackend, plan: RunPlan) -> RunDir:
    """A run that somebody else has started, who may."""
    read_only, backend.read_only = backend.read_only, False
    run = backend.start_detached(plan)
    backend.calls.clear()
    backend.read_only = read_only
    return run


def before(scene: Scene) -> Scene:
    """As `scene`, on a fleet that was worked on before it was opened for looking only."""

    async def reached(ui: Ui) -> None:
        read_only, ui.backend.read_only = ui.backend.read_only, False
        await scene(ui)
        ui.backend.read_only = read_only

    return reached


async def drift(ui: Ui) -> None:
    await ui.go_to("tappaas-vllm")
    await ui.do("host.drift")


async def units(ui: Ui) -> None:
    await _tab(ui, "units")


async def log_of_host(ui: Ui) -> None:
    await _tab(ui, "journal")


async def _tab(ui: Ui, name: str) -> None:
    await SCENES["host"](ui)
    await ui.do("host.tabs")
    await ui.type(name)
    await ui.press("enter")


async def unit(ui: Ui) -> None:
    await units(ui)
    ui.later()
    await ui.do("host.open")


async def commit(ui: Ui) -> None:
    await ui.do("fleet.history", "history.open")


async def since(ui: Ui) -> None:
    await SCENES["review"](ui)
    ui.backend.reviews_now[HOST] = replace(ui.backend.reviews_now[HOST], commit="a" * 40)
    await ui.do("app.refresh", "review.since")


async def conflicts(ui: Ui) -> None:
    ui.backend.reviews_now[HOST] = replace(fake_review(), mergeable=False, behind=1)
    await SCENES["review"](ui)
    await ui.do("review.conflicts")


async def playbook(ui: Ui) -> None:
    await SCENES["playbooks"](ui)
    await ui.do("playbooks.open")


async def run(ui: Ui) -> None:
    """At work, also where nothing may be started from here."""
    backend = ui.backend
    started = of_somebody(backend, backend.plan_verb("rebuild", ["dns01", "nix-cache01"]))
    backend.step(started, "nix-cache01", "rebuild")
    backend.output(started, "nix-cache01", "".join(f"copying path {line}/30\n" for line in range(30)))
    backend.step(started, "dns01", "rebuild", "failed", summary="no space left")
    backend.end_host(started, "dns01", "failed", "no space left")
    await ui.do("app.runs", "app.refresh", "runs.open")
    for _ in range(10):
        await ui.tick()


async def ended(ui: Ui) -> None:
    await run(ui)
    ui.backend.end_host(ui.run(), "nix-cache01", "changed")
    ui.backend.end_run(ui.run(), 1, changed=1, failed=1)
    ui.backend.asked_now = (waits("dns01"),)
    for _ in range(10):
        await ui.tick()
    await ui.do("app.back")  # a change that waits for an approval is asked for at once


async def commands(ui: Ui) -> None:
    await run(ui)
    await ui.do("run.commands")


async def runs(ui: Ui) -> None:
    await ended(ui)
    await ui.do("app.back")


async def calls(ui: Ui) -> None:
    await ui.do("frame.calls")


async def wizard(ui: Ui) -> None:
    backend = ui.backend
    started = of_somebody(backend, replace(backend.plan_verbs(ONBOARDING, [HOST]), step=True))
    backend.step(started, HOST, "place", "changed")
    backend.step(started, HOST, "clone", "gate")
    await ui.do("app.runs", "app.refresh", "runs.open")
    for _ in range(10):
        await ui.tick()


async def build(ui: Ui) -> None:
    """A plan that changes nothing."""
    await ui.do("host.verbs")
    await ui.type("build")
    await ui.press("down", "enter")


PLACES: Final[dict[str, tuple[str, Scene]]] = {
    "fleet": ("fleet", SCENES["fleet"]),
    "host": ("host", SCENES["host"]),
    "drift": ("host", drift),
    "units": ("host", units),
    "log": ("host", log_of_host),
    "unit": ("unit", unit),
    "newhost": ("newhost", SCENES["newhost"]),
    "rollback": ("rollback", SCENES["rollback"]),
    "plan": ("plan", SCENES["retire"]),
    "build": ("plan", build),
    "runs": ("runs", runs),
    "run": ("run", run),
    "ended": ("run", ended),
    "commands": ("commands", commands),
    "wizard": ("wizard", wizard),
    "reviews": ("reviews", SCENES["reviews"]),
    "review": ("review", SCENES["review"]),
    "since": ("since", since),
    "conflicts": ("conflicts", conflicts),
    "history": ("history", SCENES["history"]),
    "commit": ("commit", commit),
    "playbooks": ("playbooks", SCENES["playbooks"]),
    "playbook": ("playbook", playbook),
    "journal": ("journal", before(SCENES["journal"])),
    "entry": ("entry", before(SCENES["entry"])),
    "calls": ("calls", calls),
}
"""Each by its name, with the scope of its screen."""

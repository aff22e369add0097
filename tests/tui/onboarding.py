"""What stories of an onboarding have in common: starting one, and what its run says."""

from __future__ import annotations

from pvenix.engine.runfiles import RunDir
from pvenix.model.events import StepEnded, StepStarted, StepWaiting
from pvenix.model.verbs import ONBOARDING
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend

HOST = "tappaas-litellm"


async def onboard(ui: Ui) -> RunDir:
    """Start the onboarding of the host without a VM."""
    await ui.go_to(HOST)
    await ui.do("host.onboard")
    await ui.confirm()
    ui.expect_screen("wizard")
    return ui.run()


def begin(backend: FakeBackend, run: RunDir, verb: str, **values: object) -> str:
    """A step begins; its id."""
    step = f"0.{ONBOARDING.index(verb)}.{verb}"
    limit = {"limit_s": 1800.0, **values}
    backend.emit(run, StepStarted, host=HOST, step=step, verb=verb, name=verb, **limit)
    return step


def end(backend: FakeBackend, run: RunDir, verb: str, status: str, **values: object) -> None:
    """A step ends."""
    step = f"0.{ONBOARDING.index(verb)}.{verb}"
    backend.emit(run, StepEnded, host=HOST, step=step, verb=verb, status=status, **{"seconds": 3.0, **values})


def done(backend: FakeBackend, run: RunDir, *verbs: str) -> None:
    """Steps begin and end well."""
    for verb in verbs:
        begin(backend, run, verb)
        end(backend, run, verb, "skipped" if verb == "create" else "changed")


def gate(backend: FakeBackend, run: RunDir, verb: str) -> None:
    """A step waits for a person."""
    step = f"0.{ONBOARDING.index(verb)}.{verb}"
    backend.emit(run, StepWaiting, host=HOST, step=step, verb=verb, reason="waiting to go on")


def over(backend: FakeBackend, run: RunDir, status: str, summary: str = "") -> None:
    """The host's part and the run end."""
    backend.end_host(run, HOST, status, summary)
    backend.end_run(run, 1, **{status.replace(" ", "_"): 1})


async def seen(ui: Ui) -> None:
    """Let the screen look, also whether the process is alive."""
    for _ in range(10):
        await ui.tick()

"""The application on the fake backend in this terminal: `python -m tests.tui.on_terminal plain|hostile|crash|playing DIR`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pvenix.model.events import StepStarted
from pvenix_tui.app import PvenixApp
from pvenix_tui.screens.fleet import FleetScreen
from pvenix_tui.session import Session
from tests.tui.demo_fake import PlayedBackend
from tests.tui.fake_backend import HOSTS, FakeBackend
from tests.tui.stacks import telling_where


def crash(_: FleetScreen) -> None:
    raise RuntimeError("a defect")


def main() -> int:
    word, folder = sys.argv[1], Path(sys.argv[2])
    backend = FakeBackend(folder)
    if word == "hostile":
        from tests.tui.test_hostile import ATTACK, hostile

        hostile(backend)
        run = backend.start_detached(backend.plan_verb("rebuild", ["dns01"]))
        backend.emit(run, StepStarted, host="dns01", step="0.rebuild", verb="rebuild", name=ATTACK)
        backend.output(run, "dns01", f"{ATTACK}\n")
        backend.end_run(run, 0)
    elif word == "playing":
        backend = PlayedBackend(folder)
        backend.lines = 100_000
        backend.start_detached(backend.plan_verb("rebuild", [host.name for host in HOSTS]))
    elif word == "crash":
        FleetScreen.do_fleet_history = crash  # type: ignore[assignment, method-assign] # the defect under test
    app = PvenixApp(Session(backend, clock=time.time))
    with telling_where(app, folder):
        code = app.run()
    return code if isinstance(code, int) else (app.return_code or 0)


if __name__ == "__main__":
    raise SystemExit(main())

"""Which screen shows a run, and which run takes a host on that is half onboarded."""

from __future__ import annotations

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix_tui.models.wizard import WizardModel, is_onboarding
from pvenix_tui.screens.run import RunScreen
from pvenix_tui.screens.wizard import WizardScreen
from pvenix_tui.session import Session


def run_screen(session: Session, run: RunDir, *, area: str, started: bool = False) -> RunScreen | WizardScreen:
    """The screen of a run: the wizard for the onboarding of one host, else the run's. Raises: LocalResource."""
    plan = run.plan()
    if is_onboarding(plan):
        return WizardScreen(session, run, plan.hosts[0], area=area, started=started)
    return RunScreen(session, run, area=area, started=started)


def open_onboarding(session: Session, host: str) -> RunDir | None:
    """The newest run that onboards just `host` and is not through, when no newer run came to the host."""
    for run in session.backend.runs.newest(limit=50):
        try:
            plan = run.plan()
            if host not in plan.hosts or plan.check:
                continue
            if not is_onboarding(plan) or run.is_abandoned():
                return None
            model = WizardModel(plan, host)
            model.apply(run.events()[0])
        except PvenixError:
            continue
        return None if model.done else run
    return None

"""Actions on the form of a new host, and on the wizard that takes it through its onboarding."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import (
    ABANDONED,
    Context,
    Place,
    asks_or_resumes,
    no_hosts,
    not_live,
    pvenix_line,
)

_FLEET: Final = Place("fleet")
_FORM: Final = Place("newhost")
_WIZARD: Final = Place("wizard")


def _host(context: Context) -> str:
    return (context.hosts or ("HOST",))[0]


def _goes_on(context: Context) -> str:
    if context.run_state == "abandoned":
        return ABANDONED
    if context.gates or context.run_paused:
        return ""
    return not_live(context) and context.host_retry if context.run_state != "running" else "nothing waits for a person"


def _retry(context: Context) -> str:
    if context.run_state == "abandoned":
        return ABANDONED
    return "" if context.run_state == "interrupted" else context.host_retry


NEW_HOST: Final = (
    _FLEET.action(
        "fleet.new",
        "n",
        "new host",
        "a form for a new host: its line in the inventory, where it would go, and its onboarding",
        danger=Danger.REVERSIBLE,
        command=lambda _: pvenix_line("host", "add", "NAME"),
        footer=True,
    ),
    _FORM.action(
        "newhost.plan",
        "ctrl+s",
        "plan",
        "what would be written and done; nothing is before y there",
        danger=Danger.REVERSIBLE,
        command=lambda context: pvenix_line("host", "add", _host(context)),
        footer=True,
    ),
    _FORM.action("newhost.choose", "f2,ctrl+l", "choose", "what may be chosen for this field", footer=True),
    _FORM.action("newhost.place", "f5", "place", "ask the cluster again where it would go", footer=True),
    _FORM.action("newhost.clear", "f4", "start over", "forget the draft, and begin with an empty form", footer=True),
)

WIZARD: Final = (
    _WIZARD.action(
        "wizard.continue",
        "enter,c",
        "continue",
        "do the next step, end the pause, or go on where the run stopped",
        unless=_goes_on,
        danger=Danger.REVERSIBLE,
        command=asks_or_resumes("continue"),
        footer=True,
    ),
    _WIZARD.action(
        "wizard.retry",
        "r",
        "retry",
        "do the step that did not succeed again; it looks first",
        unless=_retry,
        danger=Danger.REVERSIBLE,
        command=asks_or_resumes("retry", host=True),
        footer=True,
    ),
    _WIZARD.action(
        "wizard.skip",
        "K",
        "skip",
        "go on without the step at which it waits, or which failed; only what no later step needs",
        unless=lambda context: context.skip,
        danger=Danger.REVERSIBLE,
        command=lambda context: pvenix_line("runs", "skip", context.run or "RUN", _host(context)),
        footer=True,
    ),
    _WIZARD.action(
        "wizard.undo",
        "z",
        "undo",
        "plan to take back what was made so far: branch, VM, address",
        unless=lambda context: context.undo,
        danger=Danger.DESTROYS,
        command=lambda context: pvenix_line("destroy", _host(context)),
        footer=True,
    ),
    _WIZARD.action(
        "wizard.review",
        "v",
        "review",
        "the registration branch: its checks and its difference to main",
        unless=no_hosts,
        command=lambda context: pvenix_line("review", "show", _host(context)),
        footer=True,
    ),
    _WIZARD.action("wizard.run", "o", "run", "the run itself: its whole log with search, and every command"),
)

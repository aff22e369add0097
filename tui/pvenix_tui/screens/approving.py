"""Asks about the risky changes that a run waits with, one after the other, and goes on with what was approved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.app import App

from pvenix.engine.runfiles import RunDir
from pvenix.model.approval import Asked, Verdict
from pvenix.model.errors import PvenixError
from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.screens.dialogs import Confirm
from pvenix_tui.session import Session, describe

_WIDTH: Final = 64


class Approver:
    """The questions of one run; `go_on` is told the hosts whose change was approved."""

    def __init__(self, session: Session, run: RunDir, go_on: Callable[[Sequence[str]], None]) -> None:
        self._session = session
        self._run = run
        self._go_on = go_on

    def ask(self, app: App[int], host: str = "") -> None:
        """Ask about everything that waits, or only about `host`."""
        try:
            asked = [each for each in self._session.backend.undecided(self._run) if host in ("", each.host)]
        except PvenixError as error:
            self._session.say(describe(error), bad=True)
            return
        self._next(app, asked, [])

    def _next(self, app: App[int], asked: Sequence[Asked], approved: list[str]) -> None:
        if not asked:
            if approved:
                self._go_on(approved)
            return
        first, *rest = asked

        def answered(yes: bool | None) -> None:  # noqa: FBT001 the dialog's result
            if yes and self._kept(first):
                approved.append(first.host)
            self._next(app, rest, approved)

        verb = first.step.rpartition(".")[2]
        title = f"Approve {verb} of {first.host}?"
        app.push_screen(Confirm(title, question(first), clock=self._session.clock, yes="approve"), answered)

    def _kept(self, asked: Asked) -> bool:
        try:
            self._session.backend.decide(self._run, [asked], Verdict.APPROVED)
        except PvenixError as error:
            self._session.say(describe(error), bad=True)
            return False
        return True


def question(asked: Asked) -> list[Line]:
    """Why a person is asked, and what exactly the answer is for."""
    lines = [*(text_line(risk, Tone.WARN) for risk in asked.risks), text_line(f"exactly {asked.subject}", Tone.DIM)]
    if asked.commit:
        lines.append(text_line(f"built from {asked.commit[:12]}", Tone.DIM))
    lines.append(text_line("Until then it waits and nothing is held; no leaves it so.", Tone.PLAIN))
    return [piece for line in lines for piece in wrap(line, _WIDTH, indent=2)]

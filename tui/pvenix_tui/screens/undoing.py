"""`z`, from wherever it is pressed: the ways back are read, one is chosen, and its plan shows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from pvenix.engine.runfiles import RunDir
from pvenix.model.inverse import Undo
from pvenix_tui.intents.base import Intent
from pvenix_tui.intents.undoing import undo_intent
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Tone
from pvenix_tui.runfiles.journalread import last_change
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.working import in_background

WAYS: Final = (
    Column(title="UNDO", width=18),
    Column(title="HOSTS", width=20, grow=1),
    Column(title="COMMAND", width=30, grow=2, keep=1),
)
Read = Callable[[], Sequence[Undo]]


def undo_host(screen: PvenixScreen[Any], host: str) -> None:
    """Plan the inverse of the last change of a host."""
    backend = screen.session.backend
    undo_with(screen, f"the last change of {host}", lambda: last_change(backend, host))


def undo_run(screen: PvenixScreen[Any], run: str) -> None:
    """Plan the inverse of a run."""
    undo_with(screen, f"run {run}", lambda: screen.session.backend.undos_of_run(run))


def undo_with(screen: PvenixScreen[Any], what: str, read: Read) -> None:
    """Read the ways back of something in a thread, and plan the one that is chosen; nothing is started by it."""

    async def asked() -> None:
        found: list[Undo] = []

        async def work() -> None:
            found.extend(await asyncio.to_thread(read))

        if await _guarded(screen, "undo", work):
            _choose(screen, what, found)

    screen.session.say(f"looking how {what} is undone")
    in_background(screen, asked, group="undo")


def _choose(screen: PvenixScreen[Any], what: str, found: Sequence[Undo]) -> None:
    able = [undo for undo in found if undo.possible]
    if not able:
        why = "; ".join(dict.fromkeys(undo.told for undo in found)) or "it changed nothing"
        screen.session.say(f"{what}: {why}", bad=True)
    elif len(able) == 1:
        _plan(screen, able[0])
    elif screen.is_current:
        choices = [_choice(number, undo) for number, undo in enumerate(found)]

        def picked(key: str | None) -> None:
            if key:
                _plan(screen, found[int(key)])

        screen.app.push_screen(Picker(f"Undo {what}: which part?", WAYS, choices, browse=True), picked)


def _choice(number: int, undo: Undo) -> Choice:
    cells = ((undo.short, Tone.STRONG), (", ".join(undo.hosts), Tone.PLAIN), (undo.told, Tone.DIM))
    why = "" if undo.possible else undo.told
    return Choice(key=str(number), cells=cells, disabled=why, command=undo.told)


def _plan(screen: PvenixScreen[Any], undo: Undo) -> None:
    async def planned() -> None:
        found: list[Intent] = []

        async def work() -> None:
            found.append(await undo_intent(screen.session.backend, undo))

        if await _guarded(screen, "undo", work) and screen.is_current:
            area = screen.area
            screen.app.push_screen(
                PlanScreen(screen.session, found[0], area=area), lambda result: _done(screen, result)
            )

    in_background(screen, planned, group="undo")


def _done(screen: PvenixScreen[Any], result: object) -> None:
    """A way back was taken, or left with None."""
    from pvenix_tui.screens.onboardings import run_screen  # which opens this module's plans itself

    if isinstance(result, RunDir):
        screen.app.push_screen(run_screen(screen.session, result, area=screen.area, started=True))
    elif isinstance(result, str):
        screen.session.say(result)
        screen.session.outdated()


async def _guarded(screen: PvenixScreen[Any], name: str, work: Callable[[], Any]) -> bool:
    """True when it went well; else the reason is said."""
    done = await screen.session.guarded(name, work)
    screen.session.said = None
    if not done:
        screen.session.say(f"{name}: {screen.session.problems.pop(name)}", bad=True)
    screen.refresh_bars()
    return done

"""Where a person was when they left: the area, and the run that was open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pvenix.model.errors import PvenixError
from pvenix_tui.screens.base import PvenixScreen

if TYPE_CHECKING:
    from pvenix_tui.frame import Frame
    from pvenix_tui.remembered.memory import Memory
    from pvenix_tui.session import Session

AREA: Final = "place.area"
RUN: Final = "place.run"


def keep_place(app: Frame, memory: Memory) -> None:
    """Remember what is in front, dialogs aside; where the screens are gone already, what was kept before counts."""
    if not app.screen_stack:
        return
    screen = next((each for each in reversed(app.screen_stack) if isinstance(each, PvenixScreen)), None)
    memory.keep(AREA, app.current_mode)
    memory.keep(RUN, screen.run_id if screen is not None and screen.scope == "run" else "")


def forget_place(memory: Memory) -> None:
    """Begin the next session with the fleet."""
    memory.keep(AREA, "")
    memory.keep(RUN, "")


async def return_to_place(app: Frame, session: Session) -> None:
    """Show that again, once; a person who has gone somewhere meanwhile is left there."""
    area, run = session.memory.text(AREA), session.memory.text(RUN)
    forget_place(session.memory)
    at_start = app.current_mode == app.DEFAULT_MODE and len(app.screen_stack) == 1
    if not at_start or not isinstance(app.screen, PvenixScreen):
        return
    if area and area != app.current_mode:
        await app.go(area)
    if run:
        await _open_run(app, session, run, area)


async def _open_run(app: Frame, session: Session, run: str, area: str) -> None:
    from pvenix_tui.screens.run import RunScreen

    try:
        found = session.backend.runs.open(run)
        await app.push_screen(RunScreen(session, found, area=area))
    except PvenixError:
        return  # it was thrown away meanwhile

"""Live and past runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix.engine.runfiles import RunDir, RunSummary
from pvenix.model.errors import PvenixError
from pvenix_tui.actions import BY_ID, Context
from pvenix_tui.models.lines import Span, Tone, text_line, wrap
from pvenix_tui.models.runlist import (
    COLUMNS,
    OPEN,
    head_line,
    matches,
    preview,
    resume_reason,
    run_cells,
    run_state,
)
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.lists import ListScreen
from pvenix_tui.screens.onboardings import run_screen
from pvenix_tui.screens.undoing import undo_run
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.working import in_background

FILTER: Final = "runs.filter"
PREVIEW_LINES: Final = 3


class RunsScreen(ListScreen[RunSummary]):
    """The runs of this fleet on this machine."""

    scope = "runs"
    area = "runs"
    BINDINGS: ClassVar[list[BindingType]] = bindings("runs")
    columns = COLUMNS

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._words = session.memory.text(FILTER)
        self._only_open = False

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        field = Field(self._words, hint="state:failed  who:ana  rebuild  !web", id="filter")
        field.display = False
        yield field
        yield from super().body()

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#list", Rows).focus()

    @override
    def items(self) -> Sequence[RunSummary]:
        return [
            run
            for run in self.session.runs
            if matches(run, self._words) and (not self._only_open or run_state(run) in OPEN)
        ]

    @override
    def cells(self, item: RunSummary) -> Sequence[Span]:
        return run_cells(item, self.session.clock())

    @override
    def item_key(self, item: RunSummary) -> str:
        return item.run

    @override
    def why_empty(self) -> str:
        if self.session.runs:
            return "no run is like this; esc takes the filter away"
        return "no run yet: start one from the fleet (1), r rebuilds a host"

    @override
    def show_bars(self) -> None:
        head = head_line(self.session.runs, len(self.items()), self._words, only_open=self._only_open)
        self.query_one("#status", Bar).show(head)
        run = self._run
        line = text_line(self.why_empty(), Tone.DIM) if run is None else preview(run, _keys())
        self.query_one("#preview", Bar).show(*wrap(line, max(1, self.size.width), indent=1)[:PREVIEW_LINES])

    @property
    def _run(self) -> RunSummary | None:
        key = self.at_cursor
        return next((run for run in self.session.runs if run.run == key), None)

    @override
    def context(self) -> Context:
        run = self._run
        state = run.state if run else ""
        return Context(scope=self.scope, run=self.at_cursor, run_state=state, host_retry=resume_reason(run))

    # --- what is done with one ---

    def _open(self) -> RunDir | None:
        try:
            return self.session.backend.runs.open(self.at_cursor)
        except PvenixError as error:
            self.session.say(describe(error), bad=True)
            return None

    def _show(self, run: RunDir, *, started: bool = False) -> None:
        try:
            self.app.push_screen(run_screen(self.session, run, area=self.area, started=started))
        except PvenixError as error:
            self.session.say(describe(error), bad=True)

    def do_runs_open(self) -> None:
        """Watch or replay the run."""
        run = self._open()
        if run is not None:
            self._show(run)

    def do_runs_resume(self) -> None:
        """Go on with the run, and watch it."""
        run = self._open()
        if run is not None:
            in_background(self, partial(self._resume, run), group="resume")

    async def _resume(self, run: RunDir) -> None:
        async def work() -> None:
            await asyncio.to_thread(self.session.backend.resume_detached, run)

        if not await self.session.guarded("resume", work):
            self.session.say(self.session.problems.pop("resume"), bad=True)
        elif self.is_current:
            self.session.say("the run goes on where it stopped")
            self._show(run, started=True)

    def do_run_undo(self) -> None:
        """Plan what takes the run at the cursor back."""
        undo_run(self, self.at_cursor)

    # --- which show ---

    def do_runs_waiting(self) -> None:
        """Only runs that wait for a person, or all."""
        self._only_open = not self._only_open
        self.redraw()

    def do_runs_filter(self) -> None:
        """Begin to type a filter."""
        field = self.query_one("#filter", Field)
        field.display = True
        self.set_focus(field)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as the person types."""
        self._words = event.value
        self.session.memory.keep(FILTER, event.value)
        self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the list, with what was typed."""
        event.stop()
        self._leave_field()

    def _leave_field(self) -> None:
        self.query_one("#filter", Field).display = False
        self.query_one("#list", Rows).focus()

    @override
    def back(self) -> bool:
        """Take the filter away first. False when there is none."""
        if not self._words and not self._only_open and not self.query_one("#filter", Field).display:
            return False
        self._only_open = False
        self.query_one("#filter", Field).value = ""
        self._leave_field()
        self.redraw()
        return True


def _keys() -> dict[str, str]:
    wanted = ("runs.open", "runs.resume", "run.approve", "run.continue")
    return {action_id: BY_ID[action_id].key_label.split(" ")[0] for action_id in wanted}

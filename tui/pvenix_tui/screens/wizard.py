"""The wizard: the onboarding of one host, a step at a time; it is a run, so leaving the screen stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.sofar import SoFar
from pvenix_tui.actions import Context
from pvenix_tui.bindings import bindings
from pvenix_tui.models.lines import Line, Tone, clip, text_line, wrap
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.models.table import Table
from pvenix_tui.models.wizard import StepSeen, WizardModel
from pvenix_tui.models.wizardlines import (
    STEP_COLUMNS,
    about_lines,
    breadcrumb,
    detail_lines,
    narrow_lines,
    next_lines,
    said_lines,
    step_cells,
    step_title,
)
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.approving import Approver
from pvenix_tui.screens.runlog import RunLog
from pvenix_tui.screens.wizardasks import WizardAsks
from pvenix_tui.session import Session
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

SAID_LINES: Final = 4
"""Lines that what a person may do, and what a step came to, take at most."""


class WizardScreen(RunLog, WizardAsks):
    """Follows the run of one host's onboarding, and asks of it what a person wants."""

    scope = "wizard"
    AUTO_FOCUS = "#log"
    BINDINGS: ClassVar[list[BindingType]] = bindings("wizard")
    DEFAULT_CSS = """
    WizardScreen #stepbar { background: $boost; }
    WizardScreen #wizard { height: 1fr; }
    WizardScreen #stepside { display: none; width: 38; }
    WizardScreen.-wide #stepside, WizardScreen.-xwide #stepside { display: block; }
    WizardScreen #steps { height: auto; max_height: 50%; }
    WizardScreen #about { height: 1fr; }
    WizardScreen Rows:focus { background: $boost; }
    WizardScreen #detail { height: 40%; }
    WizardScreen #steptitle, WizardScreen #outtitle { background: $boost; }
    """.replace("max_height", "max-height")

    def __init__(self, session: Session, run: RunDir, host: str, *, area: str, started: bool = False) -> None:
        super().__init__(session, area=area)
        self.run = run
        self.host = host
        self.follower = RunFollower(run)
        if started:
            self.follower.expect()
        self.model = WizardModel(run.plan(), host)
        self.found: SoFar | None = None
        """What would have to be undone, None until it was read."""
        self._behind = False
        """True when the journal has gone on since it was read."""
        self._offset = 0
        self._second = -1
        self._shown = ""
        """The step that a person looks at, empty for the one that is at work."""
        self.focus_host = host
        self.pane = LogPane(self.follower.tail(host), wrapping=bool(session.memory.number("log.wrap")))
        self.approver = Approver(session, run, self.retry)
        self._table = Table(STEP_COLUMNS, lambda: self.model.steps, self._cells, lambda step: step.id)

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="stepbar")
        with Horizontal(id="wizard"):
            with Vertical(id="stepside"):
                yield Rows(self._table, id="steps")
                yield Rows(
                    Document(lambda width: self._wrapped(about_lines(self.model, self.found), width)),
                    cursor=False,
                    id="about",
                )
            with Vertical():
                yield Bar(id="steptitle")
                yield Bar(id="stepsaid")
                yield Rows(
                    Document(self._detail),
                    cursor=False,
                    id="detail",
                )
                yield Bar(id="outtitle")
                yield LogView(self.pane, id="log")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.tick()
        self.query_one("#log", LogView).focus()
        self.session.ticker.add(self)
        self._read_so_far()

    @override
    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._read_so_far()

    def on_unmount(self) -> None:
        """Stop following; the run itself goes on."""
        self.session.ticker.remove(self)

    # --- the ticker's view ---

    def ticking(self) -> bool:
        """True while it is in front."""
        return self.is_current

    @override
    def tick(self) -> None:
        """Read what is new and draw it; the timer once a second."""
        was_alive = self.follower.alive
        changed = self.follower.poll(self.host)
        events, self._offset = self.run.events(self._offset)
        if events:
            before = self.model.current
            self.model.apply(events)
            if self.model.current is not before:
                self._shown = ""
            self._read_so_far()
        if was_alive and not self.follower.alive:
            self.session.outdated()
            self.approver.ask(self.app)
        second = int(self.session.clock())
        if events or changed or (self.follower.state in ("running", "starting") and second != self._second):
            self._second = second
            self.redraw()
        self.query_one("#log", LogView).flush()

    def _read_so_far(self) -> None:
        """Read the journal, once more when it has gone on meanwhile."""
        if not self._behind:
            in_background(self, self._so_far, group="so-far", exclusive=False)
        self._behind = True

    async def _so_far(self) -> None:
        async def work() -> None:
            while self._behind:
                self._behind = False
                self.found = await asyncio.to_thread(self.session.backend.so_far, self.run, self.host)

        await self.session.guarded("undo", work)
        if self.is_mounted:
            self.query_one("#about", Rows).reload()
            self.refresh_bars()

    # --- what shows ---

    @property
    def _seen_step(self) -> StepSeen | None:
        """The step whose detail shows."""
        return next((step for step in self.model.steps if step.id == self._shown), self.model.current)

    def _cells(self, step: StepSeen) -> Sequence[tuple[str, Tone]]:
        return step_cells(step, self.model.steps.index(step) + 1, self.session.clock(), dead=self._dead)

    @property
    def _dead(self) -> bool:
        """True when the run's process died: nothing runs, whatever it had begun."""
        return self.follower.state == "interrupted"

    def _said(self) -> list[Line]:
        state = self.follower.state
        can_skip = not self.model.no_skip(live=state == "running")
        if self._taken_back:
            return [((" ! ", Tone.WARN), *text_line(self._taken_back, Tone.WARN))]
        return [*next_lines(self.model, state, can_skip=can_skip), *said_lines(self.model, self._seen_step)]

    @staticmethod
    def _wrapped(lines: Iterable[Line], width: int) -> list[Line]:
        return [piece for line in lines for piece in wrap(line, width, indent=3)]

    def _detail(self, width: int) -> list[Line]:
        lines = self._wrapped(detail_lines(self._seen_step), width)
        if lines or self.query_one("#stepside").display:
            return lines
        return [clip(line, width) for line in narrow_lines(self.model, self._seen_step, dead=self._dead)]

    @override
    def show_bars(self) -> None:
        now = self.session.clock()
        paused = self.follower.model.paused and self.follower.state == "running"
        self.query_one("#stepbar", Bar).show(breadcrumb(self.model, now, paused=paused, dead=self._dead))
        self.query_one("#steptitle", Bar).show(step_title(self._seen_step, now, dead=self._dead))
        said = self.query_one("#stepsaid", Bar)
        lines = self._wrapped(self._said(), max(1, said.size.width))[:SAID_LINES]
        said.display = bool(lines)
        said.show(*(lines or [()]))
        follows = "following" if self.pane.following else f"paused +{self.pane.new_lines} new"
        tone = Tone.OK if self.pane.following else Tone.WARN
        self.query_one("#outtitle", Bar).show(((" output  ", Tone.TITLE), (follows, tone)))

    @override
    def redraw(self) -> None:
        super().redraw()
        steps, current = self.query_one("#steps", Rows), self.model.current
        if current is not None and not steps.has_focus and steps.key != current.id:
            steps.move_to(self.model.steps.index(current))
        detail = self.query_one("#detail", Rows)
        newest = self._seen_step is self.model.current and bool(detail_lines(self._seen_step))
        if newest and not detail.at_end and not detail.has_focus:
            detail.action_do("list.bottom")

    @override
    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows.id == "steps" and event.rows.has_focus:
            current = self.model.current
            self._shown = "" if current is not None and event.rows.key == current.id else event.rows.key
            self.query_one("#detail", Rows).reload()
        self.refresh_bars()

    @property
    @override
    def run_id(self) -> str:
        return self.run.run

    @override
    def where(self) -> str:
        return f"{self.host} onboarding"

    @override
    def context(self) -> Context:
        state, step = self.follower.state, self.model.current
        live = state == "running"
        waits = step is not None and step.gate
        seen = self.follower.model.hosts.get(self.host)
        return Context(
            scope=self.scope,
            hosts=(self.host,),
            run=self.run.run,
            run_state=state,
            run_paused=self.follower.model.paused,
            gates=int(live and waits),
            approvals=int(seen.asks) if seen else 0,
            host_retry=self._no_retry(live),
            skip=self._taken_back or self.model.no_skip(live=live),
            undo=self._no_undo(live),
        )

    @property
    def _taken_back(self) -> str:
        """Why nothing goes on any more, empty when it can: a later run has taken back what was made."""
        run = self.found.taken_back if self.found is not None else ""
        return f"run {run} took back what was made; o on the host begins anew" if run else ""

    def _no_retry(self, live: bool) -> str:  # noqa: FBT001 one of the context's values
        step = self.model.current
        if step is None or self.model.done:
            return "every step has ended well"
        if self._taken_back:
            return self._taken_back
        if live:
            return f"{step.task.verb} is {step.state}"
        return ""

    def _no_undo(self, live: bool) -> str:  # noqa: FBT001 as above
        if live:
            return "the run holds the host: X ends it first"
        if self.found is None:
            return "what was made is being read"
        return "" if self.found.verbs else "nothing was made so far"

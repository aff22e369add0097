"""The form of a new host: every field checked as it is typed, with its default and who says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from textual.worker import Worker
from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.newhost import Asked, NewHost, Placing, Trial
from pvenix_tui.actions import Context
from pvenix_tui.bindings import bindings
from pvenix_tui.intents.newhost import NewHostIntent
from pvenix_tui.models.lines import Line, wrap
from pvenix_tui.models.newhost import (
    AUTO,
    DRAFT,
    FORM,
    OPTION_COLUMNS,
    added_lines,
    field_note,
    first_problem,
    focus_lines,
    name_note,
    option_choices,
    options_of,
    placeholder,
    placing_lines,
    whole_lines,
    with_choice,
)
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.newhostform import NewHostForm
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.screens.wizard import WizardScreen
from pvenix_tui.session import Session
from pvenix_tui.text import safe
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.formrow import FormRow
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

_HELP_LINES: Final = 3
_PLACE_LINES: Final = 2
_REST_S: Final = 0.5
"""The longest that keys have to rest before the fleet is tried again."""


class NewHostScreen(NewHostForm):
    """What a person types of a new host; nothing is written here, and esc loses nothing."""

    scope = "newhost"
    BINDINGS: ClassVar[list[BindingType]] = bindings("newhost")

    def __init__(self, session: Session, *, area: str = "fleet") -> None:
        super().__init__(session, area=area)
        self.trial: Trial | None = None
        self.placing: Placing | None = None
        self._placed_for: NewHost | None = None
        self._asking = False
        self._tried: NewHost | None = None
        """What the trial is of."""
        self._tried_values: dict[Asked, str] = {}
        """What stood in the fields then."""
        self._due = False
        """True when it is to be asked where the host would go, once it was tried."""
        self._stale = False
        """True when something was typed since the last trial began."""
        self._took = 0.0
        """Seconds that the last trial took."""
        self._trying_now: Worker[object] | None = None
        self._planning_now: Worker[object] | None = None

    @override
    def body(self) -> Iterable[Widget]:
        for field in FORM:
            yield FormRow(field, self.values.get(field.asked, ""))
        yield Bar(id="formhelp")
        yield Bar(id="formplace")
        yield Rows(Document(self._preview), cursor=False, id="formpreview")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one(f"#ask-{FORM[0].asked}", Field).focus()
        if self.from_draft:
            self.session.say("this is the draft that you left; f4 starts over")
        self.typed()

    def on_unmount(self) -> None:
        """What was wrong with trying is nobody's concern any more."""
        self.session.problems.pop("new host", None)

    @override
    def context(self) -> Context:
        name = self.values.get(Asked.NAME, "")
        return Context(scope=self.scope, hosts=(name,) if name else (), typing=isinstance(self.focused, Field))

    @override
    def where(self) -> str:
        return "new host"

    def on_descendant_focus(self) -> None:
        """Say what the field is for; what was left may have changed where the host would go."""
        self.refresh_bars()
        self._due = True
        self._place_when_tried()

    @override
    def typed(self) -> None:
        """Try the host as it is now."""
        self._stale = True
        self.refresh_bars()
        if self._trying_now is None or self._trying_now.is_finished:
            self._trying_now = in_background(self, self._trying, group="new-host", exclusive=False)

    async def _trying(self) -> None:
        """Try until nothing was typed meanwhile; where that takes long, not before the keys rest."""

        async def work() -> None:
            while self._stale:
                await asyncio.sleep(min(_REST_S, self._took))
                self._stale, began = False, time.monotonic()
                new, values = self.new, dict(self.values)
                self.trial = await asyncio.to_thread(self.session.backend.try_host, new)
                self._tried, self._tried_values = new, values
                self._took = time.monotonic() - began

        await self.session.guarded("new host", work)
        if self.is_mounted:
            self._show_trial()

    def _show_trial(self) -> None:
        self.query_one("#formpreview", Rows).reload()
        self.refresh_bars()
        self._place_when_tried()

    # --- where it would go ---

    def _place_when_tried(self) -> None:
        """Ask where it would go, if that is due, as soon as what the form says was tried."""
        if self._due and self._tried == self.new:
            self._due = False
            self._ask_place()

    def _ask_place(self) -> None:
        new = self.new
        if self.trial is None or self.trial.problems or new == self._placed_for:
            return
        self._placed_for, self._asking = new, True
        in_background(self, partial(self._place, new), group="new-host-place")
        self.refresh_bars()

    async def _place(self, new: NewHost) -> None:
        async def work() -> None:
            self.placing = await self.session.backend.place_host(new)

        if not await self.session.guarded("place", work):
            self.placing, self._placed_for = Placing(words=self.session.problems.pop("place")), None
        self._asking = False
        if self.is_mounted:
            self.refresh_bars()

    # --- what shows ---

    def _preview(self, width: int) -> list[Line]:
        lines = [*whole_lines(self.trial), *added_lines(self.trial)]
        return [piece for line in lines for piece in wrap(line, width, indent=3)]

    @override
    def show_bars(self) -> None:
        for field in FORM:
            value = self.values.get(field.asked, "")
            # what a trial said of another text in this field would be wrong beside this one
            trial = self.trial if value == self._tried_values.get(field.asked, "") else None
            self.query_one(f"#ask-{field.asked}", Field).placeholder = safe(placeholder(field.asked, trial))
            if trial is not None:
                beside = field_note(field.asked, value, trial, self.placing)
            else:
                beside = name_note(value.strip(), self.session.fleet.hosts) if field.asked is Asked.NAME else ()
            self.query_one(f"#note-{field.asked}", Bar).show(beside)
        at, width = self.at or FORM[0], max(1, self.size.width)
        said = [
            piece
            for line in focus_lines(at, self.trial if self._tried == self.new else None)
            for piece in wrap(line, width, indent=3)
        ]
        self.query_one("#formhelp", Bar).show(*said[:_HELP_LINES], *[()] * (_HELP_LINES - len(said)))
        places = placing_lines(self.placing, asking=self._asking, stale=self.new != self._placed_for)
        lines = [piece for line in places for piece in wrap(line, width, indent=8)]
        self.query_one("#formplace", Bar).show(*lines[:_PLACE_LINES], *[()] * (_PLACE_LINES - len(lines)))

    # --- actions ---

    def do_newhost_choose(self) -> None:
        """List what may be chosen for the field at the keys."""
        at = self.at
        options = options_of(at.asked, self.trial, self.placing) if at is not None else ()
        if at is None or not options:
            what = at.asked if at is not None else "here"
            self.session.say(f"{what}: there is no list to choose from, anything that fits may be typed")
            return
        asked, refused = at.asked, self.placing.refused if self.placing and at.asked is Asked.NODE else ()
        value = self.values.get(asked, "")

        def chosen(key: str | None) -> None:
            if key is not None:
                self.query_one(f"#ask-{asked}", Field).value = with_choice(asked, value, key)

        choices = option_choices(asked, value or (AUTO if asked is Asked.NODE else ""), options, refused)
        self.app.push_screen(Picker(f"Which {asked}?", OPTION_COLUMNS, choices), chosen)

    def do_newhost_place(self) -> None:
        """Ask where it would go, also when it was asked."""
        self._placed_for = None
        self._due = True
        if self._tried == self.new and self.trial is not None and self.trial.problems:
            self.session.say(f"place: {first_problem(self.trial)[1]}", bad=True)
        self._place_when_tried()

    def do_newhost_clear(self) -> None:
        """Forget the draft."""
        self.session.memory.keep(DRAFT, {})
        for field in FORM:
            self.query_one(f"#ask-{field.asked}", Field).value = ""
        self.query_one(f"#ask-{FORM[0].asked}", Field).focus()

    def do_newhost_plan(self) -> None:
        """Try once more, then show what would be written and done, or the first field that is wrong."""
        if self._planning_now is None or self._planning_now.is_finished:
            self.session.say("plan: trying the fleet with this host first")
            self._planning_now = in_background(self, self._plan, group="new-host-plan", exclusive=False)

    async def _plan(self) -> None:
        self.typed()
        if self._trying_now is not None:
            await self._trying_now.wait()
        if self.trial is None or self.session.problems.get("new host") or not self.is_current:
            return
        self.session.acted()
        asked, words = first_problem(self.trial)
        if words:
            self.query_one(f"#ask-{asked or FORM[0].asked}", Field).focus()
            self.session.say(words, bad=True)
            self.refresh_bars()
            return
        placing = self.placing if self._placed_for == self.new and not self._asking else None
        intent = NewHostIntent(self.session.backend, self.new, self.trial, placing)
        self.app.push_screen(
            PlanScreen(self.session, intent, area=self.area), lambda result: self._done(intent, result)
        )

    def _done(self, intent: NewHostIntent, result: object) -> None:
        """The line is written: the draft has served, and the wizard takes the host on."""
        if not intent.written:
            return
        self.session.memory.keep(DRAFT, {})
        self.session.outdated()
        if isinstance(result, RunDir):
            self.app.switch_screen(WizardScreen(self.session, result, intent.host, area=self.area, started=True))
        else:
            self.dismiss(None)
            if isinstance(result, str):
                self.session.say(result)

    @override
    def back(self) -> bool:
        """Leave; what was typed is kept as a draft."""
        if any(self.values.values()):
            self.session.say("kept as a draft: n goes on with it")
        return False

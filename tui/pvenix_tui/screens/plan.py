"""The plan: the only screen from which something is started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.intents.base import Intent, Options, Reading
from pvenix_tui.models.asked import OPTION_COLUMNS, option_choices, with_option, wrong_option
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line, wrap
from pvenix_tui.models.plan import ConfirmGate, PlanView, Tier
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.screens.planparts import DryRun, PlanReadings, missing
from pvenix_tui.session import Session, describe
from pvenix_tui.text import foreign, safe
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

_MOVES: Final = {"down": "list.down", "up": "list.up", "pagedown": "list.page_down", "pageup": "list.page_up"}
"""Keys that move the plan while a name is typed."""


class PlanScreen(PvenixScreen[object]):
    """Shows what would be done and starts exactly that; its result is what the intent's `start` returned."""

    scope = "plan"
    BINDINGS: ClassVar[list[BindingType]] = bindings("plan")

    def __init__(self, session: Session, intent: Intent, *, area: str) -> None:
        super().__init__(session, area=area)
        self.intent = intent
        self.options = intent.initial
        self.view: PlanView | None = None
        self.problem = ""
        self._gate = ConfirmGate(session.clock())
        self._readings = PlanReadings(session, lambda: intent.readings if self.view else ())
        self._dry_run = DryRun()
        self._read = False
        self._typed = False
        self._starting = False

    @override
    def body(self) -> Iterable[Widget]:
        plan = Rows(Document(self._lines), cursor=False, id="plan")
        yield plan
        yield Field(id="typed")
        yield Bar(id="confirm")

    @override
    def on_mount(self) -> None:
        self._replan(self.options)
        super().on_mount()
        self.query_one("#typed" if self._asks_name else "#plan").focus()
        self.session.ticker.add(self)

    def on_unmount(self) -> None:
        """Nobody looks at the dry run any more; it goes on by itself."""
        self.session.ticker.remove(self)

    def ticking(self) -> bool:
        """True while a dry run, or a reading that the plan waits for, may have told more."""
        return self.is_current and (self._dry_run.at_work or bool(self._readings.missing))

    def tick(self) -> None:
        """Show what the dry run told; a person need not read it again to start what they have read."""
        if self._dry_run.poll():
            self.query_one("#plan", Rows).reload()
        self.refresh_bars()

    @override
    def reread(self) -> None:
        in_background(self, self._read_all, group="plan-readings")

    async def _read_all(self) -> None:
        if self.view is not None:
            await self._readings.read(self._was_read)

    def _was_read(self, reading: Reading) -> None:
        if reading.needed:
            self._read = False
            self._gate = ConfirmGate(self.session.clock())
        if self.is_mounted:
            self.query_one("#plan", Rows).reload()
            self.refresh_bars()

    def _lines(self, width: int) -> list[Line]:
        if self.view is None:
            return wrap(text_line(self.problem, Tone.BAD), width)
        head = self.view.lines.index(EMPTY)
        lines = (
            *self.view.lines[:head],
            *self._readings.head(),
            *self._readings.lines(),
            *self.view.lines[head:],
            *self._dry_run.model.lines(),
        )
        return [piece for line in lines for piece in wrap(line, width, indent=9 if len(line) > 1 else 0)]

    def _replan(self, options: Options) -> None:
        try:
            self.view = self.intent.view(options)
        except PvenixError as error:
            self.view, self.problem = None, describe(error)
        self.options = options
        self._read = self._typed = False
        rows = self.query_one("#plan", Rows)
        rows.border_title = foreign(self.view.title if self.view else "cannot be planned")
        rows.reload()
        field = self.query_one("#typed", Field)
        field.display = self._asks_name
        field.value = ""
        field.placeholder = safe(f"type {self.view.typed_name if self.view else ''}; arrows and pages move the plan")
        if not self._asks_name:
            rows.focus()
        self.refresh_bars()
        self.reread()

    @property
    @override
    def leaves_with_area(self) -> bool:
        return not self._starting

    @property
    def _asks_name(self) -> bool:
        return self.view is not None and self.view.tier is Tier.TYPED

    def waits_for(self) -> str:
        """What is missing before y starts it, empty when nothing is."""
        if self._starting:
            return "it is being started"
        can_look = "check" in self.intent.toggles
        if self.session.read_only and self.view is not None and self.view.tier is not Tier.FREE:
            return f"read-only: nothing is changed from here{'; c makes it a dry run' if can_look else ''}"
        return missing(self.view, self._readings, read=self._read, typed=self._typed)

    @override
    def context(self) -> Context:
        return Context(
            scope=self.scope,
            blocked=self.waits_for(),
            command_line=self.view.command if self.view else "",
            typing=isinstance(self.focused, Field),
            toggles=self.intent.toggles if self.view else self.intent.toggles & {"options"},
        )

    def on_descendant_focus(self) -> None:
        """What a key does depends on where it goes."""
        self.refresh_bars()

    @override
    def where(self) -> str:
        return "plan"

    @override
    def on_rows_moved(self, _: Rows.Moved) -> None:
        rows = self.query_one("#plan", Rows)
        if rows.size.height and rows.at_end:
            self._read = True
        rows.border_subtitle = "" if rows.at_end else "more below: pgdn"
        self.refresh_bars()

    @override
    def show_bars(self) -> None:
        missing = self.waits_for()
        bar = self.query_one("#confirm", Bar)
        if missing:
            other = "the keys" if self.context().typing else "what is typed"
            tab: Line = (("   tab ", Tone.ACCENT), (other, Tone.PLAIN)) if self._asks_name else ()
            esc: Line = (("   esc ", Tone.ACCENT), ("no", Tone.PLAIN))
            bar.show(((" ", Tone.PLAIN), *text_line(missing, Tone.WARN), *tab, *esc))
            return
        key = " enter or y " if self.view is not None and self.view.tier is Tier.FREE else " y "
        word = "start" if self.view is None else f"start: {self.view.title}"
        bar.show(((key, Tone.ACCENT), *text_line(word, Tone.STRONG), ("   esc ", Tone.ACCENT), ("no", Tone.PLAIN)))

    def on_key(self, event: Key) -> None:
        """Enter starts only what changes nothing."""
        if isinstance(self.focused, Field):
            if event.key in _MOVES:
                event.stop()
                self.query_one("#plan", Rows).action_do(_MOVES[event.key])
            return
        if event.key != "enter":
            return
        event.stop()
        if self.view is not None and self.view.tier is Tier.FREE:
            self.do_plan_start()
        else:
            self.session.refuse("Enter is never yes here; y is")

    def on_input_changed(self, event: Input.Changed) -> None:
        """The whole name or number, typed, is what lets y through."""
        event.stop()
        if self.view is None or not self._asks_name:
            return
        self._typed = event.value == self.view.typed_name
        if self._typed:
            self._gate = ConfirmGate(self.session.clock())
            self.query_one("#plan", Rows).focus()
        self.refresh_bars()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter behind another name says so."""
        event.stop()
        if self.view is not None and event.value:
            self.session.refuse(f"{event.value} is not {self.view.typed_name}")

    def do_plan_start(self) -> None:
        """Start what the plan shows, unless the key was held down."""
        if not self._gate.press(self.session.clock()) or self.waits_for():
            return
        self._starting = True
        self.refresh_bars()
        in_background(self, self._start, group="start", exclusive=False)

    async def _start(self) -> None:
        result: list[object] = []

        async def work() -> None:
            result.append(await self.intent.start())

        done = await self.session.guarded("start", work)
        self._starting = False
        if done:
            self.dismiss(result[0])
        else:
            self.session.say(self.session.problems.pop("start"), bad=True)
            self.refresh_bars()

    def do_plan_check(self) -> None:
        """Plan again with or without --check."""
        self._replan(replace(self.options, check=not self.options.check))

    def do_plan_commands(self) -> None:
        """Begin a dry run, and show what it would send as it tells it."""
        if self._dry_run.at_work:
            self.session.say("the dry run is at work")
        else:
            in_background(self, self._begin_dry_run, group="dry-run")

    async def _begin_dry_run(self) -> None:
        if await self.session.guarded("dry run", lambda: self._dry_run.begin(self.intent)):
            self.session.say("a dry run began; its commands stand at the plan's end (G)")
        else:
            self.session.say(self.session.problems.pop("dry run"), bad=True)
        self.query_one("#plan", Rows).reload()

    def do_plan_step(self) -> None:
        """Plan again with or without a pause before each step."""
        self._replan(replace(self.options, step=not self.options.step))

    def do_plan_options(self) -> None:
        """Choose what else the verb is told."""
        choices = option_choices(self.intent.extras, self.options.args)
        title = f"Options of {self.view.title if self.view else 'the verb'}"
        self.app.push_screen(Picker(title, OPTION_COLUMNS, choices, browse=True), self._option_picked)

    def _option_picked(self, key: str | None) -> None:
        if not key:
            return
        arg = self.intent.extras[key]
        if arg.type is bool:
            self._tell(key, "")
            return

        def typed(text: str | None) -> None:
            if text is not None:
                self._tell(key, text)

        value = str(self.options.args.get(key, ""))
        hint = "leave it empty to take it back"
        self.app.push_screen(Prompt(arg.help, value=value, hint=hint, wrong=partial(wrong_option, arg)), typed)

    def _tell(self, key: str, text: str) -> None:
        args = with_option(self.options.args, key, self.intent.extras[key], text)
        self._replan(replace(self.options, args=args))

    def do_plan_comment(self) -> None:
        """Write the comment."""
        self.app.push_screen(Prompt("Comment", value=self.options.comment), self._commented)

    def _commented(self, text: str | None) -> None:
        if text is not None:
            self._replan(replace(self.options, comment=text))

"""One playbook: what it does, and the parameters of its next run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.errors import PvenixError, UsageError
from pvenix.model.plan import ArgValue, RunPlan
from pvenix.model.selector import parse_selector
from pvenix_tui.actions import Context
from pvenix_tui.intents.base import Options, RunIntent
from pvenix_tui.models.asked import wrong_option
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Line, Tone, wrap
from pvenix_tui.models.playbooks import (
    CHECK,
    FIELD_COLUMNS,
    FORKS,
    LIMIT,
    SKIP_TAGS,
    START_AT,
    SWITCHES,
    TAGS,
    FieldRow,
    Parameters,
    detail_lines,
    field_rows,
    run_command,
    variable,
)
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.screens.playbooks import PlaybookScreen, read_again
from pvenix_tui.session import Session, describe
from pvenix_tui.text import foreign
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

if TYPE_CHECKING:
    from pvenix.fleet.playbooks import Parameter, Playbook


class PlaybookDetail(PlaybookScreen):
    """Its form above, or beside where there is room, what it does."""

    scope = "playbook"
    area = "playbooks"
    BINDINGS: ClassVar[list[BindingType]] = bindings("playbook")

    def __init__(self, session: Session, playbook: Playbook) -> None:
        super().__init__(session)
        self._playbook = playbook
        self._known = known_parameters(playbook)
        kept = session.memory.table(self._place)
        self.given = Parameters.from_memory(kept, [each.name for each in self._known])

    @property
    def _place(self) -> str:
        """Where its last parameters are remembered."""
        return f"playbook {self._playbook.name}"

    @override
    def body(self) -> Iterable[Widget]:
        table = Table(FIELD_COLUMNS, self._rows, lambda row: row.cells, lambda row: row.name)
        with Container(id="playbook"):
            form = Rows(table, id="playbook-form")
            form.border_title = foreign("parameters")
            yield form
            detail = Rows(Document(self._detail), cursor=False, id="playbook-detail")
            detail.border_title = foreign(self._playbook.name)
            yield detail
        yield Bar(id="preview")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#playbook-detail" if self._playbook.findings else "#playbook-form").focus()

    def _rows(self) -> list[FieldRow]:
        return [] if self._playbook.findings else field_rows(self._playbook, self.given, self._known)

    def _detail(self, width: int) -> list[Line]:
        return [piece for line in detail_lines(self._playbook) for piece in wrap(line, width, indent=4)]

    @override
    def reread(self) -> None:
        in_background(self, self._read_file, group="playbook")

    async def _read_file(self) -> None:
        async def work() -> None:
            self._playbook = await read_again(self.session, self._playbook)
            self._known = known_parameters(self._playbook)

        if await self.session.guarded("playbook", work) and self.is_mounted:
            self.redraw()

    @override
    def picked(self) -> Playbook | None:
        return self._playbook

    @override
    def where(self) -> str:
        return self._playbook.title

    @property
    def _command(self) -> str:
        return run_command(self._playbook.name, self.given)

    @override
    def context(self) -> Context:
        missing = [row.name for row in self._rows() if row.missing and not row.now]
        blocked = "it is broken" if self._playbook.findings else f"{missing[0]} is needed first" if missing else ""
        return Context(scope=self.scope, playbook=self._playbook.name, blocked=blocked, command_line=self._command)

    @override
    def show_bars(self) -> None:
        name = self.query_one("#playbook-form", Rows).key
        row = next((row for row in self._rows() if row.name == name), None)
        told: Line = ((f" {row.help}", Tone.DIM),) if row else ()
        command: Line = ((" ", Tone.PLAIN), (self._command, Tone.ACCENT))
        width = max(20, self.size.width)
        self.query_one("#preview", Bar).show(*wrap(told, width, indent=1)[:2], *wrap(command, width, indent=3))

    # --- the form ---

    def do_playbook_change(self) -> None:
        """Ask for what is at the cursor."""
        name = self.query_one("#playbook-form", Rows).key
        row = next((row for row in self._rows() if row.name == name), None)
        if row is None:
            return
        choices = self._choices(row)
        if name in SWITCHES or self._is_flag(name):
            self._tell(name, "" if row.now else "true")
        elif choices:
            columns = (Column(title=name.upper(), width=18), Column(title="", width=20, grow=1, prose=True))
            self.app.push_screen(
                Picker(f"{name}: {row.help}", columns, choices, cursor=row.now, browse=True), partial(self._typed, name)
            )
        else:
            hint = "leave it empty to take it back"
            prompt = Prompt(f"{name}: {row.help}", value=row.now, hint=hint, wrong=partial(self._wrong, name))
            self.app.push_screen(prompt, partial(self._typed, name))

    def _choices(self, row: FieldRow) -> list[Choice]:
        """What to choose from, where not anything may be typed."""
        if row.name == START_AT:
            tasks = [task for play in self._playbook.plays for task in play.tasks]
            return [
                Choice(key=task.name or task.verb, cells=((task.verb, Tone.STRONG), (task.name, Tone.PLAIN)))
                for task in tasks
            ]
        arg = next((each.arg for each in self._known if row.name == f"-e {each.name}"), None)
        return [Choice(key=word, cells=((word, Tone.STRONG), ("", Tone.PLAIN))) for word in arg.choices] if arg else []

    def _is_flag(self, name: str) -> bool:
        return any(name == f"-e {each.name}" and each.arg.type is bool for each in self._known)

    def _wrong(self, name: str, text: str) -> str:
        """Why a text will not do for a parameter; empty when it will."""
        if not text:
            return ""
        if name == LIMIT:
            try:
                return "" if self.session.fleet.select(text) else "no host matches it now"
            except PvenixError as error:
                return describe(error)
        if name in (TAGS, SKIP_TAGS):
            special = ("all", "always", "never", "tagged", "untagged")
            unknown = [word for word in _words(text) if word not in (*self._playbook.tags, *special)]
            return f"no task has the tag {unknown[0]}; there are {', '.join(self._playbook.tags)}" if unknown else ""
        if name == FORKS:
            return "" if text.isdecimal() and 1 <= int(text) <= 1000 else "a number from 1 to 1000"
        arg = next(each.arg for each in self._known if each.name == variable(name))
        return wrong_option(arg, text)

    def _typed(self, name: str, text: str | None) -> None:
        if text is not None:
            self._tell(name, text)

    def _tell(self, name: str, text: str) -> None:
        self.given = self.given.told(name, text)
        self.session.memory.keep(self._place, self.given.to_memory())
        self.redraw()

    def do_playbook_clear(self) -> None:
        """Take the parameter at the cursor back."""
        name = self.query_one("#playbook-form", Rows).key
        if name and not (name in SWITCHES and not next(row for row in self._rows() if row.name == name).now):
            before = self.given
            self._tell(name, "")
            if self.given == before:
                self.session.say(f"{name} is as it comes: there is nothing to take back")

    def do_playbook_check(self) -> None:
        """With or without --check."""
        self._tell(CHECK, "")

    # --- its plan ---

    def do_playbook_run(self) -> None:
        """The plan of running it as the form says."""
        self.open_plan(self._intent())

    def _intent(self) -> RunIntent:
        given, playbook = self.given, self._playbook

        def plan(options: Options) -> RunPlan:
            found = self.session.backend.plan_playbook(
                playbook.path,
                limit=self._limit(given.limit),
                tags=_words(given.tags),
                skip_tags=_words(given.skip_tags),
                start_at=given.start_at,
                extra=_extra(given.extra),
                check=options.check,
                diff=given.diff,
                step=options.step,
                forks=given.forks,
            )
            if not found.hosts:
                raise UsageError(f"{playbook.name} and {given.limit or 'all'} have no host in common")
            return found

        def command(found: RunPlan) -> str:
            return run_command(playbook.name, replace(given, check=found.check), step=found.step)

        return RunIntent(self.session.backend, plan, Options(check=given.check), command=command)

    def _limit(self, limit: str) -> str:
        """The limit itself, or the hosts that it stands for now when it asks for a fact, as for the command line."""
        if not limit:
            return "all"
        return ":".join(self.session.fleet.select(limit)) if parse_selector(limit).needs_facts else limit


def known_parameters(playbook: Playbook) -> tuple[Parameter, ...]:
    """What `-e` may give to it."""
    from pvenix.fleet.playbooks import parameters

    return parameters(playbook.plays)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _extra(given: Mapping[str, str]) -> dict[str, ArgValue]:
    return dict(given)

"""One host: what is known of it and its generations on the left where there is room, and one of its tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix.model.generation import Generation
from pvenix_tui.actions import Context
from pvenix_tui.models.host import GENERATION_COLUMNS, generation_cells
from pvenix_tui.models.hostdrift import DriftLines, adopt_reason, overwrite_reason
from pvenix_tui.models.hostfacts import Known, facts_lines
from pvenix_tui.models.hostlooks import cloud_init_lines, hardware_lines, vm_lines
from pvenix_tui.models.hostruns import RUN_COLUMNS, run_cells
from pvenix_tui.models.hosttabs import LEFT, NONE, Tab, TabLines, chips, tab_at, tabs_line
from pvenix_tui.models.hostunits import UNIT_COLUMNS, matching, unit_cells, units_note
from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.hostdrift import HostDriftKeys
from pvenix_tui.screens.hostjournal import HostJournalKeys
from pvenix_tui.screens.hostparts import TAB_COLUMNS, hint, tab_choices
from pvenix_tui.screens.hostreadings import HostReadings
from pvenix_tui.screens.hostsearch import HostSearch
from pvenix_tui.screens.unit import UnitScreen
from pvenix_tui.screens.verbs import HostVerbs
from pvenix_tui.session import Session, describe
from pvenix_tui.text import foreign
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows, Source


class HostScreen(HostDriftKeys, HostJournalKeys, HostSearch, HostReadings, HostVerbs):
    """A host's tabs, each read when it is first shown; where the terminal is narrow, one at a time."""

    scope = "host"
    area = "fleet"
    AUTO_FOCUS = ""  # the tab that was asked for has the keys, not the first one
    BINDINGS: ClassVar[list[BindingType]] = bindings("host")

    def __init__(self, session: Session, host: str, *, tab: Tab = Tab.FACTS) -> None:
        super().__init__(session)
        self.host = host
        self.active = tab
        self.shown = tab if tab not in LEFT else Tab.DRIFT
        """The tab on the right where two stand side by side."""
        self.drift_lines = DriftLines()
        self.unit_filter = ""
        self._changing = False
        """Whether something was started from here since the tabs were read."""

    # --- what stands where ---

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="tabs")
        yield Bar(id="chips")
        with Horizontal(id="host"):
            with Vertical(id="host-left"):
                yield from (self._pane(tab) for tab in LEFT)
            with Vertical(id="host-right"):
                yield from (self._pane(tab) for tab in Tab if tab not in LEFT)

    def _pane(self, tab: Tab) -> Widget:
        if tab is Tab.JOURNAL:
            pane: Widget = self.journal_view(tab.value)
        else:
            pane = Rows(self._source(tab), cursor=tab in _TABLES, id=tab.value)
            if tab in _TABLES:
                pane.when_empty = lambda: self._nothing(tab)
        pane.border_title = foreign(tab.value)
        pane.border_subtitle = foreign(hint(tab))
        pane.add_class("tab")
        return pane

    def _nothing(self, tab: Tab) -> Line:
        found = f"none matches {self.unit_filter}; / changes it" if tab is Tab.UNITS and self.unit_filter else ""
        return self.readings[tab].nothing(found or NONE[tab])

    def _source(self, tab: Tab) -> Source:
        reading = self.readings[tab]
        match tab:
            case Tab.GENERATIONS:
                return Table(GENERATION_COLUMNS, lambda: reading.value or (), generation_cells, _number)
            case Tab.UNITS:
                return Table(
                    UNIT_COLUMNS, lambda: matching(reading.value, self.unit_filter), unit_cells, lambda one: one.name
                )
            case Tab.RUNS:
                now = self.session.clock
                return Table(
                    RUN_COLUMNS, lambda: reading.value or (), lambda one: run_cells(one, now()), lambda one: one.run
                )
            case Tab.FACTS:
                return Document(self._facts)
        make: dict[Tab, Callable[[Any, int], list[Line]]] = {
            Tab.DRIFT: self.drift_lines,
            Tab.CONFIG: _wrapped,
            Tab.HARDWARE: hardware_lines,
            Tab.CLOUD_INIT: cloud_init_lines,
            Tab.PROXMOX: vm_lines,
        }
        return Document(TabLines(reading, make[tab]))

    def _facts(self, width: int) -> list[Line]:
        host = self.session.fleet.hosts.get(self.host)
        if host is None:
            return [text_line(f"{self.host} is no longer in the inventory", Tone.WARN)]
        generations: tuple[Generation, ...] = self.readings[Tab.GENERATIONS].value or ()
        known = Known(
            status=self.session.fleet.statuses.get(self.host),
            card=self.readings[Tab.FACTS].value,
            vm=self.readings[Tab.PROXMOX].value,
            current=next((one for one in generations if one.current), None),
        )
        lines = facts_lines(host, known, self.session.clock())
        return [piece for line in lines for piece in wrap(line, width, indent=9)]

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.activate(self.active)
        for tab in (*LEFT, Tab.PROXMOX, self.shown if self.app.size.width >= _TWO else self.active):
            self.want(tab)

    @override
    def started(self, result: object) -> None:
        super().started(result)
        if isinstance(result, str):
            self.reread()
        else:
            self._changing = self._changing or result is not None

    @override
    def on_screen_resume(self) -> None:
        """What a run may have changed is read anew once a person comes back from it."""
        super().on_screen_resume()
        if self._changing and self.app.screen is self:
            self._changing = False
            self.reread()

    # --- bars and context ---

    @override
    def where(self) -> str:
        return self.host

    @override
    def context(self) -> Context:
        key = self._row()
        drift = self.readings[Tab.DRIFT]
        top = self.query_one(f"#{Tab.DRIFT.value}", Rows).top if self.is_mounted else 0
        return Context(
            scope=self.scope,
            hosts=(self.host,),
            vms=self.session.fleet.vms([self.host]),
            generation=int(key) if key and self.active is Tab.GENERATIONS else 0,
            tab=self.active.value,
            row=key,
            file=self.drift_lines.places.file_at(top),
            unit=self.journal.unit,
            priority=self.journal.priority,
            adopt=adopt_reason(drift.value, reading=lambda: drift.busy),
            overwrite=overwrite_reason(drift.value),
        )

    def _row(self) -> str:
        return self.query_one(f"#{self.active.value}", Rows).key if self.is_mounted and self.active in _TABLES else ""

    @override
    def show_bars(self) -> None:
        now = self.session.clock()
        self.query_one("#tabs", Bar).show(tabs_line(self.active, self.shown))
        line = (*chips(self.session.fleet.statuses.get(self.host), now), ("  ", Tone.PLAIN))
        problem = self.readings[self.active].problem
        untold = problem and (self.active in _TABLES or self.active is Tab.JOURNAL)
        why = wrap(text_line(f" ! {problem}", Tone.WARN), max(1, self.size.width), indent=3)[:3] if untold else []
        self.query_one("#chips", Bar).show((*line, *self._note(now)), *why)

    def _note(self, now: float) -> Line:
        """How fresh the active tab is, and what narrows it."""
        reading = self.readings[self.active]
        match self.active:
            case Tab.JOURNAL:
                return self.journal.note(reading.note(now))
            case Tab.UNITS:
                shown = len(matching(reading.value, self.unit_filter))
                note = units_note(reading.value, shown, self.unit_filter)
                return (reading.note(now), ("  ", Tone.PLAIN), *text_line(note))
            case Tab.RUNS if reading.value == ():
                return (("no run of it on this machine yet", Tone.DIM),)
            case _:
                found = text_line(f"find: {self.query_text}  ", Tone.ACCENT) if self.query_text else ()
                return (*found, reading.note(now))

    # --- tabs ---

    @override
    def activate(self, tab: Tab) -> None:
        """Give a tab the keys, and on the right or alone show it."""
        self.active = tab
        self.shown = self.shown if tab in LEFT else tab
        for each in Tab:
            pane = self.query_one(f"#{each.value}")
            pane.set_class(each is tab, "-active")
            pane.set_class(each is self.shown or each in LEFT, "-shown")
        self.query_one("#host-left").set_class(tab in LEFT, "-front")
        self.query_one("#host-right").set_class(tab not in LEFT, "-front")
        self.query_one(f"#{tab.value}").focus()
        self.want(tab)
        self.refresh_bars()

    def on_descendant_focus(self) -> None:
        """The focused pane is the active one."""
        focused = self.focused.id if self.focused is not None else None
        if focused in set(Tab) and focused != self.active:
            self.activate(Tab(focused))

    def do_host_next(self) -> None:
        """The tab to the right."""
        tabs = list(Tab)
        self.activate(tabs[(tabs.index(self.active) + 1) % len(tabs)])

    def do_host_previous(self) -> None:
        """The tab to the left."""
        tabs = list(Tab)
        self.activate(tabs[tabs.index(self.active) - 1])

    def do_host_tabs(self) -> None:
        """Choose a tab."""
        choices = tab_choices(self.readings, self.session.clock())

        def chosen(key: str | None) -> None:
            if key:
                self.activate(Tab(key))

        self.app.push_screen(Picker("Which tab?", TAB_COLUMNS, choices, cursor=self.active.value), chosen)

    @override
    async def on_bar_clicked(self, event: Bar.Clicked) -> None:
        tab = tab_at(event.column, self.active, self.shown) if event.bar.id == "tabs" else None
        if tab is not None:
            event.stop()
            self.activate(tab)
        else:
            await super().on_bar_clicked(event)

    @override
    def do_host_drift(self) -> None:
        self.activate(Tab.DRIFT)

    def do_host_open(self) -> None:
        """The unit, the run or the generation at the cursor."""
        key = self._row()
        match self.active:
            case Tab.UNITS:
                screen = UnitScreen(self.session, self.host, key, area=self.area)
                self.app.push_screen(screen, lambda wanted: self.show_unit_journal(key) if wanted else None)
            case Tab.RUNS:
                from pvenix_tui.screens.onboardings import run_screen

                try:
                    run = self.session.backend.runs.open(key)
                except PvenixError as error:
                    self.session.say(describe(error), bad=True)
                else:
                    self.app.push_screen(run_screen(self.session, run, area=self.area))
            case _:
                self.do_host_rollback()


_TABLES: Final = frozenset({Tab.GENERATIONS, Tab.UNITS, Tab.RUNS})
_TWO: Final = 120
"""Columns from which two tabs stand side by side."""


def _number(generation: Generation) -> str:
    return str(generation.number)


def _wrapped(lines: list[Line], width: int) -> list[Line]:
    return [piece for line in lines for piece in wrap(line, width, indent=4)]

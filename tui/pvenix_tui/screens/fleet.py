"""The fleet: hosts with what they run, the tree beside them, what waits for a person, the filter, order and marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix_tui.actions import Context
from pvenix_tui.models.attention import ATTENTION_COLUMNS, attention_line
from pvenix_tui.models.fleetrows import HostTable, filter_note, host_cells, preview, summary
from pvenix_tui.models.fleetside import SECTION, SIDE_COLUMNS
from pvenix_tui.models.lines import Line, Span, Tone, text_line
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.fleetmenus import FleetMenus
from pvenix_tui.session import Session
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows

FRESH_S: Final = 5.0
"""Seconds for which readings need not be taken again when a person comes back to the fleet."""
REST_S: Final = 2.0
"""Seconds without a key after which rows are put in order again."""
SHORT_LINES: Final = 3
"""Of the preview, where the screen is short."""
TALL_LINES: Final = 6
TALL: Final = 34
"""Lines from which a screen is tall, as the app's breakpoints have it."""


class FleetScreen(FleetMenus):
    """The hosts of the fleet."""

    scope = "fleet"
    area = "fleet"
    # the keys of lists too: they reach the hosts right behind the filter's enter, and arrows while it is typed
    BINDINGS: ClassVar[list[BindingType]] = bindings("fleet", "list")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._touched = session.clock()
        """When the person last did something here, seconds since 1970."""

    @override
    def body(self) -> Iterable[Widget]:
        with Horizontal(id="fleet"):
            with Vertical(id="sides"):
                tree = Table(
                    SIDE_COLUMNS, lambda: self.side, lambda row: row.cells(self.model.filter), lambda row: row.key
                )
                groups = Rows(tree, id="groups")
                groups.border_title = "show"
                yield groups
                waits = Table(ATTENTION_COLUMNS, lambda: self.waiting, lambda item: item.cells, lambda item: item.key)
                yield Rows(waits, id="attention")
            with Vertical(id="main"):
                yield Bar(id="summary")
                field = Field(hint="text  role:vllm  state:drifted  !core  web*:&ai", id="filter")
                field.display = False
                yield field
                yield Bar(id="filternote")
                yield Rows(HostTable(self.model, self._host_cells), id="hosts")
                yield Bar(id="preview")
                yield Bar(id="attentionline")

    # Textual calls each class's own handler of a message, the base's after this one: none of these calls `super`

    @override
    def on_mount(self) -> None:
        self.session.ticker.add(self)
        self.hosts.focus()

    def on_unmount(self) -> None:
        """No more ticks."""
        self.session.ticker.remove(self)

    @override
    def on_screen_resume(self) -> None:
        asked = self.session.status_at
        if asked is not None and self.session.clock() - asked > FRESH_S:
            self.session.outdated()

    def ticking(self) -> bool:
        """True when the person rests, and what was read since may have changed which row stands where."""
        rests = not self.model.visible or self.session.clock() - self._touched >= REST_S
        return self.is_current and self.model.unsettled and rests

    def tick(self) -> None:
        """Put the rows in order; the host at the cursor stays there, on its line of the screen."""
        rows = self.hosts
        line = rows.cursor - rows.top
        self.model.settle()
        self.redraw()
        rows.scroll_to(y=max(0, rows.cursor - line), animate=False, immediate=True)

    @override
    def reread(self) -> None:
        self.tick()

    @override
    def context(self) -> Context:
        hosts = self.model.targets(self.hosts.key if self.is_mounted else "")
        return Context(scope=self.scope, hosts=hosts, vms=self.model.vms(hosts))

    @override
    def action_do(self, action_id: str) -> None:
        self._touched = self.session.clock()
        if action_id.startswith("list."):
            self.hosts.action_do(action_id)
            return
        super().action_do(action_id)
        self.memory.keep(self.model)

    @override
    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows.has_focus and event.rows.key != self._at:
            self._at, self._touched = event.rows.key, self.session.clock()

    @override
    async def on_bar_clicked(self, event: Bar.Clicked) -> None:
        if event.bar.id == "attentionline":
            self.action_do("fleet.attention")

    _at = ""
    """The row on which the cursor was seen last."""

    def _host_cells(self, name: str) -> Sequence[Span]:
        return host_cells(self.model, name, self.hosts.key if self.model.ranging else "", self.session.clock())

    @override
    def show_bars(self) -> None:
        main = self.query_one("#main").size.width or self.size.width
        self.query_one("#summary", Bar).show(summary(self.model, main, self._revision(), focus=self.hosts.key))
        lines = TALL_LINES if self.size.height >= TALL else SHORT_LINES
        bar, now = self.query_one("#preview", Bar), self.session.clock()
        bar.show(*preview(self.model, self.hosts.key, now, lines, max(1, bar.size.width or main)))
        self._show_filter_note()
        self._show_attention()

    def _show_filter_note(self) -> None:
        field, note = self.query_one("#filter", Field), self.query_one("#filternote", Bar)
        note.display = field.display or bool(self.model.wrong)
        text = field.value if field.display else self.model.filter
        note.show(filter_note(self.model, text, max(1, note.size.width or self.size.width), typing=field.display))

    def _show_attention(self) -> None:
        items = self.waiting
        beside = self.query_one("#sides").display
        line, pane = self.query_one("#attentionline", Bar), self.query_one("#attention", Rows)
        line.display = bool(items) and not beside
        line.show(attention_line(items))
        if len(items) != self._waits:  # setting either lays the screen out, also to what it was
            self._waits = len(items)
            pane.border_title = "attention" if items else "nothing waits"
            pane.styles.height = len(items) + 2

    _waits = -1
    """How many kinds of things waited when the pane was drawn."""

    def _revision(self) -> Line:
        if not self.session.commits:
            return ()
        commit = self.session.commits[0]
        return (("  from main ", Tone.DIM), (commit.id[:7], Tone.STRONG), *text_line(f" {commit.subject}", Tone.DIM))

    # --- actions ---

    def do_fleet_open(self) -> None:
        """The host at the cursor; in the tree, what a row means; in the attention list, where it leads."""
        groups, waits = self.query_one("#groups", Rows), self.query_one("#attention", Rows)
        if groups.has_focus:
            self._open_side(groups.key)
        elif waits.has_focus:
            self.go_to_waiting(waits.key)
        elif self.hosts.key:
            self.open_host(self.hosts.key)
        else:
            self.session.say("open: no host shows", bad=True)

    def _open_side(self, key: str) -> None:
        if key.startswith(SECTION):
            self.memory.fold(key.removeprefix(SECTION))
            self.redraw()
        else:
            self.set_filter(next((row.filter for row in self.side if row.key == key), ""))

    def do_fleet_mark(self) -> None:
        """Mark the host at the cursor and go one down; in a range, mark all of it."""
        if self.model.ranging:
            self.model.mark_range(self.hosts.key)
            self.redraw()
        elif self.hosts.key:
            self.model.toggle_mark(self.hosts.key)
            self.hosts.action_do("list.down")

    def do_fleet_range(self) -> None:
        """Begin a range at the cursor, or mark it."""
        if self.model.ranging:
            self.model.mark_range(self.hosts.key)
        else:
            self.model.begin_range(self.hosts.key)
        self.redraw()

    def do_fleet_new(self) -> None:
        """The form of a new host."""
        from pvenix_tui.screens.newhost import NewHostScreen

        self.app.push_screen(NewHostScreen(self.session))

    def do_fleet_mark_all(self) -> None:
        """Mark what shows."""
        self.model.toggle_all()
        self.redraw()

    def do_fleet_unmark(self) -> None:
        """Clear the marks."""
        self.model.begin_range("")
        self.model.marks.clear()
        self.redraw()

    def do_fleet_filter(self) -> None:
        """Type a filter."""
        field = self.query_one("#filter", Field)
        field.display = True
        field.value = self.model.filter
        self.set_focus(field)

    @override
    def back(self) -> bool:
        """Give up one thing: the filter's field, the range, the filter, the marks. False when none is left."""
        self._touched = self.session.clock()
        field = self.query_one("#filter", Field)
        if field.display and field.has_focus:
            self._close_filter()
        elif not self.hosts.has_focus:
            self.hosts.focus()
        elif self.model.ranging:
            self.model.begin_range("")
            self.redraw()
        elif self.model.filter:
            self.set_filter("")
        elif self.model.marks:
            self.do_fleet_unmark()
        else:
            return False
        self.memory.keep(self.model)
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as the person types."""
        self._touched = self.session.clock()
        if event.input.display and event.value.strip() != self.model.filter:
            self.model.set_filter(event.value)
            self.hosts.reload()
        self.refresh_bars()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Keep the filter."""
        self._close_filter()
        self.memory.keep(self.model)

    def _close_filter(self) -> None:
        self.query_one("#filter", Field).display = False
        self.hosts.focus()
        self.redraw()

"""The fleet: hosts with what they run, roles and groups, the filter and the marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix_tui.actions import Context
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.fleet import COLUMNS, GroupRow
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.screens.history import HistoryScreen
from pvenix_tui.screens.host import HostScreen
from pvenix_tui.screens.verbs import HostVerbs
from pvenix_tui.session import Session
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows

FRESH_S: Final = 5.0
"""Seconds for which readings need not be taken again when a person comes back to the fleet."""
GROUP_COLUMNS: Final = (
    Column(title="ROLE OR GROUP", width=20, grow=1),
    Column(title="KIND", width=6),
    Column(title="HOSTS", width=5),
)
SIDE_COLUMNS: Final = (Column(title="", width=16, grow=1), Column(title="", width=4))


class FleetScreen(HostVerbs):
    """The hosts of the fleet."""

    scope = "fleet"
    area = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = bindings("fleet")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = session.fleet

    @override
    def body(self) -> Iterable[Widget]:
        with Horizontal(id="fleet"):
            with Vertical(id="sides"):
                sides = Table(SIDE_COLUMNS, lambda: self.model.group_rows, self._group_cells, lambda row: row.selector)
                groups = Rows(sides, id="groups")
                groups.border_title = "roles, groups"
                yield groups
            with Vertical(id="main"):
                yield Bar(id="summary")
                field = Field(hint="role_vllm:!core  state=drifted  or a part of a row", release=True, id="filter")
                field.display = False
                yield field
                yield Rows(Table(COLUMNS, lambda: self.model.visible, self._host_cells, str), id="hosts")
                yield Bar(id="preview")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self._hosts.focus()

    @override
    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        asked = self.session.status_at
        if asked is not None and self.session.clock() - asked > FRESH_S:
            self.session.outdated()

    @property
    def _hosts(self) -> Rows:
        return self.query_one("#hosts", Rows)

    @override
    def context(self) -> Context:
        hosts = self.model.targets(self._hosts.key if self.is_mounted else "")
        return Context(scope=self.scope, hosts=hosts, vms=self.model.vms(hosts))

    def _host_cells(self, name: str) -> Sequence[Span]:
        return self.model.cells(name, self.session.clock())

    def _group_cells(self, row: GroupRow) -> Sequence[Span]:
        tone = Tone.ACCENT if row.selector == self.model.filter else Tone.PLAIN
        label = f"{'role ' if row.kind == 'role' else ''}{row.label}"
        return ((label, tone), (f"{row.hosts:>4}", Tone.DIM))

    @override
    def show_bars(self) -> None:
        summary = self.model.summary()
        if self.model.filter:
            summary = (*summary, ("  filter: ", Tone.TITLE), *text_line(self.model.filter, Tone.ACCENT))
        self.query_one("#summary", Bar).show((*summary, *self._revision()))
        self.query_one("#preview", Bar).show(self.model.preview(self._hosts.key, self.session.clock()))

    def _revision(self) -> Line:
        if not self.session.commits:
            return ()
        commit = self.session.commits[0]
        return (("  from main ", Tone.DIM), (commit.id[:7], Tone.STRONG), *text_line(f" {commit.subject}", Tone.DIM))

    # --- actions ---

    def do_fleet_open(self) -> None:
        """The host at the cursor, or the chosen role or group."""
        groups = self.query_one("#groups", Rows)
        if groups.has_focus:
            self._set_filter(groups.key)
        elif self._hosts.key:
            self.app.push_screen(HostScreen(self.session, self._hosts.key))

    def do_fleet_mark(self) -> None:
        """Mark the host at the cursor and go one down."""
        if self._hosts.key:
            self.model.toggle_mark(self._hosts.key)
            self._hosts.action_do("list.down")

    def do_fleet_mark_all(self) -> None:
        """Mark what shows."""
        self.model.toggle_all()
        self.redraw()

    def do_fleet_unmark(self) -> None:
        """Clear the marks."""
        self.model.marks.clear()
        self.redraw()

    def do_fleet_filter(self) -> None:
        """Type a filter."""
        field = self.query_one("#filter", Field)
        field.display = True
        field.value = self.model.filter
        field.focus()

    def do_fleet_groups(self) -> None:
        """Choose a role or group."""
        choices = [
            Choice(
                key=row.selector or "all",
                cells=(
                    (row.label, Tone.STRONG),
                    (row.kind, Tone.DIM),
                    (str(row.hosts), Tone.PLAIN),
                ),
                note=", ".join(self.model.groups.get(row.selector, ())),
            )
            for row in self.model.group_rows
        ]
        self.app.push_screen(Picker("Roles and groups", GROUP_COLUMNS, choices), self._group_picked)

    def _group_picked(self, selector: str | None) -> None:
        if selector is not None:
            self._set_filter("" if selector == "all" else selector)

    def do_fleet_history(self) -> None:
        """The commits of the main branch."""
        self.app.push_screen(HistoryScreen(self.session))

    def back(self) -> bool:
        """Close the filter's field, clear the filter, clear the marks: one of them at a time. False when none is left."""
        field = self.query_one("#filter", Field)
        if field.display and field.has_focus:
            self._close_filter()
        elif self.model.filter:
            self._set_filter("")
        elif self.model.marks:
            self.do_fleet_unmark()
        else:
            return False
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as the person types."""
        if event.input.display:
            self.model.set_filter(event.value)
            self.redraw()

    def on_input_submitted(self, _: Input.Submitted) -> None:
        """Keep the filter."""
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Field).display = False
        self._hosts.focus()
        self.refresh_bars()

    def _set_filter(self, text: str) -> None:
        self.model.set_filter(text)
        self.redraw()
        self._hosts.focus()

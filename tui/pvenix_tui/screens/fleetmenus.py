"""What the fleet offers in lists: groups, orders, saved filters, what waits for a person."""

from __future__ import annotations

from functools import partial
from typing import Final

from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix_tui.models.attention import Item, attention
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.fleetorder import HELP, Sorting
from pvenix_tui.models.fleetside import OFFERED, SECTION, SideRow, side_rows
from pvenix_tui.models.lines import Column, Tone
from pvenix_tui.remembered.fleet import FleetMemory
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.screens.verbs import HostVerbs
from pvenix_tui.session import Session
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.working import in_background

GROUP_COLUMNS: Final = (
    Column(title="SHOW ONLY", width=20, grow=1),
    Column(title="HOSTS", width=6),
    Column(title="FILTER", width=20, grow=2),
)
ORDER_COLUMNS: Final = (
    Column(title=" ", width=1),
    Column(title="ORDER", width=16),
    Column(title="", width=20, grow=1),
)
FILTER_COLUMNS: Final = (Column(title="NAME", width=20), Column(title="FILTER", width=20, grow=1))
WAITING_COLUMNS: Final = (Column(title="WAITS FOR YOU", width=30, grow=1),)
_SAVE: Final = "+save"
_DROP: Final = "-drop "


class FleetMenus(HostVerbs):
    """The lists, and where what is chosen leads."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = session.fleet
        self.memory = FleetMemory(session.memory)
        self.side: list[SideRow] = []
        """The rows of the tree, as they were drawn last."""
        self.waiting: list[Item] = []
        """What waits for a person."""

    @property
    def hosts(self) -> Rows:
        """The table of hosts."""
        return self.query_one("#hosts", Rows)

    @override
    def redraw(self) -> None:
        self.side = side_rows(self.model, self.memory.filters, self.memory.folded)
        self.waiting = self._find_waiting()
        super().redraw()

    def _find_waiting(self) -> list[Item]:
        reviews = sum(review.state in ("open", "approved") for review in self.session.reviews)
        interrupted = [run.run for run in self.session.runs if run.state == "interrupted"]
        return attention(self.model, reviews=reviews, interrupted=interrupted)

    def set_filter(self, text: str) -> None:
        """Show only what `text` leaves, from the first row on."""
        self.model.set_filter(text)
        self.memory.keep(self.model)
        self.redraw()
        self.hosts.focus()

    def open_host(self, name: str) -> None:
        """Show one host."""
        from pvenix_tui.screens.host import HostScreen

        self.app.push_screen(HostScreen(self.session, name))

    def open_run(self, run: str) -> None:
        """Show one run."""
        from pvenix_tui.screens.onboardings import run_screen

        try:
            self.app.push_screen(run_screen(self.session, self.session.backend.runs.open(run), area=self.area))
        except PvenixError as error:
            self.session.say(str(error), bad=True)

    def do_fleet_last_run(self) -> None:
        """Open the run that the preview speaks of."""
        last = self.model.last_runs.get(self.hosts.key)
        if last is None:
            self.session.say("last run: none of the newest runs had this host; 2 lists all", bad=True)
        else:
            self.open_run(last.run)

    def do_fleet_history(self) -> None:
        """The commits of the main branch."""
        from pvenix_tui.screens.history import HistoryScreen

        self.app.push_screen(HistoryScreen(self.session))

    # --- groups ---

    def do_fleet_groups(self) -> None:
        """Go to the tree, or choose from it where there is no room beside the hosts."""
        if self.query_one("#sides").display:
            self.query_one("#groups", Rows).focus()
            return
        choices: list[Choice] = []
        section = ""
        for row in side_rows(self.model, self.memory.filters, frozenset()):
            if row.key.startswith(SECTION):
                section = row.label
                continue
            cells = ((row.label, Tone.STRONG), (str(row.hosts), Tone.PLAIN), (row.filter, Tone.DIM))
            note = f"{row.trouble} of them need a person" if row.trouble else ""
            choices.append(Choice(key=row.key, cells=cells, group=section, note=note))
        self.app.push_screen(Picker("Show only", GROUP_COLUMNS, choices), self._group_picked)

    def _group_picked(self, key: str | None) -> None:
        if key is not None:
            rows = side_rows(self.model, self.memory.filters, frozenset())
            self.set_filter(next((row.filter for row in rows if row.key == key), ""))

    # --- order ---

    def do_fleet_order(self) -> None:
        """Choose an order; the one that holds, chosen again, is turned round."""
        now = self.model.order
        choices = [
            Choice(
                key=by.value,
                cells=((">" if by is now.by else " ", Tone.OK), (by.value, Tone.STRONG), (HELP[by], Tone.PLAIN)),
                note="chosen again: the other way round" if by is now.by else "",
            )
            for by in Sorting
        ]
        self.app.push_screen(Picker("Order", ORDER_COLUMNS, choices, cursor=now.by.value, browse=True), self._ordered)

    def _ordered(self, by: str | None) -> None:
        if by is not None:
            self.model.set_order(self.model.order.picked(Sorting(by)))
            self.memory.keep(self.model)
            self.redraw()

    # --- saved filters ---

    def do_fleet_filters(self) -> None:
        """Apply, save or drop a filter by name."""
        saved = self.memory.filters
        choices = [
            Choice(key=name, cells=((name, Tone.STRONG), (text, Tone.PLAIN)), note="enter shows only these hosts")
            for name, text in (OFFERED | saved).items()
        ]
        if self.model.filter:
            cells = (("save the filter as", Tone.ACCENT), (self.model.filter, Tone.ACCENT))
            choices.insert(
                0, Choice(key=_SAVE, cells=cells, note="asks for a name; a name that is taken is written over")
            )
        choices += [
            Choice(key=_DROP + name, cells=((f"drop {name}", Tone.DIM), (text, Tone.DIM)), note="forgets it")
            for name, text in saved.items()
        ]
        self.app.push_screen(Picker("Filters", FILTER_COLUMNS, choices), self._filter_picked)

    def _filter_picked(self, key: str | None) -> None:
        if key is None:
            return
        if key == _SAVE:
            self.app.push_screen(Prompt(f"Save {self.model.filter} as", hint="a name", wrong=_wrong_name), self._save)
        elif key.startswith(_DROP):
            self.memory.drop_filter(key.removeprefix(_DROP))
            self.session.say(f"the filter {key.removeprefix(_DROP)} is forgotten")
            self.redraw()
        else:
            self.set_filter((OFFERED | self.memory.filters)[key])

    def _save(self, name: str | None) -> None:
        if name:
            self.memory.save_filter(name, self.model.filter)
            self.session.say(f"saved as {name}: F lists it")
            self.redraw()

    # --- attention ---

    def do_fleet_attention(self) -> None:
        """Go to what waits, or choose from it where there is no room beside the hosts."""
        items = self.waiting
        if not items:
            self.session.say("nothing waits for you")
        elif self.query_one("#sides").display:
            self.query_one("#attention", Rows).focus()
        else:
            choices = [Choice(key=item.key, cells=tuple(item.cells), note=item.leads) for item in items]
            self.app.push_screen(Picker("Attention", WAITING_COLUMNS, choices, browse=True), self._waiting_picked)

    def _waiting_picked(self, key: str | None) -> None:
        if key is not None:
            self.go_to_waiting(key)

    def go_to_waiting(self, key: str) -> None:
        """Where a kind of thing that waits is worked on: its hosts, its run, or its area."""
        item = next((item for item in self.waiting if item.key == key), None)
        if item is None:
            self.session.say("that has been dealt with meanwhile")
        elif item.filter:
            self.set_filter(item.filter)
        elif item.run:
            self.open_run(item.run)
        else:
            in_background(self, partial(self.app.run_action, f"do('app.{item.area}')"), group="go", exclusive=False)


def _wrong_name(name: str) -> str:
    if not name:
        return "it needs a name"
    return "a name does not begin with + or -" if name[0] in "+-" else ""

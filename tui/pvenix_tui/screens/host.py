"""One host: facts, generations and where each of its settings comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.generation import Generation
from pvenix_tui.actions import Context
from pvenix_tui.models.host import GENERATION_COLUMNS, facts_lines, generation_cells
from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.verbs import HostVerbs
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows

PANES: Final = ("facts", "generations", "config")


class HostScreen(HostVerbs):
    """A host's three panes; where the terminal is narrow, one at a time."""

    scope = "host"
    area = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = bindings("host")

    def __init__(self, session: Session, host: str) -> None:
        super().__init__(session)
        self.host = host
        self.active = PANES[0]
        self._generations: tuple[Generation, ...] = ()
        """Newest first."""
        self._read = "reading the generations"

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="tabs")
        generations = Table(
            GENERATION_COLUMNS, lambda: self._generations, generation_cells, lambda generation: str(generation.number)
        )
        with Horizontal(id="panes"):
            for name, rows in (
                ("facts", Rows(Document(self._facts), cursor=False, id="facts")),
                ("generations", Rows(generations, id="generations")),
                ("config", Rows(Document(self._config), cursor=False, id="config")),
            ):
                rows.border_title = name
                yield rows

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self._activate(self.active)
        self.reread()

    @override
    def reread(self) -> None:
        self.run_worker(self._read_generations(), group="generations", exclusive=True, exit_on_error=False)

    async def _read_generations(self) -> None:
        async def work() -> None:
            found = await self.session.backend.generations(self.host)
            self._generations = tuple(sorted(found, key=lambda generation: -generation.number))

        ok = await self.session.guarded(f"generations of {self.host}", work)
        self._read = "" if ok else "the generations could not be read"
        self.redraw()

    def _facts(self, width: int) -> list[Line]:
        host = self.session.fleet.hosts.get(self.host)
        if host is None:
            return [text_line(f"{self.host} is no longer in the inventory", Tone.WARN)]
        lines = facts_lines(host, self.session.fleet.statuses.get(self.host), self.session.clock())
        return [piece for line in lines for piece in wrap(line, width, indent=9)]

    def _config(self, width: int) -> list[Line]:
        lines = self.session.explain(self.host)
        return [piece for line in lines for piece in wrap(line, width, indent=4)]

    @override
    def where(self) -> str:
        return self.host

    @override
    def context(self) -> Context:
        number = self.query_one("#generations", Rows).key if self.is_mounted else ""
        picked = int(number) if number and self.active == "generations" else 0
        vms = self.session.fleet.vms([self.host])
        return Context(scope=self.scope, hosts=(self.host,), vms=vms, generation=picked)

    @override
    def show_bars(self) -> None:
        spans = [
            (f"[{name}]" if name == self.active else f" {name} ", Tone.STRONG if name == self.active else Tone.DIM)
            for name in PANES
        ]
        note = f"  {self._read}" if self._read else f"  {len(self._generations)} generations"
        self.query_one("#tabs", Bar).show((*spans, (note, Tone.DIM)))

    def _activate(self, name: str) -> None:
        self.active = name
        for other in PANES:
            self.query_one(f"#{other}").set_class(other == name, "-active")
        self.query_one(f"#{name}", Rows).focus()
        self.refresh_bars()

    def on_descendant_focus(self) -> None:
        """The focused pane is the active one."""
        if self.focused is not None and self.focused.id in PANES and self.focused.id != self.active:
            self._activate(self.focused.id)

    def do_host_next(self) -> None:
        """The next pane."""
        self._activate(PANES[(PANES.index(self.active) + 1) % len(PANES)])

    def do_host_previous(self) -> None:
        """The pane before."""
        self._activate(PANES[PANES.index(self.active) - 1])

    @override
    def do_host_rollback(self) -> None:
        generation = self.context().generation
        current = any(one.current and one.number == generation for one in self._generations)
        if generation and not current:
            self.plan_verb("rollback", {"to": generation})
        else:
            super().do_host_rollback()

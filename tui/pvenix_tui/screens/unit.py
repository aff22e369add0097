"""One unit of a host: what systemd says of it, and the end of its journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.inspection import UnitLook
from pvenix_tui.actions import Context
from pvenix_tui.models.hostlooks import unit_lines
from pvenix_tui.models.hosttabs import Reading, TabLines
from pvenix_tui.models.lines import Tone, text_line
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background


class UnitScreen(PvenixScreen[bool]):
    """A unit; its result is True when a person wants its journal."""

    scope = "unit"
    BINDINGS: ClassVar[list[BindingType]] = bindings("unit")

    def __init__(self, session: Session, host: str, unit: str, *, area: str) -> None:
        super().__init__(session, area=area)
        self.host, self.unit = host, unit
        self._reading: Reading[UnitLook] = Reading()

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        yield Rows(Document(TabLines(self._reading, unit_lines)), cursor=False, id="unit")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#unit").focus()
        self.reread()

    @override
    def reread(self) -> None:
        in_background(self, self._read, group="unit")

    async def _read(self) -> None:
        source = f"{self.unit} of {self.host}"

        async def work() -> None:
            self._reading.take(await self.session.backend.unit(self.host, self.unit), self.session.clock())

        self._reading.begin()
        if not await self.session.guarded(source, work):
            self._reading.fail(self.session.problems.pop(source))
        self.redraw()

    @override
    def show_bars(self) -> None:
        note = self._reading.note(self.session.clock())
        self.query_one("#status", Bar).show((*text_line(f" {self.unit}", Tone.STRONG), ("  ", Tone.PLAIN), note))

    @override
    def where(self) -> str:
        return self.host

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, hosts=(self.host,), unit=self.unit)

    def do_unit_journal(self) -> None:
        """Back to the host, and to this unit's lines of its journal."""
        self.dismiss(True)  # noqa: FBT003 the screen's result

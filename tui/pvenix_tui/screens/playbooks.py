"""Playbooks of the fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.errors import LocalResource, PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.models.playbooks import COLUMNS, cells
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.planning import PlanningScreen
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.working import in_background

if TYPE_CHECKING:
    from pvenix.fleet.playbooks import Playbook

_PREVIEW: int = 3
"""Lines of the description, or of the finding, below the list."""


class PlaybookScreen(PlanningScreen):
    """What the list and the playbook itself share: its file, and its plan."""

    def picked(self) -> Playbook | None:
        """The playbook that is open or at the cursor."""
        raise NotImplementedError

    def show_playbook(self, playbook: Playbook) -> None:
        """Its plays and parameters."""
        from pvenix_tui.screens.playbook import PlaybookDetail

        self.app.push_screen(PlaybookDetail(self.session, playbook), lambda _: self.reread())

    def do_playbook_edit(self) -> None:
        """The file in the person's editor."""
        playbook = self.picked()
        if playbook is not None:
            in_background(self, partial(self._edit, playbook), group="outside")

    async def _edit(self, playbook: Playbook) -> None:
        from pvenix_tui.outside import editor

        if playbook.ships:
            self.session.refuse(f"{playbook.title} ships with pvenix; copy it to playbooks/ first: {playbook.path}")
            return
        try:
            code = await self.session.run_outside((*editor(), str(playbook.path)), cwd=self.session.backend.root)
        except PvenixError as error:
            self.session.say(f"edit: {describe(error)}", bad=True)
            return
        if code:
            self.session.say(f"the editor ended with {code}", bad=True)
        self.reread()


class PlaybooksScreen(PlaybookScreen):
    """The area: every playbook, a broken one with what is wrong."""

    scope = "playbooks"
    area = "playbooks"
    BINDINGS: ClassVar[list[BindingType]] = bindings("playbooks")

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._found: tuple[Playbook, ...] = ()
        self._read = False

    @override
    def body(self) -> Iterable[Widget]:
        table = Table(
            COLUMNS,
            lambda: self._found,
            lambda playbook: cells(playbook, self.session.runs, self.session.clock()),
            lambda playbook: playbook.name,
        )
        yield Rows(table, id="list")
        yield Bar(id="preview")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#list").focus()
        self.reread()

    @override
    def reread(self) -> None:
        in_background(self, self._read_files, group="playbooks")

    async def _read_files(self) -> None:
        async def work() -> None:
            self._found = await asyncio.to_thread(self.session.backend.playbooks)
            self._read = True

        await self.session.guarded("playbooks", work)
        if self.is_mounted:
            self.redraw()

    @override
    def picked(self) -> Playbook | None:
        key = self.query_one("#list", Rows).key if self.is_mounted else ""
        return next((playbook for playbook in self._found if playbook.name == key), None)

    @override
    def context(self) -> Context:
        playbook = self.picked()
        broken = "it is broken; enter shows what is wrong" if playbook is not None and playbook.findings else ""
        return Context(scope=self.scope, playbook=playbook.name if playbook else "", blocked=broken)

    @override
    def show_bars(self) -> None:
        preview = self.query_one("#preview", Bar)
        width = max(20, self.size.width - 2)
        lines = [piece for line in self._preview() for piece in wrap(line, width, indent=1)][:_PREVIEW]
        preview.show(*lines, *[()] * (_PREVIEW - len(lines)))

    def _preview(self) -> list[Line]:
        playbook = self.picked()
        if playbook is None:
            told = "no playbook in playbooks/ of the fleet" if self._read else "reading the playbooks"
            return [text_line(f" {told}", Tone.DIM)]
        if playbook.findings:
            count = len(playbook.findings)
            more = f" (and {count - 1} more)" if count > 1 else ""
            return [text_line(f" {playbook.findings[0].place}: {playbook.findings[0].what}{more}", Tone.BAD),
                    text_line(f" {playbook.findings[0].hint}", Tone.WARN)]  # fmt: skip
        sentences = (line for line in playbook.comment if not line.startswith(" "))
        return [text_line(f" {' '.join(sentences)}", Tone.DIM)]

    def do_playbooks_open(self) -> None:
        """The playbook at the cursor."""
        playbook = self.picked()
        if playbook is not None:
            self.show_playbook(playbook)

    def do_playbook_run(self) -> None:
        """Its parameters first: what runs on which hosts is said before the plan."""
        self.do_playbooks_open()


async def read_again(session: Session, playbook: Playbook) -> Playbook:
    """The playbook as its file is now. Raises: LocalResource when it is gone."""
    found = await asyncio.to_thread(session.backend.playbooks)
    for each in found:
        if each.path == playbook.path:
            return each
    raise LocalResource(f"{playbook.name} is gone", hint="esc leads back to the list")

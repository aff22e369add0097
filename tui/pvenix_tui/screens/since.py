"""What changed on a branch since the commit that a person saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.model.review import FileDiff
from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Line, Tone, text_line
from pvenix_tui.models.reviewrows import Entry, note_entry
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.differences import DiffScreen
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar


class SinceScreen(DiffScreen[bool]):
    """The difference of two states of a branch; its result is whether it could be shown."""

    scope = "since"
    BINDINGS: ClassVar[list[BindingType]] = bindings("since")

    def __init__(self, session: Session, name: str, seen: str, now: str, *, area: str) -> None:
        super().__init__(session, area=area, note="reading what changed")
        self._branch, self._seen, self._now = name, seen, now
        self._found: tuple[FileDiff, ...] | None = None

    @override
    async def read(self) -> None:
        self._found = await self.session.backend.review_since(self._branch, self._seen)

    @override
    def files(self) -> Sequence[FileDiff]:
        return self._found or ()

    @override
    def entries(self) -> Sequence[Entry]:
        if self._found:
            return super().entries()
        text = self.note if self._found is None else "the files are as you saw them: only commits came"
        return [note_entry(text)]

    @override
    def show_bars(self) -> None:
        self.query_one("#status", Bar).show(self._status())
        self.query_one("#note", Bar).display = False

    def _status(self) -> Line:
        return (
            *text_line(f" {self._branch}", Tone.STRONG),
            *text_line(f"  {self._seen[:10]} .. {self._now[:10]}", Tone.ACCENT),
            *text_line("  what changed since you looked", Tone.DIM),
        )

    @override
    def context(self) -> Context:
        file = self.file.path if self.file else ""
        return Context(scope=self.scope, review=self._branch, review_file=file, reasons=self.reasons())

    @override
    def where(self) -> str:
        return "since"

    @override
    def back(self) -> bool:
        if not super().back():
            self.dismiss(self._found is not None)
        return True

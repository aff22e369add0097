"""The commits of the revision that the fleet comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.engine.ports import Commit
from pvenix_tui.models.lines import Column, Span, Tone
from pvenix_tui.models.states import age
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.lists import ListScreen


class HistoryScreen(ListScreen[Commit]):
    """The main branch, newest commit first."""

    scope = "history"
    area = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    columns = (
        Column(title="COMMIT", width=10),
        Column(title="AGE", width=4),
        Column(title="AUTHOR", width=16, keep=1),
        Column(title="SUBJECT", width=30, grow=1),
    )

    @override
    def items(self) -> Sequence[Commit]:
        return self.session.commits

    @override
    def cells(self, item: Commit) -> Sequence[Span]:
        return (
            (item.id[:10], Tone.ACCENT),
            (age(item.at, self.session.clock()), Tone.DIM),
            (item.author, Tone.DIM),
            (item.subject, Tone.PLAIN),
        )

    @override
    def item_key(self, item: Commit) -> str:
        return item.id

    @override
    def why_empty(self) -> str:
        return "not read yet"

    @override
    def where(self) -> str:
        return "history of main"

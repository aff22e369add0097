"""The commits of the revision that the fleet comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.models.lines import Column, Line, Tone, column_widths, header_line, table_line
from pvenix_tui.models.states import age
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.session import Session
from pvenix_tui.widgets.rows import Rows

COLUMNS: Final = (
    Column(title="COMMIT", width=10),
    Column(title="AGE", width=4),
    Column(title="AUTHOR", width=16, keep=1),
    Column(title="SUBJECT", width=30, grow=1),
)


class CommitTable:
    """The source of the list of commits."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._widths: tuple[int, ...] = ()

    def layout(self, width: int) -> Line | None:
        """The columns that fit."""
        self._widths = column_widths(COLUMNS, width)
        return header_line(self._widths, COLUMNS)

    def count(self) -> int:
        """Commits that were read."""
        return len(self._session.commits)

    def line(self, index: int) -> Line:
        """A commit."""
        commit = self._session.commits[index]
        return table_line(
            self._widths,
            (
                (commit.id[:10], Tone.ACCENT),
                (age(commit.at, self._session.clock()), Tone.DIM),
                (commit.author, Tone.DIM),
                (commit.subject, Tone.PLAIN),
            ),
        )

    def key(self, index: int) -> str:
        """The commit's id."""
        return self._session.commits[index].id


class HistoryScreen(PvenixScreen[None]):
    """The main branch, newest commit first."""

    scope = "history"
    area = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(CommitTable(self.session), id="commits")

    @override
    def where(self) -> str:
        return "history of main"

    @override
    def redraw(self) -> None:
        self.query_one("#commits", Rows).reload()
        self.refresh_bars()

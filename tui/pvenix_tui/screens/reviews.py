"""Registration branches that wait for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Column, Line, Tone, column_widths, header_line, table_line, text_line
from pvenix_tui.models.states import age, status_span
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows

COLUMNS: Final = (
    Column(title="STATE", width=11),
    Column(title="BRANCH", width=28, grow=1),
    Column(title="COMMIT", width=10),
    Column(title="AGE", width=4),
    Column(title="AUTHOR", width=14, keep=1),
    Column(title="SUBJECT", width=20, grow=2, keep=2),
)


class ReviewTable:
    """The source of the list of reviews."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._widths: tuple[int, ...] = ()

    def layout(self, width: int) -> Line | None:
        """The columns that fit."""
        self._widths = column_widths(COLUMNS, width)
        return header_line(self._widths, COLUMNS)

    def count(self) -> int:
        """Branches that were read."""
        return len(self._session.reviews)

    def line(self, index: int) -> Line:
        """A branch."""
        review = self._session.reviews[index]
        return table_line(
            self._widths,
            (
                status_span(review.state),
                (review.branch, Tone.STRONG),
                (review.commit[:10], Tone.ACCENT),
                (age(review.at, self._session.clock()), Tone.DIM),
                (review.author, Tone.DIM),
                (review.subject, Tone.PLAIN),
            ),
        )

    def key(self, index: int) -> str:
        """The host."""
        return self._session.reviews[index].host


class ReviewsScreen(PvenixScreen[None]):
    """The list of registration branches."""

    scope = "reviews"
    area = "reviews"
    BINDINGS: ClassVar[list[BindingType]] = bindings("reviews")

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(ReviewTable(self.session), id="reviews")
        yield Bar(id="preview")

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, review=self.query_one("#reviews", Rows).key if self.is_mounted else "")

    @override
    def redraw(self) -> None:
        self.query_one("#reviews", Rows).reload()
        self.refresh_bars()

    @override
    def refresh_bars(self) -> None:
        super().refresh_bars()
        if not self.is_mounted:
            return
        text = "no registration branch waits" if self.session.reviews_read else "not read yet"
        self.query_one("#preview", Bar).show(text_line("" if self.session.reviews else text, Tone.DIM))

    def do_reviews_open(self) -> None:
        """Open the branch at the cursor."""
        self.app.push_screen(ReviewScreen(self.session, self.query_one("#reviews", Rows).key, area=self.area))

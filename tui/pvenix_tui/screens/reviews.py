"""Registration branches that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.model.review import Review
from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Column, Span, Tone
from pvenix_tui.models.states import age, status_span
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.lists import ListScreen
from pvenix_tui.screens.review import ReviewScreen


class ReviewsScreen(ListScreen[Review]):
    """The list of registration branches."""

    scope = "reviews"
    area = "reviews"
    BINDINGS: ClassVar[list[BindingType]] = bindings("reviews")
    columns = (
        Column(title="STATE", width=11),
        Column(title="BRANCH", width=28, grow=1),
        Column(title="COMMIT", width=10),
        Column(title="AGE", width=4),
        Column(title="AUTHOR", width=14, keep=1),
        Column(title="SUBJECT", width=20, grow=2, keep=2),
    )

    @override
    def items(self) -> Sequence[Review]:
        return self.session.reviews

    @override
    def cells(self, item: Review) -> Sequence[Span]:
        return (
            status_span(item.state),
            (item.branch, Tone.STRONG),
            (item.commit[:10], Tone.ACCENT),
            (age(item.at, self.session.clock()), Tone.DIM),
            (item.author, Tone.DIM),
            (item.subject, Tone.PLAIN),
        )

    @override
    def item_key(self, item: Review) -> str:
        return item.host

    @override
    def why_empty(self) -> str:
        return "no registration branch waits" if self.session.reviews_read else "not read yet"

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, review=self.at_cursor)

    def do_reviews_open(self) -> None:
        """Open the branch at the cursor."""
        self.app.push_screen(ReviewScreen(self.session, self.at_cursor, area=self.area))

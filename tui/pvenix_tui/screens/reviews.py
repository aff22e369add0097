"""Branches that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.model.review import Review
from pvenix_tui.actions import Context
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.review import forget_all_but
from pvenix_tui.models.reviewrows import chips
from pvenix_tui.models.states import age, status_span
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.filtered import FilteredScreen
from pvenix_tui.screens.review import ReviewScreen
from pvenix_tui.session import Session
from pvenix_tui.working import in_background


class ReviewsScreen(FilteredScreen[Review]):
    """The list of branches; what each changes and what its checks say comes in one after the other."""

    scope = "reviews"
    area = "reviews"
    BINDINGS: ClassVar[list[BindingType]] = bindings("reviews")
    memory_name = "reviews.filter"
    columns = (
        Column(title="STATE", width=10),
        Column(title="BRANCH", width=28, grow=2),
        Column(title="BASE", width=9),
        Column(title="CHECKS", width=7),
        Column(title="FILES", width=11, keep=1),
        Column(title="AGE", width=4),
        Column(title="AUTHOR", width=12, keep=2),
        Column(title="SUBJECT", width=20, grow=2, keep=3),
    )

    def __init__(self, session: Session, *, area: str = "") -> None:
        super().__init__(session, area=area)
        self._known: dict[str, Review] = {}
        """Reviews with files and checks, by name, as they were last read."""
        self._asked: list[str] = []

    @override
    def redraw(self) -> None:
        super().redraw()
        self._read_details()

    @override
    def reread(self) -> None:
        """Read every branch anew: somebody may have said something about one that did not move."""
        self._known, self._asked = {}, []

    def _read_details(self) -> None:
        """Read the branches whose very commit and base was not read yet, the one at the cursor first."""
        if not self.session.reviews_read or not self.is_current:
            return
        missing = [each.name for each in self.session.reviews if self._details(each) is None]
        wanted = sorted(missing, key=lambda name: name != self.at_cursor)
        if wanted and wanted != self._asked:
            self._asked = wanted
            in_background(self, partial(self._detail, wanted), group="details")

    async def _detail(self, names: Sequence[str]) -> None:
        async def work() -> None:
            async for review in self.session.backend.review_details(names):
                self._known[review.name] = review
                self.refresh_list()

        forget_all_but(self.session.memory, frozenset(each.branch for each in self.session.reviews))
        await self.session.guarded("reviews", work)

    def _details(self, item: Review) -> Review | None:
        found = self._known.get(item.name)
        return found if found and (found.commit, found.base) == (item.commit, item.base) else None

    @override
    def all_items(self) -> Sequence[Review]:
        return self.session.reviews

    @override
    def cells(self, item: Review) -> Sequence[Span]:
        found = self._details(item)
        checks = chips(found) if found else "reading"
        tone = Tone.DIM if not found else Tone.BAD if "x" in checks else Tone.WARN if "!" in checks else Tone.OK
        return (
            status_span(item.state),
            (item.branch, Tone.STRONG),
            _base(item),
            (checks, tone),
            (_files(found) if found else "", Tone.PLAIN),
            (age(item.at, self.session.clock()), Tone.DIM),
            (item.author, Tone.DIM),
            (item.subject, Tone.PLAIN),
        )

    @override
    def item_key(self, item: Review) -> str:
        return item.name

    @override
    def why_empty(self) -> str:
        if not self.session.reviews_read:
            return "not read yet"
        if "reviews" in self.session.problems:
            return "no branch waited for anybody when they were read last; now they cannot be read"
        return "no branch waits for anybody"

    @override
    def preview(self, item: Review) -> Line:
        found = self._details(item)
        open_ones = len(found.unresolved) if found else 0
        talk = f"  {open_ones} open comment{'s' if open_ones > 1 else ''}" if open_ones else ""
        return (
            *text_line(f" {item.branch}", Tone.STRONG),
            *text_line(f"  {item.commit[:10]}", Tone.ACCENT),
            *text_line(f"  {item.subject}"),
            *text_line(talk, Tone.WARN),
        )

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, review=self.at_cursor)

    def do_reviews_open(self) -> None:
        """Open the branch at the cursor."""
        self.app.push_screen(ReviewScreen(self.session, self.at_cursor, area=self.area))

    def do_reviews_filter(self) -> None:
        """Type a filter."""
        self.start_filter()


def _base(review: Review) -> Span:
    if not review.mergeable:
        return "conflict", Tone.BAD
    return (f"{review.behind} behind", Tone.WARN) if review.behind else ("current", Tone.OK)


def _files(review: Review) -> str:
    added, removed = sum(file.added for file in review.files), sum(file.removed for file in review.files)
    return f"{len(review.files)}f +{_short(added)} -{_short(removed)}"


def _short(count: int) -> str:
    return str(count) if count < 10_000 else f"{count // 1000}k"

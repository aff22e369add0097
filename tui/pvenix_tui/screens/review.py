"""One registration branch: checks, every file's difference, and the three things that can be done with its commit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.review import Review, Verdict
from pvenix_tui.actions import Context
from pvenix_tui.intents import review_intent
from pvenix_tui.models.lines import Line, Span, Tone, text_line, wrap
from pvenix_tui.models.review import ReviewDocument, SeenFiles, approval_reason, review_document
from pvenix_tui.models.states import status_span
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows


class ReviewScreen(PvenixScreen[None]):
    """A review, pinned to the commit that was read."""

    scope = "review"
    BINDINGS: ClassVar[list[BindingType]] = bindings("review")

    def __init__(self, session: Session, host: str, *, area: str) -> None:
        super().__init__(session, area=area)
        self.host = host
        self.review: Review | None = None
        self._note = "reading the branch"
        self._document = ReviewDocument(lines=(), files=())
        self._seen: SeenFiles | None = None
        self._width = 0

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        yield Rows(Document(self._lines), cursor=False, id="review")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#review", Rows).focus()
        self.reread()

    @override
    def reread(self) -> None:
        self.run_worker(self._read(), group="review", exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        async def work() -> None:
            review = await self.session.backend.review(self.host)
            if self._seen is None or self.review is None or review.commit != self.review.commit:
                self._seen = SeenFiles(review)
            self.review = review

        if not await self.session.guarded("review", work):
            self._note = self.session.problems.pop("review")
            self.review = None
        self.redraw()

    def _lines(self, width: int) -> tuple[Line, ...]:
        if self.review is None:
            self._document = ReviewDocument(lines=tuple(wrap(text_line(self._note, Tone.WARN), width)), files=())
        else:
            self._document = review_document(self.review, width)
            if self._seen is not None and width != self._width:
                self._seen.relayout()
        self._width = width
        return self._document.lines

    @override
    def on_rows_moved(self, moved: Rows.Moved) -> None:
        if self._seen is not None and moved.rows.size.height:
            self._seen.show(self._document, moved.top, moved.shown)
        self.refresh_bars()

    @override
    def show_bars(self) -> None:
        self.query_one("#status", Bar).show(self._status())

    def _status(self) -> Line:
        review = self.review
        if review is None or self._seen is None:
            return text_line(f" registration/{self.host}", Tone.STRONG)
        spans: list[Span] = [
            (" ", Tone.PLAIN),
            *text_line(review.branch, Tone.STRONG),
            ("  ", Tone.PLAIN),
            status_span(review.state),
            (f"  {review.commit[:10]}", Tone.ACCENT),
        ]
        for verdict, glyph, tone in (
            (Verdict.PASS, "+", Tone.OK),
            (Verdict.WARN, "!", Tone.WARN),
            (Verdict.FAIL, "x", Tone.BAD),
        ):
            count = sum(1 for check in review.checks if check.verdict is verdict)
            if count:
                spans.append((f"  {count}{glyph}", tone))
        if review.files:
            spans.append((f"  seen {self._seen.count}/{len(review.files)}", Tone.DIM))
        return tuple(spans)

    @override
    def where(self) -> str:
        return "review"

    @override
    def context(self) -> Context:
        review = self.review
        return Context(
            scope=self.scope,
            hosts=(self.host,),
            review=self.host,
            review_commit=review.commit if review else "",
            review_state=review.state if review else "",
            approval=approval_reason(review, self._seen),
        )

    def do_review_approve(self) -> None:
        """Approve this commit."""
        self._plan("approve")

    def do_review_reject(self) -> None:
        """Reject this commit."""
        self._plan("reject")

    def do_review_merge(self) -> None:
        """Merge this commit."""
        self._plan("merge")

    def _plan(self, word: str) -> None:
        if self.review is not None:
            intent = review_intent(self.session.backend, word, self.review)
            self.app.push_screen(PlanScreen(self.session, intent, area=self.area), self._done)

    def _done(self, result: object) -> None:
        if isinstance(result, str):
            self.session.say(result)
            self.reread()
            self.session.outdated()

    def do_review_next_file(self) -> None:
        """The next file."""
        self._to_file(backwards=False)

    def do_review_previous_file(self) -> None:
        """The file before."""
        self._to_file(backwards=True)

    def _to_file(self, *, backwards: bool) -> None:
        rows = self.query_one("#review", Rows)
        target = self._document.next_file(rows.top, backwards=backwards)
        if target is not None:
            rows.move_to(target)

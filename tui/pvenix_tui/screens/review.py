"""One branch under review: checks, files as they differ from main, what people say, and what can be done with its commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.model.review import FileDiff, Thread
from pvenix_tui.actions import Context
from pvenix_tui.models.diff import Remark
from pvenix_tui.models.lines import Line, Span, Tone, text_line, wrap
from pvenix_tui.models.readlines import ReadLines
from pvenix_tui.models.review import ReviewModel
from pvenix_tui.models.reviewrows import Entry, EntryKind, chips, entries, note, note_entry, remarks
from pvenix_tui.models.states import status_span
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.conflicts import ConflictsScreen
from pvenix_tui.screens.reviewdoing import REREAD, ReviewDoing
from pvenix_tui.screens.since import SinceScreen
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Rows


class ReviewScreen(ReviewDoing):
    """A review, pinned to the commit that was read."""

    scope = "review"
    BINDINGS: ClassVar[list[BindingType]] = bindings("review")

    def __init__(self, session: Session, host: str, *, area: str) -> None:
        super().__init__(session, area=area, note="reading the branch")
        self.review_name = host
        self.model = ReviewModel(session.memory)
        self._read_lines = ReadLines()

    # --- reading ---

    @override
    async def read(self) -> None:
        before = self.review
        found = await self.session.backend.review(self.review_name)
        self.model.take(found)
        self.settling = False
        if before and self.model.moved_from == before.commit:
            moved = f"the branch moved from {before.commit[:10]} to {found.commit[:10]}"
            self.session.say(f"{moved}; i shows what changed", bad=True)

    @override
    def not_read(self) -> None:
        self.model.review = None

    @override
    def files(self) -> Sequence[FileDiff]:
        return self.review.files if self.review else ()

    @override
    def entries(self) -> Sequence[Entry]:
        if self.review is None:
            return [note_entry(self.note)]
        return entries(self.model, self.session.clock())

    @override
    def remarks(self, file: FileDiff) -> Mapping[int, Sequence[Remark]]:
        return remarks(self.review, file.path, self.session.clock()) if self.review else {}

    @override
    def read_on(self, moved: Rows.Moved) -> None:
        """A file whose every line was on the screen while it was in front was read."""
        document = self.document
        if document is None or not moved.shown or not self.in_diff:
            return
        read = self._read_lines.show(document, moved.top, moved.top + moved.shown)
        if read and not self.model.seen(document.diff):
            self.model.mark_seen(document.diff)
            self.overview.reload()

    # --- what shows ---

    @override
    def show_bars(self) -> None:
        self.query_one("#status", Bar).show(self._status())
        bar, review, width = self.query_one("#note", Bar), self.review, max(20, self.size.width - 2)
        if review is None:  # the list is too narrow for why it could not be read
            shown = wrap(text_line(self.note, Tone.DIM), width)[:4]
        else:
            shown = [] if self.in_diff else note(review, self.at_entry, width, self.session.clock())[:4]
        bar.display = bool(shown)
        bar.show(*(shown or [()]))

    def _status(self) -> Line:
        review = self.review
        if review is None:
            return text_line(f" {self.review_name}", Tone.STRONG)
        spans: list[Span] = [
            (" ", Tone.PLAIN),
            *text_line(review.branch, Tone.STRONG),
            ("  ", Tone.PLAIN),
            (f"? {REREAD}", Tone.WARN) if self.settling else status_span(review.state),
            (f"  {review.commit[:8]}", Tone.ACCENT),
            (
                f" {chips(review)}",
                Tone.BAD if "x" in chips(review) else Tone.WARN if "!" in chips(review) else Tone.OK,
            ),
            (f" seen {self.model.seen_count}/{len(review.files)}", Tone.DIM),
        ]
        if not review.mergeable:
            spans.append((" CONFLICT", Tone.BAD))
        elif review.behind:
            spans.append((f" {review.behind} behind", Tone.WARN))
        if self.model.moved_from:
            spans.append((" MOVED", Tone.WARN))
        if review.unresolved:
            many = "s" if len(review.unresolved) > 1 else ""
            spans.append((f" {len(review.unresolved)} comment{many}", Tone.WARN))
        return tuple(spans)

    @override
    def where(self) -> str:
        return "review"

    @override
    def context(self) -> Context:
        review = self.review
        line = self.document.at(self.pane.cursor) if self.document and self.in_diff else None
        return Context(
            scope=self.scope,
            hosts=(review.host,) if review and review.host else (),
            review=self.review_name,
            review_commit=review.commit if review else "",
            review_state=REREAD if self.settling else review.state if review else "",
            review_file=self.file.path if self.file else "",
            review_line=line.new if line else 0,
            approval=self.model.approval_reason([commit.id for commit in self.session.commits]),
            reasons=self.reasons(),
        )

    @override
    def reasons(self) -> dict[str, str]:
        review, entry = self.review, self.at_entry
        none = "" if review else "the branch is not read yet"
        file = none or ("" if self.file else "no file shows")
        warning = entry is not None and entry.kind is EntryKind.WARNING and not self.in_diff
        return super().reasons() | {
            "review.seen": file,
            "review.comment": file,
            "review.comment_all": none,
            "review.edit": file or ("it is binary" if self.file and self.file.unified == "(binary)" else ""),
            "review.acknowledge": none or ("" if warning or self._open_warning() else "nothing is to be acknowledged"),
            "review.since": "" if self.model.moved_from else "the branch has not moved while you looked",
            "review.update": self.model.update_reason(),
            "review.conflicts": none or ("it merges into main" if review and review.mergeable else ""),
        }

    def _open_warning(self) -> str:
        """The key of the first warning that is not acknowledged."""
        return next((each.id for each in self.model.warnings if not self.model.acknowledged(each)), "")

    # --- looking ---

    def do_review_open(self) -> None:
        """Open what is at the cursor."""
        entry = self.at_entry
        if self.in_diff:
            thread = self._thread_at_line()
            if thread is not None:
                self._talk(thread)
        elif entry is not None and entry.kind is EntryKind.FILE:
            self.show_file(entry.name)
            self.do_diff_pane()
        elif entry is not None and entry.kind is EntryKind.THREAD and self.review is not None:
            self._talk(next(each for each in self.review.threads if each.id == entry.name))
        elif entry is not None:
            self.session.say("".join(text for text, _ in entry.line))

    def _thread_at_line(self) -> Thread | None:
        """The first comment on the line at the cursor."""
        document = self.document
        if document is None or self.review is None or self.pane.cursor >= document.count():
            return None
        row = document.rows[self.pane.cursor]
        number = document.lines[max(row.left, row.right)].new if max(row.left, row.right) >= 0 else 0
        here = [each for each in self.review.threads if each.file == document.diff.path and each.line == number]
        return here[0] if here and number else None

    def do_review_seen(self) -> None:
        """Mark the file as read, or not."""
        if self.file is not None:
            self.model.mark_seen(self.file, seen=not self.model.seen(self.file))
            self.overview.reload()

    def do_review_acknowledge(self) -> None:
        """Acknowledge the warning at the cursor; elsewhere go to the first that wants it."""
        entry = self.at_entry
        if entry is None or entry.kind is not EntryKind.WARNING or self.in_diff:
            self._to_pane("overview")
            self.cursor_to(f"{EntryKind.WARNING}:{self._open_warning()}")
            return
        self.model.acknowledge(next(each for each in self.model.warnings if each.id == entry.name))
        self.overview.reload()

    def do_review_since(self) -> None:
        """What changed since the commit that was seen."""
        if self.review is not None:
            moved_from = self.model.moved_from

            def looked(seen: bool | None) -> None:  # noqa: FBT001 the screen's result
                if seen and self.model.moved_from == moved_from:
                    self.model.moved_from = ""
                self.refresh_bars()

            screen = SinceScreen(self.session, self.review_name, moved_from, self.review.commit, area=self.area)
            self.app.push_screen(screen, looked)

    def do_review_conflicts(self) -> None:
        """Why it does not merge."""
        if self.review is not None:
            self.app.push_screen(
                ConflictsScreen(self.session, self.review, self.model.own.add, area=self.area), self._done
            )

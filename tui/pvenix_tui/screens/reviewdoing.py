"""What is done to a branch under review: decided, said, edited; each by a plan, and then the branch is read again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from typing_extensions import override

from pvenix.model.review import Review, Thread
from pvenix_tui.intents import reviewing
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Tone
from pvenix_tui.models.review import ReviewModel
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.screens.differences import DiffScreen
from pvenix_tui.screens.editing import in_editor
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.working import in_background

REREAD: Final = "being read again"
"""The state of a branch about which something was just done."""
_TALK: Final = (Column(title="", width=10), Column(title="", width=30, grow=1))


class ReviewDoing(DiffScreen[None]):
    """The part of a review's screen that changes something."""

    model: ReviewModel
    settling = False
    """True from a decision until the branch was read again: what it is now nobody has seen yet."""
    _planned = False
    """True while a plan of something about the branch is in front."""

    @property
    def review(self) -> Review | None:
        """What was read."""
        return self.model.review

    @override
    def on_screen_resume(self) -> None:
        """A plan that was left may have been refused: what it was refused for shows here."""
        super().on_screen_resume()
        if self._planned and self.app.screen is self:
            self._planned = False
            self.reread()

    def _plan(self, intent: reviewing.BranchIntent) -> None:
        self._planned = True
        self.app.push_screen(PlanScreen(self.session, intent, area=self.area), self._done)

    def _done(self, result: object) -> None:
        if isinstance(result, str):
            self.settling = True
            self.session.say(result)
            self._planned = False
            self.reread()
            self.session.outdated()

    def _decide(self, word: str) -> None:
        if self.review is not None:
            known = [each.text for each in self.model.warnings] if word == "approve" else []
            self._plan(reviewing.decision(self.session.backend, word, self.review, known))

    def do_review_approve(self) -> None:
        """Approve this commit."""
        self._decide("approve")

    def do_review_reject(self) -> None:
        """Reject this commit."""
        self._decide("reject")

    def do_review_merge(self) -> None:
        """Merge this commit."""
        self._decide("merge")

    def do_review_update(self) -> None:
        """Bring main into the branch."""
        if self.review is not None:
            self._plan(reviewing.update(self.session.backend, self.review, moved=self.model.own.add))

    def do_review_comment(self) -> None:
        """Comment on the line at the cursor, or the file."""
        context = self.context()
        self._ask(file=context.review_file, line=context.review_line)

    def do_review_comment_all(self) -> None:
        """Comment on the whole."""
        self._ask(file="", line=0)

    def _ask(self, *, file: str, line: int) -> None:
        review = self.review
        if review is None:
            return

        def typed(text: str | None) -> None:
            if text:
                self._plan(reviewing.comment(self.session.backend, review, text, file=file, line=line))

        place = (f"{file}:{line}" if line else file) or review.branch
        self.app.push_screen(Prompt(f"Comment on {place}", wrong=_empty), typed)

    def _talk(self, thread: Thread) -> None:
        review = self.review
        if review is None:
            return
        last = thread.messages[-1]
        settle = ("reopen", "it is not settled") if thread.resolved_by else ("resolve", "it is settled")
        choices = [
            Choice(key=key, cells=((key, Tone.ACCENT), (text, Tone.PLAIN)), note=f"{last.by}: {last.text}")
            for key, text in (("reply", "say something to it"), settle)
        ]

        def chosen(word: str | None) -> None:
            if word == "reply":
                answer = Prompt(f"Reply to {thread.messages[0].by}", wrong=_empty)
                self.app.push_screen(answer, partial(self._go_on, review, thread.id, "reply"))
            elif word:
                self._go_on(review, thread.id, word, "")

        self.app.push_screen(Picker(f"Comment on {thread.place}", _TALK, choices, browse=True), chosen)

    def _go_on(self, review: Review, thread: str, word: str, text: str | None) -> None:
        if text is not None:
            self._plan(reviewing.talk(self.session.backend, review, thread, word, text))

    # --- editing ---

    def do_review_edit(self) -> None:
        """Edit the file in the person's editor."""
        if self.review is not None and self.file is not None:
            in_background(self, partial(self._edit, self.review, self.file.path), group="edit")

    async def _edit(self, review: Review, path: str) -> None:
        async def work() -> None:
            before = await self.session.backend.review_text(review.name, review.commit, path)
            after = await in_editor(self.session, before, path)
            if after == before:
                self.session.say("nothing was changed")
                return
            diff = await self.session.backend.review_edited(review.name, review.commit, path, after)
            diff = replace(diff, path=path)
            self._plan(reviewing.edit(self.session.backend, review, diff, after, moved=self.model.own.add))

        if not await self.session.guarded("edit", work):
            self.session.say(self.session.problems.pop("edit"), bad=True)


def _empty(text: str) -> str:
    return "" if text else "say something, or esc"

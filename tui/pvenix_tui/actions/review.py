"""Actions on reviews."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import CommandLine, Context, Place, pvenix_line


def _review_command(word: str) -> CommandLine:
    def command(context: Context) -> str:
        commit = () if word == "show" else (context.review_commit or "COMMIT",)
        return pvenix_line("review", word, context.review or "HOST", *commit)

    return command


def _merge_reason(context: Context) -> str:
    if not context.review_commit:
        return "no review is open"
    return (
        ""
        if context.review_state == "approved"
        else f"only an approved commit is merged; this one is {context.review_state}"
    )


def _reject_reason(context: Context) -> str:
    if not context.review_commit:
        return "no review is open"
    return "" if context.review_state in ("open", "approved") else f"this commit is {context.review_state} already"


_REVIEWS: Final = Place("reviews")
_REVIEW: Final = Place("review")
REVIEWS: Final = (
    _REVIEWS.action(
        "reviews.open",
        "enter",
        "open",
        "the branch's checks and its difference to main",
        unless=lambda context: "" if context.review else "no branch waits",
        command=_review_command("show"),
        footer=True,
    ),
    _REVIEW.action(
        "review.approve",
        "A",
        "approve",
        "approve the commit that shows, with a comment; every file has to be read first",
        danger=Danger.REVERSIBLE,
        unless=lambda context: context.approval,
        command=_review_command("approve"),
        footer=True,
    ),
    _REVIEW.action(
        "review.merge",
        "M",
        "merge",
        "merge exactly the approved commit into main",
        danger=Danger.REVERSIBLE,
        unless=_merge_reason,
        command=_review_command("merge"),
        footer=True,
    ),
    _REVIEW.action(
        "review.reject",
        "X",
        "reject",
        "reject the commit that shows, with a comment",
        danger=Danger.REVERSIBLE,
        unless=_reject_reason,
        command=_review_command("reject"),
        footer=True,
    ),
    _REVIEW.action("review.next_file", "}", "next file", "the next file", footer=True),
    _REVIEW.action("review.previous_file", "{", "previous file", "the file before"),
)

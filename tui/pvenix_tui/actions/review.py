"""Actions on reviews, and the keys of the plan screen."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import Action, CommandLine, Context, Reason, pvenix_line


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


REVIEWS: Final = (
    Action(
        id="reviews.open",
        key="enter",
        label="open",
        help="the branch's checks and its difference to main",
        scopes=("reviews",),
        disabled_reason=lambda context: "" if context.review else "no branch waits",
        command=_review_command("show"),
        footer=True,
    ),
    Action(
        id="review.approve",
        key="A",
        label="approve",
        help="approve the commit that shows, with a comment; every file has to be read first",
        scopes=("review",),
        danger=Danger.REVERSIBLE,
        disabled_reason=lambda context: context.approval,
        command=_review_command("approve"),
        footer=True,
    ),
    Action(
        id="review.merge",
        key="M",
        label="merge",
        help="merge exactly the approved commit into main",
        scopes=("review",),
        danger=Danger.REVERSIBLE,
        disabled_reason=_merge_reason,
        command=_review_command("merge"),
        footer=True,
    ),
    Action(
        id="review.reject",
        key="X",
        label="reject",
        help="reject the commit that shows, with a comment",
        scopes=("review",),
        danger=Danger.REVERSIBLE,
        disabled_reason=_reject_reason,
        command=_review_command("reject"),
        footer=True,
    ),
    Action(id="review.next_file", key="}", label="next file", help="the next file", scopes=("review",), footer=True),
    Action(id="review.previous_file", key="{", label="previous file", help="the file before", scopes=("review",)),
)


def _toggle(name: str) -> Reason:
    return lambda context: "" if name in context.toggles else f"this plan has no {name}"


PLAN: Final = (
    Action(
        id="plan.start",
        key="y",
        label="start",
        help="start what the plan shows",
        scopes=("plan",),
        disabled_reason=lambda context: context.blocked,
        footer=True,
    ),
    Action(
        id="plan.check",
        key="c",
        label="check",
        help="only look and say what would be done, or do it",
        scopes=("plan",),
        disabled_reason=_toggle("check"),
        footer=True,
    ),
    Action(
        id="plan.step",
        key="s",
        label="step by step",
        help="wait before each step, or not",
        scopes=("plan",),
        disabled_reason=_toggle("step"),
        footer=True,
    ),
    Action(
        id="plan.comment",
        key="e",
        label="comment",
        help="write the comment that goes with it",
        scopes=("plan",),
        disabled_reason=_toggle("comment"),
        footer=True,
    ),
)

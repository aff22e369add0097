"""Actions on reviews, on differences wherever they show, and on the history of the main branch."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import CommandLine, Context, Place, Reason, pvenix_line


def _review_command(word: str) -> CommandLine:
    def command(context: Context) -> str:
        commit = () if word == "show" else (context.review_commit or "COMMIT",)
        comment = ("--comment", "TEXT") if word == "reject" else ()
        return pvenix_line("review", word, context.review or "HOST", *commit, *comment)

    return command


def _comment_command(context: Context) -> str:
    place = ["--file", context.review_file] if context.review_file else []
    place += ["--line", str(context.review_line)] if context.review_line else []
    return pvenix_line("review", "comment", context.review or "HOST", context.review_commit or "COMMIT", *place, "TEXT")


def _merge_reason(context: Context) -> str:
    if not context.review_commit:
        return "the branch is not read yet"
    return (
        ""
        if context.review_state == "approved"
        else f"only an approved commit is merged; this one is {context.review_state}"
    )


def _reject_reason(context: Context) -> str:
    if not context.review_commit:
        return "the branch is not read yet"
    return "" if context.review_state in ("open", "approved") else f"this commit is {context.review_state}"


def _known(action_id: str) -> Reason:
    """The reason that the screen alone knows."""
    return lambda context: context.reasons.get(action_id, "")


_REVIEWS: Final = Place("reviews")
_REVIEW: Final = Place("review")
_DIFFS: Final = Place("review", "commit", "since")
_HISTORY: Final = Place("history")
_COMMITS: Final = Place("history", "commit")
_CONFLICTS: Final = Place("conflicts")
REVIEWS: Final = (
    _REVIEWS.action(
        "reviews.open",
        "enter",
        "open",
        "the branch's checks, its difference to main, and what people say of it",
        unless=lambda context: "" if context.review else "no branch waits",
        command=_review_command("show"),
        footer=True,
    ),
    _REVIEWS.action("reviews.filter", "/", "filter", "a part of a row: a kind, a state, an author", footer=True),
    _REVIEW.action(
        "review.open",
        "enter",
        "open",
        "a file's difference, what a check found, or a comment to answer or settle",
        command=_review_command("show"),
    ),
    _REVIEW.action(
        "review.approve",
        "A",
        "approve",
        "approve the commit that shows; every file has to be read, every warning acknowledged first",
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
    _REVIEW.action(
        "review.seen",
        "m",
        "seen",
        "mark the file as read, or take the mark away",
        unless=_known("review.seen"),
        footer=True,
    ),
    _REVIEW.action(
        "review.acknowledge",
        "a",
        "acknowledge",
        "you have looked at the warning at the cursor, and approve in spite of it",
        unless=_known("review.acknowledge"),
        footer=True,
    ),
    _REVIEW.action(
        "review.comment",
        "c",
        "comment",
        "say something about the line at the cursor, or the file",
        danger=Danger.REVERSIBLE,
        unless=_known("review.comment"),
        command=_comment_command,
        footer=True,
    ),
    _REVIEW.action(
        "review.comment_all",
        "C",
        "comment on all",
        "say something about the branch as a whole",
        danger=Danger.REVERSIBLE,
        unless=_known("review.comment_all"),
        command=lambda context: pvenix_line(
            "review", "comment", context.review or "HOST", context.review_commit or "COMMIT", "TEXT"
        ),
    ),
    _REVIEW.action(
        "review.edit",
        "E",
        "edit",
        "edit the file in $EDITOR, and commit it to the branch in your name",
        danger=Danger.REVERSIBLE,
        unless=_known("review.edit"),
        command=lambda context: pvenix_line("review", "edit", context.review or "HOST", context.review_file or "FILE"),
    ),
    _REVIEW.action(
        "review.since",
        "i",
        "since",
        "what changed since the commit that you saw, when the branch has moved",
        unless=_known("review.since"),
    ),
    _REVIEW.action(
        "review.update",
        "u",
        "update",
        "bring main into a branch that is behind it; its commits stay",
        danger=Danger.REVERSIBLE,
        unless=_known("review.update"),
        command=lambda context: pvenix_line("review", "update", context.review or "HOST"),
    ),
    _REVIEW.action(
        "review.conflicts",
        "w",
        "why",
        "why the branch does not merge into main, and a way to resolve it",
        unless=_known("review.conflicts"),
        command=lambda context: pvenix_line("review", "conflicts", context.review or "HOST"),
    ),
    _DIFFS.action("diff.next_file", "}", "next file", "the next file", footer=True),
    _DIFFS.action("diff.previous_file", "{", "previous file", "the file before"),
    _DIFFS.action("diff.next", "n", "next", "the next hunk, or the next match of a search"),
    _DIFFS.action("diff.previous", "N", "previous", "the hunk or match before"),
    _DIFFS.action("diff.search", "/", "search", "find text in the file; n and N go on"),
    _DIFFS.action(
        "diff.sides", "t", "sides", "both sides beside each other, or one column", unless=_known("diff.sides")
    ),
    _DIFFS.action("diff.pane", "tab,shift+tab", "pane", "from the list to the difference and back"),
    _CONFLICTS.action(
        "conflicts.resolve",
        "E",
        "resolve",
        "edit the file with its conflict markers in $EDITOR; when all are resolved main is merged into the branch",
        danger=Danger.REVERSIBLE,
        unless=_known("conflicts.resolve"),
        footer=True,
    ),
    _CONFLICTS.action("conflicts.next_file", "}", "next file", "the next file in conflict", footer=True),
    _CONFLICTS.action("conflicts.previous_file", "{", "previous file", "the file before"),
    _HISTORY.action(
        "history.open",
        "enter",
        "open",
        "the commit's files and their differences",
        unless=lambda context: "" if context.commit else "no commit is at the cursor",
        footer=True,
    ),
    _HISTORY.action("history.filter", "/", "filter", "a part of a row: an author, a host, a word", footer=True),
    _COMMITS.action(
        "history.revert",
        "z,R",
        "revert",
        "plan the commit that takes this one back",
        danger=Danger.REVERSIBLE,
        unless=lambda context: "" if context.commit else "no commit is at the cursor",
        command=lambda context: pvenix_line("revert", context.commit[:10] or "COMMIT"),
        footer=True,
    ),
)

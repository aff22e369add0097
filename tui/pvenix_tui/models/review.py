"""A branch under review: what a person has seen of it, what they have to look at yet, and whether they may approve it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from pvenix.model.review import FileDiff, Review, Verdict
from pvenix_tui.remembered.memory import Memory

_SEEN = "review.seen"
_ACKNOWLEDGED = "review.acknowledged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """Something that does not forbid an approval, but has to be looked at before one."""

    id: str
    text: str


def warnings_of(review: Review) -> tuple[Caution, ...]:
    """Checks that want a look, comments that nobody resolved, a base that is old."""
    found = [
        Caution(id=_digest(f"{check.name} {check.detail}"), text=f"{check.name}: {check.detail}")
        for check in review.checks
        if check.verdict is Verdict.WARN
    ]
    found += [
        Caution(
            id=_digest(f"{thread.id} {len(thread.messages)}"),
            text=f"comment of {thread.messages[0].by} on {thread.place} is not resolved",
        )
        for thread in review.unresolved
    ]
    if review.behind and review.mergeable:
        commits = "one commit" if review.behind == 1 else f"{review.behind} commits"
        found.append(Caution(id=_digest(f"base {review.base}"), text=f"the base is old: main has {commits} more"))
    return tuple(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class ReviewModel:
    """One review on a person's screen. What they have seen outlives the program.

    A file counts as seen in its very difference: a new commit takes the mark from the files that it changes, and from
    no other. An acknowledgement is for the commit that it was given on.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.review: Review | None = None
        self.moved_from = ""
        """The commit that was on the screen when the branch got another one, until what changed was looked at."""

        self.own: set[str] = set()
        """Commits to which the person moved the branch from here: they have seen what changed."""

    def take(self, review: Review) -> None:
        """Show what was read."""
        before = self.review.commit if self.review else review.commit
        if before != review.commit and review.commit not in self.own:
            self.moved_from = self.moved_from or before
        if review.commit == self.moved_from:
            self.moved_from = ""
        self.review = review

    # --- seen ---

    def _place(self, path: str) -> str:
        return f"{self.review.branch if self.review else ''} {path}"

    def seen(self, file: FileDiff) -> bool:
        """Whether this very difference was read."""
        return self._memory.table(_SEEN).get(self._place(file.path)) == _digest(file.unified)

    def mark_seen(self, file: FileDiff, *, seen: bool = True) -> None:
        """Remember that it was read, or that it was not."""
        table = self._memory.table(_SEEN)
        table.pop(self._place(file.path), None)
        self._memory.keep(_SEEN, table | ({self._place(file.path): _digest(file.unified)} if seen else {}))

    @property
    def seen_count(self) -> int:
        """Files that were read."""
        return sum(1 for file in self.review.files if self.seen(file)) if self.review else 0

    # --- warnings ---

    @property
    def warnings(self) -> tuple[Caution, ...]:
        """What has to be acknowledged."""
        return warnings_of(self.review) if self.review else ()

    def acknowledged(self, warning: Caution) -> bool:
        """Whether the person looked at it."""
        commit = self.review.commit if self.review else ""
        return self._memory.table(_ACKNOWLEDGED).get(self._place(warning.id)) == commit

    def acknowledge(self, warning: Caution) -> None:
        """Remember that the person looked at it, or take that back."""
        table = self._memory.table(_ACKNOWLEDGED)
        known = self.acknowledged(warning)
        table.pop(self._place(warning.id), None)
        commit = self.review.commit if self.review else ""
        self._memory.keep(_ACKNOWLEDGED, table | ({} if known else {self._place(warning.id): commit}))

    # --- verdict ---

    def approval_reason(self, history: Sequence[str] = ()) -> str:
        """Why it cannot be approved now, empty when it can; `history` are commits of main, newest first.

        A history that does not have the base was read before the review, and says nothing about it.
        """
        review = self.review
        if review is None:
            return "the branch is not read yet"
        if review.state != "open":
            return f"this commit is {review.state} already"
        failed = [check.name for check in review.checks if check.verdict is Verdict.FAIL]
        if failed:
            return f"a check failed: {failed[0]}"
        if not review.mergeable:
            return "it does not merge into main; w says why"
        if self.moved_from:
            return f"the branch moved to {review.commit[:10]} while you looked; i shows what changed"
        if review.base in history and history[0] != review.base:
            return f"main moved to {history[0][:10]} while you looked; ctrl+r compares anew"
        unread = [file.path for file in review.files if not self.seen(file)]
        if unread:
            return f"not read yet: {unread[0]} (scroll through it, or m)"
        open_ones = [warning for warning in self.warnings if not self.acknowledged(warning)]
        return f"not acknowledged yet: {open_ones[0].text} (a)" if open_ones else ""

    def update_reason(self) -> str:
        """Why main cannot be brought into the branch, empty when it can."""
        review = self.review
        if review is None:
            return "the branch is not read yet"
        if not review.mergeable:
            return "it does not merge; w says why, and resolves it"
        return "" if review.behind else "the branch has everything that main has"


def forget_all_but(memory: Memory, branches: frozenset[str]) -> None:
    """Let go what was seen of branches that are no more."""
    for name in (_SEEN, _ACKNOWLEDGED):
        table = memory.table(name)
        kept = {place: value for place, value in table.items() if place.partition(" ")[0] in branches}
        if len(kept) != len(table):
            memory.keep(name, kept)

"""What is done to a branch under review, by a person: intents for the plan screen, which alone starts them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.review import FileDiff, Review
from pvenix.model.verbs import Arg
from pvenix_tui.actions.base import pvenix_line
from pvenix_tui.backend import Backend
from pvenix_tui.intents.base import Options, Reading
from pvenix_tui.models.highlight import highlighted, language_of
from pvenix_tui.models.hunks import Sign, parse
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.plan import PlanView, Tier
from pvenix_tui.text import safe

Moved = Callable[[str], None]
"""Told the commit to which the person moved a branch."""
_DIFF_LINES = 400
"""Lines of a difference that a plan shows; the rest is in the review."""


class BranchIntent:
    """Something that is done to the repository and to no host: a plan of its effect, and one act."""

    initial = Options()
    extras: Mapping[str, Arg] = MappingProxyType({})
    readings: Sequence[Reading] = ()

    def __init__(
        self,
        title: str,
        lines: Callable[[Options], Sequence[Line]],
        act: Callable[[Options], Awaitable[str]],
        *,
        command: Callable[[Options], str],
        comment: bool = False,
    ) -> None:
        self.toggles = frozenset({"comment"} if comment else ())
        self._title, self._lines, self._act, self._command = title, lines, act, command
        self._options = Options()

    def view(self, options: Options) -> PlanView:
        """What would be done."""
        self._options = options
        command = self._command(options)
        lines = [*self._lines(options), EMPTY, (("Command  ", Tone.TITLE), *text_line(command, Tone.ACCENT))]
        return PlanView(title=self._title, tier=Tier.KEY, lines=tuple(lines), command=command)

    async def start(self) -> str:
        """What was done, in words."""
        return await self._act(self._options)

    async def rehearse(self) -> RunDir:
        """There is nothing to rehearse: no host is touched."""
        raise UsageError("no host is touched, so there is no dry run")


def _field(name: str, text: str, tone: Tone = Tone.PLAIN) -> Line:
    return ((f"{name:<9}", Tone.TITLE), *text_line(text, tone))


def _branch_lines(review: Review) -> list[Line]:
    return [
        _field("Branch", review.branch, Tone.STRONG),
        _field("Commit", review.commit, Tone.STRONG),
        _field("Subject", review.subject),
    ]


def _effect(*lines: str) -> list[Line]:
    return [EMPTY, *(text_line(line, Tone.DIM) for line in lines)]


def diff_lines(files: Sequence[FileDiff]) -> list[Line]:
    """Differences as a plan shows them, one after the other."""
    found: list[Line] = []
    for file in files:
        found += [EMPTY, (*text_line(file.path, Tone.TITLE), *text_line(f"  +{file.added} -{file.removed}", Tone.DIM))]
        language = language_of(file.path)
        tones = {Sign.ADDED: Tone.OK, Sign.REMOVED: Tone.BAD}
        for line in parse(file.unified)[:_DIFF_LINES]:
            if line.sign is Sign.HUNK:
                found.append(text_line(line.text, Tone.HUNK))
            else:
                tone = tones.get(line.sign, Tone.DIM)
                found.append(((f"{line.sign.value} ", tone), *highlighted(language, safe(line.text), "")))
    return found


def decision(backend: Backend, word: str, review: Review, acknowledged: Sequence[str] = ()) -> BranchIntent:
    """Approve, reject or merge the very commit that was shown."""

    def lines(options: Options) -> list[Line]:
        found = [*_branch_lines(review), _field("Files", str(len(review.files)), Tone.STRONG)]
        found += [text_line(f"  {file.path}  +{file.added} -{file.removed}") for file in review.files]
        found += [_field("Known" if not at else "", each, Tone.WARN) for at, each in enumerate(acknowledged)]
        if word != "merge":
            found += [EMPTY, _field("Comment", options.comment or "none (e writes one)")]
        return [*found, _field("Undo", _UNDO[word]), *_effect(_EFFECT[word])]

    async def act(options: Options) -> str:
        match word:
            case "approve":
                await _unchanged(backend, review)
                await backend.approve(review.name, review.commit, options.comment, acknowledged=acknowledged)
                return f"approved {review.commit[:12]} of {review.branch}"
            case "reject":
                if not options.comment:
                    raise UsageError("a rejection says why", hint="press e and write the comment")
                await backend.reject(review.name, review.commit, options.comment)
                return f"rejected {review.commit[:12]} of {review.branch}"
            case _:
                tip = await backend.merge(review.name, review.commit)
                return f"merged {review.commit[:12]}: main is at {tip[:12]}"

    def command(options: Options) -> str:
        comment = ("-m", options.comment) if options.comment else ()
        return pvenix_line("review", word, review.name, review.commit, *comment)

    return BranchIntent(f"{word} {review.branch}", lines, act, command=command, comment=word != "merge")


_EFFECT = {
    "approve": "The approval names this commit: a newer one on the branch is not covered by it.",
    "reject": "The rejection and its comment are kept with this commit; the branch stays.",
    "merge": "main moves to contain exactly this commit. Nothing is rebuilt by it.",
}


_UNDO = {
    "approve": "reject the same commit, until it is merged",
    "reject": "approve the same commit",
    "merge": "a revert of all that the merge brings (5, z)",
}


async def _unchanged(backend: Backend, review: Review) -> None:
    """Nothing, when branch and main are where the person saw them. Raises: RemoteFailure."""
    now = await backend.review(review.name)
    if (now.commit, now.base) != (review.commit, review.base):
        what = "the branch" if now.commit != review.commit else "main"
        raise RemoteFailure(
            f"{what} moved while you looked", why="nothing was approved", hint="go back; the review shows what changed"
        )


def comment(backend: Backend, review: Review, text: str, *, file: str = "", line: int = 0) -> BranchIntent:
    """Say something about a branch."""
    place = (f"{file}:{line}" if line else file) or "the whole branch"

    async def act(_: Options) -> str:
        thread = await backend.comment(review.name, review.commit, text, file=file, line=line)
        return f"commented on {place} ({thread.id})"

    words = [*(["--file", file] if file else []), *(["--line", str(line)] if line else []), text]
    return BranchIntent(
        f"comment on {place}",
        lambda _: [
            *_branch_lines(review),
            _field("On", place, Tone.ACCENT),
            _field("Text", text, Tone.STRONG),
            *_effect(
                "Everybody who reviews the branch sees it, and an approval has to acknowledge it until it is settled."
            ),
        ],
        act,
        command=lambda _: pvenix_line("review", "comment", review.name, review.commit, *words),
    )


def talk(backend: Backend, review: Review, thread: str, word: str, text: str = "") -> BranchIntent:
    """Reply to a comment, resolve it, or open it again."""

    async def act(_: Options) -> str:
        if word == "reply":
            await backend.reply(review.name, thread, text)
        else:
            await backend.resolve_thread(review.name, thread, resolved=word == "resolve")
        return f"{_DONE[word]} {thread}"

    said = [_field("Text", text, Tone.STRONG)] if text else []
    words = [*([text] if text else []), f"--{word}", thread]
    return BranchIntent(
        f"{word} {thread}",
        lambda _: [*_branch_lines(review), _field("Comment", thread, Tone.ACCENT), *said],
        act,
        command=lambda _: pvenix_line("review", "comment", review.name, review.commit, *words),
    )


_DONE = {"reply": "replied to", "resolve": "resolved", "reopen": "opened again"}


def edit(backend: Backend, review: Review, diff: FileDiff, text: str, *, moved: Moved) -> BranchIntent:
    """Commit a file as the person left it in their editor."""

    async def act(options: Options) -> str:
        tip = await backend.edit_review(review.name, review.commit, diff.path, text, options.comment)
        moved(tip)
        return f"{review.branch} is at {tip[:12]}"

    return BranchIntent(
        f"edit {review.branch}",
        lambda options: [
            *_branch_lines(review),
            _field("Message", options.comment or f"Edit {diff.path} in review (e writes another)"),
            *_effect(
                "A new commit in your name, on top of this one; never over somebody else's newer one.",
                "An approval of this commit does not cover it.",
            ),
            *diff_lines([diff]),
        ],
        act,
        command=lambda _: pvenix_line("review", "edit", review.name, diff.path),
        comment=True,
    )


def update(backend: Backend, review: Review, *, moved: Moved) -> BranchIntent:
    """Bring main into the branch."""

    async def act(_: Options) -> str:
        tip = await backend.freshen_review(review.name, review.commit)
        moved(tip)
        return f"{review.branch} is at {tip[:12]} and has everything that main has"

    return BranchIntent(
        f"update {review.branch}",
        lambda _: [
            *_branch_lines(review),
            _field("Behind", f"{review.behind} commits of main at {review.base[:12]}", Tone.WARN),
            *_effect(
                "main is merged into the branch, whose commits stay. They go together without a conflict.",
                "The new tip wants an approval of its own; files that do not change stay seen.",
            ),
        ],
        act,
        command=lambda _: pvenix_line("review", "update", review.name),
    )


def resolution(backend: Backend, review: Review, files: Mapping[str, str | None], *, moved: Moved) -> BranchIntent:
    """Bring main into the branch with the files in conflict as a person left them."""

    async def act(_: Options) -> str:
        tip = await backend.resolve_review(review.name, review.commit, files)
        moved(tip)
        return f"{review.branch} is at {tip[:12]} and merges into main"

    return BranchIntent(
        f"resolve {review.branch}",
        lambda _: [
            *_branch_lines(review),
            *(
                _field("Resolved" if not at else "", path if text is not None else f"{path} is deleted", Tone.OK)
                for at, (path, text) in enumerate(files.items())
            ),
            *_effect(
                "main is merged into the branch with these files as you left them, as a commit in your name.",
                "The new tip wants a review and an approval of its own.",
            ),
        ],
        act,
        command=lambda _: pvenix_line("review", "conflicts", review.name),
    )

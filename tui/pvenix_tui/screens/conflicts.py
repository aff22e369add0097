"""Why a branch does not merge into main: each file with both sides, who changed it and when; and a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.review import Conflict, Kind, Review, Side
from pvenix_tui.actions import Context
from pvenix_tui.glyphs import ELLIPSIS
from pvenix_tui.intents import reviewing
from pvenix_tui.models.highlight import highlighted, language_of
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line, wrap
from pvenix_tui.models.states import age
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.editing import in_editor
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.session import Session
from pvenix_tui.text import foreign, safe
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

_SHOWN: Final = 400
"""Lines of a file that one side deleted."""
_CONTEXT: Final = 4
"""Lines that show around a conflict."""


class ConflictsScreen(PvenixScreen[object]):
    """One file at a time; its result is what was done, in words."""

    scope = "conflicts"
    BINDINGS: ClassVar[list[BindingType]] = bindings("conflicts")

    def __init__(self, session: Session, review: Review, moved: Callable[[str], None], *, area: str) -> None:
        super().__init__(session, area=area)
        self._review, self._moved = review, moved
        self._found: tuple[Conflict, ...] | None = None
        self._at = 0
        self._resolved: dict[str, str | None] = {}
        self._note = "reading both sides"

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        yield Rows(Document(self._lines), cursor=False, id="conflict")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#conflict", Rows).focus()
        self.reread()

    @override
    def reread(self) -> None:
        in_background(self, self._read, group="conflicts")

    async def _read(self) -> None:
        async def work() -> None:
            self._found = await self.session.backend.review_conflicts(self._review.name)

        if not await self.session.guarded("conflicts", work):
            self._note = self.session.problems.pop("conflicts")
        self.redraw()

    @property
    def conflict(self) -> Conflict | None:
        """The file that shows."""
        return self._found[self._at] if self._found else None

    def _lines(self, width: int) -> list[Line]:
        conflict = self.conflict
        if conflict is None:
            text = self._note if self._found is None else "nothing keeps them apart any more: ctrl+r on the review"
            return wrap(text_line(text, Tone.WARN), width)
        lines = [
            (*text_line(conflict.path, Tone.TITLE), *text_line(f"  {conflict.why}", Tone.BAD)),
            self._side("main", conflict.main),
            self._side("branch", conflict.branch),
            EMPTY,
            *self._next(conflict),
            EMPTY,
            *marked_lines(conflict),
        ]
        return [piece for line in lines for piece in wrap(line, width, indent=2)]

    def _side(self, name: str, side: Side) -> Line:
        if not side.commit:
            return ((f"{name:<7} ", Tone.TITLE), ("has no such file", Tone.DIM))
        when = age(side.at, self.session.clock())
        return (
            (f"{name:<7} ", Tone.TITLE),
            (f"{side.commit[:10]} ", Tone.ACCENT),
            *text_line(f"{side.author} {when} ago: {side.subject}"),
        )

    def _next(self, conflict: Conflict) -> list[Line]:
        if conflict.path in self._resolved:
            return [text_line("resolved here; E edits it again", Tone.OK)]
        branch, host = self._review.branch, self._review.host
        anew = f"pvenix unregister {host}, then pvenix register {host}: it is made anew, on main as it is"
        return [
            text_line("E opens the file with both sides in $EDITOR: keep what is right, take the markers out; an empty file is deleted", Tone.WARN),
            text_line(f"or in a checkout: git switch {branch} && git merge origin/main, resolve, commit, push", Tone.DIM),
            text_line(f"or {anew if self._review.kind is Kind.REGISTRATION else 'give it up: X on the review'}", Tone.DIM),
        ]  # fmt: skip

    @override
    def show_bars(self) -> None:
        of = len(self._found or ())
        text = f"  file {self._at + 1 if of else 0}/{of}  resolved {len(self._resolved)}/{of}"
        rows = self.query_one("#conflict", Rows)
        rows.border_title = foreign(self.conflict.path) if self.conflict else ""
        self.query_one("#status", Bar).show(
            (
                *text_line(f" {self._review.branch}", Tone.STRONG),
                ("  does not merge into main", Tone.BAD),
                (text, Tone.DIM),
            )
        )

    @override
    def where(self) -> str:
        return "conflicts"

    @override
    def context(self) -> Context:
        reason = "" if self.conflict else "no file is in conflict"
        return Context(scope=self.scope, review=self._review.name, reasons={"conflicts.resolve": reason})

    def do_conflicts_next_file(self) -> None:
        """The next file."""
        self._step(1)

    def do_conflicts_previous_file(self) -> None:
        """The file before."""
        self._step(-1)

    def _step(self, by: int) -> None:
        if not 0 <= self._at + by < len(self._found or ()):
            self.session.say("this is the last file" if by > 0 else "this is the first file")
            return
        self._at += by
        self.query_one("#conflict", Rows).move_to(0)
        self.redraw()

    def do_conflicts_resolve(self) -> None:
        """Edit the file with both sides in it."""
        if self.conflict is not None:
            in_background(self, partial(self._resolve, self.conflict), group="edit")

    async def _resolve(self, conflict: Conflict) -> None:
        async def work() -> None:
            before = self._resolved.get(conflict.path, conflict.marked)
            text = await in_editor(self.session, before or "", conflict.path)
            if "\n<<<<<<< " in f"\n{text}" or "\n>>>>>>> " in f"\n{text}":
                self.session.say("conflict markers are left in it: it is not resolved", bad=True)
                return
            self._resolved[conflict.path] = text if text.strip() else None

        if not await self.session.guarded("edit", work):
            self.session.say(self.session.problems.pop("edit"), bad=True)
        left = [each for each in self._found or () if each.path not in self._resolved]
        if left:
            self._at = (self._found or ()).index(left[0])
            self.redraw()
        elif self._found:
            intent = reviewing.resolution(self.session.backend, self._review, dict(self._resolved), moved=self._moved)
            self.app.push_screen(PlanScreen(self.session, intent, area=self.area), self._done)

    def _done(self, result: object) -> None:
        if isinstance(result, str):
            self.dismiss(result)
        else:
            self.redraw()


def marked_lines(conflict: Conflict) -> list[Line]:
    """What is around the conflicts of a file, each side in a tone of its own between the markers."""
    language, side = language_of(conflict.path), ""
    texts = conflict.marked.split("\n")
    found: list[Line] = []
    shown = _around(texts)
    for number, text in enumerate(texts):
        marker = text.startswith(("<<<<<<< ", ">>>>>>> ")) or text == "======="
        if marker:
            side = {"<": "the branch", "=": "main", ">": ""}[text[0]]
        if number not in shown:
            if number - 1 in shown:
                found.append(text_line(f"{'':11}{ELLIPSIS}", Tone.DIM))
        elif marker:
            found.append(text_line(text, Tone.HUNK))
        elif side:
            found.append(((f"{side:<10} ", Tone.DIM), *text_line(text, Tone.OK if side == "main" else Tone.WARN)))
        else:
            found.append(((" " * 11, Tone.PLAIN), *highlighted(language, safe(text), "")))
    return found


def _around(texts: Sequence[str]) -> set[int]:
    """The lines of conflicts, and some before and after; all of a file that has no markers."""
    begins = [number for number, text in enumerate(texts) if text.startswith("<<<<<<< ")]
    ends = [number for number, text in enumerate(texts) if text.startswith(">>>>>>> ")]
    if not begins:
        return set(range(min(len(texts), _SHOWN)))
    near = [range(first - _CONTEXT, last + _CONTEXT + 1) for first, last in zip(begins, ends, strict=False)]
    return {number for each in near for number in each if 0 <= number < len(texts)}

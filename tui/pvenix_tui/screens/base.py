"""What every screen has: the bar above, the body, a line for messages, and a footer made from the action registry."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import ClassVar, Final, Generic, TypeVar

from textual.app import ComposeResult
from textual.widget import Widget
from typing_extensions import override

from pvenix.model.errors import PvenixError
from pvenix_tui.actions import BY_ID, Action, Context, in_scope
from pvenix_tui.bindings import bindings
from pvenix_tui.exports import Exported
from pvenix_tui.models.lines import Line, Span, Tone, cells, text_line, wrap_at_most
from pvenix_tui.screens.leaving import Leaving
from pvenix_tui.session import Session, describe
from pvenix_tui.widgets.painted import TONE_CLASSES, Bar
from pvenix_tui.widgets.rows import Rows
from pvenix_tui.widgets.toosmall import TooSmall

Result = TypeVar("Result")
__all__ = ["PvenixScreen", "bindings"]


class PvenixScreen(Leaving[Result], Generic[Result]):
    """A full screen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    scope: ClassVar[str] = ""
    area: str = ""
    """Which of the areas is marked in the bar: the screen's own, or the one that it was opened from."""

    def __init__(self, session: Session, *, area: str = "") -> None:
        super().__init__()
        session.left_behind()
        self.session = session
        self.area = area or self.area

    @override
    def compose(self) -> ComposeResult:
        yield Bar(id="bar")
        yield from self.body()
        yield Bar(id="message")
        yield Bar(id="footer")
        yield TooSmall()

    def body(self) -> Iterable[Widget]:
        """The widgets between bar and footer."""
        return ()

    def context(self) -> Context:
        """Where the person is, for the registry."""
        return Context(scope=self.scope)

    def here(self) -> Context:
        """As `context`, with whether anything may be changed, and which hosts pvenix runs on."""
        return replace(self.context(), read_only=self.session.read_only, own=self.session.own)

    def exported(self) -> Exported | None:
        """What is copied and saved of the screen as a whole; None for what its list, document or log shows."""
        return None

    def where(self) -> str:
        """What the screen is about, in the bar."""
        return ""

    def on_mount(self) -> None:
        """Draw what is known."""
        self.redraw()

    @override
    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was in front."""
        self.redraw()

    def redraw(self) -> None:
        """Draw everything from the models."""
        for rows in self.query(Rows):
            rows.reload()
        self.refresh_bars()

    def reread(self) -> None:
        """Read what the screen shows again; the readings of the whole app are read by the app."""

    def read_again(self) -> None:
        """Read what grows old while the screen is in front; the app asks for it every half minute."""

    def on_rows_moved(self, _: Rows.Moved) -> None:
        """What is at the cursor decides what can be done."""
        self.refresh_bars()

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """A second click is the key Enter."""
        event.stop()
        action = next((action for action in in_scope(self.scope) if "enter" in action.key.split(",")), None)
        if action is not None:
            self.action_do(action.id)

    def action_do(self, action_id: str) -> None:
        """Do an action, or say why not."""
        action = BY_ID[action_id]
        reason = action.reason(self.here())
        if reason:
            self.session.refuse(f"{action.label}: {reason}")
            return
        self.session.acted()
        try:
            self.perform(action)
        except PvenixError as error:
            self.session.say(f"{action.label}: {describe(error)}", bad=True)
        self.refresh_bars()

    @property
    def leaves_with_area(self) -> bool:
        """Whether a person who goes to another area is done with it, as it would be old when they come back."""
        return False

    def back(self) -> bool:
        """Go one level back within the screen. False when there is none, so that the screen itself is left."""
        return False

    @property
    def run_id(self) -> str:
        """The run that shows, empty where none does."""
        return ""

    def perform(self, action: Action) -> None:
        """Do an action that is possible."""
        handler = getattr(self, "do_" + action.id.replace(".", "_"), None)
        if handler is None:
            raise NotImplementedError(f"{type(self).__name__} has no do_{action.id.replace('.', '_')}")
        handler()

    def show_bars(self) -> None:
        """Draw the lines that only this screen has."""

    def refresh_bars(self) -> None:
        """Draw bar, message and footer, and the screen's own lines."""
        if not self.is_mounted:
            return
        self.show_bars()
        width = self.size.width
        self.query_one("#bar", Bar).show(top_line(self.session, self.area, self.where(), width))
        message = self.query_one("#message", Bar)
        lines = message_lines(self.session, width)
        message.display = bool(lines)
        message.show(*(lines or [()]))
        items = footer_items(self.here(), width)
        self.query_one("#footer", Bar).show(tuple(span for _, item in items for span in item))

    async def on_bar_clicked(self, event: Bar.Clicked) -> None:
        """A click on a key of the footer, or on an area above, is that key."""
        items = {"footer": lambda: footer_items(self.here(), self.size.width), "bar": area_items}
        action = clicked(items[event.bar.id](), event.column) if event.bar.id in items else None
        if action is not None:
            event.stop()
            target = self.app if "app" in action.scopes else self
            await target.run_action(f"do('{action.id}')")


MESSAGE_LINES: Final = 3
"""Lines that a message may take at most."""
NAME: Final = " pvenix "
AREAS: Final = (
    ("fleet", "1 Fleet"),
    ("runs", "2 Runs"),
    ("reviews", "3 Reviews"),
    ("playbooks", "4 Playbooks"),
    ("journal", "5 Journal"),
)


def top_line(session: Session, area: str, where: str, width: int) -> Line:
    """Areas on the left, where one is; on the right the revision, live runs and the time."""
    spans: list[Span] = [(NAME, Tone.TITLE)]
    for name, label in AREAS:
        spans.append((f"[{label}]" if name == area else f" {label} ", Tone.STRONG if name == area else Tone.DIM))
    if where:
        spans += [("  ", Tone.PLAIN), *text_line(where, Tone.ACCENT)]
    right: list[Span] = []
    if session.commits:
        right.append((f"main {session.commits[0].id[:7]}  ", Tone.DIM))
    if session.live_runs:
        right.append((f"{session.live_runs} live  ", Tone.BUSY))
    right.append((time.strftime("%H:%M", time.localtime(session.clock())) + " ", Tone.DIM))
    if session.read_only:
        right.append(("RO ", Tone.WARN))
    room = width - cells(spans) - cells(right)
    while right and room < 1:
        room += cells(right[:1])
        del right[0]
    return (*spans, (" " * max(1, room), Tone.PLAIN), *right)


def message_lines(session: Session, width: int) -> list[Line]:
    """What was said last, else the first problem that stands, in at most three lines; empty when all is well."""
    if session.said is not None:
        glyph, tone = ("!", Tone.WARN) if session.said.bad else ("+", Tone.OK)
        return _message(f" {glyph} ", tone, text_line(session.said.text, tone), width)
    problem = next((f"{source}: {what}" for source, what in session.problems.items()), "")
    return _message(" x ", Tone.BAD, text_line(problem, Tone.WARN), width) if problem else []


def _message(glyph: str, tone: Tone, text: Line, width: int) -> list[Line]:
    return wrap_at_most(((glyph, tone), *text), width, MESSAGE_LINES, indent=3)


def footer_items(context: Context, width: int) -> list[tuple[Action, Line]]:
    """The keys that matter here, then others as far as there is room, help always the last.

    What cannot be done now is dim, and its key says why.
    """
    back, help_ = BY_ID["app.back"], BY_ID["app.help"]
    here = tuple(in_scope(context.scope))
    first = [action for action in here if action.footer]
    others = [action for action in here if not action.footer and action.key]
    room = width - cells(_footer_item(help_, context))
    fit: dict[str, Line] = {}
    for action in (*first, back, *others):
        item = _footer_item(action, context)
        room -= cells(item)
        if room < 0:
            break
        fit[action.id] = item
    shown = [action for action in (*first, *others, back) if action.id in fit]
    return [*((action, fit[action.id]) for action in shown), (help_, _footer_item(help_, context))]


def _footer_item(action: Action, context: Context) -> Line:
    dim = bool(action.reason(context))
    keys = action.key_label.split(" ")
    key = next((key for key in keys if len(key) > 1), keys[0]) if context.typing else keys[0]
    return (
        (f" {key}", Tone.DIM if dim else Tone.ACCENT),
        (f" {action.label} ", Tone.DIM if dim else Tone.PLAIN),
    )


def clicked(items: Sequence[tuple[Action, Line]], column: int) -> Action | None:
    """The action whose item covers this column of a bar, if one does."""
    for action, item in items:
        column -= cells(item)
        if column < 0:
            return action
    return None


def area_items() -> list[tuple[Action, Line]]:
    """The areas as they stand in the bar, with the program's name belonging to the first."""
    names: list[tuple[Action, Line]] = []
    for index, (name, label) in enumerate(AREAS):
        text = f"{NAME if not index else ''} {label} "
        names.append((BY_ID[f"app.{name}"], ((text, Tone.PLAIN),)))
    return names

"""Small screens in front of the others: the list of actions, a choice, a line of text, a yes or no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Final, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input
from typing_extensions import override

from pvenix_tui.actions import BY_ID
from pvenix_tui.models.choices import Choice, Choices
from pvenix_tui.models.lines import Column, Line, Tone, plain, text_line, wrap_at_most
from pvenix_tui.models.plan import ConfirmGate
from pvenix_tui.screens.leaving import Leaving
from pvenix_tui.text import foreign
from pvenix_tui.ticker import Clock
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.painted import TONE_CLASSES, Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.widgets.toosmall import TooSmall

Result = TypeVar("Result")
_NOTE_LINES: Final = 3
"""Lines that each part of what is said of a choice takes at most: the list is what the dialog is for."""
_AROUND_CHOICES: Final = 8
"""Lines of a choice's box beside the choices: border, filter, heading, and what is said of the one at the cursor."""


class Dialog(Leaving[Result | None], ModalScreen[Result | None], Generic[Result]):
    """A box in front of a screen; esc closes it with None."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    # priority: a field would take ctrl+c for copying, and the app's own keys do not reach a modal screen
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "close", "back"),
        Binding("ctrl+c,ctrl+q", "quit", "quit", show=False, priority=True),
    ]

    def on_mount(self) -> None:
        """What is too small for a screen is too small for this."""
        self.mount(TooSmall())

    def action_close(self) -> None:
        """Leave without a result."""
        self.dismiss(None)

    async def action_quit(self) -> None:
        """Leave without a result, and then the program, as the same keys do everywhere."""
        self.dismiss(None)
        await self.app.run_action(f"do('{BY_ID['app.quit'].id}')")


class Picker(Dialog[str]):
    """A list to choose from, with a filter; the result is the choice's key.

    Keys go to the filter, or with `browse` to the list as on every screen, until `/` or a digit begins a filter.
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[Column],
        choices: Sequence[Choice],
        *,
        cursor: str = "",
        browse: bool = False,
    ) -> None:
        super().__init__()
        self._browse = browse
        self._title = title
        self._choices = Choices(columns, choices)
        self._cursor = cursor
        self._note_height = 2
        """Never less than it was: the list must not jump while the cursor moves."""

    @override
    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = foreign(self._title)
            box.styles.height = self._choices.count() + _AROUND_CHOICES
            box.styles.max_height = "90%"
            begin = "/ filters" if self._browse else "type to filter"
            yield Field(hint=f"{begin}; enter chooses, esc goes back", id="pick-filter")
            yield Rows(self._choices, id="choices")
            yield Bar(id="note")

    @override
    def on_mount(self) -> None:
        """Put the keys and the cursor where they are asked to be."""
        rows = self.query_one("#choices", Rows)
        rows.skips = self._choices.is_heading
        if self._browse:
            rows.focus()
        if self._cursor:
            rows.begin_at(self._cursor)

    def on_key(self, event: Key) -> None:
        """Arrows and pages move in the list while the filter has the keys.

        A character comes here when the list has the keys, or when it was typed before the filter had them.
        """
        if self.takes(event.key):
            event.stop()
            event.prevent_default()
            return
        moves = {
            "down": "list.down",
            "up": "list.up",
            "pagedown": "list.page_down",
            "pageup": "list.page_up",
            "ctrl+n": "list.down",
            "ctrl+j": "list.down",
            "ctrl+k": "list.up",
        }
        if event.key in moves and isinstance(self.focused, Field):
            event.stop()
            event.prevent_default()
            self.query_one("#choices", Rows).action_do(moves[event.key])
        elif event.key == "enter":
            event.stop()
            self._choose()
        elif event.character and (event.character in "/0123456789" or (event.is_printable and not self._browse)):
            event.stop()
            field = self.query_one("#pick-filter", Field)
            field.focus()
            field.insert_text_at_cursor(event.character.removeprefix("/") if self._browse else event.character)

    def takes(self, key: str) -> bool:  # noqa: ARG002 a subclass looks at it
        """Whether the key was for something of its own."""
        return False

    def narrow(self, text: str) -> None:
        """Leave what the typed text leaves."""
        self._choices.filter(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter as the person types."""
        self.narrow(event.value)
        rows = self.query_one("#choices", Rows)
        rows.cursor = 0
        rows.show(self._choices)

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """A second click chooses."""
        event.stop()
        self._choose()

    def on_rows_moved(self, _: Rows.Moved) -> None:
        """Explain the choice at the cursor."""
        choice = self._at_cursor()
        note = self.query_one("#note", Bar)
        if choice is None:
            note.show(text_line("nothing matches", Tone.DIM), ())
            return
        lines = (
            text_line(choice.note, Tone.DIM),
            text_line(f"not now: {choice.disabled}" if choice.disabled else "", Tone.WARN),
            text_line(choice.command, Tone.DIM if choice.disabled else Tone.ACCENT),
        )
        width = max(1, note.size.width)
        pieces = [piece for line in lines if plain(line) for piece in wrap_at_most(line, width, _NOTE_LINES, indent=2)]
        self._note_height = max(self._note_height, len(pieces))
        note.show(*pieces, *[()] * (self._note_height - len(pieces)))

    def _at_cursor(self) -> Choice | None:
        key = self.query_one("#choices", Rows).key
        return next((choice for choice in self._choices.visible if choice.key == key), None)

    def _choose(self) -> None:
        choice = self._at_cursor()
        if choice is not None and not choice.disabled:
            self.chosen()
            self.dismiss(choice.key)

    def chosen(self) -> None:
        """What is to be kept of a choice."""


class Prompt(Dialog[str]):
    """One line of text; `wrong` says why a text will not do, and empty for one that will."""

    def __init__(
        self, title: str, *, value: str = "", hint: str = "", wrong: Callable[[str], str] = lambda _: ""
    ) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._wrong = title, value, hint, wrong

    @override
    def compose(self) -> ComposeResult:
        with Vertical(id="box", classes="small") as box:
            box.border_title = foreign(self._title)
            yield Field(self._value, hint=self._hint, id="line")
            bar = Bar(id="note")
            bar.show(_PROMPT_KEYS)
            yield bar

    @override
    def on_mount(self) -> None:
        """Show the end of a long value: that is what a person changes."""
        self.call_after_refresh(self.query_one("#line", Field).show_end)

    def on_key(self, event: Key) -> None:
        """What was typed before the line had the keys is meant for it."""
        if event.is_printable and event.character:
            event.stop()
            self.query_one("#line", Field).insert_text_at_cursor(event.character)

    def on_input_changed(self, _: Input.Changed) -> None:
        """What was wrong with the text need not be so any more."""
        self.query_one("#note", Bar).show(_PROMPT_KEYS)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The text is the result."""
        event.stop()
        text = event.value.strip()
        why = self._wrong(text)
        if why:
            self.query_one("#note", Bar).show(text_line(f" {why}", Tone.WARN))
        else:
            self.dismiss(text)


_PROMPT_KEYS: Final[Line] = (
    (" enter ", Tone.ACCENT), ("takes it   ", Tone.PLAIN), ("esc ", Tone.ACCENT), ("goes back", Tone.PLAIN)
)  # fmt: skip


class Confirm(Dialog[bool]):
    """A question; only y is yes, and not within half a second. `leaving`: so are the keys that asked it, pressed again."""

    def __init__(
        self, title: str, lines: Sequence[Line], *, clock: Clock, yes: str = "yes", leaving: bool = False
    ) -> None:
        super().__init__()
        self._title, self._lines, self._yes, self._leaving = title, tuple(lines), yes, leaving
        self._clock = clock
        self._gate = ConfirmGate(clock())

    @override
    def compose(self) -> ComposeResult:
        make: Callable[[int], Sequence[Line]] = lambda _width: self._lines  # noqa: E731 a name for the reader
        with Vertical(id="box", classes="small") as box:
            box.border_title = foreign(self._title)
            question = Rows(Document(make), cursor=False, id="question")
            question.styles.height = len(self._lines)
            yield question
            bar = Bar(id="note")
            key = " y or ctrl+c " if self._leaving else " y "
            bar.show(((key, Tone.ACCENT), (f"{self._yes}   ", Tone.PLAIN), ("esc ", Tone.ACCENT), ("no", Tone.PLAIN)))
            yield bar

    @override
    async def action_quit(self) -> None:
        """Asked whether to leave, the keys that leave mean it; from any other question they lead to that one."""
        if self._leaving:
            self._say_yes()
        else:
            await super().action_quit()

    def _say_yes(self) -> None:
        if self._gate.press(self._clock()):
            self.dismiss(True)  # noqa: FBT003 the dialog's result

    def on_key(self, event: Key) -> None:
        """Only y is yes; n is no."""
        if event.key == "y":
            event.stop()
            self._say_yes()
        elif event.key == "n":
            event.stop()
            self.dismiss(None)

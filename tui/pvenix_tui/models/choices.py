"""What a list to choose from offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from pvenix.model.verbs import Danger
from pvenix_tui.actions import Action, Context
from pvenix_tui.models.lines import Column, Line, Span, Tone
from pvenix_tui.models.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One line to choose."""

    key: str
    cells: tuple[Span, ...]
    note: str = ""
    """Shown below the list while the cursor is on it."""
    command: str = ""
    """The equivalent command line, below the note."""
    disabled: str = ""
    """Why it cannot be chosen, empty when it can."""
    group: str = ""
    """The heading that it stands under while nothing is filtered."""

    def matches(self, needle: str) -> bool:
        """True when the filter leaves it in."""
        return needle in " ".join((*(text for text, _ in self.cells), self.note, self.group, self.command)).casefold()

    def named(self, start: str) -> bool:
        """True when what it is called begins with `start`."""
        return self.key.rpartition(".")[2].casefold().startswith(start)


class Choices(Table[Choice]):
    """The source of a list of choices."""

    def __init__(self, columns: Sequence[Column], choices: Sequence[Choice]) -> None:
        super().__init__(columns, lambda: self.visible, _choice_cells, lambda choice: choice.key)
        self._all = tuple(choices)
        self.visible = self._grouped = tuple(_with_headings(self._all))

    def filter(self, text: str) -> None:
        """Keep the choices that contain every word of `text`, those first whose name begins with it."""
        words = text.casefold().split()
        found = [choice for choice in self._all if all(choice.matches(word) for word in words)]
        found.sort(key=lambda choice: not choice.named(words[0] if words else ""))
        self.visible = tuple(found) if words else self._grouped

    def put_first(self, choices: Sequence[Choice]) -> None:
        """Let these stand above what the filter left."""
        self.visible = (*choices, *self.visible)

    @override
    def line(self, index: int) -> Line:
        return self.visible[index].cells if self.is_heading(index) else super().line(index)

    def is_heading(self, index: int) -> bool:
        """True for a row that cannot be chosen, because it only names those below it."""
        return index < len(self.visible) and not self.visible[index].key


def _with_headings(choices: Iterable[Choice]) -> Iterator[Choice]:
    group = ""
    for choice in choices:
        if choice.group != group:
            group = choice.group
            yield Choice(key="", cells=((f"-- {group} --", Tone.TITLE),))
        yield choice


def _choice_cells(choice: Choice) -> Sequence[Span]:
    return [(text, Tone.DIM) for text, _ in choice.cells] if choice.disabled else choice.cells


def action_choices(actions: Iterable[Action], context: Context, *, keys: bool) -> list[Choice]:
    """Actions to choose from, with their keys where `keys` asks for them; what cannot be done now says why."""
    return [
        Choice(
            key=action.id,
            cells=(
                *([(action.key_label, Tone.ACCENT)] if keys else []),
                (action.label, Tone.STRONG),
                (action.danger.value if not reason else "not now", _DANGER_TONES[action.danger]),
                (action.help, Tone.PLAIN),
            ),
            note=action.help,
            command=action.command(context),
            disabled=reason,
            group="" if keys else action.group,
        )
        for action in actions
        for reason in (action.reason(context),)
    ]


_DANGER_TONES: Final = {
    Danger.READ: Tone.OK,
    Danger.REVERSIBLE: Tone.PLAIN,
    Danger.REBOOTS: Tone.WARN,
    Danger.DESTROYS: Tone.BAD,
}

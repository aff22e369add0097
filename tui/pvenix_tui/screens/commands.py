"""Every command and API call of a run, as it was sent."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.models.run import COMMANDS_KEPT, SentCommand
from pvenix_tui.runfiles.follower import RunFollower
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.session import Session
from pvenix_tui.widgets.rows import Document, Rows


class CommandsScreen(PvenixScreen[None]):
    """The commands log; the newest lines are at its end."""

    scope = "commands"
    BINDINGS: ClassVar[list[BindingType]] = bindings("commands")

    def __init__(self, session: Session, follower: RunFollower, *, area: str) -> None:
        super().__init__(session, area=area)
        self._follower = follower
        self._drawn = -1

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(Document(self._lines), cursor=False, id="commands")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.session.ticker.add(self)

    def on_unmount(self) -> None:
        """No more ticks."""
        self.session.ticker.remove(self)

    def ticking(self) -> bool:
        """True while it is in front."""
        return self.is_current

    def tick(self) -> None:
        """Draw new commands, staying at the end when it shows."""
        self._follower.poll("")
        if self._follower.model.commands_total != self._drawn:
            self._drawn = self._follower.model.commands_total
            rows = self.query_one("#commands", Rows)
            stay = not rows.at_end
            rows.reload()
            if not stay:
                rows.action_do("list.bottom")
            self.refresh_bars()

    @override
    def where(self) -> str:
        return f"{self._follower.model.commands_total} commands (w: changes something)"

    def _lines(self, width: int) -> list[Line]:
        model = self._follower.model
        older = model.commands_total - len(model.commands)
        lines: list[Line] = [text_line(f"{older} older ones are in the run's events", Tone.DIM)] if older else []
        for command in model.commands:
            lines += _command_lines(command, width)
        return lines or [text_line("nothing was sent yet", Tone.DIM)]


@lru_cache(maxsize=2 * COMMANDS_KEPT)
def _command_lines(command: SentCommand, width: int) -> tuple[Line, ...]:
    """A command as it was sent; kept, as all of them are laid out again whenever one comes."""
    line: Line = (
        (command.at[11:19] + " ", Tone.DIM),
        (f"{command.channel:<5}", Tone.ACCENT),
        ("w " if command.writes else "  ", Tone.WARN),
        *text_line(f"{command.host}  ", Tone.STRONG),
        *text_line(command.text),
    )
    return tuple(wrap(line, width, indent=16))

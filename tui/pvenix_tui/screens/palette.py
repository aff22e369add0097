"""Every action by name, and what can be typed: `rebuild role_vllm`, a host's name; up and down walk what was typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from typing_extensions import override

from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column
from pvenix_tui.models.typed import History
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.rows import Rows

ACTION_COLUMNS: Final = (
    Column(title="KEY", width=12),
    Column(title="ACTION", width=16),
    Column(title="REACH", width=10, keep=1),
    Column(title="WHAT IT DOES", width=26, grow=1, prose=True),
)


class Palette(Picker):
    """The picker of actions; `typed` gives the choices that a line means by itself."""

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        *,
        typed: Callable[[str], list[Choice]],
        history: History,
        keep: Callable[[list[str]], None],
    ) -> None:
        super().__init__(title, ACTION_COLUMNS, choices)
        self._typed = typed
        self._history = history
        self._keep = keep

    @override
    def takes(self, key: str) -> bool:
        field = self.query_one("#pick-filter", Field)
        walks = self._history.at > 0 or (not field.value and self.query_one("#choices", Rows).cursor == 0)
        line = self._history.walk(back=key == "up") if key in ("up", "down") and walks else None
        if line is None:
            return False
        field.value = line
        field.cursor_position = len(line)
        return True

    @override
    def narrow(self, text: str) -> None:
        super().narrow(text)
        self._choices.put_first(self._typed(text))

    @override
    def chosen(self) -> None:
        line = self.query_one("#pick-filter", Field).value.strip()
        if line:
            self._keep(self._history.add(line))

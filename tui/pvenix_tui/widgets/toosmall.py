"""What stands in the place of everything where a screen would be cut to pieces."""

from __future__ import annotations

from typing import Final

from textual.screen import Screen
from typing_extensions import override

from pvenix_tui.models.lines import Tone, text_line
from pvenix_tui.widgets.painted import Bar

LEAST: Final = (60, 15)
"""Columns and rows below which nothing is shown but this."""


class TooSmall(Bar):
    """One line over all else."""

    @override
    def on_mount(self) -> None:
        """Look at the size whenever the screen has another one."""
        self.screen.screen_layout_refresh_signal.subscribe(self, self._look, immediate=True)
        self._look(self.screen)

    def _look(self, _: Screen[object]) -> None:
        columns, rows = self.app.size
        small = columns < LEAST[0] or rows < LEAST[1]
        if small != self.display:
            self.display = small
        if small:
            self.show(text_line(f"terminal too small: {columns}x{rows}, needs {LEAST[0]}x{LEAST[1]}", Tone.WARN))

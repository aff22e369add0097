"""Other colours for this window: what `theme` of the palette offers."""

from __future__ import annotations

from typing import Final

from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Tone
from pvenix_tui.screens.dialogs import Picker
from pvenix_tui.themes import SWITCHED, ThemeName

COLUMNS: Final = (Column(title="THEME", width=12), Column(title="", width=20, grow=1))
_WORDS: Final = {
    ThemeName.DARK: "light text on dark ground",
    ThemeName.LIGHT: "dark text on light ground",
    ThemeName.BLUE_ORANGE: "for eyes that mix red and green",
}


def theme_menu(shown: ThemeName) -> Picker:
    """The themes between which a window can change; the result is the name of one."""
    choices = [
        Choice(key=name.value, cells=((name.value, Tone.STRONG), (_WORDS[name], Tone.PLAIN)), note=kept_by(name))
        for name in SWITCHED
    ]
    return Picker("Which colours?", COLUMNS, choices, cursor=shown.value, browse=True)


def kept_by(name: ThemeName) -> str:
    """Where a theme is made the one of every window."""
    return f"`theme: {name.value}` in tui.yaml keeps it for the next session"

"""The colours: one for each tone and each background of the style sheet, for every theme."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from textual.theme import Theme


class ThemeName(StrEnum):
    """What `--theme` and tui.yaml take."""

    DARK = "dark"
    LIGHT = "light"
    BLUE_ORANGE = "blue-orange"
    """States differ in blue, orange and brightness alone, which every kind of colour vision tells apart."""
    TERMINAL = "terminal"
    """The sixteen colours that the terminal itself defines."""


SWITCHED: Final = (ThemeName.DARK, ThemeName.LIGHT, ThemeName.BLUE_ORANGE)
"""Between these a window can change; the terminal's own colours are chosen when it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """CSS colours; the first six are backgrounds, `line` is of borders, the rest are tones of the same name."""

    background: str
    surface: str
    panel: str
    boost: str
    cursor: str
    aside: str
    """The cursor of a pane that has not the keys."""
    line: str
    plain: str
    dim: str
    strong: str
    title: str
    ok: str
    warn: str
    bad: str
    busy: str
    accent: str
    hunk: str
    match: str
    """What a search found: drawn in reverse."""

    @property
    def backgrounds(self) -> tuple[str, ...]:
        """Everything that text may stand on."""
        return self.background, self.surface, self.panel, self.boost, self.cursor, self.aside

    @property
    def tones(self) -> dict[str, str]:
        """The colour of each tone."""
        return {field.name: getattr(self, field.name) for field in fields(self)[7:]}


PALETTES: Final = {
    ThemeName.DARK: Palette(
        background="#14171a", surface="#1a1f24", panel="#222a31", boost="#1e242a", cursor="#2a4560", aside="#2c343c",
        line="#4f6b85",
        plain="#e4e7ea", dim="#a9b4be", strong="#ffffff", title="#8ac8ff", ok="#6fdc98", warn="#f5c062", bad="#ffa0a0",
        busy="#8fc4ff", accent="#ffbd66", hunk="#b5c6ff",
        match="#ffe08a",
    ),
    ThemeName.LIGHT: Palette(
        background="#fbfbfa", surface="#f3f4f3", panel="#e6e9eb", boost="#eef0f1", cursor="#cfe3f7", aside="#dcdfe2",
        line="#7f95a8",
        plain="#1c2126", dim="#4b5660", strong="#000000", title="#0b4a82", ok="#0f5c2b", warn="#7a4600", bad="#a3121a",
        busy="#0a559e", accent="#7d3f00", hunk="#453a9e",
        match="#6b4a00",
    ),
    ThemeName.BLUE_ORANGE: Palette(
        background="#101418", surface="#161c22", panel="#1e262e", boost="#1a2128", cursor="#23405c", aside="#29323b",
        line="#51708c",
        plain="#e6e9ec", dim="#a8b3bd", strong="#ffffff", title="#cfe4f7", ok="#6cc0f5", warn="#f7e27a", bad="#ffa04d",
        busy="#a9d6ff", accent="#f2c14e", hunk="#c3d4ee",
        match="#f7e27a",
    ),
    ThemeName.TERMINAL: Palette(
        background="ansi_default", surface="ansi_default", panel="ansi_default", boost="ansi_default",
        cursor="ansi_default", aside="ansi_default", line="ansi_default", plain="ansi_default", dim="ansi_default", strong="ansi_default",
        title="ansi_default", ok="ansi_green", warn="ansi_yellow", bad="ansi_red", busy="ansi_cyan",
        accent="ansi_yellow", hunk="ansi_magenta",
        match="ansi_yellow",
    ),
}  # fmt: skip


def make_theme(name: ThemeName) -> Theme:
    """The theme as Textual takes it; the style sheet reads `$tone-<tone>`, `$cursor`, `$aside` and `$line` from it."""
    from textual.theme import BUILTIN_THEMES, Theme

    terminal = name is ThemeName.TERMINAL
    theirs = BUILTIN_THEMES["ansi-dark"].variables if terminal else {}  # what Textual's own style sheets ask for then
    colours = PALETTES[name]
    return Theme(
        name=f"pvenix-{name.value}",
        primary=colours.busy,
        secondary=colours.busy,
        warning=colours.warn,
        error=colours.bad,
        success=colours.ok,
        accent=colours.accent,
        foreground=colours.plain,
        background=colours.background,
        surface=colours.surface,
        panel=colours.panel,
        boost=colours.boost,
        dark=name is not ThemeName.LIGHT,
        ansi=terminal,
        variables=theirs
        | {"cursor": colours.cursor, "aside": colours.aside, "line": colours.line}
        | {f"tone-{tone}": colour for tone, colour in colours.tones.items()},
    )

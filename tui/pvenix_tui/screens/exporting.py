"""The copy menu and saving: what of a screen can leave it, whatever screen that is."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from textual.widget import Widget

from pvenix.model.errors import PvenixError
from pvenix_tui.actions import in_scope
from pvenix_tui.exports import Exported, fits_clipboard, full_path, save, suggested_path
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.lines import Column, Tone, plain
from pvenix_tui.models.logpane import Lines
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.session import Session, describe
from pvenix_tui.text import clean
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.rows import Rows

WIDE: Final = 240
"""Columns for which a list is laid out to be copied, so that nothing is cut."""
PLACEHOLDER: Final = re.compile(r"\b[A-Z][A-Z]+\b|\bN\b")
"""A word that a person has to put something in the place of."""
LOG_LINES: Final = 200_000
"""Of a longer log the newest lines; the run's directory has all of it."""
COPY_COLUMNS: Final = (Column(title="WHAT", width=14), Column(title="TEXT", width=30, grow=1))


def text_of(screen: PvenixScreen[object]) -> Exported | None:
    """The list, document or log that has the keys, else the first of the screen; as a whole."""
    widget = next(_sources(screen), None)
    own = screen.exported()
    if own is not None or widget is None:
        return own
    name = f"{screen.scope}-{screen.where()}" if screen.where() else screen.scope
    if isinstance(widget, LogView):
        return Exported(name=name, lines=_log(widget.pane.lines))
    return Exported(name=name, lines=_lines(widget))


def _sources(screen: PvenixScreen[object]) -> Iterator[Rows | LogView]:
    found: list[Widget] = [widget for widget in (screen.focused, *screen.query("Rows, LogView")) if widget is not None]
    return (widget for widget in found if isinstance(widget, Rows | LogView) and widget.display)


def _log(lines: Lines) -> tuple[str, ...]:
    """A log from its first line, or the newest LOG_LINES of it."""
    while lines.end - lines.first < LOG_LINES and lines.more():
        pass
    first = max(lines.first, lines.end - LOG_LINES)
    return tuple(lines.line(number) for number in range(first, lines.end))


def _lines(rows: Rows) -> tuple[str, ...]:
    header = rows.source.layout(WIDE)
    try:
        body = [plain(rows.source.line(index)) for index in range(rows.source.count())]
    finally:
        rows.reload()
    return (*((plain(header),) if header is not None else ()), *body)


def _row(rows: Rows) -> str:
    rows.source.layout(WIDE)
    try:
        return " ".join(plain(rows.source.line(rows.cursor)).split())
    finally:
        rows.reload()


def copies_of(screen: PvenixScreen[object]) -> dict[str, str]:
    """What can be copied, by its name in the menu."""
    found: dict[str, str] = {}
    rows = next((widget for widget in _sources(screen) if isinstance(widget, Rows) and widget.has_cursor), None)
    if rows is not None and rows.key:
        found["the row"] = _row(rows)
        found["its id"] = rows.key
    elif len(hosts := screen.here().hosts) == 1:  # tiles, or a document about a host
        found["the host"] = hosts[0]
    whole = text_of(screen)
    if whole is not None and whole.lines:
        found["everything"] = whole.text
    return found


def commands_of(screen: PvenixScreen[object]) -> dict[str, tuple[str, str]]:
    """What can be done here, as command lines that are complete with why it cannot be now, by the name of the action."""
    here = screen.here()
    found = {action.label: (action.command(here), action.disabled_reason(here)) for action in in_scope(screen.scope)}
    return {label: (line, why) for label, (line, why) in found.items() if line and not PLACEHOLDER.search(line)}


def open_copy_menu(screen: PvenixScreen[object]) -> None:
    """Offer what can be copied."""
    texts, commands = copies_of(screen), commands_of(screen)
    found = texts | {f"$ {label}": line for label, (line, _) in commands.items()}
    refused = {f"$ {label}": why for label, (_, why) in commands.items() if why}
    if not found:
        screen.session.refuse("copy: there is nothing to copy here")
        return
    choices = [
        Choice(
            key=name,
            cells=(
                (name, Tone.DIM if name in refused else Tone.STRONG),
                (" ".join(text[:WIDE].split()), Tone.DIM if name in refused else Tone.PLAIN),
            ),
            note=_size(text) + (f"; not now: {refused[name]}" if name in refused else ""),
            group="this" if name in texts else "the same from a shell",
        )
        for name, text in found.items()
    ]

    def chosen(name: str | None) -> None:
        if name is not None:
            copy(screen, name, found[name])

    screen.app.push_screen(Picker("Copy", COPY_COLUMNS, choices, browse=True), chosen)


def _size(text: str) -> str:
    lines = text.count("\n")
    return f"{lines} lines, {len(text.encode())} bytes" if lines > 1 else "one line"


def copy(screen: PvenixScreen[object], what: str, text: str) -> None:
    """Hand a text to the terminal's clipboard, or where it is too much for that to a file."""
    session = screen.session
    text = "\n".join(clean(line) for line in text.split("\n"))  # it may be pasted into a shell
    if fits_clipboard(text):
        screen.app.copy_to_clipboard(text)
        session.say(f"copied {what}: {_size(text)} (OSC 52; a terminal may ask or refuse)")
        return
    folder = session.backend.state_dir
    path = suggested_path(folder, f"{screen.scope}-{what}", session.clock())
    _save(session, str(path), text, "too much for the clipboard: ")


def open_save_prompt(screen: PvenixScreen[object]) -> None:
    """Ask for the file, and write what the screen shows into it."""
    found = text_of(screen)
    if found is None or not found.lines:
        screen.session.refuse("save: there is nothing to save here")
        return
    session = screen.session
    path = suggested_path(session.backend.state_dir, found.name, session.clock())

    def typed(answer: str | None) -> None:
        if answer:
            _save(session, answer, found.text, "")

    screen.app.push_screen(Prompt("Save into which file?", value=str(path), wrong=wrong_path), typed)


def wrong_path(text: str) -> str:
    """Why nothing can be written there, as far as a look tells; empty when it can."""
    if not text:
        return "a file must have a name"
    try:
        path = full_path(text)
    except PvenixError as error:
        return error.what
    if os.path.isdir(path):  # noqa: PTH112 Path.is_dir raises where nobody may look
        return "that is a folder; name a file in it"
    return "there is such a file already; name another" if os.path.lexists(path) else ""


def _save(session: Session, path: str, text: str, why: str) -> None:
    try:
        written = save(Path(path), [text])
    except PvenixError as error:
        session.say(describe(error), bad=True)
    else:
        session.say(f"{why}{_size(text)} in {_short(written)}")


def _short(path: Path) -> str:
    """With `~` for the person's home."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)

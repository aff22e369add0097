"""Foreign text on its way to the screen: the second wall, and the one way into Textual's own widgets.

Textual writes control characters of its content straight to the terminal and reads `str` as markup (facts T3-T5), so
text from guests, Git, Proxmox or the inventory passes `safe` when a widget draws it, whoever cleaned it before, and
enters a Textual widget only as the `Content` that `foreign` makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix.adapters.text import last_segment, sanitise
from pvenix.model.secret import KNOWN
from pvenix_tui.glyphs import drawn

if TYPE_CHECKING:
    from textual.content import Content


def safe(text: str) -> str:
    """`text` as the terminal shows it: as `clean` gives it, and where only ASCII can be drawn with nothing else."""
    return drawn(clean(text))


def clean(text: str) -> str:
    """`text` on one line without controls; invisible and reordering characters as `<U+202E>`, tabs as spaces."""
    if text.isascii() and text.isprintable():
        return KNOWN.clean(text)
    return " ".join(sanitise(text).replace("\t", "    ").splitlines())


def safe_output(line: str) -> str:
    """A line of a program's output as `safe` gives it; of a progress display only what a terminal shows last."""
    if line.isascii() and line.isprintable():
        return KNOWN.clean(line)
    return safe(last_segment(line))


def foreign(text: str) -> Content:
    """`text` as content that no widget reads as markup."""
    from textual.content import Content

    return Content(safe(text))

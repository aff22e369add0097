"""Every kind of widget that can show foreign text, each with every attack: `python -m tests.tui.zoo DIR [ATTACK…]` on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.events import Paste
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from pvenix.model.review import FileDiff
from pvenix_tui.app import PvenixApp
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.diff import DiffDocument
from pvenix_tui.models.lines import Column, Line, Tone, text_line
from pvenix_tui.models.logpane import LogPane
from pvenix_tui.models.newhost import FORM
from pvenix_tui.models.ring import LineRing
from pvenix_tui.models.table import Table
from pvenix_tui.screens.dialogs import Confirm, Picker, Prompt
from pvenix_tui.session import Session
from pvenix_tui.text import foreign
from pvenix_tui.widgets.diffpane import DiffPane
from pvenix_tui.widgets.field import Field
from pvenix_tui.widgets.formrow import FormRow
from pvenix_tui.widgets.logview import LogView
from pvenix_tui.widgets.painted import TONE_CLASSES, Bar, Painted
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.widgets.tilegrid import TileGrid
from pvenix_tui.widgets.toosmall import TooSmall
from tests.tui.attacks import ATTACKS
from tests.tui.fake_backend import FakeBackend
from tests.tui.terminal import ROOT

HEIGHT: Final = 4
"""Lines of each widget."""
DONE: Final = "the zoo is through"
Make = Callable[[str], Widget]


def raw(text: str) -> Line:
    """A line as a model that forgot to clean it would make it: only the widget's own wall stands in the way."""
    return ((text, Tone.PLAIN),)


def bar(text: str) -> Widget:
    found = Bar()
    found.show(raw(text), text_line(text))
    return found


def rows(text: str) -> Widget:
    found = Rows(Document(lambda _: [raw(text), text_line(text)]), cursor=False)
    found.border_subtitle = foreign(text)
    return found


def table(text: str) -> Widget:
    columns = (Column(title=text, width=10, grow=1), Column(title="B", width=20, prose=True))
    return Rows(Table(columns, lambda: [text], lambda each: ((each, Tone.OK), (each, Tone.BAD)), lambda each: each))


def log(text: str) -> Widget:
    ring = LineRing(1 << 20)
    ring.extend(text.split("\n"))
    pane = LogPane(ring, wrapping=True)
    pane.search(text[:20])
    return LogView(pane)


def painted(text: str) -> Widget:
    class Plain(Painted):
        @override
        def render_line(self, y: int) -> Strip:
            return self.strip(raw(text) if y == 0 else (), self.size.width)

    return Plain()


def diff(text: str) -> Widget:
    pane = DiffPane()
    file = FileDiff(path=f"nix/{text[:1000]}.nix", kind="host", added=1, removed=1,
                    unified=f"@@ -1,1 +1,1 @@ {text}\n-{text}\n+{text}")  # fmt: skip
    pane.open(DiffDocument(file))
    pane.border_title = foreign(text)
    return pane


def field(text: str) -> Widget:
    found = Field(text, hint=text)
    found.call_after_refresh(lambda: found.post_message(Paste(text[:100_000])))
    return found


def hinted(text: str) -> Widget:
    return Field("", hint=text)


def boxed(kind: Callable[..., Widget]) -> Make:
    def make(text: str) -> Widget:
        box = kind(bar(text))
        box.border_subtitle = foreign(text)
        box.styles.border = ("round", "red")
        return box

    return make


def form_row(text: str) -> Widget:
    return FormRow(FORM[0], text)


def tiles(text: str) -> Widget:
    return TileGrid(lambda _width, _height: [raw(text)])


WIDGETS: Final[dict[str, tuple[type[Widget], Make]]] = {
    "bar": (Bar, bar),
    "rows": (Rows, rows),
    "table": (Rows, table),
    "painted": (Painted, painted),
    "log": (LogView, log),
    "diff": (DiffPane, diff),
    "tiles": (TileGrid, tiles),
    "field": (Field, field),
    "hint": (Field, hinted),
    "toosmall": (TooSmall, lambda _: TooSmall()),
    "vertical": (Vertical, boxed(Vertical)),
    "horizontal": (Horizontal, boxed(Horizontal)),
    "container": (Container, boxed(Container)),
    "verticalscroll": (VerticalScroll, boxed(VerticalScroll)),
    "input": (Input, field),
    "form": (FormRow, form_row),
}
"""Each kind with its class; a kind that exists and is not here fails a test."""
COLUMNS: Final = (Column(title="A", width=20), Column(title="B", width=20, grow=1, prose=True))


def picker(text: str) -> Screen[Any]:
    choice = Choice(key=text[:50], cells=raw(text) * 2, note=text, command=text, disabled=text, group=text)
    return Picker(text, COLUMNS, [choice])


DIALOGS: Final[dict[str, Callable[[str], Screen[Any]]]] = {
    "picker": picker,
    "prompt": lambda text: Prompt(text, value=text, hint=text, wrong=lambda _: text),
    "confirm": lambda text: Confirm(text, [raw(text)], clock=lambda: 0.0, yes=text[:1000]),
}


class Cage(Screen[None]):
    """One of each kind, all with the same text."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    @override
    def compose(self) -> ComposeResult:
        for name, (_, make) in WIDGETS.items():
            widget = make(self._text)
            widget.styles.height = HEIGHT
            widget.border_title = foreign(f"kind {name}")  # a kind that draws nothing at all would prove nothing
            widget.styles.border_top = ("round", "red")
            yield widget


class Zoo(PvenixApp):
    """Shows one case after the other, each until it was drawn, and ends."""

    CSS_PATH = str(ROOT / "tui" / "pvenix_tui" / "styles" / "app.tcss")

    def __init__(self, folder: Path, only: Sequence[str]) -> None:
        super().__init__(Session(FakeBackend(folder)), ticking=False)
        self._only = only

    @override
    def _after_first_paint(self) -> None:
        self.run_worker(self._show_all(), exit_on_error=True)

    async def _show_all(self) -> None:
        for attack, text in ATTACKS.items():
            if self._only and attack not in self._only:
                continue
            self.title, self.sub_title = text[:1000], text[:1000]
            for screen in (Cage(text), *(dialog(text) for dialog in DIALOGS.values())):
                await self.push_screen(screen)
                await self._drawn(screen)
                await self.pop_screen()
            self.tell_terminal(text)
            self.session.say(text, bad=True)
            self.session.problems["x"] = text
            self.screen.refresh_bars()  # type: ignore[attr-defined] # the fleet's
            await self._drawn(self.screen)
        self.exit(0)

    async def _drawn(self, screen: Screen[Any]) -> None:
        """Two rounds of drawing: the second shows what the first one's messages brought about."""
        from asyncio import Event

        for _ in range(2):
            seen = Event()
            screen.call_after_refresh(seen.set)
            screen.refresh(layout=True)
            await seen.wait()


def main() -> int:
    app = Zoo(Path(sys.argv[1]), sys.argv[2:])
    app.run(mouse=False)
    sys.stdout.write(f"{DONE}\n" if app.return_code == 0 else "")
    return app.return_code or 0


if __name__ == "__main__":
    raise SystemExit(main())

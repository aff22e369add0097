"""Every kind of widget with every attack on a real terminal: what arrives there is the app's own and nothing else."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from textual.screen import Screen
from textual.widget import Widget

import pvenix_tui
from tests.tui.attacks import ATTACKS
from tests.tui.screenbytes import wrong_in
from tests.tui.terminal import ROOT, on_terminal
from tests.tui.zoo import DONE, HEIGHT, WIDGETS

pytestmark = pytest.mark.tui


def test_what_is_read_strictly_is_told() -> None:
    for bad in (b"\x1b[2J", b"\x1b]0;x\x07", b"\x1b[38;2;1;2;3m", b"\x1b[77;777H", b"\x9b", "\x9b".encode(), b"\x1b[6n",
                "\u202e".encode(), b"\x07", b"\x1bc", b"\x1b[?9001h", b"\x1b]52;c;UFdORUQ=\x07", b"a\x1b"):  # fmt: skip
        assert wrong_in(bad, columns=80, rows=24), bad
    assert not wrong_in(b"\x1b[?1049h\x1b[1;24Hab\x1b[38;2;9;9;9m\xc3\xa9\x1b[0m\x1b[?25l\r\n", columns=80, rows=24)


def test_every_kind_of_widget_there_is_is_in_the_zoo() -> None:
    for module in pkgutil.walk_packages(pvenix_tui.__path__, "pvenix_tui."):
        importlib.import_module(module.name)
    known = {kind for kind, _ in WIDGETS.values()}
    ours = {
        kind for kind in _below(Widget) if kind.__module__.startswith("pvenix_tui") and not issubclass(kind, Screen)
    }
    assert ours <= known, f"without a proof: {ours - known}"


def test_every_stock_widget_that_is_used_is_in_the_zoo() -> None:
    used: set[str] = set()
    for path in (ROOT / "tui" / "pvenix_tui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in ("textual.widgets", "textual.containers"):
                used |= {name.name for name in node.names}
            toast = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "notify"
            assert not toast, f"{path.name} shows a toast: its text must be proved here first"
    assert used <= {kind.__name__ for kind, _ in WIDGETS.values()}, used


def _below(kind: type[Widget]) -> set[type[Widget]]:
    return {each for child in kind.__subclasses__() for each in (child, *_below(child))}


ROWS, COLUMNS = HEIGHT * len(WIDGETS) + 1, 80


@pytest.mark.timeout(180)
def test_nothing_of_any_attack_reaches_a_terminal_from_any_widget(tmp_path: Path) -> None:
    with on_terminal("tests.tui.zoo", str(tmp_path), *ATTACKS, home=tmp_path, size=(ROWS, COLUMNS)) as terminal:
        code = terminal.end(patience_s=150)
    assert (code, DONE in terminal.data.decode("utf-8", "replace")[-200:]) == (0, True), terminal.data[-3000:]
    assert wrong_in(terminal.data, columns=COLUMNS, rows=ROWS, tells=True) == []
    for name in WIDGETS.keys() - {
        "toosmall"
    }:  # which shows itself only where there is no room, and then no foreign text
        drawn = terminal.data.count(f"kind {name}".encode())
        assert drawn >= len(ATTACKS), f"{name} was not drawn with every attack, but {drawn} times"

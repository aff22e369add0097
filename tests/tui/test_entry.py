"""The command line of pvenix-tui against tui.yaml."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvenix_tui import glyphs
from pvenix_tui.entry import main, parser, preferred
from pvenix_tui.themes import ThemeName

pytestmark = pytest.mark.tui


@pytest.fixture(autouse=True)
def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PVENIX_READ_ONLY", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "pvenix").mkdir()
    yield
    glyphs.use_ascii(False)


def said(folder: Path, text: str) -> None:
    (folder / "pvenix" / "tui.yaml").write_text(text)


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    assert preferred(parser().parse_args([])).theme is ThemeName.DARK
    said(tmp_path, "theme: light\n")
    assert preferred(parser().parse_args([])).theme is ThemeName.LIGHT
    assert preferred(parser().parse_args(["--theme", "terminal"])).theme is ThemeName.TERMINAL


@pytest.mark.parametrize(
    ("case", "ascii_only"),
    [
        (([], "", {"LANG": "de_DE.UTF-8"}), False),
        ((["--ascii"], "", {"LANG": "de_DE.UTF-8"}), True),
        (([], "ascii: true\n", {}), True),
        (([], "", {"LC_ALL": "C"}), True),
        (([], "", {"LC_ALL": "en_US.ISO-8859-1", "LANG": "de_DE.UTF-8"}), True),
        (([], "", {}), False),
    ],
)
def test_ascii_is_asked_for_or_all_that_the_terminal_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[list[str], str, dict[str, str]], ascii_only: bool
) -> None:
    words, text, variables = case
    said(tmp_path, text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    preferred(parser().parse_args(words))
    assert glyphs.is_ascii() is ascii_only


@pytest.mark.parametrize(("words", "text"), [(["--read-only"], ""), ([], "read_only: true\n")])
def test_read_only_reaches_what_the_window_starts(tmp_path: Path, words: list[str], text: str) -> None:
    said(tmp_path, text)
    assert preferred(parser().parse_args(words)).read_only
    assert os.environ["PVENIX_READ_ONLY"] == "1"


def test_a_wrong_file_ends_the_program_with_its_line_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(tmp_path, "theme: light\nkeys:\n  app.help: q\n")
    assert main([]) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path}/pvenix/tui.yaml:3:3: error" in told
    assert "q would be both app.help and app.quit" in told
    assert "Traceback" not in told
    assert told.splitlines()[0] == f"{tmp_path}/pvenix/tui.yaml is wrong"


def test_an_interrupt_before_the_first_paint_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pvenix_tui.entry.preferred", interrupted)
    assert main([]) == 130

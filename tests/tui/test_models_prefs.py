"""What a person prefers: colours that can be read, keys that mean one thing, files that are told when wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pvenix.model.errors import InvalidInput
from pvenix_tui.actions import BY_ID
from pvenix_tui.actions.keymap import problems, remap
from pvenix_tui.models.lines import Tone
from pvenix_tui.prefs import Notify, Preferences, load, path_of_preferences
from pvenix_tui.themes import PALETTES, ThemeName

pytestmark = pytest.mark.tui
READABLE = 4.5
"""WCAG 2.2, 1.4.3: the least contrast of text and what it stands on."""


@pytest.fixture
def _own_keys() -> Iterator[None]:
    yield
    remap({})


def luminance(colour: str) -> float:
    parts = (int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", [name for name in ThemeName if name is not ThemeName.TERMINAL])
def test_every_tone_can_be_read_on_every_background_of_its_theme(name: ThemeName) -> None:
    palette = PALETTES[name]
    low = {
        (tone, background): round(contrast(colour, background), 2)
        for tone, colour in palette.tones.items()
        for background in palette.backgrounds
        if contrast(colour, background) < READABLE
    }
    assert not low


def test_a_theme_has_a_colour_for_each_tone_and_the_terminals_own_are_its_own() -> None:
    for name, palette in PALETTES.items():
        assert set(palette.tones) == set(Tone)
        own = [colour.startswith("ansi_") for colour in (*palette.tones.values(), *palette.backgrounds)]
        assert all(own) is any(own) is (name is ThemeName.TERMINAL)


def test_good_and_bad_differ_in_blue_and_orange_for_eyes_that_mix_red_and_green() -> None:
    palette = PALETTES[ThemeName.BLUE_ORANGE]
    good, bad = palette.ok, palette.bad
    assert int(good[5:7], 16) > int(good[1:3], 16) + 80, "blue, not green"
    assert int(bad[1:3], 16) > int(bad[5:7], 16) + 80, "orange, without blue"


def written(folder: Path, text: str) -> Path:
    path = folder / "tui.yaml"
    path.write_text(text)
    return path


def test_a_file_says_everything_and_none_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "none.yaml") == Preferences()
    assert load(written(tmp_path, "# nothing yet\n")) == Preferences()
    text = "theme: light\nascii: true\nmouse: false\nread_only: true\nnotify: osc9\nkeys:\n  app.help: [f1, f12]\n  app.refresh: []\n  app.quit: f10\n"
    assert load(written(tmp_path, text)) == Preferences(
        theme=ThemeName.LIGHT, ascii=True, mouse=False, read_only=True, notify=Notify.OSC9,
        keys={"app.help": ("f1", "f12"), "app.refresh": (), "app.quit": ("f10",)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("theme: pink\n", ":1:8", ("theme must be one of dark, light, blue-orange, terminal",)),
        ("ascii: maybe\n", ":1:8", ("ascii must be true or false",)),
        ("notify: loud\n", ":1:9", ("none, bell, osc9",)),
        ("thme: dark\n", ":1:1", ("did you mean theme?",)),
        ("- dark\n", ":1:1", ("must be a map",)),
        ("keys: r\n", ":1:7", ("keys must be a map",)),
        ("keys:\n  app.hlp: h\n", ":2:3", ("there is no action 'app.hlp'", "did you mean app.help?")),
        ("keys:\n  app.help: hyper+h\n", ":2:3", ("'hyper+h' is no key",)),
        ("keys:\n  app.help: {a: b}\n", ":2:13", ("must be a key or a list of keys",)),
        ("keys:\n  app.help: q\n", ":2:3", ("q would be both app.help and app.quit",)),
        ("keys:\n  app.help: f11\n  app.refresh: [f11]\n", ":3:3", ("f11 would be both app.help and app.refresh",)),
        ("keys:\n  list.top: [a\n", ":2:13", ("error",)),
        ("theme: dark\ntheme: light\n", ":2:1", ("theme",)),
    ],
)
def test_a_wrong_file_is_told_with_the_line_and_what_would_do(
    tmp_path: Path, text: str, place: str, words: tuple[str, ...]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidInput) as wrong:
        load(path)
    told = "\n".join(str(finding) for finding in wrong.value.findings)
    assert f"{path}{place}" in told
    for word in words:
        assert word in told


def test_two_actions_may_change_places(tmp_path: Path) -> None:
    assert not list(problems({"list.down": ("k", "down"), "list.up": ("j", "up")}))


def test_the_file_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert path_of_preferences() == tmp_path / "pvenix" / "tui.yaml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert path_of_preferences() == Path.home() / ".config" / "pvenix" / "tui.yaml"


@pytest.mark.usefixtures("_own_keys")
def test_keys_of_ones_own_are_told_where_keys_are_told_and_the_others_stay() -> None:
    remap({"app.help": ("f1", "f12"), "app.refresh": ()})
    assert BY_ID["app.help"].key_label == "f1 f12"
    assert BY_ID["app.refresh"].key_label == ""
    assert BY_ID["app.back"].key_label == "esc"
    remap({})
    assert BY_ID["app.help"].key_label == "? f1"

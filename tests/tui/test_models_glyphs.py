"""Signs and what stands for them in ASCII."""

from __future__ import annotations

import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

import pvenix_tui
from pvenix_tui import glyphs
from pvenix_tui.models import states
from pvenix_tui.text import safe

pytestmark = pytest.mark.tui
OWN = [value for name, value in vars(glyphs).items() if name.isupper() and not name.startswith("_")]


@pytest.fixture
def _ascii() -> Iterator[None]:
    glyphs.use_ascii(True)
    yield
    glyphs.use_ascii(False)


@pytest.mark.usefixtures("_ascii")
def test_every_sign_of_ours_has_an_ascii_sign_of_the_same_width() -> None:
    assert OWN
    for sign in OWN:
        shown = safe(sign)
        assert shown.isascii()
        assert cell_len(shown) == cell_len(sign) == len(sign)


@pytest.mark.usefixtures("_ascii")
def test_two_foreign_names_that_differ_never_look_the_same() -> None:
    assert safe("café") == "caf<U+00E9>"
    assert len({safe(name) for name in ("a", "\u0430", "é", "è", "e", "日", "本", "\U0001f600")}) == 8


@pytest.mark.usefixtures("_ascii")
def test_what_systemd_and_nix_print_stays_readable() -> None:
    assert safe("● vllm.service \u2013 “LLM”") == '* vllm.service - "LLM"'
    assert safe("├─ a") == "|- a"


def test_a_terminal_of_today_sees_every_sign_as_it_is() -> None:
    assert safe("café ● 日本") == "café ● 日本"


@pytest.mark.parametrize(
    ("variables", "utf8"),
    [
        (("", "", "de_DE.UTF-8"), True),
        (("", "C.UTF-8", "C"), True),
        (("C", "", "en_US.UTF-8"), False),
        (("", "", "en_US.ISO-8859-1"), False),
        (("", "", ""), True),
        (("", "", "en_GB.utf8@euro"), True),
    ],
)
def test_the_first_locale_variable_that_is_set_says_what_the_terminal_takes(
    variables: tuple[str, ...], utf8: bool
) -> None:
    assert glyphs.says_utf8(variables) is utf8


@pytest.mark.parametrize("family", ["_SYNC", "_VERDICT", "_REVIEW", ("_STATUS", "_OTHER")])
def test_no_two_states_of_one_column_share_a_sign_and_each_is_ascii(family: str | tuple[str, ...]) -> None:
    names = (family,) if isinstance(family, str) else family
    signs = [sign for name in names for sign, _ in getattr(states, name).values()]
    assert len(set(signs)) == len(signs)
    assert all(sign.isascii() and len(sign) == 1 for sign in signs)


def test_a_bar_is_as_full_as_its_share() -> None:
    assert glyphs.bar(0.5, 4) == glyphs.FULL * 2 + glyphs.SHADE * 2
    assert glyphs.bar(7, 2) == glyphs.FULL * 2


def test_no_sign_beyond_ascii_stands_anywhere_else_in_the_code() -> None:
    root = Path(pvenix_tui.__file__).parent
    found: list[str] = []
    for path in sorted(root.rglob("*.py")):
        if path.name == "glyphs.py":
            continue
        with path.open("rb") as file:
            found += [
                f"{path.relative_to(root)}:{token.start[0]}"
                for token in tokenize.tokenize(file.readline)
                if "STRING" in tokenize.tok_name[token.type] and not token.string.isascii()
            ]
    assert not found

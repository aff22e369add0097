"""Every sign that is drawn and is not ASCII, once, and what stands for it on a terminal that has no more than ASCII.

Code uses the names below and draws as always: `safe` hands all text through `drawn` on its way to a cell, and `drawn`
puts the ASCII sign in the place of the other. Both are one cell wide, so that nothing is laid out twice. States are not
here: their signs are ASCII everywhere (models/states.py), for a sign that a font lacks tells nothing.

Foreign text in ASCII: punctuation and lines turn into what looks like them; every other character is written as its
number, `caf<U+00E9>`, because two names that differ must never look the same, and `?` would make them so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ELLIPSIS: Final = "\u2026"  # …
ARROW: Final = "\u2192"  # →
ARROW_BACK: Final = "\u2190"  # ←
UP: Final = "\u2191"  # ↑
DOWN: Final = "\u2193"  # ↓
DOT: Final = "\u00b7"  # ·
BULLET: Final = "\u2022"  # •
DASH: Final = "\u2014"  # —
LINE: Final = "\u2500"  # ─
UPRIGHT: Final = "\u2502"  # │
CORNER: Final = "\u2514"  # └
TEE: Final = "\u251c"  # ├
CROSS: Final = "\u253c"  # ┼
FULL: Final = "\u2588"  # █
SHADE: Final = "\u2591"  # ░

_OWN: Final = dict(
    zip(
        ELLIPSIS
        + ARROW
        + ARROW_BACK
        + UP
        + DOWN
        + DOT
        + BULLET
        + DASH
        + LINE
        + UPRIGHT
        + CORNER
        + TEE
        + CROSS
        + SHADE
        + FULL,
        "~><^v.*--|`|+.#",
        strict=True,
    )
)
_LOOKALIKES: Final = {
    **dict.fromkeys("\u2018\u2019\u201a\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2015\u2212", "-"),
    **dict.fromkeys("\u25cf\u25cb\u25e6\u2219", "*"),  # systemd's and Nix's bullets
    **dict.fromkeys("\u2501\u2504\u2508\u254c\u2550", "-"),
    **dict.fromkeys("\u2503\u2506\u250a\u2551\u2575\u2577", "|"),
    **{chr(code): "+" for code in (*range(0x250C, 0x254C), *range(0x2552, 0x2575), 0x256D, 0x256E, 0x256F, 0x2570)},
    **{chr(code): "#" for code in range(0x2589, 0x2591)},
    **dict.fromkeys("\u2592\u2593", ":"),
    "\u00d7": "x",
    "\u2713": "+",
    "\u2714": "+",
    "\u2717": "x",
    "\u2718": "x",
    "\u00a0": " ",
    "\u202f": " ",
}  # fmt: skip
_ASCII: Final = _LOOKALIKES | _OWN
_FOREIGN: Final = re.compile(r"[^\x00-\x7f]")


@dataclass(slots=True)
class _Terminal:
    """What the one terminal of this process can draw."""

    ascii: bool = False


_terminal: Final = _Terminal()


def use_ascii(wanted: bool) -> None:  # noqa: FBT001 a switch has one argument
    """Draw with ASCII alone from now on, or with every sign again."""
    _terminal.ascii = wanted


def is_ascii() -> bool:
    """True while only ASCII is drawn."""
    return _terminal.ascii


def drawn(text: str) -> str:
    """`text` as the terminal can draw it."""
    return _FOREIGN.sub(_sign, text) if _terminal.ascii and not text.isascii() else text


def _sign(found: re.Match[str]) -> str:
    return _ASCII.get(found[0]) or f"<U+{ord(found[0]):04X}>"


def box() -> str:
    """Textual's name of the border that boxes have: `$box` in the style sheet."""
    return "ascii" if _terminal.ascii else "round"


def bar(share: float, width: int) -> str:
    """A bar of `width` cells of which `share` (0 to 1) is full."""
    full = round(max(0.0, min(1.0, share)) * width)
    return FULL * full + SHADE * (width - full)


def says_utf8(variables: Sequence[str]) -> bool:
    """Whether a terminal takes UTF-8, from the values of LC_ALL, LC_CTYPE and LANG in this order, empty when not set.

    The first that is set counts (locale(7)). None set says nothing: terminals of today take UTF-8. A `C` locale that
    Python itself had turned to C.UTF-8 at its start (PEP 538) counts as that.
    """
    said = next((value for value in variables if value), "")
    return not said or "utf-8" in said.lower() or "utf8" in said.lower()

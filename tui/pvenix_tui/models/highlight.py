"""Nix and YAML in tones, line by line: only lines that show are looked at closely, so a megabyte costs what a page costs.

Pygments, which Textual brings, colours whole texts (10 to 35 microseconds a line, measured): too slow for a file of a
megabyte before its last page can be shown. Here what a line leaves open for the next one (a string, a comment) is found
by a few searches, and words are told apart in visible lines alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Protocol

from pvenix_tui.models.lines import Line, Span, Tone

LONGEST: Final = 2000
"""Characters of a line that is coloured at all."""
_KEYWORD, _STRING, _COMMENT, _NAME = Tone.HUNK, Tone.BUSY, Tone.DIM, Tone.ACCENT


class Language(Protocol):
    """How a language is told apart; `state` is what the lines before left open, empty for nothing."""

    def after(self, text: str, state: str) -> str:
        """What is open behind a line."""

    def spans(self, text: str, state: str) -> Line:
        """The line in tones; its text is `text`."""


def language_of(path: str) -> Language | None:
    """The language of a file, None for one without colours."""
    if path.endswith(".nix"):
        return NIX
    return YAML if path.endswith((".yaml", ".yml", ".json", ".lock")) else None


def highlighted(language: Language | None, text: str, state: str) -> Line:
    """A line in tones; one that is very long stays plain."""
    if language is None or len(text) > LONGEST:
        return ((text, Tone.PLAIN),) if text else ()
    return language.spans(text, state)


class _Nix:
    """Nix: `''` and `"` begin strings that may span lines, `/*` a comment."""

    _ENDS: Final = {
        "''": re.compile(r"(?:[^']|'(?!')|''(?:[$']|\\.?))*''(?![$'\\])"),
        '"': re.compile(r'(?:[^"\\]|\\.)*"'),
        "/*": re.compile(r".*?\*/"),
    }
    """Up to the end of each, from behind its beginning; what is escaped does not end it."""
    _OPENS: Final = re.compile(r"''|\"|/\*|#")
    _WORD: Final = re.compile(
        r"(?P<keyword>\b(?:let|in|with|inherit|rec|if|then|else|assert|import|or|true|false|null)\b(?![-'.]))"
        r"|(?P<name>[A-Za-z_][\w'.-]*(?=\s*=(?!=)))"
        r"|(?P<path>(?:\./|\.\./|<)[\w./+-]+>?)"
        r"|[A-Za-z_][\w'-]*|[^\w]+|\w+"
    )

    def after(self, text: str, state: str) -> str:
        """What is open behind a line."""
        if not state and "''" not in text and "/*" not in text and "\\" not in text:
            code = text.partition("#")[0]
            if code.count('"') % 2 == 0:
                return ""  # every string ends on the line, so what follows the # is a comment
        behind = state
        for _, _, now in self._parts(text, state):
            behind = now
        return "" if behind == "#" else behind

    def spans(self, text: str, state: str) -> Line:
        """The line in tones."""
        found: list[Span] = []
        for part, tone, _ in self._parts(text, state):
            found += self._words(part) if tone is Tone.PLAIN else [(part, tone)]
        return tuple(found)

    def _parts(self, text: str, state: str) -> Iterator[tuple[str, Tone, str]]:
        """Pieces of code, strings and comments, each with what is open behind it."""
        at = 0
        while at < len(text):
            if not state:
                opening = self._OPENS.search(text, at)
                if opening is None:
                    yield text[at:], Tone.PLAIN, ""
                    return
                if opening.start() > at:
                    yield text[at : opening.start()], Tone.PLAIN, ""
                state, start, at = opening[0], opening.start(), opening.end()
            else:
                start = at
            closing = self._ENDS[state].match(text, at) if state in self._ENDS else None
            at = closing.end() if closing else len(text)
            tone = _COMMENT if state in ("#", "/*") else _STRING
            state = "" if closing else state
            yield text[start:at], tone, state

    def _words(self, text: str) -> Iterator[Span]:
        tones = {"keyword": _KEYWORD, "name": _NAME, "path": _STRING, None: Tone.PLAIN}
        for word in self._WORD.finditer(text):
            yield word[0], tones[word.lastgroup]


class _Yaml:
    """YAML, and JSON with it: a block scalar (`|`, `>`) goes on as far as lines are indented more than its key."""

    _BLOCK: Final = re.compile(r"(?:^|[\s:-])[|>][-+0-9]*\s*(?:#.*)?$")
    _PIECE: Final = re.compile(
        r"(?P<comment>(?:^|(?<=\s))\#.*)"
        r"|(?P<name>(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"'\#\[\]{},&*!|>][^\#:\"'{}\[\],]*?)(?=\s*:(?:\s|$)))"
        r"|(?P<string>\"(?:[^\"\\]|\\.)*\"?|'(?:[^']|'')*'?)"
        r"|(?P<keyword>[&*!][^\s,\]}]+|\b(?:true|false|null|yes|no)\b(?=\s*(?:[,\]}\#]|$)))"
        r"|[^\s\"'\#]+|\s+|.",
        re.VERBOSE,
    )

    def after(self, text: str, state: str) -> str:
        """What is open behind a line: the indentation of the key of a block scalar, in spaces and a bar."""
        if not state and "|" not in text and ">" not in text:
            return ""
        indent = len(text) - len(text.lstrip(" "))
        if state and (not text.strip() or indent >= len(state)):
            return state
        if ("|" in text or ">" in text) and self._BLOCK.search(text):
            return " " * indent + "|"
        return ""

    def spans(self, text: str, state: str) -> Line:
        """The line in tones."""
        if state and self.after(text, state) == state and text.startswith(" " * len(state)):
            return ((text, _STRING),)
        tones = {"comment": _COMMENT, "name": _NAME, "string": _STRING, "keyword": _KEYWORD, None: Tone.PLAIN}
        return tuple((piece[0], tones[piece.lastgroup]) for piece in self._PIECE.finditer(text))


NIX: Final = _Nix()
YAML: Final = _Yaml()

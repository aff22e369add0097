"""The one border for foreign text: bytes of guests, Git and Proxmox in, text that cannot move a cursor out.

What leaves here holds no control character but newline, tab and (from `Sanitiser` only) carriage return, no escape
sequence in seven or eight bit form, no lone surrogate, no secret that this process knows, and no character that reorders or
hides its neighbours: those are written as `<U+202E>`. Sequences are those of ECMA-48 and xterm's ctlseqs; measured leaks of the libraries around us are
in tests/unit/test_sanitise.py.
"""

from __future__ import annotations

import codecs
import re
from enum import Enum, auto
from typing import Final

from pvenix.model.secret import KNOWN

LINE_LIMIT: Final = 4096
"""Characters of one line (or of one progress segment between carriage returns) that are kept."""
CUT_MARK: Final = " … [line cut]"
"""Stands where the rest of a line was dropped."""

_HIDDEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_SPECIAL: Final = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{_HIDDEN}]")
_CONTROL_BYTES: Final = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\n\r")
_PARAMETERS: Final = re.compile(r"[\x20-\x3f]*")
_STRING_END: Final = re.compile(r"[\x07\n\r\x18\x1a\x1b\x9c]")
_RETURNS: Final = re.compile(r"\r+")
_BREAK: Final = re.compile(r"[\n\r]")
_CONTROL_SEQUENCE: Final = re.compile(r"\x1b\[[\x20-\x3f]*(?:[\x40-\x7e]|(?=[^\x20-\x7e]))")
_OTHER_OPENERS: Final = re.compile(r"\x1b[^\[]|\x1b\Z|[\x90\x98\x9b\x9d-\x9f]")

_STRING_OPENERS: Final = frozenset("]P_^Xk")  # OSC DCS APC PM SOS, and screen's title
_C1_STRING_OPENERS: Final = frozenset("\x90\x98\x9d\x9e\x9f")


class _State(Enum):
    TEXT = auto()
    ESCAPE = auto()
    CONTROL_SEQUENCE = auto()
    STRING = auto()


class Sanitiser:
    """Cleans one stream; sequences and characters may be split anywhere between two calls of `feed`.

    A string sequence (OSC, DCS, APC, PM, SOS) that is not terminated ends with its line, so it hides nothing further.
    Memory is bounded by the chunk; time is linear in it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._state = _State.TEXT
        self._column = 0
        self._cut = False
        self._returned = False
        self._mask = KNOWN.stream()

    def feed(self, data: bytes) -> str:
        """The clean text of `data`. A carriage return at its end is held back until it is known not to end a line."""
        if self._state is _State.TEXT and _plain(data) and not self._decoder.getstate()[0]:
            return self._limited(self._mask.feed(self._joined(data.decode("ascii"))))
        return self._clean(self._decoder.decode(data))

    def feed_text(self, text: str) -> str:
        """As `feed`, for text that is decoded already."""
        return self._clean(text)

    def finish(self) -> str:
        """What was held back; an incomplete character becomes U+FFFD, an incomplete sequence vanishes."""
        rest = self._clean(self._decoder.decode(b"", final=True))
        rest += self._limited(self._mask.finish())
        held = "\r" if self._returned else ""
        self._returned = False
        self._state = _State.TEXT
        return rest + held

    def _clean(self, text: str) -> str:
        if not text:
            return ""
        if self._state is _State.TEXT and "\x1b" in text and not _OTHER_OPENERS.search(text):
            text = _CONTROL_SEQUENCE.sub(
                "", text
            )  # colours only: five times faster than the walk, with the same result
        if self._state is not _State.TEXT or _SPECIAL.search(text):
            text = self._visible(text)
        return self._limited(self._mask.feed(self._joined(text)))

    def _visible(self, text: str) -> str:
        """`text` without sequences and control characters, hidden characters written out."""
        kept: list[str] = []
        position = 0
        while position < len(text):
            match self._state:
                case _State.TEXT:
                    position = self._skip_text(text, position, kept)
                case _State.ESCAPE:
                    position = self._skip_escape(text, position)
                case _State.CONTROL_SEQUENCE:
                    position = self._skip_parameters(text, position)
                case _:
                    position = self._skip_string(text, position)
        return "".join(kept)

    def _skip_text(self, text: str, position: int, kept: list[str]) -> int:
        special = _SPECIAL.search(text, position)
        if special is None:
            kept.append(text[position:])
            return len(text)
        kept.append(text[position : special.start()])
        character = special.group()
        if character == "\x1b":
            self._state = _State.ESCAPE
        elif character == "\x9b":
            self._state = _State.CONTROL_SEQUENCE
        elif character in _C1_STRING_OPENERS:
            self._state = _State.STRING
        else:
            kept.append(_shown(character))
        return special.end()

    def _skip_escape(self, text: str, position: int) -> int:
        character = text[position]
        if character == "[":
            self._state = _State.CONTROL_SEQUENCE
        elif character in _STRING_OPENERS:
            self._state = _State.STRING
        elif "\x20" <= character <= "\x2f" or character == "\x1b":
            pass  # an intermediate byte, or the escape begins anew
        else:
            self._state = _State.TEXT
            if not "\x30" <= character <= "\x7e":
                return position
        return position + 1

    def _skip_parameters(self, text: str, position: int) -> int:
        parameters = _PARAMETERS.match(text, position)
        end = parameters.end() if parameters else position
        if end == len(text):
            return end
        self._state = _State.TEXT
        return end + 1 if "\x40" <= text[end] <= "\x7e" else end

    def _skip_string(self, text: str, position: int) -> int:
        terminator = _STRING_END.search(text, position)
        if terminator is None:
            return len(text)
        if terminator.group() in "\n\r":
            self._state = _State.TEXT
            return terminator.start()
        self._state = _State.ESCAPE if terminator.group() == "\x1b" else _State.TEXT
        return terminator.end()

    def _joined(self, text: str) -> str:
        """`text` with CR LF as LF and several CR as one, also where they come in two chunks."""
        if self._returned and text:
            text = "\r" + text
            self._returned = False
        if "\r" not in text:
            return text
        text = _RETURNS.sub("\r", text).replace("\r\n", "\n")
        self._returned = text.endswith("\r")
        return text[:-1] if self._returned else text

    def _limited(self, text: str) -> str:
        """`text` with every line cut at LINE_LIMIT."""
        if not self._cut and "\r" not in text:
            lengths = list(map(len, text.split("\n")))
            lengths[0] += self._column
            if max(lengths) <= LINE_LIMIT:
                self._column = lengths[-1]
                return text
        kept: list[str] = []
        position = 0
        for end in _BREAK.finditer(text):
            self._keep(text[position : end.start()], kept)
            kept.append(end.group())
            self._column, self._cut = 0, False
            position = end.end()
        self._keep(text[position:], kept)
        return "".join(kept)

    def _keep(self, part: str, kept: list[str]) -> None:
        if self._cut:
            return
        room = LINE_LIMIT - self._column
        kept.append(part[:room])
        self._column += min(len(part), room)
        if len(part) > room:
            self._cut = True
            kept.append(CUT_MARK)


def _plain(data: bytes) -> bool:
    """True for ASCII without control characters but tab, newline and carriage return: most output, checked at C speed."""
    return data.isascii() and len(data.translate(None, _CONTROL_BYTES)) == len(data)


def _shown(character: str) -> str:
    """What stands for one special character: nothing, itself, or its visible name."""
    code = ord(character)
    if character == "\r":
        return "\r"
    if code < 0xA0:
        return ""
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"


def sanitise(text: str) -> str:
    """`text` safe for a screen, a log or JSON; carriage returns become newlines. Idempotent."""
    sanitiser = Sanitiser()
    return (sanitiser.feed_text(text) + sanitiser.finish()).replace("\r", "\n")


def last_segment(line: str) -> str:
    """What a terminal would show last of a line with carriage returns, such as a progress display's."""
    return line.rstrip("\r").rpartition("\r")[2]

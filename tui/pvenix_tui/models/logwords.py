"""What the words of a line of output tell: an error, a warning, where a step begins."""

from __future__ import annotations

import re
from typing import Final

from pvenix_tui.models.lines import Tone

_ERROR: Final = re.compile(
    r"(?i)\b(?:errors?|fail(?:ed|ure|s)?|fatal|panic|traceback|abort(?:ed)?|segfault|cannot|denied|refused|timed out"
    r"|no space left)\b(?<!0 errors)(?<!0 failed)"
)
"""What most programs write when something went wrong; `0 errors` is none."""
_WARNING: Final = re.compile(r"(?i)\bwarn(?:ing|ings|ed)?\b")
_COMMAND: Final = "$ "
"""What stands before a command as it was sent."""
_STEP: Final = re.compile(r"--- (?:\d+/\d+ )?\S+ ---")


def tells_of_error(text: str) -> bool:
    """True when a line's words tell that something went wrong; a command that was sent tells nothing yet."""
    return not text.startswith(_COMMAND) and _ERROR.search(text) is not None


def line_tone(text: str) -> Tone:
    """How a line is drawn. It stands on words alone: colours of programs are taken out before a log is written."""
    if text.startswith(_COMMAND):
        return Tone.DIM
    if text.startswith("--- ") and _STEP.fullmatch(text):
        return Tone.TITLE
    if tells_of_error(text):
        return Tone.BAD
    return Tone.WARN if _WARNING.search(text) else Tone.PLAIN

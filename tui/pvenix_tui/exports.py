"""What leaves the screen: to the terminal's clipboard, or into a file that nothing is overwritten for."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pvenix.model.errors import LocalResource
from pvenix_tui.text import clean

CLIPBOARD_BYTES: Final = 56_000
"""What fits into the OSC 52 sequences that terminals and tmux take: 74,994 bytes of base64 (hterm, tmux)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A text of a screen."""

    name: str
    """What it is of, such as `run-20261120-102000-ab12-dns01`; any text, it is made a file's name where one is needed."""
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines, without anything that a terminal or an editor would act on."""
        return "".join(f"{clean(line).rstrip()}\n" for line in self.lines)


def fits_clipboard(text: str) -> bool:
    """Whether a terminal can be expected to take it."""
    return len(text.encode()) <= CLIPBOARD_BYTES


def suggested_path(folder: Path, name: str, now: float) -> Path:
    """A file below `folder` that says what is in it and when it was made, in UTC."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:80] or "pvenix"
    return folder / "saved" / f"{plain}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}.txt"


def full_path(text: str) -> Path:
    """The path that a person wrote, whole.

    Raises: LocalResource when it begins with `~` and the name of nobody.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:  # what pathlib raises for it
        raise LocalResource(f"{text.partition('/')[0]}: there is no such user", hint="name another file") from error


def save(path: Path, texts: Iterable[str]) -> Path:
    """Write a new file that only its owner reads; where it is.

    Raises: LocalResource when it is there already or cannot be written.
    """
    path = full_path(str(path))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(texts)
    except FileExistsError as error:
        raise LocalResource(
            f"{path} is there already", why="nothing is overwritten", hint="name another file"
        ) from error
    except OSError as error:
        raise LocalResource(f"{path} cannot be written", why=str(error.strerror or error)) from error
    return path

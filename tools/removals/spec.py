"""What a removal is: the handling of a failure as a text that can be taken away, with the test that must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROWS_TEST: Final = "tests/story/test_fault_rows.py"
SITE_TEST: Final = "tests/story/test_fault_site.py"
TRAPS_TEST: Final = "tests/story/test_fault_traps.py"
LAB_TEST: Final = "tests/story/test_faults_lab.py"
MAKING: Final = "src/pvenix/lifecycle/making.py"
OWN: Final = "src/pvenix/lifecycle/ownership.py"
WAIT: Final = "src/pvenix/lifecycle/waiting.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One handling: the exact text of it in a file, and what stands there when it is gone."""

    rows: tuple[str, ...]
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def slug(self) -> str:
        """A name for a directory."""
        return "".join(letter if letter.isalnum() else "-" for letter in f"{self.rows[0]} {self.what}")

    def apply(self, tree: Path) -> None:
        """Take the handling out of a copy of the sources.

        Raises: ValueError when the text is not there exactly once.
        """
        path = tree / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.rows[0]} ({self.what}): {self.file} holds its text {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new))


def removal(rows: str, what: str, change: tuple[str, str, str], *tests: str) -> Removal:
    """A removal of these rows (words): `change` is the file, its text, and what takes the place of it."""
    file, old, new = change
    return Removal(rows=tuple(rows.split()), what=what, file=file, old=old, new=new, tests=tests)

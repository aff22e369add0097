"""A problem at a place in a file."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One problem in one file of the fleet."""

    file: str
    """Path relative to the fleet's root, or the option of the command line (`--set cores=4`)."""
    line: int
    """1-based."""
    column: int
    """1-based."""
    code: str
    """Stable, such as `PVX0103`."""
    what: str
    hint: str = ""
    warning: bool = False
    """True when the finding does not make the fleet invalid."""

    @property
    def place(self) -> str:
        """`file:line:column`, or the option of the command line as it was given."""
        return self.file if self.file.startswith("--") else f"{self.file}:{self.line}:{self.column}"

    @override
    def __str__(self) -> str:
        kind = "warning" if self.warning else "error"
        text = f"{self.place}: {kind}[{self.code}]: {self.what}"
        return f"{text}\n  hint: {self.hint}" if self.hint else text

"""What stories of branches under review have in common: opening one, reading it, deciding, editing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pvenix.model.review import Review
from tests.tui.driver import Ui
from tests.tui.fake_backend import fake_review

HOST = "tappaas-litellm"
NIX, HW = f"nix/hosts/{HOST}.nix", f"nix/hardware/{HOST}-hw.nix"


def branch(name: str, **fields: object) -> Review:
    """A branch that is no registration."""
    found = replace(fake_review(), host="", branch=name, subject=f"About {name}")
    return replace(found, **fields)  # type: ignore[arg-type] # fields of a review


async def open_review(ui: Ui) -> None:
    await ui.do("app.reviews")
    await ui.go_to(HOST)
    await ui.do("reviews.open")


async def read_all(ui: Ui) -> None:
    """Read both files to their end, and acknowledge the warning."""
    await ui.press("tab", "ctrl+d", "ctrl+d", "}", "ctrl+d", "ctrl+d", "escape")
    await ui.do("review.acknowledge", "review.acknowledge")


def editing(ui: Ui, text: str) -> list[Sequence[str]]:
    """The person's editor: it leaves `text` in the file."""
    started: list[Sequence[str]] = []

    async def outside(argv: Sequence[str], *, cwd: Path | None = None) -> int:
        started.append(argv)
        Path(argv[-1]).write_text(text)  # noqa: ASYNC240 a few bytes
        return 0

    ui.app.session.run_outside = outside
    return started

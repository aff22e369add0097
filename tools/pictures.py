"""Makes the pictures of README.md and docs/tui.md from the scenes of the stories, on the tests' backend.

Usage: python -m tools.pictures [--check]. With --check nothing is written; exits 1 and names each picture that is old: whose
text is another one than the screens' of now. A picture loads nothing from anywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"
PICTURES: Final[Mapping[str, tuple[str, tuple[int, int]]]] = {
    "fleet": ("fleet", (120, 30)),
    "host": ("host", (120, 36)),
    "plan": ("plan", (100, 30)),
    "run": ("run", (120, 36)),
    "rollback": ("rollback", (120, 30)),
    "review": ("review", (120, 36)),
    "journal": ("journal", (120, 36)),
    "small": ("fleet", (80, 24)),
}
"""File names, each with its scene and the size of the terminal."""
_FACES: Final = re.compile(r"@font-face\s*\{.*?\}|<!--.*?-->", re.DOTALL)
"""Fonts from the network, and the maker's address."""
_TEXTS: Final = re.compile(r"<text\b[^>]*?\by=\"([\d.]+)\"[^>]*>(.*?)</text>", re.DOTALL)
_UNIQUE: Final = re.compile(r"terminal-\d+-")
_FAMILY: Final = re.compile(r"font-family:\s*Fira Code")


def main() -> int:
    """0 when all pictures are made, or none is old."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; tell which pictures are old")
    check: bool = parser.parse_args().check
    for name in ("NO_COLOR", "TEXTUAL_THEME", "COLORTERM", "PVENIX_READ_ONLY"):
        os.environ.pop(name, None)
    os.environ["TZ"] = "UTC"
    time.tzset()
    old = []
    for name, (scene, size) in PICTURES.items():
        path = FOLDER / f"{name}.svg"
        made = without_outside(asyncio.run(drawn(scene, size)))
        if not path.exists() or text_of(path.read_text(encoding="utf-8")) != text_of(made):
            old.append(name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(made, encoding="utf-8")
    known = {f"{name}.svg" for name in PICTURES}
    strays = sorted(path.name for path in FOLDER.glob("*.svg") if path.name not in known)
    verb = "old" if check else "made"
    sys.stdout.write("".join(f"{verb}: docs/pictures/{name}.svg\n" for name in old))
    sys.stdout.write("".join(f"not made by anybody: docs/pictures/{name}\n" for name in strays))
    if check and (old or strays):
        sys.stdout.write("make them anew: make pictures\n")
        return 1
    return 0


async def drawn(scene: str, size: tuple[int, int]) -> str:
    """The screen at the end of a scene, as SVG."""
    from pvenix_tui.app import PvenixApp
    from pvenix_tui.session import Session
    from tests.tui.driver import FixedClock, Ui
    from tests.tui.fake_backend import FakeBackend
    from tests.tui.scenes import SCENES

    with tempfile.TemporaryDirectory() as folder:
        backend, clock = FakeBackend(Path(folder)), FixedClock()
        app = PvenixApp(Session(backend, clock=clock), ticking=False)
        async with app.run_test(size=size) as pilot:
            ui = Ui(app, pilot, backend, clock)
            await ui.settle()
            await SCENES[scene](ui)
            app.session.said = None
            await ui.tick()
            try:
                return app.export_screenshot(title="pvenix")
            finally:
                backend.live.close()


def without_outside(svg: str) -> str:
    """`svg` without fonts from the network, and with names that are the same every time."""
    return _FAMILY.sub(
        "font-family: Fira Code, DejaVu Sans Mono, Menlo, Consolas", _UNIQUE.sub("t-", _FACES.sub("", svg))
    )


def text_of(svg: str) -> list[str]:
    """What a person reads, line by line: colours and places may differ from one version of a library to the next."""
    lines: dict[float, list[str]] = {}
    for height, text in _TEXTS.findall(svg):
        lines.setdefault(float(height), []).append(html.unescape(text).replace("\xa0", " "))
    return [" ".join("".join(lines[height]).split()) for height in sorted(lines)]


if __name__ == "__main__":
    raise SystemExit(main())

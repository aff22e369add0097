"""The application in this terminal with a key `!` that runs a program: `python -m tests.tui.on_outside DIR [PROGRAM]`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from textual.binding import Binding

import pvenix_tui
from pvenix.model.errors import PvenixError
from pvenix_tui.app import PvenixApp
from pvenix_tui.session import Session, describe
from tests.tui.fake_backend import FakeBackend
from tests.tui.stacks import telling_where


class Outside(PvenixApp):
    """As the application, and counts how often its loop came round."""

    BINDINGS = [Binding("exclamation_mark", "outside")]  # noqa: RUF012 as Textual declares it
    CSS_PATH = str(Path(pvenix_tui.__file__).parent / "styles" / "app.tcss")
    ticks = 0

    def action_outside(self) -> None:
        self.run_worker(self._outside(), exit_on_error=False)

    async def _outside(self) -> None:
        self.ticks = 0
        timer = self.set_interval(0.02, self._count)
        try:
            code = await self.session.run_outside(sys.argv[2:3])
        except PvenixError as error:
            self.session.say(describe(error), bad=True)
        else:
            self.session.say(f"ended with {code}, ticks {self.ticks}")
        timer.stop()

    def _count(self) -> None:
        self.ticks += 1


def main() -> int:
    home = Path(sys.argv[1])
    app = Outside(Session(FakeBackend(home), clock=time.time))
    with telling_where(app, home):
        code = app.run()
    return code if isinstance(code, int) else (app.return_code or 0)


if __name__ == "__main__":
    raise SystemExit(main())

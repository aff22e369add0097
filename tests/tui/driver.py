"""A person at the keyboard, in the words of a story: do, press, go to a row, expect.

A story that leaves an error of the screen unread fails: `expect` and `expect_error` read it. A story that fails prints
the screen.

To watch one on this terminal, or in slow motion without one:

    PVENIX_STORY=visible .venv/bin/python -m pytest -s -p no:cacheprovider tests/tui/test_stories_journal.py -k onboarding
    PVENIX_STORY=slow .venv/bin/python -m pytest tests/tui/test_stories_journal.py -k onboarding

Both pause after each key; `-n 0` where pytest runs several processes. A terminal smaller than the story's is the story's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from textual.events import Event, Key, MouseDown, MouseUp
from textual.keys import _character_to_key
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from pvenix_tui.actions import BY_ID
from pvenix_tui.screens.base import PvenixScreen
from pvenix_tui.screens.dialogs import Dialog
from pvenix_tui.widgets.rows import Rows
from tests.tui.fake_backend import NOW, FakeBackend

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix_tui.app import PvenixApp


CHARACTERS: Final = {"space": " ", "enter": "\r", "tab": "\t", "slash": "/", "question_mark": "?"}
"""What a key types that is pressed by its name."""
MODE: Final = os.environ.get("PVENIX_STORY", "")
PAUSE_S: Final = 0.4 if MODE else 0.0


class FixedClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Ui:
    """The application, driven by keys and read as text."""

    def __init__(self, app: PvenixApp, pilot: Pilot[int], backend: FakeBackend, clock: FixedClock) -> None:
        self.app, self.pilot, self.backend, self.clock = app, pilot, backend, clock
        self.unread: list[str] = []
        """Errors that the screen told and the story has not looked at."""
        say = app.session.say

        def say_and_note(text: str, *, bad: bool = False) -> None:
            if bad:
                self.unread.append(text)
            say(text, bad=bad)

        app.session.say = say_and_note  # type: ignore[method-assign] # the story reads what a person reads

    async def settle(self) -> None:
        """Wait for the readings that were started, and draw them."""
        await self.calm()
        await self.tick()

    async def tick(self) -> None:
        """One turn of the ticker."""
        self.app.session.ticker.tick()
        await self.calm()

    async def press(self, *keys: str) -> None:
        """Press keys, each when the one before has done what it does, then wait for what they started."""
        for key in keys:
            self.send(key)
            await self.calm()
            if PAUSE_S:
                await asyncio.sleep(PAUSE_S)
        await self.tick()

    async def hold(self, key: str, times: int) -> None:
        """Hold a key down: it comes again and again, whether or not what it did is done."""
        for _ in range(times):
            self.send(key)
        await self.settle()

    async def do(self, *action_ids: str) -> None:
        """Press the key of each action, whatever key that is."""
        for action_id in action_ids:
            key = BY_ID[action_id].key.split(",")[0]
            assert key, f"{action_id} has no key"
            await self.press(key)

    async def go_to(self, row: str) -> None:
        """Move the cursor of the list with the keys to the row with this key, line by line as a person does."""
        rows = self.rows()
        keys = [rows.source.key(index) for index in range(rows.source.count())]
        assert row in keys, f"no row {row!r} among {keys}:\n{self.text()}"
        for _ in keys:
            if rows.key == row:
                return
            await self.press("j" if keys.index(row) > rows.cursor else "k")
        raise AssertionError(f"the cursor does not reach {row!r}:\n{self.text()}")

    def rows(self) -> Rows:
        """The list that has the keys, or the only one with a cursor that shows."""
        if isinstance(self.app.focused, Rows):
            return self.app.focused
        [only] = [rows for rows in self.app.screen.query(Rows) if rows.has_cursor and rows.display]
        return only

    def send(self, key: str) -> None:
        """Press a key and wait for nothing."""
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        character = key if len(key) == 1 else CHARACTERS.get(name)
        self.give(Key(name, character))

    def click(self, column: int, row: int) -> None:
        """Click and wait for nothing."""
        for event in (MouseDown, MouseUp):
            self.give(event(None, column, row, 0, 0, 1, False, False, False, column, row))

    def give(self, event: Event) -> None:
        """Let an event come as from the terminal, and wait for nothing."""
        assert self.app._driver is not None
        event.set_sender(self.app)
        self.app._driver.send_message(event)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Let the app go on, and no further, until something holds."""
        while not holds():  # noqa: ASYNC110 - there is no event for what a story may ask
            await asyncio.sleep(0)

    async def calm(self) -> None:
        """Wait until nothing is under way: no worker, no message, nothing to draw.

        Pilot's own wait watches the process's CPU time, which takes 40 ms a key and seconds on a busy machine.
        """
        quiet = 0
        while quiet < 2 and self.app.is_running:
            if any(not worker.is_finished for worker in self.app.workers):
                with contextlib.suppress(WorkerCancelled):  # a reading that a newer one took the place of
                    await self.app.workers.wait_for_complete()
            self.app.screen._on_timer_update()
            if self._busy():
                quiet = 0
                await asyncio.sleep(0.005 if self.app._batch_count else 0)  # Textual holds back when modes change
                continue
            await self.pilot._wait_for_screen()  # a handler that is still at work shows in no queue
            quiet = 0 if self._busy() else quiet + 1

    def _busy(self) -> bool:
        screen = self.app.screen
        pumps: list[MessagePump] = [self.app, *screen.walk_children(with_self=True)]
        return any((
            self.app._batch_count,
            self.app.typed,
            any(not worker.is_finished for worker in self.app.workers),
            any(pump._message_queue.qsize() for pump in pumps),
            any(pump._next_callbacks for pump in pumps),
            screen._callbacks,
            screen._dirty_widgets,
            screen._layout_required,
            screen._repaint_required,
        ))  # fmt: skip

    async def type(self, text: str) -> None:
        """Type a text."""
        await self.press(*("space" if character == " " else character for character in text))

    async def confirm(self) -> None:
        """Say yes once the dialog or plan has been there long enough to be read."""
        self.later()
        await self.press("y")

    def later(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        self.clock.now += seconds

    def text(self) -> str:
        """The screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def expect(self, *texts: str) -> None:
        """The screen shows all of these; errors with one of them in it are read by that."""
        screen = self.text()
        for text in texts:
            assert text in screen, f"{text!r} does not show:\n{screen}"
            self.unread = [error for error in self.unread if not _speaks_of(error, text)]

    def expect_error(self, text: str) -> None:
        """An error with this text was told, and is read by that; it may have left the screen by now."""
        found = [error for error in self.unread if text in error]
        assert found, f"no error speaks of {text!r}; told were {self.unread}:\n{self.text()}"
        self.unread = [error for error in self.unread if error not in found]

    def expect_screen(self, scope: str) -> None:
        """The screen of this scope is in front, and no dialog."""
        screen = self.app.screen
        assert isinstance(screen, PvenixScreen), f"{type(screen).__name__} is in front:\n{self.text()}"
        assert screen.scope == scope, f"{screen.scope} is in front:\n{self.text()}"

    def expect_dialog(self, title: str = "") -> None:
        """A dialog is in front, with this in its title."""
        assert isinstance(self.app.screen, Dialog), f"no dialog is in front:\n{self.text()}"
        assert title in self.text(), f"{title!r} is not the dialog's title:\n{self.text()}"

    def expect_cursor(self, row: str) -> None:
        """The cursor is on the row with this key."""
        assert self.rows().key == row, f"the cursor is on {self.rows().key!r}:\n{self.text()}"

    def expect_in_row(self, row: str, *texts: str) -> None:
        """The row with this key shows all of these."""
        rows = self.rows()
        index = next(index for index in range(rows.source.count()) if rows.source.key(index) == row)
        shown = "".join(text for text, _ in rows.source.line(index))
        for text in texts:
            assert text in shown, f"{text!r} is not in the row {shown!r}:\n{self.text()}"

    def expect_not(self, *texts: str) -> None:
        """The screen shows none of these."""
        screen = self.text()
        for text in texts:
            assert text not in screen, f"{text!r} shows:\n{screen}"

    def line(self, text: str) -> str:
        """The only line that contains `text`."""
        found = [line for line in self.text().splitlines() if text in line]
        assert len(found) == 1, f"{text!r} is in {len(found)} lines:\n{self.text()}"
        return found[0]

    def run(self) -> RunDir:
        """The newest run."""
        return self.backend.runs.open("last")

    def requests(self) -> list[tuple[str, str]]:
        """What the newest run was asked since the last look."""
        return [(request.kind, request.host) for request in self.run().take_requests()]

    def started(self) -> list[object]:
        """Plans that were started."""
        return [call[1] for call in self.backend.calls if call[0] == "start"]


def _speaks_of(error: str, text: str) -> bool:
    return text in error or error[:40] in text

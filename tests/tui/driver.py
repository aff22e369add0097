"""A person at the keyboard, in the words of a story: press, tick, expect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from textual.events import Key
from textual.keys import _character_to_key
from textual.message_pump import MessagePump
from textual.pilot import Pilot

from tests.tui.fake_backend import NOW, FakeBackend

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix_tui.app import PvenixApp


CHARACTERS: Final = {"space": " ", "enter": "\r", "tab": "\t", "slash": "/", "question_mark": "?"}
"""What a key types that is pressed by its name."""


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
            self._send(key)
            await self.calm()
        await self.tick()

    def _send(self, key: str) -> None:
        assert self.app._driver is not None
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        character = key if len(key) == 1 else CHARACTERS.get(name)
        event = Key(name, character)
        event.set_sender(self.app)
        self.app._driver.send_message(event)

    async def calm(self) -> None:
        """Wait until nothing is under way: no worker, no message, nothing to draw.

        Pilot's own wait watches the process's CPU time, which takes 40 ms a key and seconds on a busy machine.
        """
        rounds = 0
        while rounds < 3 and self.app.is_running:
            await self.app.workers.wait_for_complete()
            await self.pilot._wait_for_screen()
            self.app.screen._on_timer_update()
            rounds = 0 if self._busy() else rounds + 1
            await asyncio.sleep(0.005 if self.app._batch_count else 0)  # Textual holds drawing back when modes change

    def _busy(self) -> bool:
        screen = self.app.screen
        pumps: list[MessagePump] = [self.app, *screen.walk_children(with_self=True)]
        return any((
            self.app._batch_count,
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

    def later(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        self.clock.now += seconds

    def text(self) -> str:
        """The screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def expect(self, *texts: str) -> None:
        """The screen shows all of these."""
        screen = self.text()
        for text in texts:
            assert text in screen, f"{text!r} does not show:\n{screen}"

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

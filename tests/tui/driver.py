"""A person at the keyboard, in the words of a story: press, tick, expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.pilot import Pilot

from tests.tui.fake_backend import NOW, FakeBackend

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix_tui.app import PvenixApp


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
        while any(not worker.is_finished for worker in self.app.workers):
            await self.app.workers.wait_for_complete()
        await self.tick()

    async def tick(self) -> None:
        """One turn of the ticker."""
        await self.pilot.pause()
        self.app.session.ticker.tick()
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        """Press keys, then wait for what they started."""
        await self.pilot.press(*keys)
        await self.settle()

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

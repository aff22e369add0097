"""An event loop whose time jumps to the next timer as soon as nothing can run: hours pass in milliseconds.

What happens outside the loop (a thread of the executor, a child process) holds time still until it has answered, so a
run gives the same answers on a slow machine as on a fast one.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from selectors import SelectorKey
from typing import Any, ClassVar, TypeVar

from typing_extensions import override

T = TypeVar("T")
_PATIENCE_S = 20.0
"""Real seconds that something outside may take before the test is called stuck."""
_LONGEST_VIRTUAL_S = 30 * 86400.0


class StuckError(AssertionError):
    """Nothing can happen any more and the test has not ended."""


class _Selector(selectors.BaseSelector):
    """Polls the real file descriptors; where the loop would sleep, its time jumps instead."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.loop: VirtualLoop | None = None

    @override
    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        return self._real.register(fileobj, events, data)

    @override
    def unregister(self, fileobj: Any) -> SelectorKey:
        return self._real.unregister(fileobj)

    @override
    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        return self._real.modify(fileobj, events, data)

    @override
    def get_map(self) -> Mapping[Any, SelectorKey]:
        return self._real.get_map()

    @override
    def close(self) -> None:
        self._real.close()

    @override
    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0 or self.loop is None:
            return ready
        if self.loop.outside:
            ready = self._real.select(_PATIENCE_S)
            if not ready:
                raise StuckError(f"no answer from outside the loop within {_PATIENCE_S:.0f} s")
            return ready
        if timeout is None:
            raise StuckError("every task waits for something that nobody will do")
        self.loop.skip(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `outside` counts what it must wait for in real time."""

    def __init__(self) -> None:
        selector = _Selector()
        self._now = 0.0
        self.outside = 0
        super().__init__(selector)
        selector.loop = self

    @override
    def time(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now += seconds
        if self._now > _LONGEST_VIRTUAL_S:
            raise StuckError("a month has passed and the test has not ended")

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Keep time still while the caller waits for something outside the loop."""
        self.outside += 1
        try:
            yield
        finally:
            self.outside -= 1

    @override
    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future = super().run_in_executor(executor, func, *args)
        self.outside += 1
        future.add_done_callback(self._answered)
        return future

    def _answered(self, _future: object) -> None:
        self.outside -= 1

    @override
    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def factory() -> Any:
            protocol = protocol_factory()
            told: Callable[[], None] = protocol.process_exited

            def process_exited() -> None:
                self.outside -= 1  # what the process left in its pipes is ready at once
                told()

            protocol.process_exited = process_exited
            self.outside += 1
            return protocol

        return await super().subprocess_exec(factory, *args, **kwargs)


def run_virtual(main: Coroutine[Any, Any, T], *, debug: bool = False) -> T:
    """The result of `main`, run to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop, debug=debug) as runner:
        return runner.run(main)


class LoopClock:
    """The Clock port over the running loop's time; its day begins on 2026-01-01."""

    set_by_s: ClassVar[float] = 0.0
    """How far somebody has set every wall clock of this machine."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def utc(self) -> str:
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic() + self.set_by_s)
        return f"{now.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class MovableClock(LoopClock):
    """A clock for code that reads time outside a loop: it moves only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    @override
    def monotonic(self) -> float:
        return self.now

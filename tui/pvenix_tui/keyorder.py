"""One key or click at a time: each finds what the one before it has brought about, however fast they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from textual.app import App
from textual.dom import DOMNode
from textual.errors import NoWidget
from textual.events import Event, Key, MouseDown, MouseEvent, MouseUp, Paste
from textual.screen import Screen
from typing_extensions import override

STEP_S: Final = 0.05
STEPS: Final = 10
"""How many such steps a key waits at most for what the one before it brings about.

A loop that stood still finds one step over, not all of them: what the key brings about stood still with it.
"""
Given = Key | MouseDown | MouseUp | Paste
"""What a person does to the program; where the mouse is and what a wheel scrolls need not wait."""


class OrderedKeys(App[int]):
    """An app that hands a key out when the one before it is done.

    Textual's own app hands each key at once to what has the focus, from where it goes on through everything around it, and
    what it means is done at the end of that way. A key that is typed meanwhile would be for the screen as it was: a verb
    behind a filter for a host that the filter takes away, the letters behind a menu's key for the list below it.
    """

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.typed: deque[Given] = deque()
        """Keys and clicks that are not done; the first is under way."""
        self._way: Iterator[DOMNode] = iter(())

    async def hand(self, event: Given, front: Screen[object] | None) -> None:
        """Hand a key out, with this screen in front."""
        del front
        await super().on_event(event)

    @override
    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Given) or event.is_forwarded:
            await super().on_event(event)
            return
        self.typed.append(event)
        if len(self.typed) == 1:
            await self._hand_out()

    async def _hand_out(self) -> None:
        event, front = self.typed[0], self._front
        self._way = way = self._way_of(front, self._meant(event, front))
        self._wait(way, STEPS)
        await self.hand(event, front)
        self._follow(way)

    @property
    def _front(self) -> Screen[object] | None:
        return self.screen if self._screen_stack else None

    def _meant(self, event: Given, front: Screen[object] | None) -> DOMNode | None:
        """What the event goes to first."""
        if front is not None and isinstance(event, MouseEvent):
            with suppress(NoWidget):
                return front.get_widget_at(event.x, event.y)[0]
        return front and (front.focused or front)

    def _way_of(self, front: Screen[object] | None, meant: DOMNode | None) -> Iterator[DOMNode]:
        """Where the key goes, where what it changed is told, and the screen that has come to the front of it."""
        if meant is not None:
            path = meant.ancestors_with_self
            yield from path
            yield from path
        now = self._front
        if now is not None and now is not front:
            yield now
            yield now.focused or now

    def _follow(self, way: Iterator[DOMNode]) -> None:
        """Go the way behind the key, from queue to queue; what went away on it holds up nothing."""
        if way is not self._way:
            return
        for node in way:
            if node.call_later(self._follow, way):
                return
        self.call_later(self._done, way)

    def _wait(self, way: Iterator[DOMNode], steps: int) -> None:
        if way is not self._way:
            return
        if steps:
            asyncio.get_running_loop().call_later(STEP_S, self._wait, way, steps - 1)
        else:
            self.call_later(self._done, way)

    async def _done(self, way: Iterator[DOMNode]) -> None:
        if way is not self._way:  # given up, or done before that
            return
        self._way = iter(())
        self.typed.popleft()
        if self.typed:
            await self._hand_out()

"""One key at a time: each finds what the one before it has brought about, however fast they are typed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final

from textual.app import App
from textual.dom import DOMNode
from textual.events import Event, Key
from textual.screen import Screen
from typing_extensions import override

SETTLED_S: Final = 0.5
"""The longest that a key waits for what the one before it brings about."""


class OrderedKeys(App[int]):
    """An app that hands a key out when the one before it is done.

    Textual's own app hands each key at once to what has the focus, from where it goes on through everything around it, and
    what it means is done at the end of that way. A key that is typed meanwhile would be for the screen as it was: a verb
    behind a filter for a host that the filter takes away, the letters behind a menu's key for the list below it.
    """

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.typed: deque[Key] = deque()
        """Keys that are not done; the first is under way."""
        self._way: Iterator[DOMNode] = iter(())

    async def hand(self, event: Key, front: Screen[object] | None) -> None:
        """Hand a key out, with this screen in front."""
        del front
        await super().on_event(event)

    @override
    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self.typed.append(event)
        if len(self.typed) == 1:
            await self._hand_out()

    async def _hand_out(self) -> None:
        event, front = self.typed[0], self._front
        self._way = way = self._way_of(front)
        asyncio.get_running_loop().call_later(SETTLED_S, self._give_up, way)
        await self.hand(event, front)
        self._follow(way)

    @property
    def _front(self) -> Screen[object] | None:
        return self.screen if self._screen_stack else None

    def _way_of(self, front: Screen[object] | None) -> Iterator[DOMNode]:
        """Where the key goes, where what it changed is told, and the screen that has come to the front of it."""
        if front is not None:
            path = (front.focused or front).ancestors_with_self
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

    def _give_up(self, way: Iterator[DOMNode]) -> None:
        self.call_later(self._done, way)

    async def _done(self, way: Iterator[DOMNode]) -> None:
        if way is not self._way:  # given up, or done before that
            return
        self._way = iter(())
        self.typed.popleft()
        if self.typed:
            await self._hand_out()

"""Keys reach what they are for in the order in which they were typed, also when one of them gives the focus to a field."""

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

from pvenix_tui.screens.dialogs import Picker, Prompt
from pvenix_tui.widgets.field import Field

SETTLED_S: Final = 0.5
"""The longest that a key waits for what the one before it brings about."""


class OrderedKeys(App[int]):
    """An app in which no key of a text overtakes one that was typed before it, and none behind a text overtakes its effect.

    A key goes to what has the focus and, when nothing there takes it, comes back through everything around. One that is
    typed meanwhile for a field that got the focus since would be there first: `boot` would become `obot`. What a field
    tells of its text takes the same way: a verb typed behind a filter would be for a host that the filter takes away.
    """

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.typed: deque[Key] = deque()
        """Keys that were not handed out yet; the first waits for those before it."""
        self._last: DOMNode | None = None
        """What got the key before."""
        self._waits = 0

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
        while self.typed:
            front = self.screen if self._screen_stack else None
            target = (front.focused or front) if front is not None else None
            before, self._last = self._last, target
            text = isinstance(target, Field) or isinstance(before, Field) or isinstance(front, Picker | Prompt)
            if text and before is not None and before is not target:
                self._waits += 1
                asyncio.get_running_loop().call_later(SETTLED_S, self._follow, iter(()), self._waits)
                self._follow(iter(before.ancestors_with_self), self._waits)
                return
            await self.hand(self.typed.popleft(), front)

    def _follow(self, path: Iterator[DOMNode], number: int) -> None:
        """Go the way of the keys before, widget by widget, and hand out the next behind them."""
        for widget in path:
            if widget is not self and widget.call_later(self._follow, path, number):
                return
        self.call_later(self._go_on, number)

    async def _go_on(self, number: int) -> None:
        if number == self._waits:  # a widget that went away on the way answers nothing: the time-out comes then
            self._waits += 1
            await self._hand_out()

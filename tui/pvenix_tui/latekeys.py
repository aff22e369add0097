"""Keys that were typed for a dialog before it was there: over a slow line they come in one piece with what opens it."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from textual.events import Key
from textual.screen import Screen
from textual.widget import Widget

from pvenix_tui.widgets.field import Field


class LateKeys:
    """Which screen each key was handed to, until it comes back because nothing there knew it."""

    def __init__(self) -> None:
        self._meant: WeakKeyDictionary[Key, Screen[object]] = WeakKeyDictionary()
        self._focused: WeakKeyDictionary[Key, Widget] = WeakKeyDictionary()
        self._before = ""
        """The last key that was handled where it was meant: what comes of it again is its repetition."""

    def handed(self, event: Key, front: Screen[object] | None) -> None:
        """A key goes to the screen in front."""
        if front is not None:
            self._meant[event] = front
            if front.focused is not None:
                self._focused[event] = front.focused

    def is_for_field(self, event: Key, front: Screen[object]) -> bool:
        """Whether a key that came back was typed for the field that a key before it opened on the same screen."""
        before, now = self._focused.pop(event, None), front.focused
        return isinstance(now, Field) and before is not None and before is not now and self._meant.get(event) is front

    def is_late(self, event: Key, front: Screen[object]) -> bool:
        """Whether a key that came back was typed for what has come in front since."""
        meant = self._meant.pop(event, None)
        if meant is None or meant is front:
            self._before = event.key
            return False
        late = event.key != self._before
        if late:
            self._before = ""
        return late

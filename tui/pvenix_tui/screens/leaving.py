"""A screen that leaves once, and only itself: what comes late must not take the screen that is in front by then."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import Screen
from typing_extensions import override

Result = TypeVar("Result")


class Leaving(Screen[Result], Generic[Result]):
    """What every screen and dialog is.

    Textual's own `dismiss` pops whatever is in front: a second enter of a burst, or the end of some work after the
    person went on, would close another screen, and the program when that was the last one.
    """

    _left_with: tuple[Result | None] | None = None
    """The result, when leaving was asked for while something else was in front."""

    @override
    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        if self.app.screen is self:
            return super().dismiss(result)
        self._left_with = (result,)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """Leave now, if that was asked for behind another screen; a screen that is gone never comes here."""
        if self._left_with is not None:
            (result,), self._left_with = self._left_with, None
            self.dismiss(result)

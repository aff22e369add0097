"""What every renderer offers to the one who drives a run."""

from __future__ import annotations

from typing import Protocol

from pvenix.cli.render.view import RunView
from pvenix.model.events import Event


class Renderer(Protocol):
    """Shows a run; never raises for what an event holds."""

    view: RunView

    def event(self, event: Event) -> None:
        """Show one event."""
        ...

    def output(self, host: str, line: str) -> None:
        """Show one line of a host's output."""
        ...

    def tick(self) -> None:
        """Refresh what changes with time; called several times a second."""
        ...

    def pause(self) -> None:
        """Leave the terminal to somebody else until `go_on`."""
        ...

    def go_on(self) -> None:
        """Take the terminal back."""
        ...

    def finish(self, exit_code: int) -> None:
        """Show the end of the run, or of watching it."""
        ...

"""A dry run as the plan shows it: for each step what it would do, and the exact commands that it would send."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pvenix.model.events import Command, Event, HostEnded, RunEnded, StepEnded
from pvenix.model.outcome import Status
from pvenix_tui.models.lines import EMPTY, Line, Tone, text_line
from pvenix_tui.models.states import status_span

_SHOWN: Final = 2000
"""Commands that are shown at most: a fleet's rebuild has a hundred for each host."""


@dataclass(slots=True)
class Rehearsal:
    """What a run with --check has told so far."""

    run: str = ""
    """Its id; empty until it was started."""
    ended: bool = False
    _steps: dict[tuple[str, str], list[Line]] = field(default_factory=dict)
    _commands: int = 0

    def take(self, events: Iterable[Event]) -> None:
        """Take events in, in their order."""
        for event in events:
            match event:
                case Command() if event.writes:
                    self._commands += 1
                    if self._commands <= _SHOWN:
                        mark = "$" if event.channel == "ssh" else f"{event.channel}>"
                        self._of(event).append(((f"    {mark} ", Tone.DIM), *text_line(event.text)))
                case StepEnded():
                    self._of(event).insert(0, _step_line(event))
                case HostEnded() if event.status not in (Status.OK, Status.PENDING, Status.SKIPPED):
                    said = (("  ", Tone.PLAIN), *text_line(event.summary)) if event.summary else ()
                    self._of(event).append((("    ", Tone.PLAIN), status_span(event.status), *said))
                case RunEnded():
                    self.ended = True
                case _:
                    pass

    def _of(self, event: Event) -> list[Line]:
        return self._steps.setdefault((event.host, event.step), [])

    def lines(self) -> list[Line]:
        """What it told, host by host and step by step; nothing before it was asked for."""
        if not self.run:
            return []
        state = "at its end" if self.ended else "at work"
        lines: list[Line] = [
            EMPTY,
            (("Commands ", Tone.TITLE), *text_line(f"by the dry run {self.run}, {state}", Tone.DIM)),
        ]
        for (host, _), found in self._steps.items():
            lines.append(text_line(f"  {host}", Tone.STRONG))
            lines += found
        if self._commands > _SHOWN:
            lines.append(text_line(f"  {self._commands - _SHOWN} more: pvenix runs show {self.run}", Tone.WARN))
        return lines


def _step_line(event: StepEnded) -> Line:
    return (
        ("    ", Tone.PLAIN),
        *text_line(event.verb, Tone.STRONG),
        ("  ", Tone.PLAIN),
        status_span(event.status),
        ("  ", Tone.PLAIN),
        *text_line(event.summary),
    )

"""What this window asks of machines itself: every command, API call and git operation, with its time and its end."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget
from typing_extensions import override

from pvenix.engine.calls import Call
from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.session import Session
from pvenix_tui.widgets.rows import Document, Rows

INDENT: Final = 2


class CallsScreen(PvenixScreen[None]):
    """The newest calls; those under way first, for they are what a person waits for."""

    scope = "calls"
    BINDINGS: ClassVar[list[BindingType]] = bindings("calls")

    def __init__(self, session: Session, *, area: str) -> None:
        super().__init__(session, area=area)
        self._drawn = -1
        self._bad_only = False

    @override
    def body(self) -> Iterable[Widget]:
        yield Rows(Document(self._lines), cursor=False, id="calls")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.session.ticker.add(self)
        self.call_after_refresh(self.query_one("#calls", Rows).action_do, "list.bottom")

    def on_unmount(self) -> None:
        """No more ticks."""
        self.session.ticker.remove(self)

    def ticking(self) -> bool:
        """True while it is in front and something was asked or answered, or is under way."""
        calls = self.session.calls
        return self.is_current and (calls.changes != self._drawn or bool(calls.under_way))

    def tick(self) -> None:
        """Draw new calls, staying at the end when it shows."""
        self._drawn = self.session.calls.changes
        rows = self.query_one("#calls", Rows)
        follows = rows.at_end
        rows.reload()
        if follows:
            rows.action_do("list.bottom")
        self.refresh_bars()

    @override
    def where(self) -> str:
        calls = self.session.calls
        return f"{calls.total} calls, {len(calls.under_way)} open{' (failed only)' if self._bad_only else ''}"

    def do_calls_bad(self) -> None:
        """Only what failed, or everything again."""
        self._bad_only = not self._bad_only
        self.redraw()

    def _lines(self, width: int) -> list[Line]:
        calls = self.session.calls
        older = calls.total - len(calls.calls)
        lines: list[Line] = [text_line(f"{older} older ones are no longer kept", Tone.DIM)] if older else []
        for call in calls.calls:
            if call.bad or not self._bad_only:
                lines += wrap(_call_line(call, self.session.clock()), width, indent=INDENT)
        return lines or [text_line("nothing was asked yet; readings begin with the first look at the fleet", Tone.DIM)]


def _call_line(call: Call, now: float) -> Line:
    seconds = call.seconds if call.seconds is not None else max(0.0, now - call.at)
    end = call.result if call.seconds is not None else "under way"
    tone = Tone.BUSY if call.seconds is None else Tone.BAD if call.bad else Tone.OK
    return (
        (time.strftime("%H:%M:%S ", time.localtime(call.at)), Tone.DIM),
        (f"{call.channel.value:<4}", Tone.ACCENT),
        (f"{seconds:7.2f}s ", Tone.DIM),
        *text_line(f"{end:<9} ", tone),
        *text_line(f"{call.host}  " if call.host else "", Tone.STRONG),
        *text_line(call.text),
    )

"""Follow one Proxmox task to its end, through failed polls and restarts of the API."""

from __future__ import annotations

import re
from collections import deque
from typing import Final

from pvenix.adapters.pve.answers import Fields, fields, number, rows, text
from pvenix.adapters.pve.problems import transient
from pvenix.adapters.pve.transport import FAILURES, Transport, api_path, upid_node
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import Clock, OutputSink, TaskResult
from pvenix.model.errors import OutcomeUnknown, Refused

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0
_PAGE: Final = 500
_KEPT_LINES: Final = 500
_REFUSALS: Final = 5
"""Answers in a row that say the task cannot be read, before we believe them."""
STALLED: Final = "PVX0546"
_SUCCESS: Final = re.compile(r"OK|WARNINGS: \d+")


class TaskWatch:
    """The state of one wait: how far the log was read, and how often reading was refused."""

    def __init__(self, transport: Transport, upid: str, on_line: OutputSink) -> None:
        self._transport = transport
        self._upid = upid
        self._on_line = on_line
        self._base = ("nodes", upid_node(upid), "tasks", upid)
        self._offset = 0
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._refusals = 0
        self._last_problem = ""

    async def wait(self, clock: Clock, timeout_s: float, stall_s: float | None = None) -> TaskResult:
        """The task's end.

        Time in which the task cannot be read does not count as a stall: nobody knows what it logs meanwhile.
        Raises: OutcomeUnknown when `timeout_s` passes, when nothing new is logged for `stall_s`, or Proxmox says again
        and again that it cannot be read.
        """
        deadline = clock.monotonic() + timeout_s
        moved_at, seen = clock.monotonic(), self._offset
        pause = _FIRST_PAUSE_S
        while (result := await self._poll()) is None:
            if self._refusals >= _REFUSALS:
                raise self._unknown("the task can no longer be read")
            if clock.monotonic() >= deadline:
                raise self._unknown(f"no end after {timeout_s:g} s")
            if self._offset != seen or self._last_problem:
                moved_at, seen = clock.monotonic(), self._offset
            if stall_s is not None and clock.monotonic() - moved_at >= stall_s:
                raise self._stalled(clock.monotonic() - moved_at)
            await clock.sleep(min(pause, max(0.0, deadline - clock.monotonic())))
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)
        return result

    async def _poll(self) -> TaskResult | None:
        try:
            status = fields(await self._transport.request("GET", api_path(*self._base, "status"), {}))
            await self._read_log()
        except Refused as error:  # nobody could be asked for a login that died; the task goes on without us
            raise self._unknown(error.what, error.hint) from error
        except FAILURES as error:
            self._refusals += 0 if transient(error) else 1
            self._last_problem = sanitise(str(error))
            return None
        self._refusals, self._last_problem = 0, ""
        return self._result(status)

    async def _read_log(self) -> None:
        """Hand on what is new; the log of a task that has ended is read to its end."""
        while True:
            page = rows(
                await self._transport.request(
                    "GET", api_path(*self._base, "log"), {"start": str(self._offset), "limit": str(_PAGE)}
                )
            )
            for row in page:
                self._take(row)
            if len(page) < _PAGE:
                return

    def _take(self, row: Fields) -> None:
        line, count = text(row, "t", ""), number(row, "n")
        if count <= self._offset or (line == "no content" and count == 1):
            return  # an empty log is one line "no content", which the first real line replaces
        self._offset = count
        self._lines.append(sanitise(line))
        self._on_line(sanitise(line) + "\n")

    def _result(self, status: Fields) -> TaskResult | None:
        """None while it runs; a stopped task without an exit status is not believed yet."""
        exit_text = sanitise(text(status, "exitstatus", ""))
        if text(status, "status", "") != "stopped" or not exit_text:
            return None
        return TaskResult(
            upid=self._upid, ok=bool(_SUCCESS.fullmatch(exit_text)), exit_text=exit_text, log=tuple(self._lines)
        )

    def _stalled(self, seconds: float) -> OutcomeUnknown:
        kind, node = self._upid.split(":")[5], upid_node(self._upid)
        return OutcomeUnknown(
            f"Proxmox task {self._upid} makes no progress",
            why=f"it runs, and its log has said nothing new for {seconds:.0f} s",
            hint=f"look at it on {node}: ps axf | grep -A9 {kind}, and the storage's own state (zpool status, pvesm status); "
            "then stop the task there, or wait: pvenix resume looks at it again",
            evidence=tuple(self._lines)[-6:] or ("its log is empty",),
            code=STALLED,
        )

    def _unknown(self, why: str, hint: str = "it may still run: look for it in the node's task list") -> OutcomeUnknown:
        last = f"; last answer: {self._last_problem}" if self._last_problem else ""
        return OutcomeUnknown(
            f"Proxmox task {self._upid}: its end is not known",
            why=why + last,
            hint=hint,
            evidence=tuple(self._lines)[-6:],
            code="PVX0535",
        )

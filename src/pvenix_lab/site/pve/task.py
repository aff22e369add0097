"""One task: its UPID, its log and its end (proxmox.md a4)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Task:
    """One worker. `exitstatus` is None while it runs; times are wall-clock seconds."""

    upid: str
    node: str
    type: str
    id: str
    owner: str
    pid: int
    pstart: int
    starttime: int
    endtime: int | None = None
    exitstatus: str | None = None
    warnings: int = 0
    lines: list[str] = field(default_factory=list)
    job: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """True until the worker has ended."""
        return self.exitstatus is None

    def log(self, text: str) -> None:
        """Append text to the log, one entry per line."""
        self.lines.extend(text.splitlines() or [""])

    def warn(self, text: str) -> None:
        """Append a warning; the task then ends as `WARNINGS: n`."""
        self.warnings += 1
        self.log(f"WARN: {text}")

    def end(self, exitstatus: str, *, at: int) -> None:
        """Set the result; a second end changes nothing."""
        if self.exitstatus is None:
            self.exitstatus, self.endtime = exitstatus, at

"""The output of one step on one host, cut out of the host's log by the offsets that the events keep.

The log has a line `--- 0.3.boot ---` before each step, but a host can print such a line too.
"""

from __future__ import annotations

from pathlib import Path

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import UsageError
from pvenix.model.events import StepStarted
from pvenix.model.nearest import did_you_mean


def times_path(log: Path) -> Path:
    """Where is noted when a log was written: lines of an offset in bytes and the time from which on what follows it came.

    A line at most once a second, so that it stays small whatever a host prints.
    """
    return log.with_suffix(".times")


def log_of(run: RunDir, host: str, step: str = "") -> bytes:
    """What a host printed in a run, byte by byte as it was captured; with `step`, an id or a verb, only there.

    A step that was tried several times comes with every try, in order.
    Raises: UsageError when the host has had no such step.
    """
    whole = _bytes(run.log_path(host))
    if not step:
        return whole
    begun = [event for event in run.events()[0] if isinstance(event, StepStarted) and event.host == host]
    if not any(step in (event.step, event.verb) for event in begun):
        names = tuple(dict.fromkeys(event.step for event in begun))
        hint = did_you_mean(step, names) or f"its steps: {', '.join(names) or 'none'}"
        raise UsageError(f"{host} has had no step {step!r} in run {run.run}", hint=hint)
    ends = [*(event.log_at for event in begun[1:]), len(whole)]
    parts = zip(begun, ends, strict=True)
    return b"".join(whole[event.log_at : end] for event, end in parts if step in (event.step, event.verb))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""

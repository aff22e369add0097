"""The output of one step on one host, cut out of the host's log by the offsets that the events keep.

The log has a line `--- 0.3.boot ---` before each step, but a host can print such a line too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pvenix.engine.runfiles import RunDir
from pvenix.engine.stepwords import heading, headings, planned_steps
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
    if not step:
        return _bytes(run.log_path(host))
    return b"".join(part for _, part in _parts(run, host, step))


def log_in_words(run: RunDir, host: str, step: str = "") -> bytes:
    """As `log_of`, for a person: a step is headed `--- 4/6 boot ---`, as everything else names it.

    Raises: UsageError as `log_of` does.
    """
    words = headings(planned_steps(run.plan()).get(host, ()))
    return b"".join(_headed(part, begun, words) for begun, part in _parts(run, host, step))


def _headed(part: bytes, step: str, words: Mapping[str, str]) -> bytes:
    line = heading(step)
    written = f"{line}\n".encode()
    return f"{words.get(line, line)}\n".encode() + part[len(written) :] if part.startswith(written) else part


def _parts(run: RunDir, host: str, step: str) -> list[tuple[str, bytes]]:
    """The id of each step that was begun, with its output; without a `step` also what came before the first."""
    whole = _bytes(run.log_path(host))
    begun = [event for event in run.events()[0] if isinstance(event, StepStarted) and event.host == host]
    if step and not any(step in (event.step, event.verb) for event in begun):
        names = tuple(dict.fromkeys(event.step for event in begun))
        hint = did_you_mean(step, names) or f"its steps: {', '.join(names) or 'none'}"
        raise UsageError(f"{host} has had no step {step!r} in run {run.run}", hint=hint)
    if not begun:
        return [("", whole)]
    ends = [*(event.log_at for event in begun[1:]), len(whole)]
    parts = [(event, whole[event.log_at : end]) for event, end in zip(begun, ends, strict=True)]
    if not step:
        return [("", whole[: begun[0].log_at]), *((event.step, part) for event, part in parts)]
    return [(event.step, part) for event, part in parts if step in (event.step, event.verb)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""

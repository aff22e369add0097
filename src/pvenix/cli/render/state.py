"""One host's state in full, for `pvenix status -v`."""

from __future__ import annotations

from collections.abc import Iterator

from pvenix.cli.text import clean, style, verbatim
from pvenix.model.status import HostStatus

_DIFF = {"+": "in sync", "-": "drifted"}
"""Added and removed lines in the colours of these words."""


def details(status: HostStatus) -> str:
    """Everything that the host's row has no room for; empty when there is nothing."""
    lines = [*_systems(status), *_found(status), *_hardware(status)]
    return "\n".join([style(status.host, "strong"), *lines]) if lines else ""


def _systems(status: HostStatus) -> Iterator[str]:
    if (facts := status.facts) is None:
        return
    yield f"  booted    {clean(facts.booted)}"
    yield f"  current   {clean(facts.current)}"
    yield f"  profile   {clean(facts.profile)}"
    if facts.starts and facts.starts != facts.profile:
        yield f"  starts    {clean(facts.starts)}"
    yield f"  runs      {verbatim(facts.revision) or 'no commit'}"
    yield f"  checkout  {verbatim(facts.checkout) or 'none'}"


def _found(status: HostStatus) -> Iterator[str]:
    if (facts := status.facts) is None:
        return
    for title, values in (
        ("edited", facts.edits),
        ("failed", facts.failed_units),
        ("reboot", facts.reboot),
        ("attempt", facts.fence),
    ):
        for value in values:
            yield f"  {title:<9} {verbatim(value)}"


def _hardware(status: HostStatus) -> Iterator[str]:
    if status.hardware is None:
        return
    if not status.hardware.diff:
        yield f"  hardware  {verbatim(status.hardware.problem) or 'as committed'}"
        return
    yield f"  hardware  {status.hardware.lines} lines differ"
    for line in status.hardware.diff.splitlines():
        yield "    " + style(verbatim(line), _DIFF.get(line[:1], ""))

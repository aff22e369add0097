"""The fake backend's fleet before anything is asked of it."""

from __future__ import annotations

from collections.abc import Mapping

from pvenix.model.status import HostStatus


class FakeFleetPart:
    """What the last session left."""

    readings_before: Mapping[str, HostStatus] = {}
    """The last reading of each host, from an earlier session."""
    remembered_times = 0
    """How often the inventory's names were kept."""

    def remember(self) -> None:
        self.remembered_times += 1

    def last_readings(self) -> Mapping[str, HostStatus]:
        return self.readings_before

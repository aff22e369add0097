"""The drift tab's keys: from file to file, and the three ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from pvenix_tui.intents.drift import IgnoreIntent, adopt_intent, overwrite_intent
from pvenix_tui.models.hosttabs import Tab
from pvenix_tui.screens.hostreadings import HostReadings
from pvenix_tui.screens.hostsearch import ALL_SHOWS, moved
from pvenix_tui.screens.planning import PlanningScreen
from pvenix_tui.widgets.rows import Rows

if TYPE_CHECKING:
    from pvenix_tui.models.hostdrift import DriftLines


class HostDriftKeys(HostReadings, PlanningScreen):
    """What is done about edits on a host; each way out starts on the plan screen."""

    drift_lines: DriftLines

    def do_host_adopt(self) -> None:
        """Plan to take the edits into a branch, with the hardware file where that differs."""
        found = self.readings[Tab.DRIFT].value
        if found is not None:
            self.open_plan(adopt_intent(self.session.backend, found))

    def do_host_overwrite(self) -> None:
        """Plan to put the edits aside and rebuild."""
        self.open_plan(overwrite_intent(self.session.backend, self.host))

    def do_host_ignore(self) -> None:
        """Plan a line of the inventory for the file at the top."""
        self.open_plan(IgnoreIntent(self.session.backend, self.host, self._file()))

    @override
    def started(self, result: object) -> None:
        """As for every plan; what was written into the inventory is told, and read anew."""
        super().started(result)
        if isinstance(result, str):
            self.session.say(result)
            self.session.outdated()

    def do_host_next_file(self) -> None:
        """The next file."""
        self._to_file(backwards=False)

    def do_host_previous_file(self) -> None:
        """The file before."""
        self._to_file(backwards=True)

    def _to_file(self, *, backwards: bool) -> None:
        rows = self.query_one(f"#{Tab.DRIFT.value}", Rows)
        line = self.drift_lines.places.next_file(rows.top, backwards=backwards)
        if line is None:
            self.session.say("no file " + ("above" if backwards else "below"))
        elif not moved(rows, line):
            self.session.say(ALL_SHOWS)

    def _file(self) -> str:
        return self.drift_lines.places.file_at(self.query_one(f"#{Tab.DRIFT.value}", Rows).top)

"""The tabs of a host: their names, what each has read and how old that is, and the chips above them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from pvenix.model.status import HostStatus
from pvenix_tui.models.fleet import is_stale
from pvenix_tui.models.lines import Line, Span, Tone, text_line, wrap
from pvenix_tui.models.states import duration_word, sync_span

Value = TypeVar("Value")
OLD_S: Final = 90.0
"""Seconds after which the age of what shows is marked."""


class Tab(StrEnum):
    """What a host's screen shows at a time; the first two stand on the left where there is room."""

    FACTS = "facts"
    GENERATIONS = "generations"
    DRIFT = "drift"
    CONFIG = "config"
    HARDWARE = "hardware"
    CLOUD_INIT = "cloud-init"
    UNITS = "units"
    JOURNAL = "journal"
    RUNS = "runs"
    PROXMOX = "proxmox"

    @property
    def label(self) -> str:
        """Its name in the line of tabs."""
        return _SHORT.get(self, self.value.capitalize())


_SHORT: Final = {Tab.GENERATIONS: "Gens", Tab.CLOUD_INIT: "Cloud"}
LEFT: Final = (Tab.FACTS, Tab.GENERATIONS)
HELP: Final = {
    Tab.FACTS: "what is known of the host, and since when",
    Tab.GENERATIONS: "its systems; b goes back to the one at the cursor",
    Tab.DRIFT: "what was edited in /etc/nixos, and the ways out: adopt, overwrite, ignore",
    Tab.CONFIG: "every setting, and which file says so",
    Tab.HARDWARE: "the hardware file as committed, and as its generator writes it now",
    Tab.CLOUD_INIT: "what the cloud-init drive is told, against the inventory",
    Tab.UNITS: "systemd's units, failed ones first",
    Tab.JOURNAL: "the last lines of the journal, and those that come",
    Tab.RUNS: "this host's part of past runs",
    Tab.PROXMOX: "the VM: its configuration, snapshots, backups and tasks",
}


NONE: Final = {
    Tab.GENERATIONS: "no generation is there",
    Tab.UNITS: "no unit is there",
    Tab.RUNS: "no run of it on this machine yet",
}
"""What a table says when there is nothing of its kind."""


@dataclass(slots=True)
class Reading(Generic[Value]):
    """What was read of one thing, and when; a failure keeps what was read before."""

    value: Value | None = None
    at: float | None = None
    """Seconds since 1970: when `value` was read."""
    problem: str = ""
    """Why the last attempt failed, empty when it did not."""
    busy: bool = False
    version: int = 0
    """Grows with everything that changes what is drawn."""

    @property
    def asked(self) -> bool:
        """True once somebody wanted it."""
        return self.busy or self.at is not None or bool(self.problem)

    def begin(self) -> None:
        """A reading is under way."""
        self.busy = True
        self.version += 1

    def take(self, value: Value, now: float) -> None:
        """It ended well."""
        self.value, self.at, self.problem, self.busy = value, now, "", False
        self.version += 1

    def fail(self, problem: str) -> None:
        """It did not; what was read before stays."""
        self.problem, self.busy = problem, False
        self.version += 1

    def nothing(self, none: str) -> Line:
        """What stands in a table without rows: why nothing was read, or the word for none at all."""
        if self.problem:
            return text_line(f"! {self.problem}", Tone.WARN)
        unread = "reading" if self.busy else "not read yet: ctrl+r reads it"
        return text_line(unread if self.value is None else none, Tone.DIM)

    def age(self, now: float) -> str:
        """How old what shows is, in a word; empty when nothing shows."""
        return "" if self.at is None else duration_word(max(0.0, now - self.at))

    def note(self, now: float) -> Span:
        """How fresh what shows is, for the line above it."""
        if self.busy:
            old = f" again, this is {self.age(now)} old" if self.at is not None and now - self.at >= 1 else ""
            return (f"reading{old}", Tone.BUSY)
        if self.problem:
            old = f", this is {self.age(now)} old" if self.at is not None else ""
            return (f"could not be read{old}", Tone.WARN)
        if self.at is None:
            return ("not read yet", Tone.DIM)
        stale = now - self.at > OLD_S
        return (
            f"read {self.age(now)} ago{': ctrl+r reads it again' if stale else ''}",
            Tone.WARN if stale else Tone.DIM,
        )


class TabLines(Generic[Value]):
    """The document of a tab: laid out once for each reading and width, whatever is redrawn around it."""

    def __init__(self, reading: Reading[Value], make: Callable[[Value, int], Sequence[Line]]) -> None:
        self.reading = reading
        self._make = make
        self._key: tuple[int, int] = (-1, -1)
        self._lines: Sequence[Line] = ()

    def __call__(self, width: int) -> Sequence[Line]:
        """The lines in `width` cells: why there is nothing new, then what is known."""
        key = (self.reading.version, width)
        if key != self._key:
            self._key, self._lines = key, self._laid_out(width)
        return self._lines

    def _laid_out(self, width: int) -> list[Line]:
        reading = self.reading
        lines = wrap(text_line(f"! {reading.problem}", Tone.WARN), width, indent=2) if reading.problem else []
        if reading.value is not None:
            return [*lines, *self._make(reading.value, width)]
        return lines or [text_line("reading" if reading.busy else "not read yet: ctrl+r reads it", Tone.DIM)]


def tabs_line(active: Tab, shown: Tab) -> Line:
    """The names of all tabs; `active` has the keys, `shown` is the one on the right where two stand."""
    spans: list[Span] = []
    for tab in Tab:
        if tab is active:
            spans.append((f"[{tab.label}]", Tone.STRONG))
        else:
            spans.append((f" {tab.label} ", Tone.ACCENT if tab is shown else Tone.DIM))
    return tuple(spans)


def tab_at(column: int, active: Tab, shown: Tab) -> Tab | None:
    """The tab whose name covers this column of the line of tabs."""
    for tab, (text, _) in zip(Tab, tabs_line(active, shown), strict=True):
        column -= len(text)
        if column < 0:
            return tab
    return None


def chips(status: HostStatus | None, now: float) -> Line:
    """The host's state, and what of it needs a person, in a few words."""
    if status is None:
        return ((" ", Tone.PLAIN), ("not read yet", Tone.DIM))
    spans: list[Span] = [(" ", Tone.PLAIN), sync_span(status.sync, stale=is_stale(status, now))]
    facts = status.facts
    if facts is not None:
        drifted = len(facts.edits) or len(status.drift)
        spans += [(f"  DRIFT {drifted}", Tone.WARN)] if drifted else []
        spans += [("  REBOOT", Tone.WARN)] if facts.reboot else []
        spans += [(f"  FAILED {len(facts.failed_units)}", Tone.BAD)] if facts.failed_units else []
        spans += [("  HELD", Tone.BUSY)] if facts.fence else []
    if status.power and status.power != "running":
        spans.append((f"  {status.power.upper()}", Tone.WARN))
    if status.registration:
        spans.append(("  IN REVIEW", Tone.ACCENT))
    return tuple(spans)

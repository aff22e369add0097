"""A full disk under a run: it stops before the next effect, says what is full, and goes on once there is room again.

The disk is a real file system of a few hundred kilobytes, filled to the last byte at every moment of a run.
"""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.journal import SqliteJournal
from pvenix.engine.journalfile import read_entries
from pvenix.engine.narrator import HostLog
from pvenix.engine.runfiles import RunStore
from pvenix.engine.step import Step
from pvenix.model.errors import ExitCode, LocalResource
from pvenix.model.events import RunEnded
from pvenix.model.outcome import Outcome, Probe, done, needed
from tests.unit.engine_support import CHANGED, Bench, FakeVerb, StillJournal, bench, play

VERBS: Final = ("clone", "cloudinit", "boot")
MOMENTS: Final = ("before the intent", "after the intent", "after the effect", "in the output")
NAMED: Final = ("journal", "log", "events", "lock file")


@dataclass
class Disk:
    """A small disk."""

    root: Path

    def fill(self) -> None:
        """Leave no byte."""
        with (self.root / "ballast").open("ab", buffering=0) as file:
            for size in (65536, 512, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue

    def leave(self, size: int) -> None:
        """Leave room for `size` bytes."""
        self.fill()
        ballast = self.root / "ballast"
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - size)

    def free(self) -> None:
        """Give the room back."""
        (self.root / "ballast").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", "size=768k", "tmpfs", str(root))
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small file system can be made here: {error}")
    if mounted.returncode:
        pytest.skip(f"no small file system can be made here: {mounted.stderr.strip()}")
    try:
        yield Disk(root)
    finally:
        subprocess.run(("umount", "--lazy", str(root)), check=True)


@dataclass
class Worker:
    """What a verb does to a far side that this object is: looks first, intends, acts."""

    verb: str
    far_side: list[str]
    happen: Callable[[str, str], None]
    """Told each moment, with the verb."""

    def as_verb(self) -> FakeVerb:
        return FakeVerb({"a1": self._apply}, probe_with=self._probe)

    async def _probe(self, _step: Step) -> Probe:
        return done("it is there") if self.verb in self.far_side else needed("nothing there")

    async def _apply(self, step: Step) -> Outcome:
        self.happen("before the intent", self.verb)
        await step.intend(what=self.verb)
        self.happen("after the intent", self.verb)
        self.far_side.append(self.verb)
        self.happen("in the output", self.verb)
        step.output("a line of the host\n" * 20)
        self.happen("after the effect", self.verb)
        return CHANGED


def ended(one: Bench, *, resume: bool = False) -> tuple[ExitCode, str]:
    """How a run ended, as the command line tells it: its exit code, and everything that it said."""
    try:
        with one.journal:  # type: ignore[attr-defined]  # the real journal
            code = one.go(resume=resume)
    except LocalResource as error:
        return error.exit_code, str(error)
    return code, " ".join(str(event.to_json()) for event in one.events)


@pytest.mark.parametrize(("moment", "verb"), itertools.product(MOMENTS, VERBS))
def test_a_run_on_a_full_disk_stops_before_the_next_effect_and_goes_on_when_there_is_room(
    disk: Disk, moment: str, verb: str
) -> None:
    far_side: list[str] = []
    moments = {(moment, verb)}

    def happen(now: str, who: str) -> None:
        if (now, who) in moments:
            moments.clear()
            disk.fill()

    verbs = {name: Worker(verb=name, far_side=far_side, happen=happen).as_verb() for name in VERBS}
    one = bench(disk.root, play("a1", verbs=VERBS), verbs=verbs)
    one.journal = StillJournal(one.run.path / "journal.sqlite")
    code, said = ended(one)
    assert code is ExitCode.LOCAL, said
    assert any(name in said for name in NAMED), said
    before = list(VERBS[: VERBS.index(verb)])
    assert far_side == (before if moment == "before the intent" else [*before, verb])
    disk.free()
    one.journal = StillJournal(one.run.path / "journal.sqlite")
    code, said = ended(one, resume=True)
    assert code is ExitCode.OK, said
    assert far_side == [*VERBS]


@pytest.mark.parametrize("room", [0, 8192, 32768, 40960])
async def test_a_journal_that_a_full_disk_let_nobody_make_holds_nothing_and_is_made_when_there_is_room(
    disk: Disk, room: int
) -> None:
    path = disk.root / "journal.sqlite"
    disk.leave(room)
    with pytest.raises(LocalResource, match="cannot be written"), SqliteJournal(path):
        pass
    disk.free()
    assert path.exists()
    assert read_entries(path) == ()
    with SqliteJournal(path) as journal:
        await journal.intent("a1", "0.0.clone")
    assert [row.what for row in read_entries(path)] == ["intent"]


async def test_a_journal_that_a_full_disk_keeps_from_being_read_says_where_and_what_to_do(disk: Disk) -> None:
    path = disk.root / "journal.sqlite"
    with SqliteJournal(path) as journal:
        await journal.intent("a1", "0.0.clone")
    disk.fill()
    with pytest.raises(LocalResource, match="cannot be read") as told:
        read_entries(path)
    assert str(path) in told.value.why
    assert told.value.hint == f"is the disk full? df -h {disk.root}; free space there, then the same command again"
    disk.free()
    assert [row.what for row in read_entries(path)] == ["intent"]


RECORDS: Final[dict[str, Callable[[Bench], object]]] = {
    "events": lambda one: one.run.append_event(RunEnded(run=one.run.run, seq=1, at="", exit_code=0, counts={})),
    "directory": lambda one: RunStore(one.run.path.parent).create(one.plan),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS.keys())
def test_what_a_full_disk_does_not_take_of_a_run_says_where_and_what_to_do(
    disk: Disk, record: Callable[[Bench], object]
) -> None:
    one = bench(disk.root, play("a1", verbs=VERBS))
    assert one.run.path.exists()
    disk.fill()
    with pytest.raises(LocalResource) as told:
        record(one)
    assert str(disk.root) in told.value.why
    assert told.value.why.endswith("No space left on device")
    assert told.value.hint.startswith("make room there")


def test_a_log_that_a_full_disk_does_not_take_says_where_and_what_to_do(disk: Disk) -> None:
    path = disk.root / "a1.log"
    log = HostLog(path, str, SystemClock())
    disk.fill()
    with pytest.raises(LocalResource) as told:
        log.line("x" * 10_000)
    assert told.value.why == f"{path}: No space left on device"
    assert told.value.hint.startswith("make room there")
    disk.free()
    log.close()


def test_a_journal_whose_rows_are_lost_is_refused_and_not_taken_for_one_that_was_never_made(disk: Disk) -> None:
    path = disk.root / "journal.sqlite"
    with SqliteJournal(path):
        pass
    database = sqlite3.connect(path)
    database.execute("DROP TABLE entry")
    database.close()
    with pytest.raises(LocalResource, match="cannot be read"):
        read_entries(path)

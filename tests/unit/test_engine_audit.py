"""The audit log: every try at a change has its line, and what happens to a line afterwards is found."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from pvenix.engine.audit import AuditLog, Record
from pvenix.engine.auditcheck import verify
from pvenix.engine.audittrail import WHO, AuditTrail, complete, complete_run, unwritten
from pvenix.engine.journal import SqliteJournal, read_entries
from pvenix.engine.ports import Entry
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.step import Step
from pvenix.model.errors import ExitCode, LocalResource
from pvenix.model.outcome import Outcome, Probe, done
from tests.unit.engine_support import CHANGED, FAILED, FakeVerb, StillJournal, bench, play


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    (tmp_path / "state").mkdir()
    return AuditLog(tmp_path / "state")


def record(number: int) -> Record:
    return {"run": "r", "host": f"a{number}", "step": "0.0.build", "count": 1}


def written(log: AuditLog, lines: int = 6) -> AuditLog:
    for number in range(lines):
        log.append([record(number)])
    return log


def found(log: AuditLog) -> list[tuple[int, str]]:
    return [(problem.line, problem.what) for problem in verify(log).problems]


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_log_that_nobody_touched_is_as_it_was_written_and_only_its_owner_s(log: AuditLog) -> None:
    written(log).append([record(7), record(8)])
    verdict = verify(log)
    assert (verdict.lines, verdict.problems) == (8, ())
    assert [line["host"] for line in log.records()] == [*(f"a{number}" for number in range(6)), "a7", "a8"]
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert (log.path.parent / "audit.end").stat().st_mode & 0o777 == 0o600


def test_no_log_at_all_is_nothing_wrong(log: AuditLog) -> None:
    assert (verify(log).lines, found(log)) == (0, [])


def test_any_flipped_byte_is_found_in_its_line(log: AuditLog) -> None:
    whole = written(log, 3).path.read_bytes()
    starts = [0, *(index + 1 for index, byte in enumerate(whole) if byte == 0x0A)]
    for place in range(len(whole)):
        log.path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        line = max(number for number, start in enumerate(starts, start=1) if start <= place)
        assert any(number == line for number, _ in found(log)), (place, found(log))


@pytest.mark.parametrize("line", range(1, 7))
def test_a_deleted_line_is_found(log: AuditLog, line: int) -> None:
    lines = written(log).path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[: line - 1] + lines[line:]))
    [(place, what)] = found(log)
    assert place == line
    assert "missing" in what


@pytest.mark.parametrize("lines", range(1, 7))
def test_a_tail_that_was_cut_off_is_found_also_after_more_was_written(log: AuditLog, lines: int) -> None:
    whole = written(log).path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(whole[:-lines]))
    assert found(log) == [(7 - lines, f"is missing: {lines} line{'s' if lines > 1 else ''} cut off at the end")]
    log.append([record(9)])
    [(place, what)] = found(log)
    assert (place, "missing" in what) == (7 - lines, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines, lines[2]],
        lambda lines: [lines[0], lines[0], *lines[1:]],
    ],
    ids=["swapped", "repeated at the end", "doubled"],
)
def test_lines_that_stand_elsewhere_are_found(log: AuditLog, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = written(log).path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(change(lines)))
    assert found(log)


def test_a_line_made_anew_with_a_hash_of_its_own_is_found(log: AuditLog) -> None:
    from pvenix.engine.audit import Mark, sealed

    lines = written(log).path.read_bytes().splitlines()
    before = json.loads(lines[2])
    forged, _ = sealed({**record(3), "host": "b2"}, Mark(n=3, hash=before["hash"]))
    log.path.write_bytes(b"\n".join([*lines[:3], forged, *lines[4:]]) + b"\n")
    assert [line for line, _ in found(log)] == [5]
    log.path.write_bytes(b"\n".join([*lines[:5], sealed(record(5), Mark(n=5, hash=json.loads(lines[4])["hash"]))[0]]))
    assert found(log)


def test_a_log_without_the_mark_of_its_end_is_not_believed(log: AuditLog) -> None:
    (written(log).path.parent / "audit.end").unlink()
    assert found(log) == [(6, "is the last, and nothing says how many there were")]


def test_a_line_that_a_killed_process_left_unfinished_is_taken_off_by_the_next_one(log: AuditLog) -> None:
    written(log)
    with log.path.open("ab") as file:
        file.write(b'{"n":7,"run":"r"')
    assert [what for _, what in found(log)] == [
        "is cut short: a killed process may leave that, and the next run mends it"
    ]
    log.append([record(7)])
    assert (verify(log).lines, found(log)) == (7, [])


def test_a_full_disk_leaves_the_log_as_it_was(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    before = written(log).path.read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, text: write(file, text[:20]))
    with pytest.raises(LocalResource, match="audit log cannot be written"):
        log.append([record(7)])
    monkeypatch.undo()
    assert (log.path.read_bytes(), found(log)) == (before, [])


APPENDING = """
import sys
from pathlib import Path
from pvenix.engine.audit import AuditLog

log = AuditLog(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    log.append([{"run": sys.argv[2], "host": "a1", "step": "s", "count": number}])
    print(number, flush=True)
"""


def appending(folder: Path, run: str, lines: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", APPENDING, str(folder), run, str(lines)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_runs_at_once_append_to_one_chain(log: AuditLog) -> None:
    processes = [appending(log.path.parent, run, 40) for run in ("r1", "r2", "r3")]
    for process in processes:
        begin(process)
    for process in processes:
        process.communicate()
    assert (verify(log).lines, found(log)) == (120, [])
    assert all(len(log.keys(run)) == 40 for run in ("r1", "r2", "r3"))


def test_a_line_that_was_acknowledged_survives_kill_9_and_the_chain_goes_on(log: AuditLog) -> None:
    for run in ("r1", "r2", "r3", "r4"):
        process = appending(log.path.parent, run, 10_000)
        begin(process)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(15)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert len(log.keys(run)) >= len(acknowledged)
        log.append([record(1)])
        assert found(log) == []


# --- the lines of a run ----------------------------------------------------------------------------------------------


class DyingLog(AuditLog):
    """A log whose process dies before it writes its line number `lines`."""

    def __init__(self, folder: Path, lines: int) -> None:
        super().__init__(folder)
        self.left = lines

    @override
    def append(self, records: Sequence[Record], *, missing_of: str = "") -> None:
        if not missing_of:
            records = records[: max(0, self.left)]
            self.left -= len(records)
        super().append(records, missing_of=missing_of)


async def changes(step: Step) -> Outcome:
    await step.intend(what="x")
    step.sends("ssh", "touch /done")
    return Outcome(status=CHANGED.status, facts={"commit": "c" * 40} if step.verb == "register" else {})


async def fails(step: Step) -> Outcome:
    await step.intend(what="x")
    return FAILED


async def is_done(_step: Step) -> Probe:
    return done()


VERBS = ("clone", "boot", "register", "build")


def executed(root: Path, log: AuditLog, *, again: RunDir | None = None) -> tuple[RunDir, ExitCode]:
    """A run over two hosts: one changes and then fails, the other's boot is done already."""
    verbs = {
        "clone": FakeVerb({"a1": changes, "b2": changes}),
        "boot": FakeVerb(probe_with=is_done),
        "register": FakeVerb({"a1": changes, "b2": changes}),
        "build": FakeVerb({"a1": changes, "b2": changes if again else fails}),
    }
    one = bench(root if again is None else root / "unused", play("a1", "b2", verbs=VERBS), verbs=verbs)
    one.run = again or one.run
    trail = AuditTrail(log, one.run.run, read_entries(one.run.journal_path))
    with StillJournal(one.run.journal_path, trail=trail) as journal:
        journal.evidence("", WHO, operator="ada", os_user="root", git="Ada <ada@x>", commit="d" * 40)
        one.journal = journal
        return one.run, one.go(resume=again is not None)


def shown(log: AuditLog) -> list[tuple[str, str, int, str]]:
    return sorted((line["host"], line["step"], line["count"], line["outcome"]) for line in log.records())


LINES = [
    ("a1", "0.0.clone", 1, "changed"),
    ("a1", "0.2.register", 1, "changed"),
    ("a1", "0.3.build", 1, "changed"),
    ("b2", "0.0.clone", 1, "changed"),
    ("b2", "0.2.register", 1, "changed"),
    ("b2", "0.3.build", 1, "failed"),
]


def test_every_step_that_changed_or_tried_to_has_one_line_and_no_other(tmp_path: Path, log: AuditLog) -> None:
    run, code = executed(tmp_path, log)
    assert (code, shown(log), found(log)) == (ExitCode.FAILED, LINES, [])
    line = next(line for line in log.records() if line["step"] == "0.3.build" and line["host"] == "a1")
    assert {key: line[key] for key in ("run", "operator", "os_user", "git", "verb", "commit")} == {
        "run": run.run,
        "operator": "ada",
        "os_user": "root",
        "git": "Ada <ada@x>",
        "verb": "build",
        "commit": "c" * 40,
    }
    assert len(line["commands"]) == 64
    first = next(line for line in log.records() if line["step"] == "0.0.clone")
    assert first["commit"] == "d" * 40


def test_a_step_that_is_tried_again_has_a_line_for_each_try(tmp_path: Path, log: AuditLog) -> None:
    run, _ = executed(tmp_path, log)
    assert executed(tmp_path, log, again=run)[1] == ExitCode.OK
    assert shown(log) == [*LINES, ("b2", "0.3.build", 2, "changed")]


@pytest.mark.parametrize("lines", range(7))
def test_lines_that_a_killed_process_did_not_come_to_are_completed_once_from_the_journal(
    tmp_path: Path, log: AuditLog, lines: int
) -> None:
    run, _ = executed(tmp_path, DyingLog(tmp_path / "state", lines))
    assert len(list(log.records())) == lines
    for _ in range(2):
        complete(log, RunStore(tmp_path / "runs"))
        assert (shown(log), found(log)) == (LINES, [])
    executed(tmp_path, log, again=run)
    complete(log, RunStore(tmp_path / "runs"))
    assert (shown(log), found(log)) == ([*LINES, ("b2", "0.3.build", 2, "changed")], [])


def test_a_run_that_is_alive_is_left_to_write_its_own_lines(tmp_path: Path, log: AuditLog) -> None:
    run, _ = executed(tmp_path, DyingLog(tmp_path / "state", 0))
    with run.locked():
        complete(log, RunStore(tmp_path / "runs"))
    assert shown(log) == []
    complete(log, RunStore(tmp_path / "runs"))
    assert shown(log) == LINES


def test_a_log_that_was_thrown_away_with_its_end_is_missed_by_the_runs_that_are_kept(
    tmp_path: Path, log: AuditLog
) -> None:
    run, _ = executed(tmp_path, log)
    runs = RunStore(tmp_path / "runs")
    assert unwritten(log, runs) == ()
    complete(log, runs)
    assert unwritten(log, runs) == ()
    for file in log.path.parent.iterdir():
        file.unlink()
    assert found(log) == []
    assert sorted(unwritten(log, runs)) == [(run.run, host, step, count) for host, step, count, _ in LINES]


def test_a_run_whose_lines_are_all_there_is_not_read_again(
    tmp_path: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed(tmp_path, log)
    complete(log, RunStore(tmp_path / "runs"))
    monkeypatch.setattr("pvenix.engine.audittrail.complete_run", lambda *_: pytest.fail("read again"))
    complete(log, RunStore(tmp_path / "runs"))


def test_a_disk_that_does_not_take_the_line_stops_the_run_and_the_line_comes_with_the_next_one(
    tmp_path: Path, log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: int, _text: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pvenix.engine.audit._write_all", full)
    run, code = executed(tmp_path, log)
    assert code == ExitCode.LOCAL
    monkeypatch.undo()
    executed(tmp_path, log, again=run)
    stopped = ("b2", "0.0.clone", 1, "local problem")  # how far b2 had come by then is up to the threads
    lines = [line[:2] for line in shown(log) if line != stopped]
    assert lines == [line[:2] for line in LINES]
    assert found(log) == []


async def test_a_journal_of_version_1_says_nothing_of_times_and_gets_no_lines(tmp_path: Path, log: AuditLog) -> None:
    AuditTrail(log, "r", [Entry(seq=1, host="a1", step="0.0.clone", what="result", data={"status": "changed"})])
    assert shown(log) == []


async def test_a_damaged_journal_stops_no_other_run(tmp_path: Path, log: AuditLog) -> None:
    run = bench(tmp_path, play("a1")).run
    run.journal_path.write_text("no database" * 100)
    complete_run(log, run)
    assert shown(log) == []


async def test_what_waits_for_a_row_is_told_when_its_line_is_lost_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    class Broken:
        def committed(self, rows: Sequence[Entry]) -> None:
            raise ZeroDivisionError

    with SqliteJournal(tmp_path / "journal.sqlite", trail=Broken()) as journal:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(journal.intent("a1", "s"), 5)
        assert len(journal.entries()) == 1

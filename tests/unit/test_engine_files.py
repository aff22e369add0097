"""The files of a run, host locks and pinned keys, also after a process died in the middle of writing them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pvenix.adapters.text import sanitise
from pvenix.engine.abandoned import Abandoned, abandoned, mark_abandoned, refuse_abandoned
from pvenix.engine.locks import HostLocks
from pvenix.engine.narrator import Narrator
from pvenix.engine.requests import Ask, Request
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.engine.trust import Pin, TrustStore, parse_host_key, parse_pin
from pvenix.model.ages import age_words
from pvenix.model.errors import LocalResource, LockHeld, Refused, UsageError
from pvenix.model.events import Event, Progress, RunEnded
from pvenix.model.plan import RunPlan
from tests.sim.virtual import MovableClock
from tests.unit.engine_support import play

PLAN = RunPlan(title="test", plays=(play("a1", "b2"),), fleet="/fleet")
KEY = "ssh-ed25519 " + "A" * 68
OTHER_KEY = "ssh-ed25519 " + "B" * 68
UUID, OTHER_UUID = "0a" * 4 + "-1b2c-3d4e-5f60-" + "7" * 12, "ff" * 4 + "-1b2c-3d4e-5f60-" + "8" * 12


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return RunStore(tmp_path / "runs").create(PLAN)


def progress(seq: int) -> Event:
    return Progress(run="r", seq=seq, at="2026-01-01T00:00:00.000Z", text=f"phase {seq}")


def ended(seq: int) -> Event:
    return RunEnded(run="r", seq=seq, at="", exit_code=6, counts={"rolled back": 1})


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_s_plan_comes_back_as_it_was(run: RunDir) -> None:
    assert run.plan() == PLAN


def test_a_plan_that_cannot_be_read_is_a_local_problem(run: RunDir) -> None:
    (run.path / "plan.json").write_text('{"title": 1}')
    with pytest.raises(LocalResource, match="cannot be read"):
        run.plan()


def test_a_run_of_a_newer_format_is_refused_with_what_to_do_and_listed_as_unreadable(
    run: RunDir, tmp_path: Path
) -> None:
    text = (run.path / "plan.json").read_text().replace("pvenix/run/v1", "pvenix/run/v2")
    (run.path / "plan.json").write_text(text)
    with pytest.raises(LocalResource, match="format 'pvenix/run/v2'") as refused:
        run.plan()
    assert "use the pvenix that made it, or a newer one" in refused.value.hint
    assert [each.state for each in RunStore(tmp_path / "runs").recent()] == ["unreadable"]
    assert (run.path / "plan.json").read_text() == text


def test_a_run_that_was_given_up_is_listed_so_and_refuses_to_go_on(run: RunDir) -> None:
    refuse_abandoned(run.path)
    mark = Abandoned(at="2026-01-01T12:00:00.000Z", by="ada", seen=True, left=("a unit",))
    mark_abandoned(run.path, mark)
    assert (run.summary().state, abandoned(run.path)) == ("abandoned", mark)
    with pytest.raises(UsageError, match="was abandoned by ada") as open_:
        refuse_abandoned(run.path)
    assert ("still open" in open_.value.why, "a unit" in open_.value.why) == (True, True)
    assert "free" not in open_.value.why, "the fence of an open activation holds its host"
    mark_abandoned(run.path, replace(mark, left=()))
    with pytest.raises(UsageError) as ended:
        refuse_abandoned(run.path)
    assert "its hosts are free" in ended.value.why


def test_events_are_read_from_where_the_reader_stopped(run: RunDir) -> None:
    run.append_event(progress(1))
    first, offset = run.events()
    run.append_event(progress(2))
    second, _ = run.events(offset)
    assert (first, second) == ([progress(1)], [progress(2)])


def test_a_torn_last_line_is_not_an_event_yet(run: RunDir) -> None:
    run.append_event(progress(1))
    whole = (run.path / "events.jsonl").stat().st_size
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"kind": "prog')
    assert run.events() == ([progress(1)], whole)


def test_a_process_that_goes_on_behind_a_torn_line_is_read_whole(run: RunDir) -> None:
    run.append_event(progress(1))
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"kind": "prog')
    with Narrator(run, MovableClock(), lambda _event: None) as narrator:
        narrator.emit(Progress, text="resumed")
    events = run.events()[0]
    assert [event.seq for event in events] == [1, 2]
    assert isinstance(events[-1], Progress)
    assert events[-1].text == "resumed"


def test_a_host_s_log_holds_nothing_that_moves_a_cursor_however_it_was_torn(run: RunDir) -> None:
    """An activation's log is read by byte offsets, raw; `cat` of ours must be as harmless as the screen."""
    with Narrator(run, MovableClock(), lambda _event: None, clean=sanitise) as narrator:
        for piece in ("start\x1b]52;c;", "ZXZpbA==\x07ing\n10%\r", "90%\r\n\u202etxt.", "exe\n\x9b2Jend"):
            narrator.log("a1").write(piece)
    assert run.log_path("a1").read_text() == "starting\n90%\n<U+202E>txt.exe\nend\n"


def test_an_event_of_a_kind_that_is_not_known_is_passed_over(run: RunDir) -> None:
    with (run.path / "events.jsonl").open("a") as file:
        file.write('{"kind": "of.the.future", "seq": 1}\n[]\n')
    run.append_event(progress(2))
    assert run.events()[0] == [progress(2)]


def test_a_run_that_never_spoke_has_no_events(run: RunDir) -> None:
    assert run.events() == ([], 0)


def test_requests_are_taken_once_in_the_order_in_which_they_were_made(run: RunDir) -> None:
    run.request("pause")
    run.request("retry", "a1")
    assert run.take_requests() == [Request(kind=Ask.PAUSE), Request(kind=Ask.RETRY, host="a1")]
    assert run.take_requests() == []


def test_a_half_written_request_is_not_seen(run: RunDir) -> None:
    (run.path / "requests" / ".1-abcd").write_text('{"kind": "can')
    assert run.take_requests() == []


def test_an_unknown_request_is_refused_where_it_is_made(run: RunDir) -> None:
    with pytest.raises(UsageError, match="explode"):
        run.request("explode")


def test_a_run_is_interrupted_when_its_process_died_and_ended_when_it_said_so(run: RunDir, tmp_path: Path) -> None:
    run.append_event(progress(1))
    assert run.summary().state == "interrupted"
    run.append_event(ended(2))
    assert (run.summary().state, run.summary().exit_code) == ("ended", 6)
    run.append_event(progress(3))
    assert run.summary().state == "interrupted"
    with run.locked():
        assert run.summary().state == "running"
    assert RunStore(tmp_path / "runs").recent()[0].run == run.run


HOLDER = """
import sys, time
from pathlib import Path
from pvenix.engine.runfiles import RunDir

with RunDir(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_kernel_frees_the_run_when_its_process_is_killed(run: RunDir) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(run.path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert run.alive()
        with pytest.raises(LockHeld, match=f"since [0-9]+ seconds? by process {holder.pid}"), run.locked():
            pass
        holder.kill()
    assert not run.alive()
    with run.locked():
        pass


def test_asking_whether_a_run_is_alive_never_keeps_it_from_starting(run: RunDir) -> None:
    for _ in range(20):
        assert not run.alive()
        with run.locked():
            assert run.alive()


def test_a_directory_without_a_plan_is_no_run(run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "runs" / "29990101-000000-dead").mkdir()
    store = RunStore(tmp_path / "runs")
    assert store.open("last").run == run.run
    assert [summary.run for summary in store.recent()] == [run.run]


def test_two_runs_that_draw_the_same_name_in_one_second_both_begin(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, _, suffix = run.run.rpartition("-")
    drawn = iter([suffix, suffix, "0001" if suffix != "0001" else "0002"])
    monkeypatch.setattr("pvenix.engine.runfiles.time.strftime", lambda *_: second)
    monkeypatch.setattr("pvenix.engine.runfiles.secrets.token_hex", lambda _: next(drawn))
    other = RunStore(tmp_path / "runs").create(PLAN)
    assert other.run != run.run
    assert other.plan() == run.plan() == PLAN


def test_where_no_name_is_free_the_run_is_a_local_problem(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, _, suffix = run.run.rpartition("-")
    monkeypatch.setattr("pvenix.engine.runfiles.time.strftime", lambda *_: second)
    monkeypatch.setattr("pvenix.engine.runfiles.secrets.token_hex", lambda _: suffix)
    with pytest.raises(LocalResource, match="no name is free"):
        RunStore(tmp_path / "runs").create(PLAN)


@pytest.mark.parametrize("name", ["", "..", "../../etc", "last", "20260101-000000-0000"])
def test_only_a_run_that_is_there_is_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="there is no run"):
        RunStore(tmp_path / "none").open(name)


def test_where_no_directory_can_be_made_the_run_is_a_local_problem(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way")
    with pytest.raises(LocalResource):
        RunStore(tmp_path / "runs").create(PLAN)


# --- locks -----------------------------------------------------------------------------------------------------------


def test_a_held_host_names_run_operator_age_and_process_and_how_to_look(tmp_path: Path) -> None:
    locks = HostLocks(tmp_path)
    with (
        locks.hold("a1", owner="20260101-000000-abcd", since="2026-01-01T12:00:00.000Z", operator="ada"),
        pytest.raises(LockHeld) as held,
        locks.hold("a1", owner="other", since="2026-01-01T12:04:30.000Z"),
    ):
        pass
    who = f"by run 20260101-000000-abcd of ada, since 4 minutes (process {os.getpid()})"
    assert held.value.why == f"{who}; look: pvenix runs show 20260101-000000-abcd -f"


def test_who_holds_what_is_listed_and_looking_keeps_nobody_out(tmp_path: Path) -> None:
    locks = HostLocks(tmp_path)
    assert locks.holders() == ()
    with locks.hold("a1", owner="x", since="noon", operator="ada"), locks.hold("b2", owner="y", since="noon"):
        assert [(holder.host, holder.run, holder.operator) for holder in locks.holders()] == [
            ("a1", "x", "ada"),
            ("b2", "y", ""),
        ]
    assert locks.holders() == ()
    with locks.hold("a1", owner="z", since=""):
        pass


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (250, "4 minutes"), (7199, "119 minutes"),
     (7200, "2 hours"), (200_000, "2 days"), (-5, "0 seconds")],
)  # fmt: skip
def test_ages_are_told_in_words(seconds: int, words: str) -> None:
    assert age_words(seconds) == words


def test_a_lock_is_free_again_after_its_owner_ended_however_it_ended(tmp_path: Path) -> None:
    locks = HostLocks(tmp_path)
    with pytest.raises(ZeroDivisionError), locks.hold("a1", owner="x", since=""):
        raise ZeroDivisionError
    with locks.hold("a1", owner="a longer owner than before", since=""):
        pass
    with locks.hold("a1", owner="y", since=""):
        assert json.loads((tmp_path / "a1").read_text())["owner"] == "y"


def test_locks_of_different_hosts_do_not_meet(tmp_path: Path) -> None:
    locks = HostLocks(tmp_path)
    with locks.hold("a1", owner="x", since=""), locks.hold("b2", owner="y", since=""):
        pass


def test_a_lock_whose_owner_wrote_nothing_is_still_a_lock(tmp_path: Path) -> None:
    locks = HostLocks(tmp_path)
    with locks.hold("a1", owner="x", since=""):
        (tmp_path / "a1").write_text("")
        with pytest.raises(LockHeld, match="another process"), locks.hold("a1", owner="y", since=""):
            pass


# --- pinned keys -----------------------------------------------------------------------------------------------------


@pytest.fixture
def trust(tmp_path: Path) -> TrustStore:
    (tmp_path / "fleet/inventory/trust").mkdir(parents=True)
    return TrustStore(fleet=tmp_path / "fleet", local=tmp_path / "local")


def test_a_pin_comes_back_and_pinning_it_again_changes_nothing(trust: TrustStore) -> None:
    pin = Pin(key=KEY, uuid=UUID)
    assert trust.get("a1") is None
    trust.pin("a1", pin)
    trust.pin("a1", pin)
    assert trust.get("a1") == pin


def test_another_key_of_the_same_vm_is_refused(trust: TrustStore) -> None:
    trust.pin("a1", Pin(key=KEY, uuid=UUID))
    with pytest.raises(Refused, match="host key of a1 changed") as refusal:
        trust.pin("a1", Pin(key=OTHER_KEY, uuid=UUID))
    assert trust.get("a1") == Pin(key=KEY, uuid=UUID)
    Path(refusal.value.hint.rpartition(" remove ")[2]).unlink()
    trust.pin("a1", Pin(key=OTHER_KEY, uuid=UUID))


def test_another_key_is_accepted_with_another_vm(trust: TrustStore) -> None:
    trust.pin("a1", Pin(key=KEY, uuid=UUID))
    trust.pin("a1", Pin(key=OTHER_KEY, uuid=OTHER_UUID))
    assert trust.get("a1") == Pin(key=OTHER_KEY, uuid=OTHER_UUID)


@pytest.mark.parametrize(("before", "after"), [("", UUID), (UUID, ""), ("", "")])
def test_another_key_is_refused_when_nothing_shows_that_the_vm_is_another(
    trust: TrustStore, before: str, after: str
) -> None:
    trust.pin("a1", Pin(key=KEY, uuid=before))
    with pytest.raises(Refused):
        trust.pin("a1", Pin(key=OTHER_KEY, uuid=after))


def test_another_key_of_the_same_vm_is_accepted_while_its_keys_are_being_made(trust: TrustStore) -> None:
    trust.pin("a1", Pin(key=KEY, uuid=UUID))
    trust.pin("a1", Pin(key=OTHER_KEY, uuid=UUID), renewed=True)
    assert trust.get("a1") == Pin(key=OTHER_KEY, uuid=UUID)


def test_only_a_key_of_the_fleet_is_shared(trust: TrustStore, tmp_path: Path) -> None:
    trust.pin("a1", Pin(key=KEY, uuid=UUID))
    assert not trust.shared("a1")
    (tmp_path / "fleet/inventory/trust/a1").write_text(f"{KEY} a1\n")
    assert trust.shared("a1")


def test_a_key_of_the_fleet_counts_as_pinned(trust: TrustStore, tmp_path: Path) -> None:
    (tmp_path / "fleet/inventory/trust/a1").write_text(f"{KEY} a1\n")
    assert trust.get("a1") == Pin(key=KEY)
    with pytest.raises(Refused):
        trust.pin("a1", Pin(key=OTHER_KEY, uuid=UUID))


def test_of_a_local_pin_and_that_of_the_fleet_the_one_written_last_counts(trust: TrustStore, tmp_path: Path) -> None:
    trust.pin("a1", Pin(key=KEY, uuid=UUID))
    shared = tmp_path / "fleet/inventory/trust/a1"
    shared.write_text(Pin(key=OTHER_KEY, uuid=OTHER_UUID).line("a1"))
    os.utime(shared, ns=(0, 2**62))
    assert trust.get("a1") == Pin(key=OTHER_KEY, uuid=OTHER_UUID)
    os.utime(shared, ns=(0, 0))
    assert trust.get("a1") == Pin(key=KEY, uuid=UUID)


def test_a_forgotten_pin_leaves_that_of_the_fleet(trust: TrustStore, tmp_path: Path) -> None:
    (tmp_path / "fleet/inventory/trust/a1").write_text(Pin(key=KEY, uuid=UUID).line("a1"))
    trust.pin("a1", Pin(key=OTHER_KEY, uuid=OTHER_UUID))
    trust.forget("a1")
    trust.forget("a1")
    assert trust.get("a1") == Pin(key=KEY, uuid=UUID)


def test_a_line_of_a_trust_file_reads_back(trust: TrustStore) -> None:
    for pin in (Pin(key=KEY), Pin(key=KEY, uuid=UUID)):
        assert parse_pin(pin.line("a1")) == pin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-dss " + "A" * 60,
        "command=x ssh-ed25519 " + "A" * 68,
        "ssh-ed25519 $(id)",
        "a\x00b c",
        "<html>",
    ],
)
def test_what_is_no_public_key_is_never_pinned(text: str) -> None:
    with pytest.raises(Refused):
        parse_host_key(text)


@pytest.mark.parametrize("name", ["../a1", "a/b", "", ".a1", "-a1"])
def test_only_a_host_s_name_reaches_the_file_system(trust: TrustStore, name: str) -> None:
    with pytest.raises(UsageError):
        trust.get(name)

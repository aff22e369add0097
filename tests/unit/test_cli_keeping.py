"""The commands about what is kept of runs: locks, pruning, giving up, and the audit log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvenix.engine.abandoned import Abandoned, mark_abandoned
from pvenix.engine.audit import AuditLog
from pvenix.engine.locks import HostLocks
from pvenix.engine.runfiles import RunDir
from pvenix.model.outcome import Status
from tests.unit.cli_fake import Cli


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def pvenix(tmp_path: Path, state: Path) -> Cli:
    cli = Cli(tmp_path / "fleet")

    async def abandon(run: RunDir, *, say: object) -> Abandoned:
        mark = Abandoned(at="2026-01-01T00:00:00Z", by="ada", seen=True, left=tuple(left))
        mark_abandoned(run.path, mark)
        return mark

    left: list[str] = cli.workspace.__dict__.setdefault("left", [])
    cli.workspace.__dict__ |= {
        "state_dir": state,
        "read_only": False,
        "lock_holders": HostLocks(state / "locks").holders,
        "abandon": abandon,
    }
    return cli


def failed(pvenix: Cli) -> str:
    pvenix.workspace.ends["dns01"] = Status.FAILED
    pvenix("rebuild", "dns01")
    return pvenix.workspace.runs.open("last").run


# --- locks and pruning -----------------------------------------------------------------------------------------------


def test_who_holds_which_host_is_listed(pvenix: Cli, state: Path) -> None:
    assert pvenix("runs", "locks").stdout == "no locks\n"
    with HostLocks(state / "locks").hold("dns01", owner="r1", since="2026-01-01T00:00:00Z", operator="ada"):
        assert "dns01  r1   ada       since " in pvenix("runs", "locks").stdout
        [lock] = pvenix.json("runs", "locks")["locks"]
    assert (lock["host"], lock["run"], lock["operator"], lock["since"]) == (
        "dns01",
        "r1",
        "ada",
        "2026-01-01T00:00:00Z",
    )


def test_pruning_shows_first_and_throws_away_then(pvenix: Cli) -> None:
    pvenix("rebuild", "web01")
    run = pvenix.workspace.runs.open("last")
    old = RunDir(run.path.rename(run.path.with_name("20200101-000000-0000")))
    assert "0 runs would go" in pvenix("runs", "prune", "-C").stdout
    shown = pvenix("runs", "prune", "--keep", "0", "-C")
    assert (shown.exit_code, shown.stdout.splitlines()[0], old.path.exists()) == (3, old.run, True)
    assert pvenix.json("runs", "prune", "--keep", "0")["pruned"] == [old.run]
    assert not old.path.exists()


@pytest.mark.parametrize("wrong", [("--keep", "-1"), ("--older-than", "soon")])
def test_a_policy_that_is_no_number_is_a_usage_error(pvenix: Cli, wrong: tuple[str, str]) -> None:
    assert pvenix("runs", "prune", *wrong).exit_code == 2


# --- giving up -------------------------------------------------------------------------------------------------------


def test_a_dead_run_is_given_up_when_the_answer_is_yes(pvenix: Cli) -> None:
    run = failed(pvenix)
    assert pvenix("abandon", run).exit_code == 2
    done = pvenix("abandon", run, "--yes")
    assert (done.exit_code, "its hosts are free" in done.stdout) == (0, True)
    assert f"{run}  abandoned" in pvenix("runs", "list").stdout
    assert "no run has anything to finish" in pvenix("resume").stderr
    again = pvenix("abandon", run, "--yes")
    assert (again.exit_code, "nothing of it is open" in again.stderr) == (2, True)


def test_what_stays_open_is_named_and_counts_as_unknown(pvenix: Cli) -> None:
    run = failed(pvenix)
    pvenix.workspace.__dict__["left"].append("dns01: a unit is at work on the host\x1b[2J")
    done = pvenix("abandon", run, "--yes")
    assert (done.exit_code, "  dns01: a unit is at work on the host" in done.stdout, "\x1b" in done.stdout) == (
        5,
        True,
        False,
    )
    assert f"look again later: pvenix abandon {run}" in done.stdout
    assert pvenix("abandon", run, "--yes", "-o", "json").exit_code == 5


def test_a_run_that_is_alive_or_ended_well_is_not_given_up(pvenix: Cli) -> None:
    pvenix("rebuild", "web01")
    fine = pvenix("abandon", "last", "--yes")
    assert (fine.exit_code, "every host of it ended well" in fine.stderr) == (2, True)
    run = pvenix.workspace.runs.open(failed(pvenix))
    with run.locked():
        alive = pvenix("abandon", run.run, "--yes")
    assert (alive.exit_code, f"pvenix runs ask {run.run} cancel" in alive.stderr) == (7, True)


# --- audit -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def log(state: Path) -> AuditLog:
    state.mkdir()
    log = AuditLog(state)
    for number, host in enumerate(("dns01", "web01", "web02"), start=1):
        log.append(
            [
                {
                    "at": f"2026-01-0{number}T10:00:00.000Z",
                    "run": f"r{number}",
                    "operator": "ada",
                    "host": host,
                    "step": "0.0.rebuild",
                    "count": number,
                    "commit": "c" * 40,
                    "outcome": "changed",
                }
            ]
        )
    return log


def test_each_line_says_how_it_is_undone_when_that_is_asked(pvenix: Cli, log: AuditLog) -> None:
    log.append([{"at": "2026-01-04T10:00:00.000Z", "run": "r1", "host": "dns01", "step": "0.0.restore", "count": 1,
                 "verb": "restore", "outcome": "changed"}])  # fmt: skip
    restored = pvenix.json("audit", "--undo", "-n", "1")["audit"][0]["undo"]
    assert restored.startswith("cannot be undone: what was written after the snapshot is gone")
    assert "UNDO" in pvenix("audit", "--undo").stdout
    assert "UNDO" not in pvenix("audit").stdout


def test_the_log_is_shown_by_host_and_run(pvenix: Cli, log: AuditLog) -> None:
    shown = pvenix("audit").stdout.splitlines()
    assert shown[1].split() == ["1", "2026-01-01", "10:00:00", "dns01", "0.0.rebuild", "changed", "ada", "c" * 12, "r1"]
    assert "0.0.rebuild (try 2)" in shown[2]
    assert [line["host"] for line in pvenix.json("audit", "-l", "web*")["audit"]] == ["web01", "web02"]
    assert [line["host"] for line in pvenix.json("audit", "-l", "dns01:web02")["audit"]] == ["dns01", "web02"]
    assert [line["n"] for line in pvenix.json("audit", "--run", "r2")["audit"]] == [2]
    assert [line["n"] for line in pvenix.json("audit", "-n", "1")["audit"]] == [3]
    assert pvenix("audit", "-l", "dns02").stdout == "no audit\n"


def test_verify_proves_the_chain_and_names_the_line_that_was_changed(pvenix: Cli, log: AuditLog) -> None:
    proved = pvenix("audit", "verify")
    assert (proved.exit_code, "3 lines, all as written" in proved.stdout) == (0, True)
    log.path.write_bytes(log.path.read_bytes().replace(b"web01", b"web03"))
    changed = pvenix("audit", "verify")
    assert (changed.exit_code, "audit.jsonl:2: line 2 was changed" in changed.stdout) == (1, True)
    document = json.loads(pvenix("audit", "verify", "-o", "json").stdout)
    assert [problem["line"] for problem in document["problems"]] == [2]

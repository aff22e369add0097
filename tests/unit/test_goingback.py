"""What a host ran before a run, as the run's journal tells it, and what the command line makes of that."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.engine.ports import Entry, FileChange
from pvenix.lifecycle.collect import Garbage
from pvenix.lifecycle.goingback import Prospect, Was, was_before
from pvenix.lifecycle.revert import touched
from pvenix.model.units import bytes_text
from tests.unit.cli_fake import Cli

RUN = "20260101-120000-abcd"
ATTEMPT = {"attempt": f"{RUN}-0.0-1", "old": "/nix/store/old", "profile": "/nix/store/old"}


def entries(*rows: tuple[str, str, dict[str, str]]) -> list[Entry]:
    """Rows of dns01: step, what, data."""
    return [
        Entry(seq=number, host="dns01", step=step, what=what, data=data)
        for number, (step, what, data) in enumerate(rows)
    ]


def test_the_first_activation_of_a_run_says_what_ran_before() -> None:
    again = {**ATTEMPT, "old": "/nix/store/second"}
    found = entries(("0.0.rebuild", "intent", ATTEMPT), ("0.1.rollback", "intent", again))
    assert was_before(RUN, found, "dns01") == Was(path="/nix/store/old")


@pytest.mark.parametrize("status", ["changed", "unknown", "failed", ""])
def test_whatever_may_have_changed_a_host_is_gone_back_from(status: str) -> None:
    rows = [("0.0.rebuild", "intent", ATTEMPT)]
    rows += [("0.0.rebuild", "result", {"status": status})] if status else []
    assert was_before(RUN, entries(*rows), "dns01").path == "/nix/store/old"


def test_a_host_that_the_run_left_as_it_was_is_skipped_with_the_reason() -> None:
    back = entries(("0.0.rebuild", "intent", ATTEMPT), ("0.0.rebuild", "result", {"status": "rolled back"}))
    assert was_before(RUN, back, "dns01") == Was(why=f"run {RUN} went back by itself")
    same = entries(
        ("0.0.rebuild", "intent", {"commit": "c"}), ("0.0.rebuild", "result", {"status": "ok", "summary": "runs c"})
    )
    assert was_before(RUN, same, "dns01") == Was(why=f"run {RUN} activated nothing on it (runs c)")
    assert was_before(RUN, same, "web01") == Was(why=f"run {RUN} activated nothing on it")


def test_a_run_is_bound_to_what_was_shown() -> None:
    assert Prospect(host="a", path="/nix/store/x", problem="unreachable").decided == {"back_to": "/nix/store/x"}
    assert Prospect(host="a", skip="not part").decided == {"back_skip": "not part"}
    assert Prospect(host="a", path="/nix/store/x", skip="runs already").decided == {"back_to": "/nix/store/x"}


def change(path: str) -> FileChange:
    return FileChange(path=path, old="a", new="b")


def test_a_commit_concerns_the_hosts_whose_files_it_changes_or_all() -> None:
    hosts = ("dns01", "web01")
    own = (change("nix/hosts/dns01.nix"), change("nix/hardware/dns01-hw.nix"), change("inventory/hosts.yaml"))
    assert touched(hosts, own) == ("dns01",)
    assert touched(hosts, (*own, change("nix/common.nix"))) == hosts
    assert touched(hosts, (change("inventory/site.yaml"),)) == ()


def test_sizes_are_read_by_people() -> None:
    assert str(Garbage(paths=1, size=5 << 20)) == "1 store path, 5.0 MiB"
    assert str(Garbage(paths=2, size=3, whole=False)) == "at least 2 store paths, 3 B"
    assert bytes_text(5 << 40) == "5.0 TiB"


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_a_rollback_is_asked_for_after_its_limits_were_named(pvenix: Cli) -> None:
    refused = pvenix("rollback", "dns01", "--to", "1")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    for line in ("from generation 2 to generation 1", "its kernel is another", "data stays as it is"):
        assert line in refused.stderr
    assert "plan_verb" not in {call[0] for call in pvenix.workspace.asked}


def test_a_rollback_wants_one_aim(pvenix: Cli) -> None:
    for words in ((), ("--to", "1", "--before", "last"), ("--to", "0")):
        assert pvenix("rollback", "dns01", *words).exit_code == 2
    assert pvenix("rollback", "--to", "1").exit_code == 2


def test_a_check_asks_nothing_and_still_names_the_limits(pvenix: Cli) -> None:
    result = pvenix("rollback", "dns01", "--to", "1", "-C")
    assert result.exit_code == 3
    assert "data stays as it is" in result.stderr


def test_a_rollback_before_a_run_is_bound_to_what_it_found(pvenix: Cli) -> None:
    pvenix("rebuild", "dns01")
    assert pvenix("rollback", "dns01", "--before", "last", "--yes").exit_code == 0
    plans = [run.plan() for run in pvenix.workspace.runs.newest()]
    assert [plan.decisions for plan in plans if plan.title == "rollback"] == [{"dns01": {"back_to": "/nix/store/1"}}]
    assert pvenix("rollback", "dns01", "--before", "nonsense", "--yes").exit_code == 2


def test_each_host_goes_back_to_a_generation_of_its_own_in_one_run(pvenix: Cli) -> None:
    assert pvenix("rollback", "dns01=1", "web01=7", "--yes").exit_code == 0
    [plan] = [run.plan() for run in pvenix.workspace.runs.newest()]
    assert plan.hosts == ("dns01", "web01")
    assert plan.decisions == {"dns01": {"back_to": "/nix/store/1"}, "web01": {"back_to": "/nix/store/7"}}
    assert plan.plays[0].tasks[0].args == {}


@pytest.mark.parametrize(
    "words",
    [("dns01=1", "web01"), ("dns01=1", "--to", "2"), ("dns01=0",), ("dns01=1", "dns01=2"), ("nobody=4",), ("dns01=x",)],
)
def test_a_host_with_its_own_generation_leaves_nothing_open(pvenix: Cli, words: tuple[str, ...]) -> None:
    assert pvenix("rollback", *words, "--yes").exit_code == 2
    assert not pvenix.workspace.runs.newest()


def test_what_looks_like_a_host_with_its_generation_and_is_none_is_said_to_be_none(pvenix: Cli) -> None:
    assert "nobody=4: no host and one of its generations" in pvenix("rollback", "nobody=4").stderr


def test_where_nothing_may_be_changed_nobody_is_asked_whether_it_should_be(pvenix: Cli) -> None:
    for words in (("rollback", "dns01=1"), ("retire", "dns01"), ("drift", "overwrite", "dns01")):
        for more in ((), ("--yes",)):
            result = pvenix("--read-only", *words, *more)
            assert (result.exit_code, "PVX0011" in result.stderr, "not undone" in result.stderr) == (8, True, False)


def test_a_host_that_is_silent_while_the_run_is_planned_is_bound_to_the_number() -> None:
    assert Prospect(host="a", number=41, problem="unreachable").decided == {"back_number": "41"}


def test_generations_of_several_hosts_are_one_table_and_one_document(pvenix: Cli) -> None:
    found = pvenix.json("generations", "apps")
    assert [(each["host"], each["number"]) for each in found["generations"]] == [
        ("docker01", 2), ("docker01", 1), ("web01", 2), ("web01", 1)
    ]  # fmt: skip
    assert "host" not in found
    assert pvenix("generations", "list", "dns01").stdout == pvenix("generations", "dns01").stdout


def test_pins_and_collections_are_runs(pvenix: Cli) -> None:
    assert pvenix("generations", "pin", "dns01", "1", "--reason", "why").exit_code == 0
    assert pvenix("generations", "unpin", "dns01", "1").exit_code == 0
    assert pvenix("generations", "gc", "apps").exit_code == 0
    asked = [call[1:4] for call in pvenix.workspace.asked if call[0] == "plan_verb"]
    assert asked == [
        ("pin-generation", ("dns01",), {"number": 1, "reason": "why"}),
        ("unpin-generation", ("dns01",), {"number": 1}),
        ("collect-garbage", ("docker01", "web01"), {}),
    ]


def test_a_time_that_is_none_is_refused_before_anybody_is_asked(pvenix: Cli) -> None:
    result = pvenix("generations", "prune", "dns01", "--older-than", "soon")
    assert (result.exit_code, "'soon' is not a duration" in result.stderr) == (2, True)
    assert pvenix("generations", "prune", "dns01", "--keep", "0").exit_code == 2

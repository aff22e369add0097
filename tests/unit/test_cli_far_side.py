"""Commands that read hosts and reviews, over a scripted far side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvenix.model.errors import Unreachable
from pvenix.model.generation import Sync
from pvenix.model.review import Verdict
from tests.unit.cli_fake import TIP, Cli


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "fleet")


def test_status_is_a_table_in_the_order_of_names(pvenix: Cli) -> None:
    result = pvenix("status")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["HOST", "dns01", "docker01", "web01"]
    assert "in sync" in result.stdout


def test_status_as_json_has_the_four_facts(pvenix: Cli) -> None:
    [host] = pvenix.json("status", "-l", "role_dns")["status"]
    assert (host["sync"], host["expected"], host["facts"]["booted"]) == ("in sync", TIP, "/nix/store/b")


def test_status_as_lines_comes_as_hosts_answer(pvenix: Cli) -> None:
    lines = pvenix("status", "all", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["host"] for line in lines] == ["web01", "docker01", "dns01"]


def test_status_exits_4_when_a_host_does_not_answer(pvenix: Cli) -> None:
    pvenix.workspace.sync = Sync.UNREACHABLE
    assert pvenix("status").exit_code == 4
    pvenix.workspace.sync = Sync.DRIFTED
    assert pvenix("status").exit_code == 0


def test_generations_are_newest_first(pvenix: Cli) -> None:
    lines = pvenix("generations", "dns01").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["2", "1"]
    assert "current" in lines[1]
    assert pvenix.json("generations", "dns01")["generations"][0]["number"] == 2


def test_an_unknown_host_is_answered_with_the_nearest(pvenix: Cli) -> None:
    result = pvenix("generations", "dns02")
    assert (result.exit_code, "did you mean `dns01`?" in result.stderr) == (2, True)


def test_reviews_are_listed_and_shown_with_checks_and_diff(pvenix: Cli) -> None:
    assert "dns01  open" in pvenix("review", "list").stdout
    shown = pvenix("review", "show", "dns01").stdout
    assert "scope  pass" in shown
    assert "+{ }: { }" in shown
    assert pvenix.json("review", "show", "dns01")["approvable"] is True


def test_approval_is_pinned_to_the_commit_that_was_looked_at(pvenix: Cli) -> None:
    assert pvenix("review", "approve", "dns01", TIP[:12], "-m", "fine").exit_code == 0
    assert pvenix.workspace.asked == [("approve", "dns01", TIP, "fine")]
    moved = pvenix("review", "approve", "dns01", "d" * 40)
    assert (moved.exit_code, "nothing was changed" in moved.stderr) == (2, True)
    assert len(pvenix.workspace.asked) == 1


def test_a_failed_check_forbids_approval(pvenix: Cli) -> None:
    pvenix.workspace.verdict = Verdict.FAIL
    result = pvenix("review", "approve", "dns01")
    assert (result.exit_code, "scope: two files" in result.stderr) == (2, True)
    assert pvenix.workspace.asked == []


def test_merge_names_the_new_tip(pvenix: Cli) -> None:
    assert pvenix.json("review", "merge", "dns01", TIP)["main"] == "c" * 40
    pvenix("review", "approve", "dns01", "--merge")
    assert [call[0] for call in pvenix.workspace.asked] == ["merge", "approve", "merge"]
    assert pvenix("review", "merge", "dns01", "zz").exit_code == 2


def test_rejection_needs_a_reason(pvenix: Cli) -> None:
    assert pvenix("review", "reject", "dns01").exit_code == 2
    assert pvenix("review", "reject", "dns01", "-m", "wrong zone").exit_code == 0
    assert pvenix.workspace.asked == [("reject", "dns01", TIP, "wrong zone")]


def test_a_host_name_that_is_a_path_is_refused(pvenix: Cli) -> None:
    assert pvenix("review", "show", "../main").exit_code == 2


def test_where_no_site_answers_the_ways_are_named(pvenix: Cli) -> None:
    pvenix.workspace.sync = Sync.UNREACHABLE
    pvenix.workspace.failure = Unreachable("tappaas1 does not answer")
    for result in (pvenix("status"), pvenix("build", "dns01")):
        assert result.exit_code == 4
        assert "inventory/site.yaml" in result.stderr
        assert "add --lab" in result.stderr

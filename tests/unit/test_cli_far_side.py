"""Commands that read hosts and reviews, over a scripted far side."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pvenix.model.errors import Unreachable
from pvenix.model.generation import HostFacts, Sync
from pvenix.model.review import Verdict
from pvenix.model.status import HardwareLook, HostStatus
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
    for sync in (Sync.UNREACHABLE, Sync.UNKNOWN):
        pvenix.workspace.sync = sync
        assert pvenix("status").exit_code == pvenix("status", "--exit-code").exit_code == 4
    pvenix.workspace.sync = Sync.DRIFTED
    assert pvenix("status").exit_code == 0


def test_status_exits_4_when_a_host_was_read_but_not_all_that_belongs_to_it(pvenix: Cli) -> None:
    pvenix.workspace.known["dns01"] = {"sync": Sync.DRIFTED, "problem": "its VM is not known"}
    assert pvenix("status").exit_code == 4


@pytest.mark.parametrize("sync", [sync for sync in Sync if sync.answered])
def test_status_exits_3_when_it_is_asked_to_and_a_host_is_not_in_sync(pvenix: Cli, sync: Sync) -> None:
    pvenix.workspace.known["dns01"] = {"sync": sync}
    assert pvenix("status", "--exit-code").exit_code == (0 if sync is Sync.IN_SYNC else 3)


def test_an_unreachable_host_comes_before_a_difference_in_the_exit_code(pvenix: Cli) -> None:
    pvenix.workspace.known |= {"dns01": {"sync": Sync.UNREACHABLE}, "web01": {"sync": Sync.DRIFTED}}
    assert pvenix("status", "--exit-code").exit_code == 4


def test_what_was_known_of_a_silent_host_is_shown_with_its_age_and_never_in_the_columns_of_facts(pvenix: Cli) -> None:
    then = (datetime.now(UTC) - timedelta(hours=5)).isoformat()
    last = HostStatus(host="dns01", sync=Sync.BEHIND, seen_at=then, generation=7)
    silent = {"sync": Sync.UNREACHABLE, "facts": None, "problem": "no answer", "last": last}
    pvenix.workspace.known["dns01"] = silent
    [line] = [line for line in pvenix("status").stdout.splitlines() if line.startswith("dns01")]
    assert line.split()[1:8] == ["unreachable", "5", "h", "ago", "-", "-", TIP[:8]]
    assert line.endswith("no answer; 5 h ago it was behind, generation 7, no commit")
    [item] = [item for item in pvenix.json("status")["status"] if item["host"] == "dns01"]
    assert (item["facts"], item["last"]["seen_at"], item["last"]["sync"]) == (None, then, "behind")
    pvenix.workspace.known["dns01"] = silent | {"last": None}
    [line] = [line for line in pvenix("status").stdout.splitlines() if line.startswith("dns01")]
    assert line.split()[1:4] == ["unreachable", "-", "-"]


def test_a_selector_over_facts_reads_each_host_once(pvenix: Cli) -> None:
    pvenix.workspace.known["dns01"] = {"sync": Sync.DRIFTED}
    assert [item["host"] for item in pvenix.json("status", "-l", "state=drifted")["status"]] == ["dns01"]
    assert [words[0] for words in pvenix.workspace.asked] == ["status"]


def test_hosts_that_were_not_read_are_not_passed_over_when_a_fact_is_asked_for(pvenix: Cli) -> None:
    pvenix.workspace.known["dns01"] = {"sync": Sync.UNREACHABLE}
    result = pvenix("status", "-l", "state=drifted", "-o", "json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (4, [])
    assert "dns01 did not answer" in result.stderr
    listed = pvenix("rebuild", "state=in sync", "--list-hosts")
    assert (sorted(listed.stdout.split()), "dns01 did not answer" in listed.stderr) == (["docker01", "web01"], True)
    assert pvenix("status", "-l", "state=drifted").stdout == ""


def test_a_host_that_is_to_be_stopped_and_is_misses_nothing(pvenix: Cli) -> None:
    pvenix.workspace.known["dns01"] = {"sync": Sync.UNREACHABLE, "resting": True}
    assert pvenix("status", "--exit-code").exit_code == 0


def test_details_show_the_edited_files_and_the_hardware_s_differences(pvenix: Cli) -> None:
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new \x1b[2J"
    look = HardwareLook(diff=diff)
    pvenix.workspace.known["dns01"] = {"hardware": look, "drift": ("hardware: 2 lines differ",)}
    assert look.lines == 2
    shown = pvenix("status", "dns01", "-v").stdout
    assert ("    -old" in shown, "\x1b" in shown, "hardware  2 lines differ" in shown) == (True, False, True)
    assert pvenix.workspace.asked == [("status", ("dns01",), "hardware")]
    assert "    -old" not in pvenix("status", "dns01", "--hardware").stdout


def test_who_holds_a_host_and_what_waits_is_in_its_notes(pvenix: Cli) -> None:
    facts = HostFacts(
        booted="/a", current="/a", profile="/a", revision=TIP, boot_id="1", checkout=TIP, fence=("r1-0.0-1",),
        failed_units=("nginx.service",), reboot=("kernel",),
    )  # fmt: skip
    pvenix.workspace.known["dns01"] = {"facts": facts, "held_by": "run r1 of ann", "registration": "e" * 40}
    [_, line] = pvenix("status", "dns01").stdout.splitlines()
    assert line.endswith(
        "attempt r1-0.0-1 holds it (run r1 of ann); failed: nginx.service; reboot for kernel; "
        "registration eeeeeeeeee is not merged"
    )


def test_generations_are_newest_first(pvenix: Cli) -> None:
    lines = pvenix("generations", "dns01").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["dns01", "2"], ["dns01", "1"]]
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

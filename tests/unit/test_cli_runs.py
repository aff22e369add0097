"""What starts, shows and ends runs: playbooks, verbs, resume and `runs`, over scripted ends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pvenix.cli.catalogue import COMMANDS
from pvenix.model.errors import LockHeld
from pvenix.model.outcome import Status
from pvenix.model.verbs import REPROVISIONING, VERBS
from tests.unit.cli_fake import HOSTS, Cli


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "fleet")


def test_a_playbook_runs_and_its_table_names_every_host(pvenix: Cli) -> None:
    result = pvenix("run", "playbooks/rebuild-all.yaml")
    assert result.exit_code == 0
    assert "dns01     rebuild    changed" in result.stdout
    assert "exit code 0 (ok)" in result.stdout
    assert pvenix.workspace.closed == 1


def test_progress_is_talk_and_not_data(pvenix: Cli) -> None:
    result = pvenix("run", "playbooks/rebuild-all.yaml")
    assert "looking" in result.stderr
    assert "looking" not in result.stdout


def test_ansible_s_letters_reach_the_plan(pvenix: Cli) -> None:
    pvenix(
        "run", "playbooks/rebuild-all.yaml", "-l", "apps", "-f", "3", "-C", "-D", "-t", "a,b", "-t", "c", "-e", "to=41"
    )
    [_, path, limit, mode] = pvenix.workspace.asked[0]
    assert (path.name, limit, mode["tags"], mode["extra"]) == ("rebuild-all.yaml", "apps", ("a", "b", "c"), {"to": 41})
    assert (mode["forks"], mode["check"], mode["diff"], mode["step"]) == (3, True, True, False)


def test_a_misspelt_playbook_is_answered_with_the_nearest(pvenix: Cli) -> None:
    result = pvenix("run", "playbooks/onbord.yaml")
    assert result.exit_code == 2
    assert "did you mean `playbooks/onboard.yaml`?" in result.stderr


@pytest.mark.parametrize("wrong", [("-e", "to"), ("-f", "0"), ("-e", "=3")])
def test_wrong_values_are_usage_errors(pvenix: Cli, wrong: tuple[str, ...]) -> None:
    assert pvenix("run", "playbooks/onboard.yaml", *wrong).exit_code == 2


def test_check_shows_commands_and_exits_3(pvenix: Cli) -> None:
    result = pvenix("rebuild", "dns01", "-C")
    assert result.exit_code == 3
    assert "would run [ssh] nix build  'a b'\n" in result.stdout


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status.FAILED, 1), (Status.UNREACHABLE, 4), (Status.UNKNOWN, 5), (Status.ROLLED_BACK, 6), (Status.REFUSED, 8)],
)
def test_one_host_s_end_is_the_exit_code_and_its_failing_line_is_shown(pvenix: Cli, status: Status, code: int) -> None:
    pvenix.workspace.ends["docker01"] = status
    result = pvenix("rebuild", "all")
    assert result.exit_code == code
    assert "  | error: no such file" in result.stdout
    assert "  hint: pvenix resume last" in result.stdout


def test_nothing_that_a_host_says_moves_the_cursor(pvenix: Cli) -> None:
    pvenix.workspace.ends["dns01"] = Status.FAILED
    result = pvenix("rebuild", "all", "-vv")
    assert "\x1b" not in result.output
    assert "dns01     | output of dns01" in result.stderr


def test_json_lines_are_the_events_of_the_run_s_file(pvenix: Cli) -> None:
    result = pvenix("rebuild", "dns01", "-o", "jsonl")
    run = pvenix.workspace.runs.open("last")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        json.loads(line) for line in (run.path / "events.jsonl").read_text().splitlines()
    ]


def test_json_is_one_document(pvenix: Cli) -> None:
    pvenix.workspace.ends["web01"] = Status.FAILED
    document = pvenix.json("rebuild", "all")
    assert (document["schema"], document["exit_code"]) == ("pvenix/run-result/v1", 1)
    assert [(host["host"], host["status"]) for host in document["hosts"]][-1] == ("web01", "failed")
    assert document["hosts"][0]["steps"][0]["commands"] == [
        {"channel": "ssh", "text": "nix build  'a b'", "writes": True}
    ]


PLAIN = sorted(
    name
    for name, spec in VERBS.items()
    if getattr(COMMANDS.get(name), "module", "") == "verbs" and not any(arg.required for arg in spec.args.values())
)
"""The verbs that need no more than hosts."""


@pytest.mark.parametrize("verb", PLAIN)
def test_every_verb_is_a_command(pvenix: Cli, verb: str) -> None:
    assert pvenix(verb, "dns01", "web*").exit_code == 0
    assert pvenix.workspace.asked[0][1:3] == (verb, ("dns01", "web01"))


def test_a_verb_without_hosts_asks_which(pvenix: Cli) -> None:
    result = pvenix("rebuild")
    assert result.exit_code == 2
    assert "pvenix rebuild all" in result.stderr


def test_a_limit_takes_away(pvenix: Cli) -> None:
    pvenix("build", "all", "-l", "apps")
    assert pvenix.workspace.asked[0][2] == ("docker01", "web01")
    assert pvenix("build", "role_dns", "-l", "apps").exit_code == 2


def test_the_arguments_of_a_verb_are_options(pvenix: Cli) -> None:
    pvenix("rollback", "dns01", "--to", "41", "--yes")
    pvenix("clone", "dns01", "--full")
    asked = [call for call in pvenix.workspace.asked if call[0] == "plan_verb"]
    assert [call[3] for call in asked] == [{"to": 41}, {"full": True}]
    assert pvenix("rollback", "dns01").exit_code == 2


def test_retire_needs_the_name_of_one_host(pvenix: Cli) -> None:
    assert pvenix("retire", "dns01", "--confirm", "dns01").exit_code == 0
    assert pvenix.workspace.asked[0][3] == {"confirm": "dns01"}
    refused = [pvenix("retire", "dns01", "--confirm", "web01"), pvenix("retire", "apps", "--confirm", "apps")]
    asked_for = pvenix("retire", "dns01")
    assert [result.exit_code for result in (*refused, asked_for)] == [2, 2, 2]
    assert "--confirm dns01" in asked_for.stderr
    assert len([call for call in pvenix.workspace.asked if call[0] == "execute"]) == 1


def test_hosts_and_tasks_are_listed_without_a_run(pvenix: Cli) -> None:
    assert pvenix("rebuild", "all", "--list-hosts").stdout.split() == list(HOSTS)
    assert pvenix.json("run", "playbooks/onboard.yaml", "--list-hosts")["hosts"] == list(HOSTS)
    assert "Activate it  rebuild" in pvenix("run", "playbooks/onboard.yaml", "--list-tasks").stdout
    assert pvenix.json("run", "playbooks/onboard.yaml", "--list-tasks")["schema"] == "pvenix/run/v1"
    assert not [call for call in pvenix.workspace.asked if call[0] == "execute"]


def test_steps_are_not_asked_for_without_a_terminal(pvenix: Cli) -> None:
    result = pvenix("rebuild", "dns01", "--step")
    assert (result.exit_code, "no terminal" in result.stderr) == (2, True)
    assert not pvenix.workspace.runs.newest()


def test_an_error_of_the_run_keeps_its_exit_code_and_hint(pvenix: Cli) -> None:
    pvenix.workspace.failure = LockHeld("run x is being executed", hint="pvenix runs show x")
    result = pvenix("rebuild", "dns01")
    assert result.exit_code == 7
    assert "error[PVX0007]: run x is being executed\n\nhint: pvenix runs show x" in result.stderr


def test_resume_goes_on_with_the_same_run(pvenix: Cli) -> None:
    pvenix("rebuild", "dns01")
    run = pvenix.workspace.runs.open("last").run
    assert pvenix("resume", "last").exit_code == 0
    assert pvenix("resume", run).exit_code == 0
    assert pvenix.workspace.asked[-2:] == [("execute", run, True)] * 2
    assert pvenix("resume", "20250101-000000-ffff").exit_code == 2


def test_resume_without_an_id_takes_the_newest_run_that_has_something_to_finish(pvenix: Cli) -> None:
    pvenix.workspace.ends["dns01"] = Status.FAILED
    pvenix("rebuild", "dns01")
    failed = pvenix.workspace.runs.open("last").run
    pvenix("rebuild", "web01")
    result = pvenix("resume")
    assert pvenix.workspace.asked[-1] == ("execute", failed, True)
    assert f"going on with run {failed}: rebuild" in result.stderr


def test_resume_says_when_no_run_has_anything_to_finish(pvenix: Cli) -> None:
    assert "no run has anything to finish" in pvenix("resume").stderr
    pvenix("rebuild", "dns01")
    result = pvenix("resume")
    assert (result.exit_code, "no run has anything to finish" in result.stderr) == (0, True)
    assert len([call for call in pvenix.workspace.asked if call[0] == "execute"]) == 1


def test_failed_hosts_are_done_again_as_a_new_run_that_names_its_origin(pvenix: Cli) -> None:
    pvenix.workspace.ends |= {"dns01": Status.FAILED, "web01": Status.UNREACHABLE}
    pvenix("rebuild", "all")
    origin = pvenix.workspace.runs.open("last").run
    pvenix.workspace.ends.clear()
    result = pvenix("resume", "--retry-failed")
    run = next(call[1] for call in reversed(pvenix.workspace.asked) if call[0] == "execute")
    plan = pvenix.workspace.runs.open(run).plan()
    assert (result.exit_code, run != origin, plan.hosts, plan.origin) == (0, True, ("dns01", "web01"), origin)
    assert f"after run {origin}: dns01, web01" in result.stderr
    nobody = pvenix("resume", run, "--retry-failed")
    assert (nobody.exit_code, "no host of run" in nobody.stderr) == (2, True)


def test_execute_runs_a_directory_in_silence(pvenix: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("os.setsid", lambda: None)
    pvenix("rebuild", "dns01")
    run = pvenix.workspace.runs.open("last")
    result = pvenix("_execute", str(run.path), "--resume")
    assert (result.exit_code, result.output) == (0, "")
    assert pvenix.workspace.asked[-1] == ("execute", run.run, True)
    assert pvenix.opened[-1][0] == pvenix.workspace.root.resolve()


def test_runs_are_listed_and_shown(pvenix: Cli) -> None:
    pvenix.workspace.ends["dns01"] = Status.FAILED
    pvenix("rebuild", "all")
    run = pvenix.workspace.runs.open("last").run
    assert f"{run}  ended  1" in pvenix("runs", "list").stdout
    assert pvenix.json("runs", "list")["runs"][0]["exit_code"] == 1
    shown = pvenix("runs", "show", run)
    assert (shown.exit_code, "dns01     failed" in shown.stdout) == (0, True)
    assert pvenix("runs", "show", "last", "-f").exit_code == 1
    assert pvenix.json("runs", "show", "last")["hosts"][0]["status"] == "failed"


def test_a_host_s_log_is_shown(pvenix: Cli) -> None:
    pvenix("rebuild", "dns01")
    assert pvenix("runs", "show", "last", "--log", "dns01").stdout == "output of dns01\n"
    wrong = pvenix("runs", "show", "last", "--log", "dns02")
    assert (wrong.exit_code, "did you mean `dns01`?" in wrong.stderr) == (2, True)


def test_only_a_living_run_can_be_asked(pvenix: Cli) -> None:
    pvenix("rebuild", "dns01")
    run = pvenix.workspace.runs.open("last")
    assert pvenix("runs", "ask", "last", "cancel").exit_code == 2
    with run.locked():
        assert pvenix("runs", "ask", "last", "retry", "--host", "dns01").exit_code == 0
        assert pvenix("runs", "ask", "last", "retry", "--host", "web01").exit_code == 2
    [request] = run.take_requests()
    assert (request.kind, request.host) == ("retry", "dns01")


def test_overrides_reach_the_workspace(pvenix: Cli, tmp_path: Path) -> None:
    pvenix("--set", "proxmox.node=tappaas2", "build", "all", "--set", "cores=4", "--fleet", str(tmp_path))
    assert pvenix.opened == [(tmp_path, {"inventory": None, "extra": {"proxmox.node": "tappaas2", "cores": 4}})]


def test_a_pattern_over_facts_reads_the_hosts_first(pvenix: Cli) -> None:
    assert pvenix("rebuild", "state=in sync").exit_code == 0
    assert [call[0] for call in pvenix.workspace.asked] == ["status", "plan_verb", "execute"]


def test_a_fact_that_holds_nowhere_is_nothing_to_do(pvenix: Cli) -> None:
    result = pvenix("run", "playbooks/onboard.yaml", "-l", "state=drifted")
    assert (result.exit_code, result.stderr) == (0, "no host matches state=drifted now\n")
    assert [call[0] for call in pvenix.workspace.asked] == ["status"]


def test_a_resumed_run_keeps_its_own_overrides(pvenix: Cli) -> None:
    pvenix.workspace.extra = {"cores": 4}
    pvenix("rebuild", "dns01")
    pvenix("resume", "last", "--set", "cores=8")
    assert pvenix.opened[-1][1]["extra"] == {"cores": 4}


@pytest.mark.parametrize("words", [("resume", "last"), ("resume", "last", "-i", "third.yaml"), ("_execute", "RUN")])
def test_a_run_keeps_the_inventory_that_it_was_planned_with(
    pvenix: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("os.setsid", lambda: None)
    pvenix.workspace.inventory = str(tmp_path / "second.yaml")
    pvenix("rebuild", "dns01")
    run = pvenix.workspace.runs.open("last")
    assert pvenix(*(word.replace("RUN", str(run.path)) for word in words)).exit_code == 0
    assert pvenix.opened[-1][1]["inventory"] == tmp_path / "second.yaml"


def test_a_folder_of_playbooks_is_answered_with_those_that_are_in_it(pvenix: Cli) -> None:
    result = pvenix("run", "playbooks/")
    assert result.exit_code == 2
    assert "'playbooks/' is a folder" in result.stderr
    assert re.search(r"hint: the playbooks in it: .*playbooks/onboard\.yaml", result.stderr)


@pytest.mark.parametrize("verb", ["destroy", "retire"])
def test_a_destruction_takes_the_typed_name_of_one_host(pvenix: Cli, verb: str) -> None:
    assert pvenix(verb, "dns01", "web*", "--confirm", "dns01").exit_code == 2
    assert pvenix(verb, "dns01").exit_code == 2
    assert pvenix(verb, "dns01", "--confirm", "web01").exit_code == 2
    assert pvenix(verb, "dns01", "--confirm", "dns01").exit_code == 0
    assert [call[1:3] for call in pvenix.workspace.asked if call[0] == "plan_verb"] == [(verb, ("dns01",))]


@pytest.mark.parametrize(("typed", "begins"), [("dns01", True), ("dns02", False), ("", False)])
@pytest.mark.parametrize("verb", ["retire", "destroy", "reprovision"])
def test_what_a_destruction_changes_is_shown_before_the_name_is_asked_for(
    pvenix: Cli, monkeypatch: pytest.MonkeyPatch, verb: str, typed: str, *, begins: bool
) -> None:
    for module in ("prompts", "confirming"):
        monkeypatch.setattr(f"pvenix.cli.{module}.can_ask", lambda _settings: True)
    result = pvenix(verb, "dns01", input=f"{typed}\n")
    told = result.stderr.index("backup job nightly names it: it is taken off the list")
    assert told < result.stderr.index(f"{verb} destroys the VM of dns01; type its name")
    assert (result.exit_code == 0, any(call[0] == "execute" for call in pvenix.workspace.asked)) == (begins, begins)


def test_a_host_is_made_anew_by_a_destruction_and_the_onboarding(pvenix: Cli) -> None:
    assert pvenix("reprovision", "dns01").exit_code == 2
    assert pvenix("reprovision", "dns01", "--confirm", "dns01").exit_code == 0
    [planned] = [call for call in pvenix.workspace.asked if call[0] == "plan_verbs"]
    assert planned[1:4] == (REPROVISIONING, ("dns01",), {"destroy": {"confirm": "dns01"}})

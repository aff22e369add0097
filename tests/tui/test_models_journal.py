"""The journal's entries, its filter, and the command lines that it gives out."""

from __future__ import annotations

import pytest

from pvenix.engine.acts import Acting
from pvenix.engine.ports import Commit
from pvenix.engine.runfiles import RunSummary
from pvenix.model.act import Act
from pvenix.model.names import CommitId, RunId
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix.model.verbs import VERBS
from pvenix_tui.models.journal import Entry, JournalModel, Told, told
from pvenix_tui.models.journaldetail import Details, command_of, detail_lines
from pvenix_tui.models.journalfilter import FIELDS, parse
from pvenix_tui.models.journalrows import when
from pvenix_tui.models.lines import cells, plain
from tests.command_words import parsed
from tests.tui.fake_backend import NOW

RUN = "20261120-102001-0001"
COMMIT = "b771e02c9d04c55a1e2f30495867766554433221"
WHO = {"operator": "ana", "os_user": "ana", "git": "ana <ana@ops1>"}


def line(at: str, host: str = "dns01", verb: str = "rebuild", outcome: str = "changed", run: str = RUN) -> Told:
    step = f"0.0.{verb}"
    return told({"at": at, "operator": "ana", "run": run, "host": host, "step": step, "verb": verb, "outcome": outcome})


def test_older_and_newer_lines_of_a_run_come_together_in_one_entry_and_entries_stand_newest_first() -> None:
    model = JournalModel()
    model.take([line("2026-11-20T10:02:00Z", "c"), line("2026-11-20T10:00:00Z", "x", run="b")], older=True)
    model.take([line("2026-11-20T09:59:00Z", "b"), line("2026-11-20T09:58:00Z", "a")], older=True)
    model.take([line("2026-11-20T10:03:00Z", "d")], older=False)
    assert [entry.key for entry in model.entries()] == [RUN, "b"]
    assert model.entries()[0].hosts == ("a", "b", "c", "d")
    assert model.count == 5


def test_a_merge_that_another_machine_made_is_there_by_its_commit_and_our_own_only_once() -> None:
    model = JournalModel()
    ours = Acting(act=Act.MERGE, host="web", commit=COMMIT).line(at="2026-11-20T10:00:00Z", who=WHO)
    model.take([told(ours)], older=True)
    commits = [
        Commit(id=CommitId(identity), author="bo", at="2026-11-20T09:00:00Z", subject=subject)
        for identity, subject in (
            (COMMIT, "Merge registration/web"),
            ("c" * 40, "Merge registration/x"),
            ("d" * 40, "Fix"),
        )
    ]
    model.commits(commits)
    assert [(entry.action, entry.who, entry.undo) for entry in model.entries()] == [
        ("merge", "ana", f"revert {COMMIT[:7]}"),
        ("merge", "bo", "revert ccccccc"),
    ]


def test_a_run_at_work_shows_before_its_first_line_and_goes_when_it_changed_nothing() -> None:
    model = JournalModel()
    run = RunSummary(run=RunId(RUN), title="rebuild dns01", state="running", started_at="2026-11-20T10:00:00Z",
                     exit_code=None, hosts=1, counts={})  # fmt: skip
    model.runs([run])
    assert [(entry.action, entry.target, entry.result[0]) for entry in model.entries()] == [
        ("rebuild", "dns01", "running")
    ]
    model.runs([])
    assert not model.entries()


@pytest.mark.parametrize(
    ("text", "lets_through"),
    [
        ("", True), ("dns", True), ("DNS01 rebuild", True), ("who:an", True), ("who:bo", False), ("host:dns*", True),
        ("host:web", False), ("result:failed", True), ("result:changed", True), ("action:rebuild", True),
        ("!result:failed", False), ("!web", True), ("since:1h", True), ("since:1m", False), ("since:2026-11-21", False),
        (f"run:{RUN[:8]}", True), ("commit:b7", False), ("who:", True), ("since:soon", True), ("colour:red", True),
    ],
)  # fmt: skip
def test_a_filter_lets_through_what_every_word_of_it_fits(text: str, *, lets_through: bool) -> None:
    entry = Entry(key=RUN, lines=[line("2026-11-20T10:00:00Z"), line("2026-11-20T10:00:01Z", "b", outcome="failed")])
    test, wrong = parse(text, NOW)
    assert test(entry) is lets_through
    assert bool(wrong) == (text in ("since:soon", "colour:red"))


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_the_filter_takes_a_value(field: str) -> None:
    assert parse(f"{field}:2026-11-20", NOW)[1] == ""


def plan(verb: str) -> RunPlan:
    values = {int: 41, bool: True, str: "dns01"}
    args = {name: values[arg.type] for name, arg in VERBS[verb].args.items() if arg.required}
    play = PlayPlan(name="p", waves=(("dns01",),), tasks=(Task(verb=verb, args=args),))  # type: ignore[arg-type]
    return RunPlan(title="t", plays=(play,), fleet="/f")


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if not verb.startswith("template") and verb not in ("remove-orphan", "adopt")]
)
def test_the_command_line_of_a_run_is_one_that_the_command_line_takes(verb: str) -> None:
    entry = Entry(key=RUN, lines=[line("2026-11-20T10:00:00Z", verb=verb)])
    assert parsed(command_of(entry, plan(verb)))


@pytest.mark.parametrize("act", Act)
def test_the_command_line_of_a_decision_is_one_that_the_command_line_takes_or_is_not_given_out(act: Act) -> None:
    about = {Act.MERGE: f"registration/dns01 {COMMIT}", Act.PROPOSE_REVERT: f"revert/x {COMMIT}", Act.REVERT: COMMIT}
    said = Acting(act=act, host="dns01", run=RUN, commit=COMMIT, about=about.get(act, "x"))
    command = command_of(Entry(key="x", lines=[told(said.line(at="2026-11-20T10:00:00Z", who=WHO))]), None)
    assert not command or parsed(command)


def test_the_entry_in_full_fits_every_width_and_says_what_it_does_not_know_yet() -> None:
    entry = Entry(key=RUN, lines=[line("2026-11-20T10:00:00Z", host) for host in ("a", "b" * 60, "c")])
    for width in (20, 60, 200):
        for details in (None, Details(command="pvenix rebuild " + "x" * 300, sent=("ssh: y",) * 500)):
            lines = detail_lines(entry, details, width)
            assert all(cells(each) <= width for each in lines)
    assert "reading what the run left behind" in "\n".join(map(plain, detail_lines(entry, None, 60)))


def test_a_moment_of_today_is_told_to_the_second_and_an_older_one_with_its_day() -> None:
    assert when("2026-11-20T10:19:48.000Z", NOW) == "10:19:48"
    assert when("2026-11-18T08:00:00Z", NOW) == "11-18 08:00"
    assert when("2024-11-18T08:00:00Z", NOW) == "2024-11-18"
    assert when("never", NOW) == "never"

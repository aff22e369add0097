"""Where a fleet is opened read-only, no door of the engine changes anything, whoever knocks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pvenix.engine.retention import Retention, prune
from pvenix.engine.runfiles import RunStore
from pvenix.fleet.planning import one_play
from pvenix.model.errors import ExitCode, ReadOnly
from pvenix.model.plan import RunPlan, Task
from pvenix.wiring import Workspace
from tests.unit.cli_fake import Cli

LOOKS: Final = frozenset({
    "open", "fleet", "state_dir", "cache_dir", "runs", "sightings", "trust", "close", "refuse_change",
    "plan_verb", "plan_verbs", "plan_playbook", "plan_fleet", "plan_apply",
    "undecided", "leftovers", "lock_holders",
    "status", "place", "console", "consequences", "refuse_unmakeable", "day_two", "template_healths", "examine",
    "pveum_lines",
    "generations", "all_generations", "prunable", "compared", "run_to_undo", "prospects", "decided", "reverting",
    "history", "commit", "commit_hosts", "reviews", "review", "lint",
    "review_conflicts", "review_details", "review_edited", "review_since", "review_text",
    "durations", "effects", "gates", "own_hosts", "plan_rollback", "playbooks",
    "cloud_init", "hardware_text", "host_card", "host_drift", "overwritten", "unit", "units", "vm",
    "journal", "journal_page", "journal_since", "undos", "undos_of_run",
    "last_readings", "place_host", "remember", "so_far", "try_host",
})  # fmt: skip
"""What only reads; everything else that is public refuses. A new method belongs here, or calls `refuse_change`."""
DOORS: Final = sorted(name for name in dir(Workspace) if not name.startswith("_") and name not in LOOKS)


class Anything:
    """An argument of which a method needs nothing before it refuses."""

    check = False

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *_: object, **__: object) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, inventory=None, extra={}, read_only=True)


def plan(*, check: bool) -> RunPlan:
    return RunPlan(title="start dns01", plays=one_play((Task(verb="start"),), ["dns01"]), check=check, fleet="/x")


@pytest.mark.parametrize("name", DOORS)
async def test_every_method_that_is_not_known_to_look_only_refuses(
    workspace: Workspace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.root)  # what does not refuse may write there
    method = getattr(workspace, name)
    given = {
        parameter.name: Anything()
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }

    async def knock() -> None:
        answer = method(**given)
        if inspect.isawaitable(answer):
            await answer

    with pytest.raises(ReadOnly) as refused:
        await knock()
    assert refused.value.exit_code is ExitCode.REFUSED
    assert "--read-only" in refused.value.hint


def test_the_doors_that_the_promise_names_are_among_those_that_refuse() -> None:
    named = "start_detached resume_detached execute decide approve reject merge abandon propose_revert merge_revert"
    assert set(f"{named} accept_drift init_remote skip stage allow_now".split()) <= set(DOORS)


@pytest.mark.parametrize(("value", "closed"), [("1", True), ("yes", True), ("", False), ("0", False), ("no", False)])
def test_the_environment_closes_every_workspace_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, closed: bool
) -> None:
    monkeypatch.setenv("PVENIX_READ_ONLY", value)
    assert Workspace(tmp_path, inventory=None, extra={}).read_only is closed


def test_a_dry_run_may_be_made_and_asked_to_stop_and_no_other(tmp_path: Path) -> None:
    free, closed = RunStore(tmp_path), RunStore(tmp_path, read_only=True)
    dry, other = closed.create(plan(check=True)), free.create(plan(check=False))
    dry.request("cancel")
    with pytest.raises(ReadOnly):
        closed.create(plan(check=False))
    for run in (closed.open(other.run), closed.open("last"), closed.newest(limit=1)[0]):
        if run.run == other.run:
            with pytest.raises(ReadOnly):
                run.request("cancel")
    assert other.take_requests() == []
    assert len(dry.take_requests()) == 1


def test_the_command_line_hands_the_wish_on_wherever_it_stands(tmp_path: Path) -> None:
    pvenix = Cli(tmp_path)
    pvenix("--read-only", "status")
    pvenix("status", "--read-only")
    pvenix("status")
    assert [options.get("read_only", False) for _, options in pvenix.opened] == [True, True, False]


def test_no_file_of_the_fleet_is_edited(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from pvenix.cli.main import cli

    fleet = tmp_path / "fleet"
    assert CliRunner().invoke(cli, ["init", str(fleet)]).exit_code == 0
    before = {path: path.read_bytes() for path in (fleet / "inventory").rglob("*") if path.is_file()}
    words = ["--fleet", str(fleet), "host", "add", "web07", "--role", "base"]
    for environment, more in (({}, ["--read-only"]), ({"PVENIX_READ_ONLY": "1"}, [])):
        result = CliRunner(env=environment).invoke(cli, [*words, *more])
        assert (result.exit_code, "PVX0011" in result.stderr) == (8, True), result.output
    assert {path: path.read_bytes() for path in (fleet / "inventory").rglob("*") if path.is_file()} == before


def test_no_run_is_thrown_away(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from pvenix.engine.audit import AuditLog

    with pytest.raises(ReadOnly):
        prune(RunStore(tmp_path, read_only=True), Retention(), AuditLog(tmp_path), now=datetime.now(UTC))

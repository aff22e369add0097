"""Stories of the journal: what was done, and how a person takes it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvenix.engine.audit import Mark, sealed
from pvenix.model.act import Act
from pvenix.model.plan import RunPlan
from pvenix_tui.screens.journal import JournalScreen
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui

REBUILD, ONBOARD, SNAPSHOT = "20261120-101002-0001", "20261120-093000-0002", "20261118-080000-0003"
MERGED = "b771e02c9d04c55a1e2f30495867766554433221"


@pytest.fixture
def past(backend: FakeBackend) -> FakeBackend:
    """Two days of a fleet, oldest first."""
    backend.did(
        SNAPSHOT, "2026-11-18T08:00:10Z", ("dns01", "snapshot", "changed"), known={"snapshot": "before-42"}, who="bo"
    )
    backend.did(
        ONBOARD, "2026-11-20T09:30:00Z",
        *(("tappaas-litellm", verb, "changed") for verb in ("clone", "cloudinit", "boot", "register", "review", "rebuild")),
    )  # fmt: skip
    backend.acted(
        Act.MERGE, "2026-11-20T09:58:00Z", host="docker01", commit=MERGED, about="registration/docker01 " + "c" * 40
    )
    backend.did(REBUILD, "2026-11-20T10:10:02Z", ("dns01", "rebuild", "changed"), ("nix-cache01", "rebuild", "failed"))
    return backend


async def journal(ui: Ui) -> None:
    await ui.do("app.journal")
    ui.expect_screen("journal")


async def test_the_journal_tells_the_newest_first_with_who_result_and_what_undoes_it(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui((120, 36)) as ui:
        await journal(ui)
        ui.expect("4 entries")
        ui.expect_cursor(REBUILD)
        ui.expect_in_row(REBUILD, "10:10:02", "ana", "rebuild", "2 hosts", "x failed 1/2", "rollback")
        ui.expect_in_row(ONBOARD, "09:30:00", "onboard", "tappaas-litellm", "+ changed", "retire")
        ui.expect_in_row(SNAPSHOT, "11-18 08:00", "bo", "snapshot", "dns01", "delete-snapshot")
        ui.expect(f"pvenix rollback dns01 --before {REBUILD}", "pvenix rebuild dns01 nix-cache01")


async def test_the_journal_opens_on_its_newest_entry_also_where_a_run_began_before_that(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui() as ui:
        await ui.do("host.rebuild")
        await ui.confirm()
        backend_run = ui.run().run
        past.acted(Act.MERGE, "2026-11-21T09:58:00Z", host="docker01", commit=MERGED, about="registration/docker01")
        await ui.app.session.read_runs()
        await journal(ui)
        assert backend_run in [ui.rows().source.key(row) for row in range(1, ui.rows().source.count())]
        assert ui.rows().cursor == 0


async def test_at_80x24_the_entry_in_full_is_a_screen_of_its_own_and_enter_goes_on_to_the_run(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui() as ui:
        await journal(ui)
        ui.expect("TIME", "ACTION", "TARGET", "RESULT", "UNDO", "by ana")
        await ui.do("journal.open")
        ui.expect_screen("entry")
        ui.expect("x failed", "nix-cache01", f"pvenix rollback dns01 --before {REBUILD}")
        ui.later()
        await ui.do("journal.open")
        ui.expect_screen("run")
        await ui.press("escape", "escape")
        ui.expect_screen("journal")


async def test_z_on_a_rebuild_plans_the_way_back_of_the_hosts_that_it_changed_and_starts_nothing(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    past.before = {"dns01": 42}
    async with open_ui() as ui:
        await journal(ui)
        await ui.do("journal.undo")
        ui.expect_screen("plan")
        ui.expect("back before", "from generation 43 to 42")
        assert not ui.started()
        await ui.press("G")
        ui.later()
        await ui.do("plan.start")
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert plan.hosts == ("dns01",)
        assert plan.decisions == {"dns01": {"back_to": "/nix/store/42"}}


async def test_an_onboarding_is_taken_back_by_the_end_of_the_host_and_its_name_is_typed(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui() as ui:
        await journal(ui)
        await ui.go_to(ONBOARD)
        await ui.do("journal.undo")
        ui.expect("retire tappaas-litellm", "destroys, and cannot be taken back")


async def test_a_merge_is_taken_back_on_a_branch_for_a_review_unless_it_is_said_otherwise(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui() as ui:
        await journal(ui)
        await ui.press("j")
        ui.expect("merge", "docker01", f"revert {MERGED[:7]}")
        await ui.do("journal.undo")
        ui.expect(f"take back {MERGED[:10]}", "for a review; main stays as it is", "-  vllm 0.6.3")
        ui.later()
        await ui.do("plan.start")
        ui.expect("pushed revert/", "for a review")
        assert ("propose_revert", MERGED) in past.calls


async def test_what_cannot_be_undone_says_why_and_what_helps(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.did(REBUILD, "2026-11-20T10:00:00Z", ("dns01", "restore", "changed"))
    async with open_ui() as ui:
        await journal(ui)
        ui.expect("nothing takes it back; z says why")
        await ui.do("journal.undo")
        ui.expect_error("what was written after the snapshot is gone; restore a backup at Proxmox")
        ui.expect_screen("journal")


async def test_a_run_of_several_verbs_asks_which_part_is_taken_back(open_ui: OpenUi, backend: FakeBackend) -> None:
    steps = (("dns01", "snapshot", "changed"), ("dns01", "migrate", "changed"))
    backend.did(REBUILD, "2026-11-20T10:00:00Z", *steps, known={"snapshot": "p1", "came_from": "tappaas1"})
    async with open_ui() as ui:
        await journal(ui)
        await ui.do("journal.undo")
        ui.expect_dialog("which part?")
        ui.expect("pvenix migrate dns01 --to tappaas1")
        await ui.press("j", "enter")
        ui.expect("delete-snapshot dns01", "pvenix delete-snapshot dns01 --name p1 --confirm dns01")


async def test_the_filter_takes_who_since_result_host_and_not_and_is_remembered(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui() as ui:
        await journal(ui)
        for text, count in (("who:bo", 1), ("since:1d", 3), ("result:failed", 1), ("host:dns01", 2), ("!rebuild", 2)):
            await ui.do("journal.filter")
            await ui.type(text)
            await ui.press("enter")
            ui.expect(f"{count} of 4 entries")
            await ui.press("escape")
        await ui.do("journal.filter")
        await ui.type("whom:bo")
        ui.expect("no field whom")
        await ui.press(*["backspace"] * 7)
        await ui.type("who:nobody")
        ui.expect("0 of 4 entries", "the filter lets nothing through")
        await ui.press("escape", "escape")
        ui.expect("4 entries")
        await ui.do("journal.filter")
        await ui.type("who:bo")
        await ui.press("enter")
        assert ui.app.session.memory.text("journal.filter") == "who:bo"


async def test_what_another_window_does_comes_into_the_journal_with_the_next_reading(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    async with open_ui() as ui:
        await journal(ui)
        past.did("20261120-101900-0009", "2026-11-20T10:19:00Z", ("docker01", "start", "changed"), who="cron")
        await ui.press("ctrl+r")
        ui.expect("5 entries", "docker01", "shutdown")
        ui.expect_cursor(REBUILD)


async def test_the_command_line_of_an_entry_is_copied(open_ui: OpenUi, past: FakeBackend) -> None:
    async with open_ui() as ui:
        await journal(ui)
        await ui.do("journal.copy")
        ui.expect_dialog("Copy")
        ui.expect("pvenix rebuild dns01 nix-cache01", REBUILD)
        await ui.press("enter")
        assert ui.app.clipboard == "pvenix rebuild dns01 nix-cache01"


async def test_what_the_filter_lets_through_is_saved_as_json_lines_and_nothing_is_overwritten(
    open_ui: OpenUi, past: FakeBackend, tmp_path: Path
) -> None:
    async with open_ui() as ui:
        await journal(ui)
        await ui.do("journal.filter")
        await ui.type("who:bo")
        await ui.press("enter")
        for _ in range(2):
            await ui.do("journal.save")
            await ui.press("j", "enter", *["backspace"] * 200)
            await ui.type(f"{tmp_path}/log.jsonl")
            await ui.press("enter")
        ui.expect_error("is there already")
        [line] = (tmp_path / "log.jsonl").read_text().splitlines()
        assert json.loads(line)["verb"] == "snapshot"


async def test_a_run_is_taken_back_from_the_list_of_runs_and_from_its_own_screen(
    open_ui: OpenUi, past: FakeBackend
) -> None:
    past.before = {"dns01": 42}
    async with open_ui() as ui:
        await ui.do("app.runs")
        ui.expect_cursor(REBUILD)
        await ui.do("run.undo")
        ui.expect("back before", "dns01: from generation 43 to 42")
        await ui.press("escape", "enter")
        ui.expect_screen("run")
        await ui.do("run.undo")
        ui.expect("back before")


async def test_the_last_change_of_a_host_is_taken_back_from_the_fleet(open_ui: OpenUi, past: FakeBackend) -> None:
    past.before = {"dns01": 42}
    async with open_ui() as ui:
        await ui.go_to("dns01")
        await ui.do("host.undo")
        ui.expect("back before", "dns01: from generation 43 to 42")


async def test_a_log_of_100000_lines_is_there_at_once_and_holds_no_key_up(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    log, mark = backend.log, Mark()
    with log.path.open("wb") as file:
        for number in range(100_000):
            run = f"20261119-{number // 5000:02}0000-{number // 5:04x}"[:20]
            line, mark = sealed(
                {"at": f"2026-11-19T{number // 5000:02}:00:00Z", "run": run, "operator": "ana", "host": f"h{number % 50}",
                 "step": "0.0.rebuild", "verb": "rebuild", "count": 1, "commit": "", "outcome": "changed"},
                mark,
            )  # fmt: skip
            file.write(line + b"\n")
    async with open_ui() as ui:
        ui.send("5")
        await ui.until(lambda: _lines_of(ui) > 0)
        screen = ui.app.screen
        assert isinstance(screen, JournalScreen)
        assert screen.model.count < 5_000, "the newest lines wait for the oldest"
        ui.send("j")
        await ui.until(lambda: screen.list.cursor == 1)
        assert screen.model.count < 100_000, "a key waits for the oldest lines"
        await ui.calm()
        assert screen.model.count == 100_000
        await ui.do("journal.filter")
        await ui.type("host:h49")
        ui.expect("20000 entries")


def _lines_of(ui: Ui) -> int:
    screen = ui.app.screen
    return screen.list.source.count() if isinstance(screen, JournalScreen) and screen.is_mounted else 0

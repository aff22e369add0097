"""What a person says of a branch, changes in it, and does about one that does not merge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pvenix.model.review import Message, Thread
from tests.tui.branches import HOST, NIX, editing, open_review, read_all
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import TIP, FakeBackend, fake_review

pytestmark = pytest.mark.tui


async def test_a_comment_on_a_line_shows_below_it_and_is_a_warning_until_it_is_settled(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await ui.press("tab", "j", "j")
        await ui.do("review.comment")
        ui.expect_dialog(f"Comment on {NIX}:2")
        await ui.type("why this value?")
        await ui.press("enter")
        ui.expect("pvenix review comment")
        await ui.confirm()
        assert ("comment", HOST, TIP, "why this value?", NIX, 2) in backend.calls
        ui.expect("why this value?", "1 comment")
        await ui.press("enter")
        ui.expect_dialog("Comment on")
        ui.later()
        await ui.press("enter")
        await ui.type("because")
        await ui.press("enter")
        await ui.confirm()
        assert ("reply", HOST, "c1", "because") in backend.calls
        ui.expect("re: story", "because")
        await ui.press("escape")
        await ui.go_to("thread:c1")
        await ui.do("review.open")
        ui.later()
        await ui.press("j", "enter")
        await ui.confirm()
        assert ("resolve", HOST, "c1", True) in backend.calls
        ui.expect("Comments  0 open of 1", "resolved by story")


async def test_a_second_persons_comment_has_to_be_acknowledged(open_ui: OpenUi, backend: FakeBackend) -> None:
    said = Message(by="ana", at="2026-11-20T10:00:00.000Z", text="is the port meant?")
    thread = Thread(id="1f", commit=TIP, file="", line=0, quote="", messages=(said,))
    backend.reviews_now[HOST] = replace(fake_review(), threads=(thread,), checks=())
    async with open_ui() as ui:
        await open_review(ui)
        await ui.press("m", "}", "m")
        await ui.do("review.approve")
        ui.expect_error("not acknowledged yet: comment of ana on the whole branch is not resolved")
        await ui.do("review.acknowledge", "review.acknowledge", "review.approve")
        ui.expect("approve registration/tappaas-litellm")


async def test_a_comment_on_the_whole_is_sent_only_from_its_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await ui.do("review.comment_all")
        await ui.type("nice")
        await ui.press("enter", "escape")
        assert not [call for call in backend.calls if call[0] == "comment"]
        ui.expect_screen("review")


async def test_an_edit_shows_its_difference_and_becomes_a_commit_in_the_persons_name(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        started = editing(ui, '{\n  networking.hostName = "tappaas-litellm";\n  a = 1;\n}\n')
        await ui.do("review.edit")
        assert Path(started[0][-1]).name == f"{HOST}.nix"
        ui.expect("edit registration/tappaas-litellm", "+   a = 1;", f"pvenix review edit {HOST} {NIX}")
        await ui.confirm()
        assert [call[:4] for call in backend.calls if call[0] == "edit"] == [("edit", HOST, TIP, NIX)]
        ui.expect("eeeeeeee", "seen 0/2")
        ui.expect_not("MOVED")


async def test_an_edit_that_changes_nothing_or_comes_too_late_pushes_nothing(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        editing(ui, backend.text_now)
        await ui.do("review.edit")
        ui.expect("nothing was changed")
        editing(ui, "{ }\n")
        await ui.do("review.edit")
        backend.reviews_now[HOST] = replace(backend.reviews_now[HOST], commit="a" * 40)
        await ui.confirm()
        ui.expect_error("registration/tappaas-litellm is at aaaaaaaaaa, not at b771e02c9d")
        assert not [call for call in backend.calls if call[0] == "edit"]


async def test_an_editor_that_fails_is_told_and_nothing_is_taken_over(open_ui: OpenUi, backend: FakeBackend) -> None:
    async def broken(argv: Sequence[str], *, cwd: Path | None = None) -> int:
        return 1

    async with open_ui() as ui:
        await open_review(ui)
        ui.app.session.run_outside = broken
        await ui.do("review.edit")
        ui.expect_error("the editor ended with 1")
        ui.expect_screen("review")
        assert not [call for call in backend.calls if call[0] == "edit"]


async def test_a_branch_behind_main_takes_main_in_by_a_plan(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.reviews_now[HOST] = replace(fake_review(), behind=2)
    async with open_ui() as ui:
        await open_review(ui)
        ui.expect("2 behind", "the base is old: main has 2 commits more")
        await ui.do("review.update")
        ui.expect("update registration/tappaas-litellm", f"pvenix review update {HOST}")
        await ui.confirm()
        assert ("freshen", HOST, TIP) in backend.calls
        await ui.do("review.update")
        ui.expect_error("the branch has everything that main has")


async def test_a_conflict_is_explained_with_both_sides_and_resolved_in_the_editor(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.reviews_now[HOST] = replace(fake_review(), mergeable=False, behind=1)
    async with open_ui((100, 36)) as ui:
        await open_review(ui)
        ui.expect("CONFLICT")
        await ui.do("review.approve")
        ui.expect_error("it does not merge into main; w says why")
        await ui.do("review.conflicts")
        ui.expect(
            "both changed the same lines", "ana 2h ago: Open port 8000", "bo 1d ago: Register", "ports = [ 4000 ];"
        )
        editing(ui, backend.conflicts_now[0].marked)
        await ui.do("conflicts.resolve")
        ui.expect_error("conflict markers are left in it")
        editing(ui, "{\n  ports = [ 4000 8000 ];\n}\n")
        await ui.do("conflicts.resolve")
        ui.expect("resolve registration/tappaas-litellm", NIX)
        await ui.confirm()
        assert ("resolved", HOST, TIP, {NIX: "{\n  ports = [ 4000 8000 ];\n}\n"}) in backend.calls
        ui.expect_screen("review")
        ui.expect_not("CONFLICT", "MOVED")


async def test_a_refused_approval_leads_back_to_a_review_that_shows_what_changed(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await read_all(ui)
        await ui.do("review.approve")
        backend.reviews_now[HOST] = replace(backend.reviews_now[HOST], commit="a" * 40)
        await ui.confirm()
        ui.expect_error("the branch moved while you looked")
        assert not [call for call in backend.calls if call[0] == "approve"]
        await ui.press("escape")
        ui.expect("MOVED", "the branch moved from b771e02c9d to aaaaaaaaaa; i shows what changed")

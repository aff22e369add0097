"""What a person does with branches that wait for them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.events import MouseScrollDown

from pvenix.model.review import Check, Review, Verdict
from pvenix_tui.widgets.diffpane import DiffPane
from tests.tui.branches import HOST, HW, NIX, branch, open_review, read_all
from tests.tui.conftest import OpenUi
from tests.tui.driver import Ui
from tests.tui.fake_backend import TIP, FakeBackend, fake_diff, fake_review
from tests.tui.fake_review import changed

pytestmark = pytest.mark.tui
WIDE = (140, 40)


def with_long_file(review: Review) -> Review:
    """The review, its first file several pages long."""
    return replace(review, files=(fake_diff(NIX, "host", 100), *review.files[1:]))


def shown_diff(ui: Ui) -> DiffPane:
    return ui.app.screen.query_one(DiffPane)


async def test_every_branch_that_waits_is_listed_with_its_kind_base_checks_and_size(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    failing = (Check(name="Nix syntax", verdict=Verdict.FAIL),)
    backend.reviews_now |= {
        "retire/dns01": branch("retire/dns01", host="dns01", behind=3),
        "revert/9be0142aa7": branch("revert/9be0142aa7", checks=failing, mergeable=False),
        "template/nixos": branch("template/nixos", state="approved"),
    }
    async with open_ui((160, 48)) as ui:
        await ui.do("app.reviews")
        ui.expect_in_row(HOST, "open", f"registration/{HOST}", "current", "2+ 1!", "2f +32 -0", "12s")
        ui.expect_in_row("retire/dns01", "3 behind")
        ui.expect_in_row("revert/9be0142aa7", "conflict", "1x")
        ui.expect_in_row("template/nixos", "approved")
        await ui.go_to("template/nixos")
        await ui.do("reviews.open")
        ui.expect("template/nixos", "Files")


async def test_the_list_is_filtered_by_words_of_its_rows_and_esc_takes_the_filter_back(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.reviews_now["retire/dns01"] = branch("retire/dns01", behind=3)
    async with open_ui() as ui:
        await ui.do("app.reviews", "reviews.filter")
        await ui.type("behind !current")
        ui.expect("retire")
        ui.expect_not("2+ 1!  2f +32 -0  12s  tappaas-litellm")
        await ui.press("enter")
        ui.expect_cursor("retire/dns01")
        ui.expect("1/2", "filter: behind !current")
        await ui.press("escape")
        ui.expect_not("filter:")


async def test_an_approval_waits_until_every_file_was_read_and_every_warning_acknowledged(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        ui.expect("registration/tappaas-litellm", "2+ 1!", "seen 0/2", "+ pass", "! warn", "[ ] nix/hosts")
        await ui.do("review.approve")
        ui.expect_error(f"approve: not read yet: {NIX}")
        await ui.press("tab", "ctrl+d", "ctrl+d")
        ui.expect("seen 1/2")
        await ui.press("}", "ctrl+d")
        ui.expect("seen 1/2")
        await ui.press("ctrl+d", "escape")
        ui.expect("seen 2/2", f"[x] {NIX}")
        await ui.do("review.approve")
        ui.expect_error("not acknowledged yet: open ports: the firewall opens 4000")
        await ui.do("review.acknowledge")
        ui.expect_cursor(ui.rows().key)
        await ui.do("review.acknowledge")
        ui.expect("[a] open ports")
        await ui.do("review.approve")
        ui.expect(f"pvenix review approve {HOST}", "Known", "open ports")
        await ui.press("e")
        await ui.type("looks right")
        await ui.press("enter")
        await ui.confirm()
        assert ("approve", HOST, TIP, "looks right") in backend.calls
        assert backend.acknowledged_now == ("open ports: the firewall opens 4000 (role litellm)",)
        ui.expect("+ approved")


async def test_a_merge_is_of_exactly_the_approved_commit(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await ui.do("review.merge")
        ui.expect_error("merge: only an approved commit is merged; this one is open")
        backend.reviews_now[HOST] = replace(backend.reviews_now[HOST], state="approved")
        await ui.do("app.refresh", "review.merge")
        await ui.confirm()
        assert ("merge", HOST, TIP, "") in backend.calls
        ui.expect("- merged")


async def test_undo_of_a_merge_is_of_every_commit_that_it_brings(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.reviews_now[HOST] = replace(fake_review(), state="approved", ahead=2)
    async with open_ui() as ui:
        await open_review(ui)
        await ui.do("review.merge")
        ui.expect("a revert of all that the merge brings")


async def test_a_rejection_needs_a_reason(open_ui: OpenUi, backend: FakeBackend) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await ui.do("review.reject")
        await ui.confirm()
        ui.expect_error("a rejection says why")
        await ui.press("e")
        await ui.type("no")
        await ui.press("enter")
        await ui.confirm()
        assert ("reject", HOST, TIP, "no") in backend.calls


async def test_what_was_read_of_a_long_file_stays_read_when_the_branch_is_read_anew(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.reviews_now[HOST] = with_long_file(backend.reviews_now[HOST])
    async with open_ui() as ui:
        await open_review(ui)
        await ui.press("tab", "ctrl+d", "ctrl+d")
        await ui.do("app.refresh")
        while not shown_diff(ui).at_end:
            await ui.press("ctrl+d")
        ui.expect("seen 1/2")


async def test_what_was_read_of_a_file_stays_read_when_its_pane_gets_another_width(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.reviews_now[HOST] = with_long_file(backend.reviews_now[HOST])
    async with open_ui((120, 36)) as ui:
        await open_review(ui)
        await ui.press("tab", "ctrl+d", "ctrl+d")
        await ui.pilot.resize_terminal(80, 24)
        await ui.settle()
        while not shown_diff(ui).at_end:
            await ui.press("ctrl+d")
        ui.expect("seen 1/2")


async def test_a_file_that_was_turned_through_with_the_wheel_was_read(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.reviews_now[HOST] = with_long_file(backend.reviews_now[HOST])
    async with open_ui() as ui:
        await open_review(ui)
        await ui.press("tab")
        pane = shown_diff(ui)
        while not pane.at_end:
            ui.expect("seen 0/2")
            await ui.pilot._post_mouse_events([MouseScrollDown], widget=pane)
            await ui.settle()
        ui.expect("seen 1/2")


async def test_the_end_of_a_file_alone_is_not_the_file(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.reviews_now[HOST] = with_long_file(backend.reviews_now[HOST])
    async with open_ui() as ui:
        await open_review(ui)
        await ui.press("tab", "G")
        assert shown_diff(ui).at_end
        ui.expect("seen 0/2")


async def test_seen_marks_outlive_the_screen_and_a_new_commit_takes_them_from_what_it_changes_alone(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await read_all(ui)
        await ui.press("escape")
        await open_review(ui)
        ui.expect("seen 2/2", "[a] open ports")
        before = backend.reviews_now[HOST]
        files = (before.files[0], fake_diff(HW, "hardware", 25))
        backend.reviews_now[HOST] = replace(before, commit="a" * 40, files=files)
        await ui.do("app.refresh")
        ui.expect_error("the branch moved from b771e02c9d to aaaaaaaaaa")
        ui.expect("seen 1/2", f"[x] {NIX}", f"[ ] {HW}", "[ ] open ports", "MOVED")


async def test_a_branch_that_moves_is_not_approved_before_what_changed_was_looked_at(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await read_all(ui)
        backend.reviews_now[HOST] = replace(backend.reviews_now[HOST], commit="a" * 40)
        await ui.do("app.refresh")
        ui.expect_error("the branch moved")
        await ui.do("review.approve")
        ui.expect_error("the branch moved to aaaaaaaaaa while you looked; i shows what changed")
        await ui.do("review.since")
        ui.expect_screen("since")
        ui.expect("b771e02c9d .. aaaaaaaaaa")
        await ui.press("tab")
        ui.expect("evil = true;")
        await ui.press("escape", "escape")
        ui.expect_screen("review")
        ui.expect_not("MOVED")


async def test_both_sides_stand_beside_each_other_where_there_is_room(open_ui: OpenUi, backend: FakeBackend) -> None:
    file = changed(NIX, "{\n  ports = [ 80 ];\n}\n", "{\n  ports = [ 80 8000 ];\n}\n")
    backend.reviews_now[HOST] = replace(fake_review(), files=(file,))
    async with open_ui(WIDE) as ui:
        await open_review(ui)
        await ui.do("diff.sides", "diff.pane")
        row = ui.line("ports = [ 80 8000 ];")
        assert "-   ports = [ 80 ];" in row
        await ui.do("diff.sides")
        assert "-   ports = [ 80 ];" not in ui.line("ports = [ 80 8000 ];")


async def test_who_proposes_what_and_what_was_decided_before_is_told(open_ui: OpenUi, backend: FakeBackend) -> None:
    backend.reviews_now[HOST] = replace(fake_review(), state="rejected", comments=("rejected by ana at 10:00: no",))
    async with open_ui() as ui:
        await open_review(ui)
        ui.expect("author   tappaas-litellm, 12s ago", "subject  Register", "rejected by ana at 10:00: no")


async def test_when_somebody_decided_is_told_as_an_age(open_ui: OpenUi, backend: FakeBackend) -> None:
    at = fake_review().at
    backend.reviews_now[HOST] = replace(fake_review(), state="approved", comments=(f"approved by root at {at}: fine",))
    async with open_ui() as ui:
        await open_review(ui)
        ui.expect("approved by root, 12s ago: fine")
        assert at not in ui.text()


async def test_a_narrow_terminal_says_why_there_is_one_column(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await ui.do("diff.sides")
        ui.expect_error("both sides need 120 columns")


async def test_a_search_goes_from_match_to_match_and_esc_leaves_it(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await open_review(ui)
        await ui.press("tab")
        await ui.do("diff.search")
        await ui.type("line 4")
        await ui.press("enter")
        ui.expect_cursor(ui.rows().key)
        assert "line 4" in _at_cursor(ui)
        await ui.press("n")
        assert "line 4" in _at_cursor(ui)
        await ui.press("escape", "n")
        ui.expect("no hunk after this")


def _at_cursor(ui: Ui) -> str:
    rows = ui.rows()
    return "".join(text for text, _ in rows.source.line(rows.cursor))


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 48)])
async def test_nothing_of_a_review_is_wider_than_the_terminal(open_ui: OpenUi, size: tuple[int, int]) -> None:
    async with open_ui(size) as ui:
        await open_review(ui)
        ui.expect(HOST, "Files  seen 0/2", "Checks", "A approve")
        await ui.press("tab")
        ui.expect("modulesPath")
        assert all(len(line) <= size[0] for line in ui.text().splitlines())


async def test_a_read_only_window_shows_everything_and_changes_nothing(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PVENIX_READ_ONLY", "1")
    async with open_ui() as ui:
        await open_review(ui)
        await ui.do("review.comment")
        ui.expect_error("read-only")
        await ui.press("tab")
        ui.expect("modulesPath")

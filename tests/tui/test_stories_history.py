"""What a person reads in the history of the main branch, and takes back from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pvenix.lifecycle.history import CommitPage
from pvenix.model.errors import RemoteFailure, Unreachable
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend
from tests.tui.fake_inventory import MAIN, OLD

pytestmark = pytest.mark.tui


async def test_the_history_says_who_when_whom_it_concerns_and_which_hosts_run_it(open_ui: OpenUi) -> None:
    async with open_ui((140, 36)) as ui:
        await ui.do("fleet.history")
        ui.expect_in_row(MAIN, "Open port 8000 for vllm", "ana", "12s", "3 hosts", "tappaas-vllm")
        ui.expect_in_row(OLD, "Bump nixpkgs", "bo", "3d", "1 host", "every host")


async def test_hosts_are_counted_in_whole_words_however_many_there_are(
    open_ui: OpenUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_ui() as ui:
        monkeypatch.setattr("pvenix_tui.screens.history.running", lambda _: Counter({MAIN: 1204}))
        await ui.do("fleet.history")
        ui.expect_in_row(MAIN, "1204 hosts")
        ui.expect("runs on 1204 hosts")
        await ui.do("list.down")
        ui.expect("runs on no host")


async def test_a_commit_that_concerns_one_host_says_so_in_the_singular(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = backend.commit

    async def for_one(commit: str) -> CommitPage:
        return replace(await page(commit), hosts=("dns01",))

    monkeypatch.setattr(backend, "commit", for_one)
    async with open_ui() as ui:
        await ui.do("fleet.history", "history.open")
        ui.expect("Concerns  1 host")
        ui.expect_not("1 hosts")


async def test_the_history_is_filtered_by_words(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.history", "history.filter")
        await ui.type("bump")
        await ui.press("enter")
        ui.expect_cursor(OLD)
        ui.expect("1/2", "Bump nixpkgs")
        ui.expect_not("Open port 8000")


async def test_a_commit_opens_with_its_files_and_differences(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.history", "history.open")
        ui.expect_screen("commit")
        ui.expect("Open port 8000 for vllm", "nix/common.nix", "docs/ports.md", "Concerns  2 hosts", "runs on 3")
        await ui.press("tab")
        ui.expect("-   ports = [ 80 ];", "+   ports = [ 80 8000 ];")
        await ui.do("diff.next_file")
        ui.expect("+ 8000 is vllm")
        await ui.press("escape", "escape")
        ui.expect_screen("history")


@pytest.mark.parametrize("key", ["z", "R"])
async def test_a_commit_is_taken_back_by_a_plan_that_shows_what_that_changes(
    open_ui: OpenUi, backend: FakeBackend, key: str
) -> None:
    async with open_ui() as ui:
        await ui.do("fleet.history")
        await ui.press(key)
        ui.expect(f"take back {MAIN[:10]}", "Concerns", f"pvenix revert {MAIN[:10]}")
        await ui.confirm()
        assert ("propose_revert", MAIN) in backend.calls
        ui.expect("for a review")


async def test_a_commit_that_cannot_be_taken_back_says_why(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: str) -> None:
        raise RemoteFailure("3f2c1a9b77 cannot be taken back by itself", hint="take the later commits back first")

    monkeypatch.setattr(backend, "reverting", refuse)
    async with open_ui() as ui:
        await ui.do("fleet.history", "history.open", "history.revert")
        ui.expect_error("cannot be taken back by itself; take the later commits back first")
        ui.expect_screen("commit")


async def test_a_commit_that_cannot_be_read_says_so_in_its_place(
    open_ui: OpenUi, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: str) -> None:
        raise Unreachable("the repository does not answer", hint="is the site up?")

    monkeypatch.setattr(backend, "commit", away)
    async with open_ui() as ui:
        await ui.do("fleet.history", "history.open")
        ui.expect("the repository does not answer; is the site up?")
        await ui.press("escape")
        ui.expect_screen("history")

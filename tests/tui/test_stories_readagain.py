"""What is said of branches while they are read again, or cannot be."""

from __future__ import annotations

import asyncio

import pytest

from pvenix.model.review import Review
from tests.tui.conftest import OpenUi
from tests.tui.fake_backend import FakeBackend

pytestmark = pytest.mark.tui


async def test_that_no_branch_waits_is_not_claimed_while_they_cannot_be_read(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    backend.reviews_now.clear()
    async with open_ui() as ui:
        await ui.do("app.reviews")
        ui.expect("no branch waits for anybody")
        backend.unreachable = "the repository cannot be reached"
        await ui.do("app.refresh")
        ui.expect("no branch waited for anybody when they were read last; now they cannot be read")
        ui.expect("x status: the repository cannot be reached")


async def test_after_a_decision_the_branch_is_not_called_open_before_it_was_read_again(
    open_ui: OpenUi, backend: FakeBackend
) -> None:
    read, may_read = backend.review, asyncio.Event()

    async def later(host: str) -> Review:
        if backend.reviews_now[host].state == "approved":
            await may_read.wait()
        return await read(host)

    async with open_ui() as ui:
        await ui.do("app.reviews")
        await ui.go_to("tappaas-litellm")
        await ui.do("reviews.open")
        await ui.press("tab", "ctrl+d", "ctrl+d", "}", "ctrl+d", "ctrl+d", "escape")
        await ui.do("review.acknowledge", "review.acknowledge", "review.approve")
        ui.later()
        backend.review = later  # type: ignore[method-assign]
        ui.send("y")
        await ui.until(lambda: "? being read again" in ui.text())
        may_read.set()
        await ui.settle()
        ui.expect("+ approved")

"""The menu of verbs: all of them, in order, by name, and what makes no sense with its reason."""

from __future__ import annotations

import pytest

from pvenix.model.plan import RunPlan
from pvenix.model.verbs import ONBOARDING, VERBS
from pvenix_tui.actions import in_scope
from tests.tui.conftest import OpenUi

pytestmark = pytest.mark.tui


async def test_every_verb_is_in_the_menu_whole_in_the_order_of_a_hosts_life(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("x")
        seen: list[str] = []
        for _ in range(len(VERBS)):
            screen = ui.text()
            seen += [verb for verb in VERBS if f"│{verb} " in screen and verb not in seen]
            await ui.press("down")
        assert set(seen) == set(VERBS)
        ui.expect("-- templates --", "template-publish  not now")
        order = [action.label for action in in_scope("verbs")]
        for verbs in (ONBOARDING, ("boot", "rebuild", "configure", "shutdown", "snapshot", "retire")):
            assert sorted(verbs, key=order.index) == list(verbs)


async def test_the_cursor_of_the_menu_passes_over_its_headings(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("x")
        ui.expect("-- provision --", "pvenix place tappaas-cicd")
        await ui.press("up")
        ui.expect("pvenix place tappaas-cicd")
        await ui.press(*["down"] * 6)
        ui.expect("pvenix hardware tappaas-cicd")
        await ui.press("up")
        ui.expect("pvenix boot tappaas-cicd")


async def test_a_filter_puts_the_verbs_first_whose_name_begins_with_it(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("x")
        await ui.type("rest")
        ui.expect("pvenix restore tappaas-cicd --to SNAPSHOT --confirm tappaas-cicd")
        await ui.press(*["backspace"] * 4)
        await ui.type("build")
        ui.expect("pvenix build tappaas-cicd")
        await ui.press(*["backspace"] * 5)
        await ui.type("power")
        ui.expect("pvenix start tappaas-cicd", "shutdown", "reset")
        ui.expect_not("-- power --", "snapshot")
        await ui.press("enter")
        ui.expect("start tappaas-cicd")
        await ui.confirm()
        [plan] = ui.started()
        assert isinstance(plan, RunPlan)
        assert [task.verb for play in plan.plays for task in play.tasks] == ["start"]


@pytest.mark.parametrize(
    ("verb", "why", "command"),
    [
        ("adopt", "VM 200 is the host's already", "pvenix adopt VMID tappaas-cicd"),
        ("remove-orphan", "an orphan is no host's", "pvenix orphans remove VMID"),
        ("template-canary", "a step of playbooks/template-refresh.yaml", "pvenix run playbooks/template-refresh.yaml"),
    ],
)
async def test_a_verb_that_makes_no_sense_says_why_and_what_does(
    open_ui: OpenUi, verb: str, why: str, command: str
) -> None:
    async with open_ui() as ui:
        await ui.press("x")
        await ui.type(verb)
        ui.expect(f"not now: {why}", command)
        await ui.press("enter")
        ui.expect("Verbs for tappaas-cicd")
        assert not ui.started()


async def test_a_host_without_a_vm_has_nothing_to_shut_down_but_can_be_made(open_ui: OpenUi) -> None:
    async with open_ui() as ui:
        await ui.press("j", "j", "j", "j", "x")
        await ui.type("shutdown")
        ui.expect("Verbs for tappaas-litellm", "not now: it has no VM")
        await ui.press(*["backspace"] * 8)
        await ui.type("clone")
        await ui.press("enter")
        ui.expect("pvenix clone tappaas-litellm")

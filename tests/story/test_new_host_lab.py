"""A new host by the functions that the form and the wizard use, over the lab's sockets: tried, placed, added, taken back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from pvenix.engine.runfiles import RunDir
from pvenix.model.events import StepEnded, StepEvidence
from pvenix.model.newhost import Asked, NewHost
from pvenix.model.plan import RunPlan
from pvenix.model.verbs import ONBOARDING
from pvenix.wiring import Workspace
from tests.story.inside import Inside, _as
from tests.story.world import StoryLab

pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]
NEW = "web01"
ASKED = NewHost.of({Asked.NAME: NEW, Asked.ROLES: "base", Asked.GROUPS: "apps", Asked.ZONE: "mgmt"})


@pytest.fixture(scope="module")
def workspace(lab: StoryLab) -> Iterator[Workspace]:
    """The fleet of the lab, as the TUI has it open."""
    with _as(lab.env):
        yield Workspace.open(lab.fleet)


def executed(workspace: Workspace, plan: RunPlan) -> RunDir:
    """A run of the plan, executed here to its end."""

    async def go() -> RunDir:
        run = workspace.runs.create(plan)
        await workspace.execute(run, on_event=lambda _: None)
        await workspace.close()
        return run

    return asyncio.run(go())


def verbs_of(run: RunDir) -> list[tuple[str, str]]:
    """Verb and status of every step that ended."""
    return [(event.verb, event.status) for event in run.events()[0] if isinstance(event, StepEnded)]


def test_a_new_host_is_tried_placed_added_and_onboarded_up_to_its_review_and_taken_back(
    lab: StoryLab, workspace: Workspace
) -> None:
    async def asked() -> str:
        assert not workspace.try_host(ASKED).problems
        placing = await workspace.place_host(ASKED)
        assert placing.node, placing.words
        assert NEW not in workspace.fleet().hosts, "trying writes nothing"
        added = await workspace.add_host(ASKED)
        assert f"+        {NEW}:" in added.diff
        await workspace.close()
        return placing.node

    node = asyncio.run(asked())
    assert workspace.fleet().host(NEW).groups[:1] == ("apps",)
    run = executed(workspace, workspace.plan_verbs(ONBOARDING, (NEW,)))
    assert verbs_of(run)[-1] == ("review", "waiting")
    noted = {key: value for e in run.events()[0] if isinstance(e, StepEvidence) for key, value in e.data.items()}
    assert noted["node"] == node
    assert noted["address"]

    found = workspace.so_far(run, NEW)
    assert found.verbs == ("unregister", "destroy")
    assert found.lines[:2] == (
        f"delete the branch registration/{NEW}",
        f"stop and destroy VM {noted['vmid']} on {node}",
    )
    assert f"release the address {noted['address']}" in found.lines
    undo = executed(workspace, workspace.plan_verbs(found.verbs, (NEW,), args={"destroy": {"confirm": NEW}}))
    assert verbs_of(undo) == [("unregister", "changed"), ("destroy", "changed")]
    assert lab.git("ls-remote", "origin", f"registration/{NEW}") == ""
    assert not Inside(lab).vms(NEW)
    assert workspace.so_far(run, NEW).stays == (f"taken back by run {undo.run}",)
    again = executed(workspace, workspace.plan_verb("unregister", (NEW,)))
    assert verbs_of(again) == [("unregister", "ok")]


def test_a_step_is_skipped_by_name_and_what_the_rest_needs_is_not(lab: StoryLab, workspace: Workspace) -> None:
    inside, host = Inside(lab), "tappaas-litellm"
    run = workspace.runs.create(workspace.plan_verbs(ONBOARDING, (host,)))
    inside.ends(2, "runs", "skip", run.run, host, "--step", "0.1.clone")
    skipped = inside.ends(3, "runs", "skip", run.run, host)
    assert f"{host} goes on without 0.0.place" in skipped.text
    assert verbs_of(run)[:2] == [("place", "skipped"), ("clone", "changed")]
    lines = json.loads(inside.ends(0, "audit", "--run", run.run, "-o", "json").out)["audit"]
    assert [(line["verb"], line["operator"]) for line in lines if line["outcome"] == "skipped"] == [("place", "story")]
    assert verbs_of(run)[-1] == ("review", "waiting")
    refused = inside.ends(2, "runs", "skip", run.run, host)
    assert "what no person has approved is not merged" in refused.text
    assert "PVX0812" in refused.text


def test_units_journal_and_cloud_init_of_a_host_are_read_at_a_shell(lab: StoryLab) -> None:
    inside, host = Inside(lab), "dns01"
    units = json.loads(inside.ends(0, "host", "units", host, "-o", "json").out)["units"]
    assert "sshd.service" in {unit["name"] for unit in units}
    assert "Active: active" in inside.ends(0, "host", "units", host, "sshd.service").out
    lines = inside.ends(0, "host", "journal", host, "-u", "sshd.service", "-n", "5").out.splitlines()
    assert 0 < len(lines) <= 5
    told = json.loads(inside.ends(0, "host", "cloudinit", host, "-o", "json").out)
    assert "ciuser" in {key["key"] for key in told["keys"]}
    assert not told["problem"]
    inside.ends(2, "host", "units", host, "no unit")


def test_what_is_wrong_with_a_new_host_is_found_before_anything_is_written(lab: StoryLab, workspace: Workspace) -> None:
    before = (lab.fleet / "inventory/hosts.yaml").read_text()
    wrong = workspace.try_host(
        NewHost.of({Asked.NAME: "dns01", Asked.ROLES: "nonsense", Asked.ADDRESS: "10.0.0.1/24", Asked.ZONE: "mgmt"})
    )
    assert set(wrong.problems) == {Asked.NAME, Asked.ROLES, Asked.ADDRESS}
    assert (lab.fleet / "inventory/hosts.yaml").read_text() == before

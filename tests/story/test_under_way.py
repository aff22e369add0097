"""A VM that is being made has neither name nor notes: whose it is shows only at its end, and no second one is made."""

from __future__ import annotations

import asyncio

import pytest

from pvenix.lifecycle.underway import BEING_MADE
from pvenix.lifecycle.unfinished import Made
from pvenix.model.errors import ExitCode
from pvenix.model.findings import Finding
from pvenix.model.fleetplan import Action, HostPlan
from pvenix_lab.site.pve.vm import Vm
from tests.sim.golden import Golden
from tests.story.fault_scene import NEW, OTHER, Scene, row, scene, undeclared
from tests.story.plan_scene import planned

pytestmark = pytest.mark.sim
STUB = 310


def stub(site: Scene, vmid: int = STUB) -> None:
    """What a clone that died with its node leaves: a lock, and no task that runs."""
    site.site.cluster.vms[vmid] = Vm(vmid=vmid, node="tappaas2", lock="clone")


def said(plan: HostPlan) -> list[Finding]:
    """What the plan says of VMs that are being made."""
    return [finding for finding in plan.findings if finding.code == BEING_MADE]


def clones(site: Scene) -> int:
    return len([task for task in site.site.cluster.tasks.values() if task.type == "qmclone"])


@row("F41")
def test_a_second_clone_says_what_it_waits_for_and_how_long_and_stops_then(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F41")
        await site.run("clone")
        again = await site.run("clone")
        assert (again.code, 600 <= again.seconds < 620, clones(site)) == (ExitCode.UNKNOWN, True, 1), again.why
        assert "is being made: qmclone of pvenix@pve since 20" in again.text
        assert "waiting up to 10 min to see whose it is" in again.text
        assert "pvesh delete /nodes/tappaas1/tasks/UPID:tappaas1:" in again.why

    scene(undeclared(golden), act)


@row("F41")
def test_a_plan_offers_no_vm_for_a_host_whose_clone_was_given_up(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F41")
        await site.run("clone")
        [vmid] = [vmid for vmid, vm in site.site.cluster.vms.items() if vm.lock == "clone"]
        known = await planned(site, NEW, made={vmid: Made(run="20261120-181844-d3da", host=NEW)})
        assert [(one.action, one.exit_code, one.decision) for one in known.hosts] == [(Action.UNKNOWN, 5, {})]
        [finding] = known.hosts[0].findings
        assert f"VM {vmid} on tappaas1 is being made: qmclone of pvenix@pve since 20" in finding.what
        assert "pvenix resume 20261120-181844-d3da" in finding.hint
        other = await planned(site, OTHER, made={vmid: Made(run="20261120-181844-d3da", host=NEW)})
        assert [(one.action, said(one)) for one in other.hosts] == [(Action.ADD, [])]

    scene(undeclared(golden), act)


def test_a_plan_says_that_a_vm_that_is_being_made_may_be_the_host_s(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        stub(site)
        [plan] = (await planned(site, NEW)).hosts
        [finding] = said(plan)
        assert (plan.action, finding.warning) == (Action.ADD, True)
        assert f"VM {STUB} on tappaas2 is locked as one that is being made" in finding.what
        assert "waits for that, and makes no second VM" in finding.hint

    scene(undeclared(golden), act)


def test_a_vm_that_is_being_made_with_a_host_s_declared_id_is_taken_for_its_own(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        stub(site, site.sim.fleet.hosts[NEW].machine.proxmox.vmid)
        plan = (await planned(site, NEW)).hosts[0]
        assert plan.action is Action.UNKNOWN, plan.findings
        [other] = (await planned(site, OTHER)).hosts
        assert (other.action, said(other)) == (Action.ADD, [])

    scene(golden, act)


def test_a_vm_that_nobody_is_seen_to_make_is_waited_for_a_minute_and_then_named(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        stub(site)
        done = await site.run("clone")
        assert (done.code, 60 <= done.seconds < 65, clones(site)) == (ExitCode.UNKNOWN, True, 0), done.why
        assert "waiting up to 1 min" in done.text
        assert f"qm unlock {STUB}" in done.why

    scene(undeclared(golden), act)


def test_a_vm_that_goes_while_it_is_waited_for_holds_nobody_up(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        stub(site)
        asyncio.get_running_loop().call_later(20, site.site.cluster.vms.pop, STUB)
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why

    scene(undeclared(golden), act)

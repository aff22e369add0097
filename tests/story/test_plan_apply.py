"""What an apply makes of a site: the VMs that the plan decided, once, whatever interrupts it; asked of the far side."""

from __future__ import annotations

import copy

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.fleetplan import Action
from pvenix.model.names import CommitId
from pvenix.model.plan import Task
from tests.sim.golden import STRANGER, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OLD, OTHER, Scene, row, scene, undeclared
from tests.story.plan_scene import applied, edited, fields_of, host_plan, planned, run_of

GONE = "docker01"
"""A host that is not protected, and runs."""


def test_a_host_without_a_vm_is_added_where_the_plan_says(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        plan = await planned(scene, NEW)
        [host] = plan.hosts
        assert (host.action, plan.exit_code) == (Action.ADD, ExitCode.CHANGES)
        done = await applied(scene, plan)
        assert done.code is ExitCode.OK, done.why
        vm = scene.vm(NEW)
        assert (str(vm.vmid), vm.node) == (host.decision["vmid"], host.decision["node"])

    scene(golden, act)


@pytest.mark.parametrize("name", [NEW, OTHER])
def test_a_host_that_was_added_is_as_it_should_be(golden: Golden, name: str) -> None:
    async def act(scene: Scene) -> None:
        assert (await applied(scene, await planned(scene, name))).code is ExitCode.OK
        await scene.later(11)
        host = await host_plan(scene, name)
        assert (host.action, fields_of(host)) == (Action.NONE, {})

    scene(golden, act)


def test_a_host_that_is_to_be_off_is_made_and_never_started(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, NEW, state="stopped")
        assert (await applied(scene, await planned(scene, NEW))).code is ExitCode.OK
        assert scene.vm(NEW).status == "stopped"
        await scene.later(11)
        assert (await host_plan(scene, NEW)).action is Action.NONE

    scene(golden, act)


def test_what_was_decided_and_is_taken_meanwhile_is_refused_and_never_made_elsewhere(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        plan = await planned(scene, NEW)
        vmid = int(plan.hosts[0].decision["vmid"])
        theirs = scene.site.cluster.vms[STRANGER]
        scene.site.cluster.vms[vmid] = copy.deepcopy(theirs)
        scene.site.cluster.vms[vmid].vmid = vmid
        done = await applied(scene, plan)
        assert done.code is not ExitCode.OK
        assert scene.vms(NEW) == 0

    scene(undeclared(golden), act)


def test_an_absent_host_is_destroyed_and_is_then_as_it_should_be(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, GONE, state="absent")
        plan = await planned(scene)
        assert [host.host for host in plan.hosts if host.action is Action.DESTROY] == [GONE]
        before = scene.strangers()
        done = await applied(scene, await planned(scene, GONE))
        assert done.code is ExitCode.OK, done.why
        assert (scene.vms(GONE), scene.strangers()) == (0, before)
        assert (await host_plan(scene, GONE)).action is Action.NONE

    scene(golden, act)


def test_a_host_that_was_retired_is_not_made_again_while_its_tombstone_waits_to_be_merged(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        done = await scene.run(Task(verb="retire", args={"confirm": GONE}), hosts=(GONE,))
        assert done.code is ExitCode.OK, done.why
        plan = await planned(scene, GONE)
        [host] = plan.hosts
        [note] = host.findings
        assert (host.action, plan.changes, note.warning) == (Action.NONE, False, True)
        assert f"pvenix review approve retire/{GONE} --merge" in note.hint
        scene.sim.remote.refs[f"refs/heads/retire/{GONE}"] = CommitId(scene.sim.main())
        assert (await host_plan(scene, GONE)).action is Action.ADD

    scene(golden, act)


def test_a_machine_that_is_off_is_started_and_one_that_should_be_is_shut_down(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, OLD, state="stopped")
        assert fields_of(await host_plan(scene, OLD))["state"] == "drift"
        done = await applied(scene, await planned(scene, OLD))
        assert done.code is ExitCode.OK, done.why
        assert scene.vm(OLD).status == "stopped"
        edited(scene, OLD, state="present")
        await scene.later(11)
        assert (await applied(scene, await planned(scene, OLD))).code is ExitCode.OK
        assert scene.vm(OLD).status == "running"

    scene(golden, act)


def test_an_apply_that_failed_is_resumed_to_the_vm_that_the_plan_decided(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        plan = await planned(scene, NEW)
        scene.arm("clone-fails-in-task", NEW, 1)
        assert (await applied(scene, plan)).code is ExitCode.FAILED
        done = await scene.resume()
        assert done.code is ExitCode.OK, done.why
        assert (scene.vms(NEW), str(scene.vm(NEW).vmid)) == (1, plan.hosts[0].decision["vmid"])

    scene(golden, act)


@pytest.mark.parametrize("at", [*range(3, 90, 12), "8100/clone", "intent", "PUT /nodes", "status/start"])
def test_an_apply_that_was_killed_anywhere_ends_with_the_one_vm_that_was_decided(golden: Golden, at: int | str) -> None:
    """Before a call that is counted, or after the effect of the first one of a name."""

    async def act(scene: Scene) -> None:
        plan = await planned(scene, NEW)
        run = run_of(scene, plan)
        calls = Calls(at) if isinstance(at, int) else Calls(die_on=at, before=False)
        assert await scene.sim.run(run, calls) is None
        assert await scene.sim.run(run, Calls(), resume=True) is ExitCode.OK
        assert (scene.vms(NEW), str(scene.vm(NEW).vmid)) == (1, plan.hosts[0].decision["vmid"])
        await scene.later(11)
        assert (await host_plan(scene, NEW)).action is Action.NONE

    scene(undeclared(golden), act)


@row("F32")
def test_a_machine_that_was_made_and_never_reached_is_gone_on_with(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        assert (await scene.run("place", "clone")).code is ExitCode.OK
        await scene.later(11)
        plan = await planned(scene, NEW)
        assert plan.hosts[0].action is Action.ADD
        assert "go on with" in plan.hosts[0].steps[0]
        assert (await applied(scene, plan)).code is ExitCode.OK
        assert (scene.vms(NEW), (await host_plan(scene, NEW)).action) == (1, Action.NONE)

    scene(golden, act)

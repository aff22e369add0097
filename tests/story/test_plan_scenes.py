"""What a plan says of a site, and what an apply makes of it: in memory, under a virtual clock, asked of the far side."""

from __future__ import annotations

import copy

import pytest

from pvenix.model.errors import ExitCode, Refused
from pvenix.model.fleetplan import Action
from tests.sim.golden import STRANGER, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OLD, OTHER, Scene, row, scene, undeclared
from tests.story.plan_scene import applied, edited, fields_of, host_plan, planned, run_of, unlisted

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


def test_a_host_that_the_inventory_lost_keeps_its_vm_and_is_shown(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        vmid = scene.vm(OLD).vmid
        unlisted(scene, OLD)
        plan = await planned(scene)
        assert OLD not in [host.host for host in plan.hosts]
        [stray] = plan.strays
        assert (stray.vmid, stray.host) == (vmid, OLD)
        assert plan.count(Action.DESTROY) == 0

    scene(golden, act)


def test_a_copy_made_by_hand_is_a_stray_beside_the_one_that_the_inventory_names(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        copied_by_hand(scene)
        plan = await planned(scene)
        assert [(one.vmid, one.host) for one in plan.strays] == [(777, GONE)]
        assert next(host.vmid for host in plan.hosts if host.host == GONE) == scene.golden.vmids[GONE]

    scene(golden, act)


def test_of_two_that_may_be_the_host_s_none_is_a_stray_and_the_host_is_a_finding(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        copied_by_hand(scene)
        plan = await planned(scene)
        [host] = [host for host in plan.hosts if host.host == GONE]
        assert (host.action, host.findings[0].code, plan.strays) == (Action.REFUSE, "PVX0543", ())

    scene(undeclared(golden), act)


def copied_by_hand(scene: Scene) -> None:
    """Somebody clones a host's VM in Proxmox, notes and name and all."""
    made = copy.deepcopy(scene.site.cluster.vms[scene.golden.vmids[GONE]])
    made.vmid = 777
    scene.site.cluster.vms[777] = made


def test_a_host_that_only_a_pattern_leaves_out_is_no_stray(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        assert (await planned(scene, "docker01")).strays == ()
        assert (await planned(scene, limit="docker01")).strays == ()

    scene(golden, act)


def test_a_token_that_sees_no_vm_adds_nothing(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        scene.arm("rights-lost")
        with pytest.raises(Refused, match="sees no VM"):
            await planned(scene)

    scene(golden, act)


def test_a_cluster_without_quorum_is_planned_all_the_same(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        before = await planned(scene)
        scene.arm("no-quorum")
        after = await planned(scene)
        assert (after.hosts, before.warnings) == (before.hosts, ())
        assert "no quorum" in after.warnings[0]

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


def test_a_protected_host_is_not_planned_away(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, OLD, state="absent")
        host = await host_plan(scene, OLD)
        assert (host.action, host.findings[0].code, host.findings[0].line > 1) == (Action.REFUSE, "PVX0541", True)

    scene(golden, act)


@row("F11")
def test_a_node_that_is_down_hides_its_own_hosts_and_no_others(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        node = scene.vm(GONE).node
        scene.arm("node-down", node=node)
        plan = await planned(scene)
        unknown = {host.host for host in plan.hosts if host.action is Action.UNKNOWN}
        assert unknown == {host for host in (OLD, GONE) if scene.vm(host).node == node}
        assert plan.exit_code is ExitCode.UNREACHABLE

    scene(golden, act)


def test_a_host_to_adopt_gets_no_vm_made(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, NEW, install="adopt")
        host = await host_plan(scene, NEW)
        assert (host.action, host.findings[0].code) == (Action.REFUSE, "PVX0569")

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


@pytest.mark.parametrize("state", ["external", "archived"])
def test_a_machine_that_is_not_managed_is_neither_made_nor_changed(golden: Golden, state: str) -> None:
    async def act(scene: Scene) -> None:
        for name in (NEW, GONE):
            edited(scene, name, state=state, cores=7)
            host = await host_plan(scene, name)
            assert (host.action, host.fields, host.findings[0].warning) == (Action.NONE, (), True)
        assert not {NEW, GONE} & {host.host for host in (await planned(scene)).hosts}
        assert (await planned(scene)).strays == ()

    scene(golden, act)


def test_a_tombstone_whose_id_somebody_else_has_is_at_rest(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, NEW, state="absent", proxmox__vmid=STRANGER)
        host = await host_plan(scene, NEW)
        assert (host.action, host.findings[0].warning) == (Action.NONE, True)

    scene(golden, act)


@row("F12")
def test_a_node_that_cannot_be_had_is_a_finding_at_its_line(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, NEW, proxmox__node="tappaas9")
        plan = await planned(scene, NEW)
        [host] = plan.hosts
        assert (host.action, plan.exit_code) == (Action.REFUSE, ExitCode.USAGE)
        assert host.findings[0].file == f"inventory/host_vars/{NEW}.yaml"

    scene(golden, act)


@row("F22")
def test_a_disk_smaller_than_its_template_is_a_finding_that_names_the_size(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, NEW, disk="8G")
        host = await host_plan(scene, NEW)
        assert (host.action, host.findings[0].file) == (Action.REFUSE, f"inventory/host_vars/{NEW}.yaml")
        assert "32G" in host.findings[0].what

    scene(golden, act)


@row("F26")
def test_a_machine_that_was_moved_is_the_same_machine_and_nothing_to_do(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        before = await host_plan(scene, GONE)
        scene.arm("vm-moved", GONE)
        after = await host_plan(scene, GONE)
        assert (after.action, after.vmid, after.uuid) == (Action.NONE, before.vmid, before.uuid)
        assert after.node != before.node

    scene(golden, act)


def test_a_machine_that_was_not_made_by_pvenix_is_compared_and_let_alone(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        scene.vm(GONE).config["description"] = "somebody made this"
        scene.site.cluster.vms[scene.golden.vmids[GONE]].config["cores"] = 7
        plan = await planned(scene, GONE)
        assert (plan.hosts[0].left, plan.hosts[0].findings[0].code, plan.changes) == (True, "PVX0564", False)

    scene(golden, act)


def test_a_stranger_on_the_declared_id_is_a_finding_and_stays(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, NEW, proxmox__vmid=STRANGER)
        before = scene.strangers()
        plan = await planned(scene, NEW)
        assert (plan.hosts[0].action, plan.hosts[0].findings[0].code) == (Action.REFUSE, "PVX0512")
        await applied(scene, plan)
        assert scene.strangers() == before

    scene(golden, act)


@row("F03")
def test_a_machine_that_was_replaced_behind_our_back_is_a_finding(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        scene.arm("vmid-recycled", GONE)
        plan = await planned(scene, GONE)
        assert plan.hosts[0].action is Action.REFUSE
        assert "uuid" in plan.hosts[0].findings[0].what

    scene(golden, act)


def test_one_picture_of_the_cluster_and_one_read_for_each_vm_are_enough(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        scene.site.counters.reset()
        plan = await planned(scene)
        assert scene.site.counters.pve_reads <= 1 + 2 * (len(plan.hosts) + len(scene.site.cluster.nodes))

    scene(golden, act)

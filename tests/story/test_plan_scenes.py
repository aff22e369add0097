"""What a plan says of a site: in memory, under a virtual clock, asked of the far side."""

from __future__ import annotations

import copy

import pytest

from pvenix.model.errors import ExitCode, Refused
from pvenix.model.fleetplan import Action
from pvenix.model.paths import vars_file
from pvenix_lab.site.pve.cluster import PROVISIONER_ROLE
from tests.sim.golden import STRANGER, Golden
from tests.story.fault_scene import NEW, OLD, Scene, row, scene, undeclared
from tests.story.plan_scene import applied, edited, host_plan, planned, unlisted

GONE = "docker01"
"""A host that is not protected, and runs."""


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
def test_another_id_than_the_vm_has_is_a_finding_that_only_another_vm_would_meet(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        before = scene.vm(OLD).vmid
        edited(scene, OLD, proxmox__vmid=before + 5)
        host = await host_plan(scene, OLD)
        assert (host.action, host.vmid) == (Action.REFUSE, before)
        [finding] = host.findings
        assert (finding.code, finding.file) == ("PVX0562", vars_file(OLD))
        assert f"from {before} to {before + 5}" in finding.what

    scene(golden, act)


def test_a_field_that_the_token_may_not_write_is_refused_before_anything_of_the_host_is(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, OLD, proxmox__startup="order=3", cores=3)
        plan = await planned(scene, OLD)
        [host] = plan.hosts
        assert (host.action, plan.exit_code) == (Action.REFUSE, ExitCode.REFUSED)
        [finding] = host.findings
        assert "proxmox.startup" in finding.what
        assert "Sys.Modify on /" in finding.what
        scene.site.cluster.rights.roles[PROVISIONER_ROLE] |= {"Sys.Modify"}
        assert (await host_plan(scene, OLD)).action is Action.CHANGE

    scene(golden, act)


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

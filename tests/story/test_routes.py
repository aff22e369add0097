"""How a host comes to its VM: where, by which way, with which id; and what is left when it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from pvenix.lifecycle.arriving import Journey
from pvenix.lifecycle.placement import Decision, Way, decide, decide_all
from pvenix.lifecycle.placement.look import look
from pvenix.lifecycle.placement.wishes import wish_of
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.table import verbs
from pvenix.model.errors import ExitCode, PvenixError, RemoteFailure
from pvenix.model.host import Ha
from pvenix.model.names import NodeName
from pvenix.model.outcome import Status
from pvenix.model.plan import Task
from tests.sim.golden import NAMESAKE, STRANGER, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OTHER, Scene, row, scene, undeclared
from tests.story.plan_scene import world_of
from tests.story.routes_scene import GIB, applied, calls_of, decision, shown, template_on, wants

pytestmark = pytest.mark.sim

# --- the way ---------------------------------------------------------------------------------------------------------


@row("F24")
def test_a_clone_of_a_template_on_another_node_s_own_storage_is_migrated(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F24", node="tappaas3")
        wants(site, node="tappaas1")
        done = await site.run("place", "clone", "cloudinit", "boot")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why
        assert (site.vm().node, done.sent("/clone newid="), done.sent("/migrate target=tappaas1")) == ("tappaas1", 1, 1)
        assert "then migration" in done.text

    scene(golden, act)


@row("F24")
def test_what_check_shows_of_a_migrated_clone_is_what_is_sent(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F24", node="tappaas3")
        wants(site, node="tappaas1")
        before = await shown(site)
        sent = await site.run("clone")
        assert [text.partition(" description")[0] for text in before][:2] == [
            text.partition(" description")[0] for text in calls_of(sent)
        ][:2]
        assert "/migrate target=tappaas1" in before[1]

    scene(golden, act)


@row("F24")
def test_a_copy_of_the_template_on_the_node_is_cloned_instead(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        template_on(site, "tappaas3")
        template_on(site, "tappaas2", vmid=8101, tag="nixos;pvenix-template-nixos")
        wants(site, node="tappaas2")
        done = await site.run("place", "clone")
        assert (done.code, site.vm().node) == (ExitCode.OK, "tappaas2"), done.why
        assert (done.sent("/qemu/8101/clone"), done.sent("full=0"), done.sent("/migrate")) == (1, 1, 0)

    scene(golden, act)


@row("F24")
def test_of_two_templates_that_may_be_meant_none_is_cloned(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        template_on(site, "tappaas3")
        for vmid in (8101, 8102):
            template_on(site, "tappaas2", vmid=vmid, tag="pvenix-template-nixos")
        wants(site, node="tappaas2")
        done = await site.run("clone")
        assert (done.code, site.vms(), site.site.counters.pve_writes) == (ExitCode.FAILED, 0, 0)
        assert "templates 8101 and 8102 there are both nixos: name one in templates.nixos.replicas" in done.why

    scene(golden, act)


@row("F24")
def test_a_template_from_which_no_way_leads_to_the_node_leaves_nothing_behind(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        template_on(site, "tappaas3")
        site.site.cluster.storages["local-lvm"].nodes = ("tappaas3",)
        site.site.cluster.storages["tanka1"].nodes = ("tappaas3",)
        done = await site.run("clone", hosts=(OTHER,))
        assert (done.code, site.vms(OTHER), site.site.counters.pve_writes) == (ExitCode.FAILED, 0, 0)
        assert "tappaas1: template 8100 on tappaas3 would have to be copied to" in done.why
        assert "which tappaas1 does not have" in done.why

    scene(golden, act)


async def killed(site: Scene, number: int, *, before: bool) -> bool:
    """A run of `clone` that is killed at its n-th call and then finished; False when it ended before that call."""
    run, calls = (
        site.sim.plan("killed", (NEW,), Task(verb="place"), Task(verb="clone")),
        Calls(die_at=number, before=before),
    )
    code = await site.sim.run(run, calls)
    if calls.dead:
        code = await site.sim.run(run, Calls(), resume=True)
    assert (code, site.vms(), site.vm().node) == (ExitCode.OK, 1, "tappaas1"), number
    return calls.count >= number


@row("F24", "F25")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_clone_that_moves_ends_as_one_vm_wherever_its_run_is_killed(golden: Golden, before: bool) -> None:
    number, goes_on = 0, True
    while goes_on:
        number += 1
        reached: list[bool] = []

        async def act(site: Scene, number: int = number, reached: list[bool] = reached) -> None:
            site.arm("F24", node="tappaas3")
            wants(site, node="tappaas1")
            reached.append(await killed(site, number, before=before))

        scene(golden, act)
        [goes_on] = reached
    assert number > 30


def test_a_migration_that_fails_leaves_the_clone_whole_and_goes_on_when_resumed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F24", node="tappaas3")
        wants(site, node="tappaas1")
        site.arm("task-fails", type="qmigrate", message="no route to host")
        failed = await site.run("place", "clone")
        assert (failed.code, site.vms(), site.vm().node) == (ExitCode.FAILED, 1, "tappaas3"), failed.why
        assert "no route to host" in failed.why
        again = await site.resume()
        assert (again.code, site.vms(), site.vm().node, again.sent("/clone newid=")) == (ExitCode.OK, 1, "tappaas1", 0)

    scene(golden, act)


def test_a_migration_whose_answer_is_lost_is_looked_for(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F24", node="tappaas3")
        wants(site, node="tappaas1")
        site.arm("pve-596", method="POST", path="/migrate")
        done = await site.run("clone")
        assert (done.code, site.vms(), site.vm().node) == (ExitCode.OK, 1, "tappaas1"), done.why
        assert done.sent("/migrate") == 1

    scene(golden, act)


def test_a_migration_that_never_came_about_is_unknown_and_sent_again_when_resumed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F24", node="tappaas3")
        wants(site, node="tappaas1")
        site.arm("pve-596", method="POST", path="/migrate", effect=False)
        done = await site.run("clone")
        assert (done.code, site.vms(), site.vm().node) == (ExitCode.UNKNOWN, 1, "tappaas3"), done.why
        again = await site.resume()
        assert (again.code, site.vms(), site.vm().node, again.sent("/clone newid=")) == (ExitCode.OK, 1, "tappaas1", 0)

    scene(golden, act)


@row("F22")
def test_a_disk_smaller_than_the_template_s_is_refused_with_the_template_s_size(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F22", gib=64)
        done = await site.run("clone")
        assert (done.code, site.vms(), site.site.counters.pve_writes) == (ExitCode.FAILED, 0, 0)
        assert "32 GiB are asked for, template 8100 has 64" in done.why
        assert f"pvenix host edit {NEW} disk=64G" in done.why

    scene(golden, act)


# --- the id ----------------------------------------------------------------------------------------------------------


@row("F33")
def test_an_id_that_a_volume_without_a_vm_has_is_skipped_and_told(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        free = (await decision(site)).vmid
        site.arm("F33", vmid=int(free))
        done = await site.run("place", "clone")
        assert done.code is ExitCode.OK, done.why
        assert site.vm().vmid not in (free, 0)
        assert f"VM id {free} is skipped: tanka1:vm-{free}-disk-0 is there and no VM has that id" in done.text
        assert site.site.cluster.volumes.entries[("", f"tanka1:vm-{free}-disk-0")].size == 8 * GIB

    scene(undeclared(golden), act)


@row("F33")
def test_a_volume_with_the_id_of_the_inventory_is_told_and_left_alone(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F33", vmid=310)
        done = await site.run("clone")
        assert done.code is ExitCode.OK, done.why
        left = site.site.cluster.volumes.entries[("", "tanka1:vm-310-disk-0")]
        assert (left.size, left.volid in str(site.vm().config)) == (8 * GIB, False)
        assert f"tanka1:vm-310-disk-0 has the id of {NEW}, but no VM has it" in done.text

    scene(golden, act)


@row("F01", "F02")
def test_an_id_that_a_plan_gave_is_not_silently_changed_for_another(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        planned = await decision(site)
        site.arm("F01")
        done = await applied(site, {NEW: planned.facts}, "place", "clone")
        assert (done.code, site.vms(), done.sent("/clone newid=")) == (ExitCode.FAILED, 0, 1)
        assert f"VM id {planned.vmid} was taken since the plan was made" in done.why

    scene(undeclared(golden), act)


# --- what was decided ------------------------------------------------------------------------------------------------


def test_what_a_plan_decided_is_done_although_another_node_would_be_better_now(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        planned = await decision(site)
        others = [node for node in site.site.cluster.nodes.values() if node.name != planned.node]
        for node in others:
            node.memory *= 4
            node.cpus *= 4
        assert (await decision(site)).node != planned.node
        done = await applied(site, {NEW: planned.facts}, "place", "clone")
        assert (done.code, site.vm().node, site.vm().vmid) == (ExitCode.OK, planned.node, planned.vmid), done.why

    scene(undeclared(golden), act)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (lambda site, planned: setattr(site.site.cluster.nodes[planned.node], "memory", 4 * GIB), "not enough memory"),
        (
            lambda site, _: template_on(site, "tappaas3"),
            "linked was decided, it would be full clone of 8100 on tappaas3",
        ),
    ],
    ids=["node full", "template moved"],
)
def test_what_a_plan_decided_and_no_longer_holds_is_refused(golden: Golden, happens: Any, why: str) -> None:
    async def act(site: Scene) -> None:
        wants(site, node="tappaas2")
        planned = await decision(site)
        happens(site, planned)
        done = await applied(site, {NEW: planned.facts}, "place", "clone")
        assert (done.code, site.vms(), site.site.counters.pve_writes) == (ExitCode.FAILED, 0, 0)
        assert f"what was decided for {NEW} no longer holds" in done.why
        assert why in done.why

    scene(undeclared(golden), act)


def test_a_vm_that_exists_stays_where_it_is(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await site.run("clone")
        wants(site, avoid=(site.vm().node,))
        found = await decision(site)
        assert (found.node, found.vmid, found.route.way) == (site.vm().node, site.vm().vmid, Way.STAY)
        assert Journey.of(found.facts) is None
        done = await site.run("place")
        assert (done.code, done.last.status) == (ExitCode.OK, Status.OK)

    scene(golden, act)


# --- many ------------------------------------------------------------------------------------------------------------


@row("F40")
def test_hosts_of_one_run_are_spread_before_the_cluster_shows_any_of_them(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F40")
        best_for_one(site)
        assert (await decision(site)).node == "tappaas1"
        done = await site.run("clone", hosts=(OTHER, NEW))
        assert (done.code, site.vms(NEW), site.vms(OTHER)) == (ExitCode.OK, 1, 1), done.why
        assert (site.vm(OTHER).node, site.vm(NEW).node == "tappaas1") == ("tappaas1", False)

    scene(golden, act)


def best_for_one(site: Scene) -> None:
    """Make the node with the device the best for all, with room for one of the newcomers."""
    node = site.site.cluster.nodes["tappaas1"]
    node.memory, node.cpus = 66 * GIB, 64
    for other in ("tappaas2", "tappaas3"):
        site.site.cluster.nodes[other].memory = 40 * GIB


@row("F40")
def test_a_vm_whose_figures_are_not_shown_yet_counts_as_the_inventory_says(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        for vmid in (STRANGER, NAMESAKE):
            del site.site.cluster.vms[vmid]
        site.rules.begin(site.sim)
        empty = [one.scores for one in (await decision(site)).candidates]
        site.arm("F40")
        stale = await decision(site)
        assert [round(one.scores.memory, 1) for one in stale.candidates] == [round(one.memory, 1) for one in empty]
        assert len({one.memory for one in empty}) > 1

    scene(golden, act)


@row("F40")
def test_a_host_that_needs_the_device_of_one_node_finds_room_there_before_all_others(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        best_for_one(site)
        assert (await decision(site)).node == "tappaas1"
        world = world_of(site)
        found = await decide_all(world, [world.fleet.hosts[name] for name in (NEW, OTHER)])
        assert all(isinstance(one, Decision) for one in found.values()), found
        assert getattr(found[OTHER], "node", "") == "tappaas1"

    scene(golden, act)


def test_the_place_of_a_host_whose_clone_failed_is_free_for_others(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        best_for_one(site)
        world = world_of(site)
        site.arm("clone-fails-in-task", OTHER)
        with pytest.raises(RemoteFailure):
            await verbs(world)["clone"].apply(looking_at(OTHER))
        assert (await decide(world, world.fleet.hosts[NEW])).node == "tappaas1"

    scene(golden, act)


@row("F40")
def test_room_is_kept_for_a_host_of_the_run_that_comes_later_and_can_go_nowhere_else(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        best_for_one(site)
        alone, together = world_of(site), world_of(site)
        together.ledger.awaited = (NEW, OTHER)
        assert (await decide(alone, alone.fleet.hosts[NEW])).node == "tappaas1"
        assert (await decide(together, together.fleet.hosts[NEW])).node != "tappaas1"
        assert (await decide(together, together.fleet.hosts[OTHER])).node == "tappaas1"

    scene(golden, act)


def test_a_host_that_fits_nowhere_does_not_keep_others_from_their_place(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        wants(site, OTHER, node="tappaas2")
        world = world_of(site)
        found: Mapping[str, Decision | PvenixError] = await decide_all(world, list(map(world.fleet.host, (OTHER, NEW))))
        assert isinstance(found[OTHER], RemoteFailure)
        assert "tappaas2: has no gpu0" in str(found[OTHER])
        assert isinstance(found[NEW], Decision)

    scene(golden, act)


def test_a_device_that_a_running_guest_has_is_not_promised_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = next(vm for vm in site.site.cluster.vms.values() if vm.node == "tappaas1" and vm.running)
        vm.config["hostpci0"] = "mapping=gpu0"
        with pytest.raises(RemoteFailure, match="tappaas1: gpu0 is in use by another guest"):
            await decision(site, OTHER)

    scene(golden, act)


def test_a_host_is_sent_to_no_node_for_a_device_that_the_token_may_not_see(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        for privilege in ("Mapping.Audit", "Mapping.Use"):
            site.arm("rights-lost", privilege=privilege)
        done = await site.run("place", "clone", hosts=(OTHER,))
        assert (done.code, site.vms(OTHER), done.sent("/clone newid=")) == (ExitCode.FAILED, 0, 0)
        assert "gpu0 cannot be checked: the API token lacks Mapping.Use on /mapping/pci/gpu0" in done.why

    scene(golden, act)


def test_room_is_kept_where_the_inventory_says_that_a_running_guest_fails_over_to(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        wants(site, "docker01", ha=Ha(failover="tappaas1"))
        world = world_of(site)
        host = world.fleet.host(NEW)
        view = await look(world, [host], [wish_of(world.fleet, host, world.cluster(host))])
        memory = int(site.vm("docker01").config["memory"]) * 2**20
        assert view.site.kept(NodeName("tappaas1")) >= memory
        assert view.site.kept(NodeName("tappaas3")) == 0

    scene(golden, act)


def test_a_device_that_this_run_has_promised_is_not_promised_again_before_its_guest_runs(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        device = site.sim.fleet.hosts[OTHER].machine.proxmox.pci
        wants(site, NEW, pci=device)
        done = await site.run("place", "clone", hosts=(OTHER, NEW))
        assert (site.vms(NEW), site.vms(OTHER)) in ((0, 1), (1, 0)), done.why
        assert "gpu0 is in use by another guest" in done.text

    scene(golden, act)


def test_a_node_whose_daemon_is_down_is_named_and_another_one_taken(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        best = (await decision(site)).node
        site.arm("pve-status", times=20, method="GET", path=f"/nodes/{best}/network", status=595)
        found = await decision(site)
        assert found.node != best
        assert f"{best}: does not answer" in str(found.explained)

    scene(golden, act)


@row("F04")
def test_clones_to_one_storage_wait_for_a_slot_and_say_so(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        cluster = site.sim.fleet.site.clusters["lab"]
        narrow = dataclasses.replace(cluster, limits=dataclasses.replace(cluster.limits, clones_per_storage=1))
        fleet = site.sim.fleet
        site.sim.fleet = dataclasses.replace(fleet, site=dataclasses.replace(fleet.site, clusters={"lab": narrow}))
        done = await site.run("clone", hosts=(NEW, OTHER))
        assert (done.code, site.vms(NEW), site.vms(OTHER)) == (ExitCode.OK, 1, 1), done.why
        assert done.text.count("waiting for a slot on tanka1") == 1
        tasks = [task for task in site.site.cluster.tasks.values() if task.type == "qmclone"]
        first, second = sorted(tasks, key=lambda task: task.starttime)
        assert first.endtime is not None
        assert first.endtime <= second.starttime

    scene(golden, act)

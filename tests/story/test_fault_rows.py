"""The rows of failures of ids, tasks and locks: what today's verbs must do, asked of the far side after it was done.

pvenix' own engine, verbs and Proxmox adapter over the site in memory; `tests/story/test_faults_lab.py` has those rows
that need sockets.
"""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OTHER, Scene, row, scene, undeclared

pytestmark = pytest.mark.sim
FREE = 250
"""The first id of the range that nobody has."""


# --- ids and identity ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["at-once", "in-task"])
@row("F01")
def test_an_id_that_somebody_took_is_left_to_them_and_another_one_used(golden: Golden, when: str) -> None:
    async def act(site: Scene) -> None:
        site.arm("F01", when=when)
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why
        assert "was taken meanwhile; choosing another" in done.text
        assert done.sent("/clone newid=") == 2

    scene(undeclared(golden), act)


@row("F01")
def test_an_id_of_the_inventory_that_somebody_took_is_not_taken_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F01")
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.FAILED, 0)
        assert "the VM id is taken" in done.why

    scene(golden, act)


@row("F01")
def test_the_id_of_a_container_is_not_asked_for(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("container-there", ctid=FREE)
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why
        assert site.vm().vmid == FREE + 10
        assert done.sent("/clone newid=") == 1

    scene(undeclared(golden), act)


@row("F01")
def test_an_id_that_a_container_took_meanwhile_is_left_to_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        calls = Calls(due={"journal intent": [lambda: site.site.cluster.containers.update({FREE: "tappaas3"})]})
        run = site.sim.plan("taken", (NEW,), Task(verb="clone"))
        assert await site.sim.run(run, calls) is ExitCode.OK
        assert (site.vms(), site.vm().vmid) == (1, FREE + 10)

    scene(undeclared(golden), act)


@row("F02", "R3")
def test_a_stranger_on_the_id_of_a_lost_clone_is_not_adopted(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F02")
        lost = await site.run("clone")
        assert (lost.code, site.vms()) == (ExitCode.UNKNOWN, 0)
        before = site.strangers()
        again = await site.run("clone", "cloudinit")
        assert (again.code, site.vms()) == (ExitCode.OK, 1), again.why
        assert site.strangers() == before

    scene(undeclared(golden), act)


@row("F03")
def test_a_machine_that_has_a_host_s_id_and_name_is_not_that_host(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit", "boot")).code is ExitCode.OK
        vmid = site.vm().vmid
        site.arm("F03", NEW)
        before, writes = dict(site.site.cluster.vms[vmid].config), site.site.counters.pve_writes
        for verb in ("clone", "cloudinit", "boot", "retire"):
            done = await site.run(verb)
            assert (done.code, "another machine" in done.why) == (ExitCode.REFUSED, True), (verb, done.why)
        assert site.site.cluster.vms[vmid].config == before
        assert site.site.counters.pve_writes == writes

    scene(golden, act)


@row("F25")
@pytest.mark.parametrize("times", [1, 2, 4])
def test_a_configuration_that_is_missing_for_a_moment_makes_no_second_vm(golden: Golden, times: int) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F25", NEW, times)
        done = await site.run("clone", "cloudinit")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why
        assert done.sent("/clone newid=") == 0

    scene(undeclared(golden), act)


@row("F25")
def test_a_vm_that_stays_listed_without_a_configuration_is_not_taken_for_gone(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F25", NEW, 0)
        for verb in ("clone", "retire"):
            done = await site.run(verb)
            assert done.code in (ExitCode.UNREACHABLE, ExitCode.FAILED), done.why
            assert done.sent("/clone newid=") == 0
        assert site.vms() == 1

    scene(undeclared(golden), act)


@row("F26")
def test_a_vm_that_was_moved_is_found_and_not_made_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        vm = site.vm()
        site.arm("F26", NEW, node="tappaas3" if vm.node != "tappaas3" else "tappaas2")
        done = await site.run("clone", "cloudinit", "boot")
        assert (done.code, site.vms(), site.vm().running) == (ExitCode.OK, 1, True), done.why
        assert done.sent(f"/nodes/{vm.node}/qemu/{vm.vmid}/status/start") == 1

    scene(undeclared(golden), act)


# --- tasks and locks -------------------------------------------------------------------------------------------------


@row("F04")
def test_a_clone_of_a_busy_storage_is_tried_again_with_a_pause(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F04", times=2)
        done = await site.run("clone", hosts=(NEW, OTHER))
        assert (done.code, site.vms(NEW), site.vms(OTHER)) == (ExitCode.OK, 1, 1), done.why
        assert done.text.count("the storage is busy") == 2
        assert done.seconds > 2

    scene(golden, act)


@row("F04")
def test_a_clone_that_fails_for_another_reason_is_not_tried_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("clone-fails-in-task")
        done = await site.run("clone")
        assert (done.code, site.vms(), done.sent("/clone newid=")) == (ExitCode.FAILED, 0, 1)
        assert "out of space" in done.why

    scene(golden, act)


@row("F05")
@pytest.mark.parametrize("verb", ["cloudinit", "boot", "retire"])
def test_a_lock_is_waited_for_and_named_with_its_task(golden: Golden, verb: str) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F05", NEW, for_s=60)
        done = await site.run(verb)
        assert done.code is ExitCode.OK, done.why
        assert "is locked (backup), its newest task is vzdump of root@pam since 2026-01-01" in done.text
        assert done.seconds >= 60

    scene(golden, act)


@row("F05")
def test_a_lock_that_stays_is_never_taken_away(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F05", NEW, lock="snapshot", alive=False)
        vm, writes = site.vm(), site.site.counters.pve_writes
        done = await site.run("cloudinit")
        assert (done.code, vm.lock, site.site.counters.pve_writes) == (ExitCode.FAILED, "snapshot", writes)
        assert f"VM {vm.vmid} stays locked (snapshot)" in done.why
        assert f"qm unlock {vm.vmid} on {vm.node}" in done.why

    scene(golden, act)


@row("F06")
def test_a_host_is_retired_when_its_vm_is_gone_and_not_before(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        site.arm("F06", NEW, seconds=90)
        done = await site.run("retire")
        assert (done.code, site.vms(), done.seconds >= 90) == (ExitCode.OK, 0, True), done.why
        again = await site.run("clone")
        assert (again.code, site.vms()) == (ExitCode.OK, 1), again.why

    scene(golden, act)


@row("F07")
def test_a_long_clone_is_waited_for(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F07", seconds=900)
        done = await site.run("clone")
        assert (done.code, site.vms(), done.seconds > 900) == (ExitCode.OK, 1, True), done.why

    scene(golden, act)


@row("F07", "F41")
def test_a_clone_without_an_end_is_given_up_and_not_made_twice(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F41")
        done = await site.run("clone")
        assert (done.code, done.seconds < 1300) == (ExitCode.UNKNOWN, True), done.why
        assert "makes no progress: it runs, and its log has said nothing new for 120" in done.why
        assert "create linked clone of drive scsi0" in done.why
        assert "zpool status" in done.why
        again = await site.run("clone")
        assert again.code is not ExitCode.OK
        assert len([t for t in site.site.cluster.tasks.values() if t.type == "qmclone"]) == 1

    scene(undeclared(golden), act)


@row("F08")
def test_warnings_are_a_success_and_are_shown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("task-warns", NEW, type="qmclone", lines=2)
        done = await site.run("clone")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why
        assert done.output.count("WARN: the disk is nearly full") == 2

    scene(golden, act)


@row("F09", "R3")
@pytest.mark.parametrize("fault", ["pve-status", "pve-truncated", "pve-reset", "pve-html", "pve-wrong-types"])
def test_a_poll_that_fails_loses_no_task(golden: Golden, fault: str) -> None:
    async def act(site: Scene) -> None:
        site.arm(fault, times=4, method="GET", path="/tasks/")
        done = await site.run("clone", "cloudinit", "boot")
        assert (done.code, site.vms(), done.sent("/clone newid=")) == (ExitCode.OK, 1, 1), done.why

    scene(golden, act)


@row("F10")
def test_a_task_is_asked_for_on_the_node_of_its_upid(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F10", NEW, 5)
        done = await site.run("clone", "cloudinit", "boot")
        assert done.code is ExitCode.OK, done.why
        assert "the answer was lost" not in done.text

    scene(golden, act)


@row("R3")
def test_a_task_whose_upid_nobody_knows_is_unknown_and_then_looked_for(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("task-vanishes", NEW, type="qmclone")
        done = await site.run("clone")
        assert site.vms() == 1
        assert done.code in (ExitCode.OK, ExitCode.UNKNOWN), done.why
        again = await site.run("clone")
        assert (again.code, site.vms()) == (ExitCode.OK, 1), again.why

    scene(golden, act)


@row("F23")
def test_a_resize_that_ended_well_and_did_nothing_is_not_believed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F23", OTHER)
        done = await site.run("clone", hosts=(OTHER,))
        assert (done.code, "did not keep scsi0" in done.why) == (ExitCode.FAILED, True)
        assert (await site.run("clone", hosts=(OTHER,))).code is ExitCode.OK
        assert "size=80G" in str(site.vm(OTHER).config["scsi0"])

    scene(golden, act)


@row("F23")
def test_a_resize_that_timed_out_is_done_by_the_next_run(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("task-fails", OTHER, type="resize", message="got timeout")
        done = await site.run("clone", hosts=(OTHER,))
        assert (done.code, "got timeout" in done.why) == (ExitCode.FAILED, True)
        again = await site.run("clone", hosts=(OTHER,))
        assert (again.code, site.vms(OTHER), again.sent("/clone newid=")) == (ExitCode.OK, 1, 0)
        assert "size=80G" in str(site.vm(OTHER).config["scsi0"])

    scene(golden, act)

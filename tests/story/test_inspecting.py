"""What a host's screen reads of the far side: units, journal, hardware file, cloud-init drive and VM; nothing is changed by it."""

from __future__ import annotations

import pytest

from pvenix.lifecycle import inspecting
from pvenix.model.errors import UsageError
from pvenix.model.paths import hardware_file
from tests.sim.golden import Golden
from tests.story.fault_scene import NEW, OLD, Scene, scene
from tests.story.plan_scene import world_of


def test_failed_units_come_first_and_one_is_shown_with_its_journal(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        guest, world, before = scene.guest(OLD), world_of(scene), scene.writes
        guest.units.units["unbound.service"].active = "failed"
        found = await inspecting.units(world, OLD)
        assert found.units[0].name == "unbound.service"
        assert found.units[0].failed
        assert {unit.name for unit in found.units} == set(guest.units.units)
        look = await inspecting.unit(world, OLD, "sshd.service")
        assert "Active: active" in look.status
        assert "Started sshd.service" in look.journal
        with pytest.raises(UsageError):
            await inspecting.unit(world, OLD, "a b")
        assert scene.writes == before

    scene(golden, act)


def test_the_hardware_file_is_compared_with_what_the_generator_writes_now(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        path = hardware_file(OLD)
        same = await inspecting.hardware_text(world_of(scene), OLD)
        assert (same.path, same.diff, same.odd, same.problem) == (path, "", (), "")
        scene.sim.change_main(path, same.committed.replace('"sd_mod"', '"sd_mod" "nvme"'))
        other = await inspecting.hardware_text(world_of(scene), OLD)
        assert '-  boot.initrd.availableKernelModules = [ "uhci_hcd"' in other.diff
        scene.arm("ssh-refused", OLD)
        scene.arm("agent-absent", OLD)
        silent = await inspecting.hardware_text(world_of(scene), OLD)
        assert silent.committed == other.committed
        assert silent.problem

    scene(golden, act)


def test_what_cloud_init_is_told_is_held_against_the_inventory_and_passwords_are_stars(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        config = scene.vm(OLD).config
        config["cipassword"] = "hunter2-hunter2"
        found = {one.key: one for one in (await inspecting.cloud_init(world_of(scene), OLD)).keys}
        assert {one.key for one in found.values() if one.wanted} == set()
        config["ciuser"] = "somebody"
        look = await inspecting.cloud_init(world_of(scene), OLD)
        [other] = [one for one in look.keys if one.wanted]
        assert (other.key, other.value) == ("ciuser", "somebody")
        assert other.where
        assert "user: somebody" in look.files["user"]
        assert "hunter2" not in str(look)
        with pytest.raises(UsageError):
            await inspecting.cloud_init(world_of(scene), NEW)

    scene(golden, act)


def test_a_vm_is_read_whole_and_a_part_that_is_refused_is_named(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        assert (await inspecting.vm(world_of(scene), NEW)).vmid == 0
        await scene.run("snapshot", hosts=(OLD,))
        vm = scene.vm(OLD)
        vm.pending["memory"] = "8192"
        found = await inspecting.vm(world_of(scene), OLD)
        assert (found.vmid, found.status, found.agent_answers) == (vm.vmid, "running", True)
        assert 0 < found.memory <= found.memory_max
        assert found.waiting == {"memory": "8192"}
        assert len(found.snapshots) == 1
        assert [(task.kind, task.state) for task in found.tasks][:1] == [("qmsnapshot", "OK")]
        assert found.problems == ()
        scene.arm("agent-absent", OLD)
        assert (await inspecting.vm(world_of(scene), OLD)).agent_answers is False

    scene(golden, act)

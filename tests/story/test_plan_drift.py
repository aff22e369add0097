"""Desired, recorded and actual: what a plan calls a change, a drift, a conflict and waiting, and how drift is accepted."""

from __future__ import annotations

import pytest

from pvenix.cli.render.plan import plan_text
from pvenix.lifecycle.planning.drift import accept_drift
from pvenix.model.errors import ExitCode, UsageError
from pvenix.model.fleetplan import Action, FieldState
from pvenix.model.paths import vars_file
from tests.sim.golden import Golden
from tests.story.fault_scene import Scene, scene
from tests.story.plan_scene import applied, edited, fields_of, host_plan, planned, world_of

HOST = "docker01"


async def converged(scene: Scene, **fields: object) -> None:
    """The host as the inventory says, with a record of it."""
    edited(scene, HOST, **fields)
    done = await applied(scene, await planned(scene, HOST), reboot=True)
    assert done.code is ExitCode.OK, done.why
    assert fields_of(await host_plan(scene, HOST)) == {}


def by_hand(scene: Scene, key: str, value: str | int) -> None:
    """Somebody changes an option in Proxmox, and the VM has it at once."""
    scene.vm(HOST).config[key] = value


def test_what_the_inventory_says_anew_is_a_change(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        edited(scene, HOST, cores=2)
        host = await host_plan(scene, HOST)
        assert fields_of(host) == {"cores": "change"}
        [cores] = [one for one in host.fields if one.field == "cores"]
        assert (cores.desired, cores.recorded, cores.actual) == ("2", "3", "3")
        assert cores.where.startswith(f"{vars_file(HOST)}:")

    scene(golden, act)


def test_what_somebody_changed_at_proxmox_is_drift_and_an_apply_takes_it_back(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        by_hand(scene, "cores", 1)
        plan = await planned(scene, HOST)
        assert fields_of(plan.hosts[0]) == {"cores": "drift"}
        assert (await applied(scene, plan, reboot=True)).code is ExitCode.OK
        assert str(scene.vm(HOST).config["cores"]) == "3"

    scene(golden, act)


def test_drift_of_a_running_vm_that_waits_for_a_cold_start_is_shown_and_accepted(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        scene.vm(HOST).pending["cores"] = 1
        plan = await planned(scene, HOST)
        [cores] = [one for one in plan.hosts[0].fields if one.field == "cores"]
        assert (cores.state, cores.actual, cores.later, cores.there) == (FieldState.DRIFT, "3", "1", "1")
        assert "1 -> 3" in plan_text(plan, width=80)
        world = world_of(scene)
        [accepted] = await accept_drift(world, plan, ())
        assert accepted.taken == ("cores 1",)
        assert "cores: 1" in (await world.repo.read(accepted.commit, vars_file(HOST)) or "")

    scene(golden, act)


def test_a_disk_that_somebody_grew_is_refused_with_the_way_to_accept_it(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, disk="44G")
        config = scene.vm(HOST).config
        config["scsi0"] = str(config["scsi0"]).replace("size=44G", "size=50G")
        [host] = (await planned(scene, HOST)).hosts
        assert host.action is Action.REFUSE
        assert [one.hint for one in host.findings] == [f"accept what it is: pvenix plan -l {HOST} --accept-drift"]

    scene(golden, act)


def test_what_both_changed_differently_is_a_conflict(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        by_hand(scene, "cores", 1)
        edited(scene, HOST, cores=2)
        assert fields_of(await host_plan(scene, HOST)) == {"cores": "conflict"}
        edited(scene, HOST, cores=1)
        assert fields_of(await host_plan(scene, HOST)) == {}

    scene(golden, act)


def test_what_is_written_and_needs_a_cold_start_is_pending_and_nothing_to_do(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        edited(scene, HOST, cores=2)
        assert (await applied(scene, await planned(scene, HOST))).code is ExitCode.OK
        plan = await planned(scene, HOST)
        assert fields_of(plan.hosts[0]) == {"cores": "pending"}
        assert (plan.hosts[0].action, plan.exit_code) == (Action.NONE, ExitCode.OK)
        assert (await applied(scene, plan, reboot=True)).code is ExitCode.OK
        assert fields_of(await host_plan(scene, HOST)) == {}

    scene(golden, act)


def test_a_second_apply_of_what_is_as_it_should_be_writes_nothing(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        writes = scene.writes
        assert (await applied(scene, await planned(scene, HOST), reboot=True)).code is ExitCode.OK
        assert scene.writes == writes

    scene(golden, act)


def test_a_shrunken_disk_is_refused_at_its_line_and_nothing_is_done(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        edited(scene, HOST, disk="8G")
        plan = await planned(scene, HOST)
        [host] = plan.hosts
        assert (host.action, plan.exit_code) == (Action.REFUSE, ExitCode.USAGE)
        assert vars_file(HOST) in {one.file for one in host.findings}
        writes = scene.writes
        await applied(scene, plan)
        assert scene.writes == writes

    scene(golden, act)


def test_accepted_drift_is_one_commit_on_a_branch_that_the_inventory_then_agrees_with(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        by_hand(scene, "cores", 1)
        by_hand(scene, "onboot", 0)
        plan = await planned(scene, HOST)
        world = world_of(scene)
        [accepted] = await accept_drift(world, plan, ())
        assert (accepted.branch, accepted.new, accepted.left) == (f"drift/{HOST}", True, ())
        text = await world.repo.read(accepted.commit, vars_file(HOST))
        before = await world.repo.read(await world.repo.main(), vars_file(HOST))
        assert text is not None
        assert "cores: 1" in text
        assert "onboot: false" in text
        assert all(line in text.splitlines() for line in (before or "").splitlines())
        [again] = await accept_drift(world, plan, ())
        assert (again.new, again.commit) == (False, accepted.commit)
        edited(scene, HOST, cores=1, proxmox__onboot=False)
        assert fields_of(await host_plan(scene, HOST)) == {}

    scene(golden, act)


def test_drift_of_one_field_is_accepted_alone_and_an_unknown_one_is_told(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene, cores=3)
        by_hand(scene, "cores", 1)
        by_hand(scene, "onboot", 0)
        plan = await planned(scene, HOST)
        [accepted] = await accept_drift(world_of(scene), plan, ("cores",))
        assert accepted.taken == ("cores 1",)
        with pytest.raises(UsageError, match="memory has not drifted"):
            await accept_drift(world_of(scene), plan, ("memory",))

    scene(golden, act)


def test_a_host_without_drift_gets_no_branch(golden: Golden) -> None:
    async def act(scene: Scene) -> None:
        await converged(scene)
        assert await accept_drift(world_of(scene), await planned(scene, HOST), ()) == ()

    scene(golden, act)

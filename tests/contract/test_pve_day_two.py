"""What every Pve must do after a VM was made: snapshots, moves, jobs, the agent's commands."""

from __future__ import annotations

from typing import Final

import pytest

from pvenix.engine.ports import Quorum
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix_lab.site.faults import FOREVER
from pvenix_lab.site.pve.cluster import PROVISIONER_ROLE
from tests.contract.pve_world import ToyGuest
from tests.contract.pve_worlds import NEW, NODE, OTHER, TEMPLATE, PveWorld

ECHO: Final = ("/bin/sh", "-c", "echo out; echo err >&2; exit 3")


def everything_allowed(world: PveWorld) -> None:
    world.site.cluster.rights.roles[PROVISIONER_ROLE] = frozenset(world.site.cluster.flavour.privileges)


async def test_snapshots_are_listed_each_after_its_parent_and_without_the_present(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    pve = pve_world.pve
    for name in ("first", "second", "third"):
        await pve_world.done(await pve.take_snapshot(NODE, NEW, name, description=f"{name} one", memory=False))
    found = await pve.snapshots(NODE, NEW)
    assert [(one.name, one.parent, one.description) for one in found] == [
        ("first", "", "first one"),
        ("second", "first", "second one"),
        ("third", "second", "third one"),
    ]
    assert all(one.taken_at > 0 and not one.memory for one in found)
    await pve_world.done(await pve.delete_snapshot(NODE, NEW, "second"))
    assert [(one.name, one.parent) for one in await pve.snapshots(NODE, NEW)] == [("first", ""), ("third", "first")]


async def test_a_snapshot_brings_the_configuration_back(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    await pve_world.done(await pve_world.pve.take_snapshot(NODE, NEW, "before", description="", memory=False))
    before = await pve_world.pve.config(NODE, NEW)
    assert before
    await pve_world.pve.set_config(NODE, NEW, {"cores": "7"})
    assert await pve_world.done(await pve_world.pve.roll_back(NODE, NEW, "before")) == "OK"
    after = await pve_world.pve.config(NODE, NEW)
    assert after
    assert after.values.get("cores") == before.values.get("cores") != "7"


async def test_a_moved_disk_leaves_the_old_one_as_unused(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    before = await pve_world.pve.config(NODE, NEW)
    assert before
    assert await pve_world.done(await pve_world.pve.move_disk(NODE, NEW, "scsi0", "tankb1")) == "OK"
    after = await pve_world.pve.config(NODE, NEW)
    assert after
    assert after.values["scsi0"].startswith("tankb1:")
    assert after.values["unused0"] == before.values["scsi0"].partition(",")[0]


async def test_a_vm_that_migrated_is_on_the_other_node_only(pve_world: PveWorld) -> None:
    await pve_world.done(await pve_world.clone())
    upid = await pve_world.pve.migrate(NODE, NEW, OTHER, online=False, local_disks=False)
    assert await pve_world.done(upid) == "OK"
    assert await pve_world.pve.config(NODE, NEW) is None
    assert await pve_world.pve.config(OTHER, NEW) is not None


async def test_a_cluster_without_a_majority_is_not_quorate(pve_world: PveWorld) -> None:
    assert await pve_world.pve.quorum() == Quorum(quorate=True, nodes=3, online=3)
    pve_world.site.faults.arm("no-quorum")
    assert not (await pve_world.pve.quorum()).quorate


async def test_networks_are_told_by_node(pve_world: PveWorld) -> None:
    assert {"lan"} <= set(await pve_world.pve.bridges(NODE))
    assert pve_world.site.cluster.nodes[OTHER].bridges == tuple(await pve_world.pve.bridges(OTHER))


async def test_a_backup_is_a_volume_of_its_vm_and_a_job_tells_whom_it_covers(pve_world: PveWorld) -> None:
    everything_allowed(pve_world)
    await pve_world.done(await pve_world.clone())
    assert await pve_world.done(await pve_world.pve.back_up(NODE, NEW, "local", notes="before")) == "OK"
    (backup,) = await pve_world.pve.volumes(NODE, "local", content="backup")
    assert (backup.vmid, backup.content) == (NEW, "backup")
    assert backup.size > 0
    jobs = pve_world.site.cluster.sections.setdefault("jobs", {})
    jobs["listed"] = {"vmid": f"{NEW},{TEMPLATE}", "storage": "local", "schedule": "daily"}
    jobs["all"] = {"all": 1, "exclude": str(NEW), "storage": "local", "schedule": "daily", "enabled": 0}
    listed, every = sorted(await pve_world.pve.backup_jobs(), key=lambda job: -len(job.vmids))
    assert (listed.covers(NEW), listed.covers(999), listed.enabled) == (True, False, True)
    assert (every.covers(NEW), every.covers(999), every.enabled) == (False, True, False)
    with pytest.raises(Refused):
        await pve_world.viewer.set_backup_job("listed", (NEW,))


async def test_the_agent_runs_a_command_to_its_end(pve_world: PveWorld) -> None:
    everything_allowed(pve_world)
    pve = pve_world.pve
    await pve_world.done(await pve_world.clone())
    with pytest.raises(RemoteFailure):
        await pve.agent_run(NODE, NEW, ECHO, timeout_s=5)
    await pve_world.done(await pve.start(NODE, NEW))
    result = await pve.agent_run(NODE, NEW, ECHO, timeout_s=5)
    assert (result.exit_status, result.stdout, result.stderr) == (3, "out\n", "err\n")
    pve_world.site.faults.arm("pve-596", method="POST", path="/agent/exec", effect=True)
    with pytest.raises(OutcomeUnknown):
        await pve.agent_run(NODE, NEW, ECHO, timeout_s=5)
    pve_world.site.faults.arm("pve-596", method="GET", path="/agent/exec-status", times=2)
    assert (await pve.agent_run(NODE, NEW, ECHO, timeout_s=5)).exit_status == 3
    with pytest.raises(Refused):
        await pve_world.viewer.agent_run(NODE, NEW, ECHO, timeout_s=5)


async def test_a_command_that_does_not_end_has_an_unknown_outcome(pve_world: PveWorld) -> None:
    everything_allowed(pve_world)
    await pve_world.done(await pve_world.clone())
    await pve_world.done(await pve_world.pve.start(NODE, NEW))
    guest = pve_world.site.guest_for(pve_world.site.cluster.vms[NEW])
    assert isinstance(guest, ToyGuest)
    guest.runs_for_ever = True
    with pytest.raises(OutcomeUnknown, match="/bin/sh did not end"):
        await pve_world.pve.agent_run(NODE, NEW, ECHO, timeout_s=0.05)


async def test_frozen_file_systems_are_thawed_and_counted(pve_world: PveWorld) -> None:
    everything_allowed(pve_world)
    await pve_world.done(await pve_world.clone())
    with pytest.raises(RemoteFailure):
        await pve_world.pve.agent_thaw(NODE, NEW)
    await pve_world.done(await pve_world.pve.start(NODE, NEW))
    assert await pve_world.pve.agent_thaw(NODE, NEW) == 0
    pve_world.site.faults.arm("pve-500", method="POST", path="fsfreeze-thaw", times=FOREVER, message="no")
    with pytest.raises(RemoteFailure):
        await pve_world.pve.agent_thaw(NODE, NEW)

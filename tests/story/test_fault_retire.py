"""The rows of failures that a VM's destruction meets: what goes with it is told first, and nothing else goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.host import Backup
from pvenix.model.plan import Task
from pvenix.model.verbs import ONBOARDING
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, Scene, row, scene

pytestmark = pytest.mark.sim

DESTROY = Task(verb="destroy", args={"confirm": NEW})


async def running(site: Scene) -> None:
    assert (await site.run("clone", "cloudinit", "boot")).code is ExitCode.OK


@row("F34")
def test_a_job_that_names_the_vm_is_told_before_and_shortened_only_by_the_destruction(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.arm("F34", NEW)
        jobs = site.site.cluster.sections["jobs"]
        jobs["backup-by-hand"]["vmid"] += ",130"
        done = await site.run(DESTROY)
        assert done.code is ExitCode.OK, done.why
        line = "backup job backup-by-hand (02:00, to local) names it: it is taken off the list"
        assert done.text.index(line) < done.text.index(f"DELETE /nodes/{site_node(done.text)}")
        assert line in done.why
        assert jobs["backup-by-hand"]["vmid"] == "130"

    scene(golden, act)


def test_a_host_that_is_made_anew_goes_where_it_is_wanted_and_not_where_its_vm_had_moved(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        home, vmid = site.vm(NEW).node, site.vm(NEW).vmid
        elsewhere = next(name for name in sorted(site.site.cluster.nodes) if name != home)
        hosts = site.sim.fleet.hosts
        machine = hosts[NEW].machine
        wanted = replace(machine, proxmox=replace(machine.proxmox, node=home))
        site.sim.fleet = replace(site.sim.fleet, hosts={**hosts, NEW: replace(hosts[NEW], machine=wanted)})
        assert (await site.run(Task(verb="migrate", args={"to": elsewhere}))).code is ExitCode.OK
        assert site.vm(NEW).node == elsewhere
        done = await site.run(DESTROY, "place", "clone")
        assert done.code is ExitCode.OK, done.why
        assert (site.vm(NEW).node, site.vm(NEW).vmid) == (home, vmid)

    scene(golden, act)


def site_node(text: str) -> str:
    """The node in the destroying call."""
    return text.split("DELETE /nodes/")[1].partition("/")[0]


@row("F34")
def test_jobs_that_may_not_be_listed_are_said_to_be_unknown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.arm("F34", NEW)
        site.arm("rights-lost", privilege="Sys.Audit")
        done = await site.run(DESTROY)
        assert done.code is ExitCode.OK, done.why
        assert "backup jobs: not known, the token may not list them (Sys.Audit on /)" in done.why

    scene(golden, act)


@row("F27")
def test_the_ha_manager_lets_go_of_a_vm_before_it_is_stopped_and_destroyed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.arm("F27", NEW)
        done = await site.run("retire")
        assert (done.code, site.vms()) == (ExitCode.OK, 0), done.why
        order = [done.text.index(text) for text in ("DELETE /cluster/ha/", "/status/stop", "purge=1")]
        assert order == sorted(order)

    scene(golden, act)


@row("F27")
def test_without_the_right_to_take_it_from_the_ha_manager_the_vm_goes_on_running(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.arm("F27", NEW)
        site.arm("rights-lost", privilege="Sys.Console")
        done = await site.run("retire")
        assert (done.code, site.vms(), site.vm().running) == (ExitCode.REFUSED, 1, True), done.why
        assert "it takes Sys.Console on /: `pvenix doctor` prints the pveum lines" in done.why
        assert f"refs/heads/retire/{NEW}" not in site.sim.remote.refs

    scene(golden, act)


def test_a_last_backup_is_listed_before_the_vm_goes_and_stays(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.sim.change_host(NEW, backup=Backup(storage="local"))
        done = await site.run("retire")
        assert (done.code, site.vms()) == (ExitCode.OK, 0), done.why
        assert done.text.index("vzdump vmid=310") < done.text.index("purge=1")
        assert "its last backup is local:backup/" in done.why
        kept = [volume.volid for volume in site.site.cluster.volumes.entries.values() if volume.vmid == 310]
        assert [volid.startswith("local:backup/") for volid in kept] == [True]

    scene(golden, act)


def test_a_backup_that_fails_keeps_the_vm(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.sim.change_host(NEW, backup=Backup(storage="local"))
        site.arm("task-fails", NEW, type="vzdump")
        done = await site.run("retire")
        assert (done.code, site.vms(), site.vm().running) == (ExitCode.FAILED, 1, True), done.why

    scene(golden, act)


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_retirement_that_was_killed_anywhere_is_finished_by_resume(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        await running(site)
        site.sim.change_host(NEW, backup=Backup(storage="local"))
        site.arm("F27", NEW)
        others = site.strangers()
        run = site.sim.plan("retire", (NEW,), Task(verb="retire", args={"confirm": NEW}))
        calls, deaths = 0, 0
        while await site.sim.run(run, Calls(die_at=calls + 1, before=before), resume=deaths > 0) is None:
            calls, deaths = calls + 1, deaths + 1
            assert calls < 200
        assert deaths > 20
        assert (site.vms(), site.strangers()) == (0, others)
        assert f"refs/heads/retire/{NEW}" in site.sim.remote.refs
        backups = [
            each for each in site.site.cluster.volumes.entries.values() if each.volid.startswith("local:backup/")
        ]
        assert len(backups) == 1

    scene(golden, act)


# --- the same host on a new machine ----------------------------------------------------------------------------------

REPROVISION = (DESTROY, *(Task(verb=verb, args={"approve": True} if verb == "review" else {}) for verb in ONBOARDING))


@row("F06")
def test_a_host_is_made_anew_only_when_its_vm_is_gone(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await site.onboard()
        pin = site.sim.read(site.sim.main(), f"inventory/trust/{NEW}")
        old, uuid = (site.vm().vmid, site.vm().node), site.vm().uuid
        site.arm("F06", NEW, seconds=60)
        done = await site.run(*REPROVISION)
        assert (done.code, site.vms(), done.seconds > 60) == (ExitCode.OK, 1, True), done.why
        assert (site.vm().vmid, site.vm().node) == old
        assert site.vm().uuid != uuid
        assert site.sim.read(site.sim.main(), f"inventory/trust/{NEW}") != pin
        assert site.guest(NEW).current.revision == site.sim.main()

    scene(golden, act)


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_host_whose_renewal_was_killed_anywhere_is_one_new_machine(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        await site.onboard()
        old, others = site.vm().uuid, site.strangers()
        run = site.sim.plan("reprovision", (NEW,), *REPROVISION)
        uuids, deaths = {old}, 0
        while await site.sim.run(run, Calls(die_at=deaths % 90 + 1, before=before), resume=deaths > 0) is None:
            deaths += 1
            uuids |= {vm.uuid for vm in site.sim.own_vms(NEW).values()}
            assert deaths < 400
        assert deaths > 40
        assert (site.vms(), site.strangers()) == (1, others)
        assert uuids == {old, site.vm().uuid}, "the new machine was destroyed again"
        assert site.guest(NEW).current.revision == site.sim.main()

    scene(golden, act)

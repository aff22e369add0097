"""Killed before or after any call, every verb of day two is finished by resume, and nothing is done twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.host import Backup, Snapshot
from pvenix.model.plan import Task
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OLD, Scene, row, scene, undeclared

killed = pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])


def tasks(site: Scene) -> Counter[str]:
    """Proxmox tasks that ended well, by kind."""
    return Counter(task.type for task in site.site.cluster.tasks.values() if task.exitstatus == "OK")


async def through(site: Scene, task: Task, *, host: str = OLD, before: bool) -> Counter[str]:
    """One run whose process dies at its first call, then at its second, and so on; the tasks that it took."""
    sim, first = site.sim, tasks(site)
    run = sim.plan(task.verb, (host,), task)
    deaths = 0
    code: ExitCode | None = None
    while code is None:
        code = await sim.run(run, Calls(die_at=deaths + 1, before=before), resume=deaths > 0)
        deaths += code is None
        assert deaths < 300
    assert code is ExitCode.OK, "\n".join(sim.log[-5:])
    assert deaths > 3
    site.rules.always(sim)
    await site.later(30)  # what was begun and is no longer watched
    return tasks(site) - first


@killed
def test_a_reboot_is_asked_for_once(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        first = site.guest(OLD).boot_id
        done = await through(site, Task(verb="reboot"), before=before)
        assert done["qmreboot"] == 1
        assert site.guest(OLD).boot_id not in ("", first)

    scene(golden, act)


@killed
def test_a_reset_is_asked_for_once(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        assert (await through(site, Task(verb="reset"), before=before))["qmreset"] == 1

    scene(golden, act)


@killed
def test_power_goes_down_and_up(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        for verb, running in (("shutdown", False), ("start", True), ("stop", False)):
            await through(site, Task(verb=verb), before=before)
            assert site.vm(OLD).running is running

    scene(golden, act)


@killed
def test_one_snapshot_is_taken_and_one_let_go(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        change(site, OLD, snapshot=Snapshot(keep=1))
        assert (await site.run(Task(verb="snapshot", args={"name": "first"}), hosts=(OLD,))).code is ExitCode.OK
        done = await through(site, Task(verb="snapshot", args={"name": "second"}), before=before)
        assert (done["qmsnapshot"], done["qmdelsnapshot"]) == (1, 1)
        assert list(site.vm(OLD).snapshots) == ["second"]

    scene(golden, act)


@killed
@pytest.mark.parametrize("ha", [False, True], ids=["by itself", "kept by the HA manager"])
def test_a_host_goes_back_once_and_runs_again(golden: Golden, *, before: bool, ha: bool) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(Task(verb="snapshot", args={"name": "first"}), hosts=(OLD,))).code is ExitCode.OK
        if ha:
            site.arm("F27", OLD)
        boot = site.guest(OLD).boot_id
        done = await through(site, Task(verb="restore", args={"to": "first", "confirm": OLD}), before=before)
        assert done["qmrollback"] == 1
        assert site.vm(OLD).running
        assert site.guest(OLD).boot_id not in ("", boot)

    scene(golden, act)


@killed
def test_a_snapshot_is_deleted(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(Task(verb="snapshot", args={"name": "first"}), hosts=(OLD,))).code is ExitCode.OK
        await through(site, Task(verb="delete-snapshot", args={"name": "first", "confirm": OLD}), before=before)
        assert site.vm(OLD).snapshots == {}

    scene(golden, act)


@killed
@pytest.mark.parametrize("offline", [False, True], ids=["running", "off"])
def test_a_host_moves_once_and_runs(golden: Golden, *, before: bool, offline: bool) -> None:
    async def act(site: Scene) -> None:
        to = next(name for name in site.site.cluster.nodes if name != site.vm(OLD).node)
        args: dict[str, bool | int | str] = {"to": to} | ({"offline": True} if offline else {})
        done = await through(site, Task(verb="migrate", args=args), before=before)
        assert (done["qmigrate"], site.vm(OLD).node, site.vm(OLD).running) == (1, to, True)

    scene(golden, act)


@killed
def test_one_backup_is_made(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        change(site, OLD, backup=Backup(storage="local"))
        assert (await through(site, Task(verb="backup"), before=before))["vzdump"] == 1

    scene(golden, act)


@row("F32")
@killed
def test_an_orphan_goes_and_no_other(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit", "boot")).code is ExitCode.OK
        vm = site.vm(NEW)
        hosts = {name: each for name, each in site.sim.fleet.hosts.items() if name != NEW}
        site.sim.fleet = replace(site.sim.fleet, hosts=hosts)
        strangers = site.strangers()
        task = Task(verb="remove-orphan", args={"vmid": vm.vmid, "confirm": str(vm.vmid)})
        await through(site, task, host=NEW, before=before)
        assert (site.vms(NEW), site.strangers()) == (0, strangers)

    scene(undeclared(golden), act)


def change(site: Scene, host: str, **fields: object) -> None:
    """Let the inventory say something else of a host."""
    hosts = dict(site.sim.fleet.hosts)
    hosts[host] = replace(hosts[host], machine=replace(hosts[host].machine, **fields))  # type: ignore[arg-type]
    site.sim.fleet = replace(site.sim.fleet, hosts=hosts)


@pytest.mark.parametrize("verb", ["stop", "destroy"])
def test_a_task_whose_record_is_gone_does_not_keep_a_killed_run_from_its_end(golden: Golden, verb: str) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit", "boot")).code is ExitCode.OK
        args: dict[str, bool | int | str] = {"confirm": NEW} if verb == "destroy" else {}
        site.arm("task-vanishes", NEW)
        run = site.sim.plan(verb, (NEW,), Task(verb=verb, args=args))
        await site.sim.run(run, Calls(die_on="journal result", before=True))
        site.clear()
        await site.later(60)
        assert await site.sim.run(run, Calls(), resume=True) is ExitCode.OK, "\n".join(site.sim.log[-5:])
        assert site.vms() == (0 if verb == "destroy" else 1)

    scene(golden, act)

"""Snapshots: ours and theirs, the way back and what it costs, and a freeze that hangs."""

from __future__ import annotations

from dataclasses import replace

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix_lab.site.pve.flavour import Flavour
from tests.sim.golden import CONTROLLER, Golden
from tests.story.fault_scene import OLD, Scene, row, scene

BACK = Task(verb="restore", args={"to": "before", "confirm": OLD})
TAKE = Task(verb="snapshot", args={"name": "before"})


def wanting(golden: Golden, host: str, **snapshot: object) -> Golden:
    """The same site with what the inventory says of the host's snapshots."""
    before = golden.fleet.hosts[host]
    wanted = replace(before.machine.snapshot, **snapshot)  # type: ignore[arg-type]
    hosts = {**golden.fleet.hosts, host: replace(before, machine=replace(before.machine, snapshot=wanted))}
    return replace(golden, fleet=replace(golden.fleet, hosts=hosts))


def on_zfs(site: Scene) -> None:
    """The disks of the site are on a storage that goes back to its newest snapshot only."""
    for storage in site.site.cluster.storages.values():
        storage.type = "zfspool"


def test_a_snapshot_says_whose_it_is_and_only_our_oldest_are_let_go(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("snapshot-by-hand", OLD)
        for number in range(3):
            done = await site.run(Task(verb="snapshot", args={"name": f"ours-{number}"}), hosts=(OLD,))
            assert done.code is ExitCode.OK, done.why
            await site.later(2)
        assert list(site.vm(OLD).snapshots) == ["by-hand", "ours-1", "ours-2"]
        taken = site.vm(OLD).snapshots["ours-2"].description
        assert taken.startswith(f"pvenix {golden.fleet.site.name}/{OLD} run ")
        assert site.sim.main()[:12] in taken

    scene(wanting(golden, OLD, keep=2), act)


def test_without_a_name_a_snapshot_has_that_of_its_run(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        done = await site.run("snapshot", "snapshot", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        first, second = site.vm(OLD).snapshots
        assert first.startswith("pvenix-2")
        assert second == f"{first}-0-1"

    scene(golden, act)


def test_a_name_that_is_taken_or_is_none_is_refused_before_anything_is_sent(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("snapshot-by-hand", OLD, snapshot="before")
        before = site.writes
        for name in ("before", "current", "x", "a b"):
            done = await site.run(Task(verb="snapshot", args={"name": name}), hosts=(OLD,))
            assert done.code is ExitCode.FAILED, (name, done.why)
        assert site.writes == before

    scene(golden, act)


def test_a_lost_answer_is_looked_for_and_no_second_snapshot_is_taken(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("pve-596", method="POST", path="/snapshot", effect=True)
        done = await site.run("snapshot", hosts=(OLD,))
        assert (done.code, len(site.vm(OLD).snapshots)) == (ExitCode.OK, 1), done.why

    scene(golden, act)


@row("F35")
def test_a_snapshot_that_hangs_has_its_guest_thawed_and_is_not_said_to_be_taken(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F35", OLD)
        site.vm(OLD).frozen = True
        done = await site.run("snapshot", hosts=(OLD,))
        assert (done.code, site.vm(OLD).frozen) == (ExitCode.UNKNOWN, False), done.why
        assert done.sent("fsfreeze-thaw") == 1
        assert "were frozen and are thawed" in done.text
        assert "pvenix resume" in done.last.hint

    scene(golden, act)


@row("F35")
def test_a_snapshot_whose_freeze_hangs_is_taken_once_the_guest_is_thawed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("freeze-hangs", OLD)
        done = await site.run("snapshot", hosts=(OLD,))
        assert (done.code, site.vm(OLD).frozen) == (ExitCode.OK, False), done.why
        assert (len(site.vm(OLD).snapshots), done.sent("fsfreeze-thaw")) == (1, 1)
        assert 90 <= done.seconds < 100
        assert "were frozen and are thawed" in done.text

    scene(golden, act)


@row("F35")
def test_a_host_that_may_not_be_frozen_is_snapshot_with_its_memory_or_not_while_it_runs(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        done = await site.run("snapshot", hosts=(OLD,))
        assert (done.code, site.vm(OLD).snapshots) == (ExitCode.REFUSED, {}), done.why
        assert "--memory" in done.why
        done = await site.run(Task(verb="snapshot", args={"memory": True, "name": "warm"}), hosts=(OLD,))
        assert (done.code, list(site.vm(OLD).snapshots)) == (ExitCode.OK, ["warm"]), done.why
        assert (await site.run("shutdown", "snapshot", hosts=(OLD,))).code is ExitCode.OK

    scene(wanting(golden, OLD, freeze=False), act)


@row("F35")
def test_the_host_that_runs_pvenix_is_never_frozen_by_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = site.writes
        done = await site.run("snapshot", hosts=(CONTROLLER,))
        assert (done.code, site.writes) == (ExitCode.REFUSED, before), done.why

    scene(golden, act)


@row("F35")
def test_where_the_vm_s_option_keeps_a_snapshot_from_freezing_it_is_taken_while_the_host_runs(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).config["agent"] = "1,guest-fsfreeze=0"
        done = await site.run("snapshot", hosts=(OLD,))
        assert (done.code, site.vm(OLD).snapshots) == (ExitCode.REFUSED, {}), done.why  # release 8 does not heed it
        site.site.cluster.flavour = Flavour.PVE_9_2
        done = await site.run("snapshot", hosts=(OLD,))
        assert (done.code, len(site.vm(OLD).snapshots)) == (ExitCode.OK, 1), done.why

    scene(wanting(golden, OLD, freeze=False), act)


def test_a_saved_memory_goes_on_without_a_start(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        taken = await site.run(Task(verb="snapshot", args={"name": "before", "memory": True}), hosts=(OLD,))
        assert taken.code is ExitCode.OK, taken.why
        done = await site.run(BACK, hosts=(OLD,))
        assert (done.code, done.sent("/status/start"), site.vm(OLD).running) == (ExitCode.OK, 0, True), done.why

    scene(golden, act)


def test_a_host_goes_back_and_runs_again_as_it_was(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(TAKE, hosts=(OLD,))).code is ExitCode.OK
        guest = site.guest(OLD)
        first = guest.boot_id
        guest.tree.put("/etc/later", "x\n")
        done = await site.run(BACK, hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        guest = site.guest(OLD)
        assert site.vm(OLD).running
        assert guest.boot_id not in ("", first)
        assert not guest.tree.exists("/etc/later")
        assert "is lost" in done.text

    scene(golden, act)


def test_a_host_that_is_off_stays_off_when_it_goes_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("shutdown", TAKE, hosts=(OLD,))).code is ExitCode.OK
        done = await site.run(BACK, hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.OK, False), done.why

    scene(golden, act)


@row("F27")
def test_a_host_that_the_ha_manager_keeps_is_stopped_by_it_before_it_goes_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(TAKE, hosts=(OLD,))).code is ExitCode.OK
        site.arm("F27", OLD)
        done = await site.run(BACK, hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.OK, True), done.why
        assert (done.sent("/status/stop"), done.sent("/status/start")) == (1, 1)

    scene(golden, act)


@row("F36")
def test_newer_snapshots_are_named_and_none_is_deleted_on_the_way_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(TAKE, hosts=(OLD,))).code is ExitCode.OK
        site.arm("F36", OLD)
        on_zfs(site)
        before = site.writes
        done = await site.run(BACK, hosts=(OLD,))
        assert (done.code, site.writes) == (ExitCode.REFUSED, before), done.why
        assert "by-hand" in done.why
        assert list(site.vm(OLD).snapshots) == ["before", "by-hand"]

    scene(golden, act)


@row("F36")
def test_where_the_storage_may_go_back_past_newer_snapshots_they_stay_and_are_named(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        for storage in site.site.cluster.storages.values():
            storage.type = "rbd"
        assert (await site.run(TAKE, hosts=(OLD,))).code is ExitCode.OK
        site.arm("F36", OLD)
        done = await site.run(BACK, hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert list(site.vm(OLD).snapshots) == ["before", "by-hand"]
        assert "snapshot by-hand (theirs) is newer" in done.text

    scene(golden, act)


def test_a_way_back_whose_answer_is_lost_is_gone_once(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(TAKE, hosts=(OLD,))).code is ExitCode.OK
        site.arm("pve-596", method="POST", path="/rollback", effect=True)
        done = await site.run(BACK, hosts=(OLD,))
        assert (done.code, done.sent("/rollback"), site.vm(OLD).running) == (ExitCode.OK, 1, True), done.why

    scene(golden, act)


def test_somebody_else_s_snapshot_is_deleted_only_when_that_is_said(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("snapshot-by-hand", OLD)
        args = {"name": "by-hand", "confirm": OLD}
        done = await site.run(Task(verb="delete-snapshot", args=dict(args)), hosts=(OLD,))
        assert (done.code, list(site.vm(OLD).snapshots)) == (ExitCode.REFUSED, ["by-hand"]), done.why
        done = await site.run(Task(verb="delete-snapshot", args={**args, "theirs": True}), hosts=(OLD,))
        assert (done.code, list(site.vm(OLD).snapshots)) == (ExitCode.OK, []), done.why

    scene(golden, act)


def test_a_snapshot_that_there_is_not_is_answered_with_those_that_there_are(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(TAKE, hosts=(OLD,))).code is ExitCode.OK
        done = await site.run(Task(verb="restore", args={"to": "befor", "confirm": OLD}), hosts=(OLD,))
        assert done.code is ExitCode.FAILED
        assert "before" in done.why

    scene(golden, act)

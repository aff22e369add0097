"""Moving a VM: it stays the same machine, and runs on where it can."""

from __future__ import annotations

from dataclasses import replace

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix_lab.site.pve.volumes import Volume
from tests.sim.golden import Golden
from tests.story.fault_scene import OLD, Scene, row, scene


def other(site: Scene, host: str = OLD) -> str:
    """A node where the host is not."""
    return next(name for name in site.site.cluster.nodes if name != site.vm(host).node)


def move(to: str, **args: bool) -> Task:
    """The verb."""
    return Task(verb="migrate", args={"to": to, **args})


def test_a_running_host_moves_and_runs_on_as_the_same_machine(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        to, vm = other(site), site.vm(OLD)
        uuid, boot = vm.config["smbios1"], site.guest(OLD).boot_id
        done = await site.run(move(to), hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        vm = site.vm(OLD)
        assert (vm.node, vm.running, vm.config["smbios1"], site.guest(OLD).boot_id) == (to, True, uuid, boot)
        before = site.writes
        again = await site.run(move(to), hosts=(OLD,))
        assert (again.code, site.writes) == (ExitCode.OK, before)

    scene(golden, act)


def test_a_host_with_a_device_moves_only_when_it_may_go_down(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        to, vm = other(site), site.vm(OLD)
        name, mapping = next(iter(site.site.cluster.mappings.items()))
        site.site.cluster.mappings[name] = replace(
            mapping, paths=dict.fromkeys(site.site.cluster.nodes, "0000:01:00.0")
        )
        vm.config["hostpci0"] = f"mapping={name}"
        before = site.writes
        done = await site.run(move(to), hosts=(OLD,))
        assert (done.code, site.writes) == (ExitCode.REFUSED, before), done.why
        assert "--offline" in done.why
        boot = site.guest(OLD).boot_id
        done = await site.run(move(to, offline=True), hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert (site.vm(OLD).node, site.vm(OLD).running) == (to, True)
        assert site.guest(OLD).boot_id not in ("", boot)

    scene(golden, act)


def test_a_disk_of_its_node_goes_along_unless_a_snapshot_holds_it_while_the_host_runs(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        disk = Volume(storage="local-lvm", name=f"vm-{vm.vmid}-disk-9", size=1 << 30, vmid=vm.vmid, node=vm.node)
        site.site.cluster.volumes.entries[disk.node, disk.volid] = disk
        vm.config["scsi1"] = f"{disk.volid},size=1G"
        assert (await site.run("snapshot", hosts=(OLD,))).code is ExitCode.OK
        to, before = other(site), site.writes
        done = await site.run(move(to), hosts=(OLD,))
        assert (done.code, site.writes) == (ExitCode.REFUSED, before), done.why
        assert disk.volid in done.why
        [name] = vm.snapshots
        args = {"name": name, "confirm": OLD}
        assert (await site.run(Task(verb="delete-snapshot", args=args), hosts=(OLD,))).code is ExitCode.OK  # type: ignore[arg-type]
        done = await site.run(move(to), hosts=(OLD,))
        assert (done.code, site.vm(OLD).node, site.vm(OLD).running) == (ExitCode.OK, to, True), done.why
        assert done.sent("with-local-disks=1") == 1

    scene(golden, act)


def test_a_node_that_there_is_not_is_answered_with_those_that_there_are(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = site.writes
        done = await site.run(move("tappaas9"), hosts=(OLD,))
        assert (done.code, site.writes) == (ExitCode.FAILED, before)
        assert "tappaas2" in done.why

    scene(golden, act)


def test_a_lost_answer_is_looked_at_where_the_vm_is(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("pve-596", method="POST", path="/migrate", effect=True)
        done = await site.run(move(other(site)), hosts=(OLD,))
        assert (done.code, done.sent("/migrate")) == (ExitCode.OK, 1), done.why

    scene(golden, act)


@row("F27")
def test_a_host_that_the_ha_manager_keeps_is_there_when_it_is_there(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F27", OLD)
        to = other(site)
        done = await site.run(move(to), hosts=(OLD,))
        assert (done.code, site.vm(OLD).node, site.vm(OLD).running) == (ExitCode.OK, to, True), done.why

    scene(golden, act)


@row("F26")
def test_a_host_that_somebody_moved_is_found_where_it_is_by_every_verb_of_day_two(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        to = other(site)
        site.arm("F26", OLD, node=to)
        done = await site.run("snapshot", "shutdown", "start", "reboot", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        vms = [vm for vm in site.site.cluster.vms.values() if vm.name == OLD]
        assert [vm.node for vm in vms] == [to]
        before = site.writes
        assert (await site.run(move(to), hosts=(OLD,))).code is ExitCode.OK
        assert site.writes == before

    scene(golden, act)


def test_a_pinned_host_stays_where_the_inventory_wants_it(golden: Golden) -> None:
    before = golden.fleet.hosts[OLD]
    wanted = replace(before.machine.proxmox, pin=True, node="tappaas1")
    hosts = {**golden.fleet.hosts, OLD: replace(before, machine=replace(before.machine, proxmox=wanted))}

    async def act(site: Scene) -> None:
        done = await site.run(move("tappaas2"), hosts=(OLD,))
        assert done.code is ExitCode.REFUSED
        assert "proxmox.node=tappaas2" in done.why

    scene(replace(golden, fleet=replace(golden.fleet, hosts=hosts)), act)

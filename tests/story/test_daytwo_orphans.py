"""Orphans: found, explained, and destroyed only when they are ours and nobody's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle.orphans import orphans
from pvenix.lifecycle.world import World
from pvenix.model.errors import ExitCode
from pvenix.model.orphans import OrphanKind, Orphans
from pvenix.model.plan import Task
from pvenix_lab.site.pve.vm import Vm
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN
from tests.sim.golden import NAMESAKE, STRANGER, Golden
from tests.sim.ports import Calls, SimGuest, SimTransport
from tests.sim.records import counted_repo
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import NEW, OLD, Scene, row, scene, undeclared


async def look(site: Scene, *, meanwhile: Callable[[], object] = lambda: None) -> Orphans:
    """What `pvenix orphans` finds; this machine has executed no run. `meanwhile` is done once the VMs were listed."""
    sim, calls, clock = site.sim, Calls(), LoopClock()
    world = World(
        fleet=sim.fleet,
        pve=PveCluster(SimTransport(sim.site, calls), clock=clock, cluster="lab", token=TOKEN),
        guest=SimGuest(sim.machines, calls),
        repo=counted_repo(MemoryRepo(sim.remote), calls),
        clock=clock,
        trust=sim.trust,
        sightings=sim.sightings,
    )
    list_volumes = world.pve.volumes

    async def volumes(*args: Any, **kinds: Any) -> Any:
        meanwhile()
        return await list_volumes(*args, **kinds)

    world.pve.volumes = volumes  # type: ignore[method-assign]
    return await orphans(world, RunStore(sim.root / "state/none"))


def forget(site: Scene, host: str) -> None:
    """Somebody takes the host out of the inventory."""
    hosts = {name: each for name, each in site.sim.fleet.hosts.items() if name != host}
    site.sim.fleet = replace(site.sim.fleet, hosts=hosts)


def copied(site: Scene, host: str, vmid: int) -> Vm:
    """Somebody copies the host's VM by hand, notes and all, over a VM whose id the rules of the site leave out."""
    vm = site.vm(host)
    config = {**vm.config, "smbios1": f"uuid=0000{vmid}-0000-4000-8000-000000000000"}
    config = {key: value for key, value in config.items() if key != "protection"}
    for key, value in list(config.items()):
        if f"vm-{vm.vmid}-" in str(value):
            config[key] = str(value).replace(f"vm-{vm.vmid}-", f"vm-{vmid}-")
    made = replace(vm, vmid=vmid, config=config, pending={}, status="stopped", pid=None, cloudinit={}, snapshots={})
    site.site.cluster.vms[vmid] = made
    site.rules.strangers.pop(vmid, None)
    return made


def remove(vmid: int) -> Task:
    """The verb, as typed."""
    return Task(verb="remove-orphan", args={"vmid": vmid, "confirm": str(vmid)})


def test_a_fleet_in_order_has_no_orphan_and_strangers_are_none(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        found = await look(site)
        assert (found.found, found.unseen) == ((), ())
        assert STRANGER in site.site.cluster.vms

    scene(golden, act)


@row("F32")
def test_a_vm_whose_host_vanished_is_shown_with_its_ways_and_destroyed_when_that_is_typed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone", "cloudinit")).code is ExitCode.OK
        vm = site.vm(NEW)
        forget(site, NEW)
        [orphan] = (await look(site)).found
        assert (orphan.kind, orphan.vmid, orphan.host) == (OrphanKind.VANISHED, vm.vmid, NEW)
        assert orphan.ways == (f"pvenix adopt {vm.vmid} {NEW}", f"pvenix orphans remove {vm.vmid} --confirm {vm.vmid}")
        strangers = site.strangers()
        done = await site.run(remove(vm.vmid))
        assert (done.code, site.vms(NEW)) == (ExitCode.OK, 0), done.why
        assert site.strangers() == strangers
        left = [each.volid for each in site.site.cluster.volumes.entries.values() if each.vmid == vm.vmid]
        assert left == []
        assert (await look(site)).found == ()

    scene(undeclared(golden), act)


@row("F32")
def test_an_answer_that_is_lost_while_an_orphan_goes_is_looked_at(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("clone")).code is ExitCode.OK
        vm = site.vm(NEW)
        forget(site, NEW)
        site.arm("pve-596", method="DELETE", path=f"/qemu/{vm.vmid}", effect=True)
        done = await site.run(remove(vm.vmid))
        assert (done.code, site.vms(NEW)) == (ExitCode.OK, 0), done.why

    scene(undeclared(golden), act)


def test_a_copy_made_by_hand_is_the_orphan_and_the_host_s_own_vm_is_not(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        own, copy = site.vm(OLD).vmid, copied(site, OLD, NAMESAKE).vmid
        [orphan] = (await look(site)).found
        assert (orphan.kind, orphan.vmid) == (OrphanKind.DOUBLE, copy)
        hosts = dict(site.sim.fleet.hosts)
        machine = hosts[OLD].machine
        machine = replace(machine, proxmox=replace(machine.proxmox, protect=False))
        site.sim.fleet = replace(site.sim.fleet, hosts={**hosts, OLD: replace(hosts[OLD], machine=machine)})
        before = site.writes
        done = await site.run(remove(own), hosts=(OLD,))
        assert (done.code, site.writes) == (ExitCode.REFUSED, before), done.why
        done = await site.run(remove(copy), hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert own in site.site.cluster.vms
        assert copy not in site.site.cluster.vms

    scene(golden, act)


def test_a_stranger_s_vm_is_not_destroyed_whatever_is_typed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = site.writes
        done = await site.run(remove(STRANGER), hosts=("precious",))
        assert (done.code, site.writes) == (ExitCode.REFUSED, before), done.why
        assert STRANGER in site.site.cluster.vms

    scene(golden, act)


@row("F32")
def test_a_stub_that_no_task_clones_any_more_is_shown_and_one_that_is_being_cloned_is_not(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        stub = copied(site, OLD, NAMESAKE)
        stub.config = {"lock": "clone"}
        stub.lock = "clone"
        [orphan] = (await look(site)).found
        assert (orphan.kind, orphan.vmid) == (OrphanKind.STUB, NAMESAKE)
        assert f"qm destroy {NAMESAKE}" in orphan.ways[0]
        done = await site.run(remove(NAMESAKE))
        assert done.code is ExitCode.REFUSED, done.why

    scene(golden, act)


@row("F33")
def test_a_volume_without_a_vm_is_reported_and_never_deleted(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F33", vmid=310)
        before = site.writes
        [orphan] = (await look(site)).found
        assert (orphan.kind, orphan.vmid, orphan.name) == (OrphanKind.VOLUME, 310, "tanka1:vm-310-disk-0")
        assert site.writes == before
        assert ("", "tanka1:vm-310-disk-0") in site.site.cluster.volumes.entries

    scene(golden, act)


def test_the_volume_of_a_vm_that_is_made_while_volumes_are_listed_is_no_orphan(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F33", vmid=311)
        new = replace(site.vm(OLD), vmid=311, config={"name": "new"})
        assert (await look(site, meanwhile=lambda: site.site.cluster.vms.update({311: new}))).found == ()

    scene(golden, act)


@row("F28")
def test_what_the_token_may_not_see_is_said_and_not_taken_for_none(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F33", vmid=310)
        site.arm("rights-lost")
        found = await look(site)
        assert found.found == ()
        assert any("VM.Audit" in line for line in found.unseen)
        assert any("not looked for" in line for line in found.unseen)

    scene(golden, act)

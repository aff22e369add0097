"""What stories of placing do to a site, and ask of it."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle import clone
from pvenix.lifecycle.placement import Decision, decide
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.events import Command
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.vm import Vm
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN
from tests.sim.ports import Calls, SimGuest, SimTransport
from tests.sim.records import SimJournal, counted_repo
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import NEW, Done, Scene

GIB = 2**30


def wants(site: Scene, host: str = NEW, **proxmox: Any) -> None:
    """From now on the inventory says this of the host's place."""
    old = site.sim.fleet.hosts[host].machine.proxmox
    site.sim.change_host(host, proxmox=dataclasses.replace(old, **proxmox))


def template_on(site: Scene, node: str, *, storage: str = "local-lvm", vmid: int = 8100, tag: str = "") -> Vm:
    """The template, or a copy of it, on a storage of one node."""
    cluster = site.site.cluster
    vm = cluster.vms[8100]
    if vmid != 8100:
        vm = cluster.vms[vmid] = dataclasses.replace(vm, vmid=vmid, config=dict(vm.config), pending={})
        site.site.clone_disk(8100, vmid)
    vm.node = node
    for key in vm.disks():
        vm.config[key] = f"{storage}:{str(vm.config[key]).partition(':')[2]}".replace("-8100-", f"-{vmid}-")
    vm.config |= {"tags": tag, "name": f"copy-{vmid}"} if tag else {}
    volumes.enter_vm(cluster, vm)
    site.rules.begin(site.sim)
    return vm


async def decision(site: Scene, host: str = NEW, **given: Any) -> Decision:
    """What would be decided now."""
    world = site_world(site)
    return await decide(world, world.fleet.hosts[host], **given)


def site_world(site: Scene) -> World:
    """A world over the scene's site."""
    sim, calls, clock = site.sim, Calls(), LoopClock()
    cluster = PveCluster(SimTransport(sim.site, calls), clock=clock, cluster="lab", token=TOKEN)
    cluster._random = random.Random(1)
    return World(
        fleet=sim.fleet,
        pve=cluster,
        guest=SimGuest(sim.machines, calls),
        repo=counted_repo(MemoryRepo(sim.remote), calls),
        clock=clock,
        trust=sim.trust,
    )


async def applied(site: Scene, decisions: dict[str, dict[str, str]], *verbs: str) -> Done:
    """A run of a plan that was saved with what it decided."""
    plan = RunPlan(
        title="applied",
        plays=(PlayPlan(name="applied", waves=((NEW,),), tasks=tuple(Task(verb=verb) for verb in verbs)),),
        fleet=str(site.golden.fleet.root),
        decisions=decisions,
    )
    run = RunStore(site.sim.root / "state/runs" / str(len(site.sim.journals))).create(plan)
    site.sim.journals[run.run] = SimJournal()
    site.sim.began[run.run] = site.sim.main()
    return await site._go(run, resume=False)


async def checked(site: Scene) -> list[str]:
    """The calls that `--check` shows of a clone."""
    return [text for _, text in await clone.commands(site_world(site), looking_at(NEW))]


def calls_of(done: Done) -> list[str]:
    """The calls that change something, as they were shown."""
    return [event.text for event in done.events if isinstance(event, Command) and event.writes]

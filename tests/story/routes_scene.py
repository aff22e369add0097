"""What stories of placing do to a site, and ask of it."""

from __future__ import annotations

import dataclasses
from typing import Any

from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle.placement import Decision, decide
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.table import verbs
from pvenix.model.events import Command
from pvenix.model.plan import PlayPlan, RunPlan, Task
from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.vm import Vm
from tests.sim.ports import Calls
from tests.sim.records import SimJournal
from tests.story.fault_scene import NEW, Done, Scene
from tests.story.plan_scene import world_of

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
    world = world_of(site)
    return await decide(world, world.fleet.hosts[host], **given)


async def applied(site: Scene, decisions: dict[str, dict[str, str]], *names: str) -> Done:
    """A run of a plan that was saved with what it decided."""
    plan = RunPlan(
        title="applied",
        plays=(PlayPlan(name="applied", waves=((NEW,),), tasks=tuple(Task(verb=verb) for verb in names)),),
        fleet=str(site.golden.fleet.root),
        decisions=decisions,
    )
    run = RunStore(site.sim.root / "state/runs" / str(len(site.sim.journals))).create(plan)
    site.sim.journals[run.run] = SimJournal()
    site.sim.began[run.run] = site.sim.main()
    return await site._go(run, Calls(), resume=False)


async def shown(site: Scene, verb: str = "clone") -> list[str]:
    """The calls that `--check` shows of a verb."""
    return [text for _, text in await verbs(world_of(site))[verb].commands(looking_at(NEW))]


def calls_of(done: Done) -> list[str]:
    """The calls that change something, as they were shown."""
    return [event.text for event in done.events if isinstance(event, Command) and event.writes]

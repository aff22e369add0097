"""Write user, keys, address and DNS to the cloud-init drive: only the fields that we author, never a masked value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pvenix.engine.ports import VmConfig, VmPending
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.fields.compare import compare
from pvenix.lifecycle.fields.values import CLOUD_INIT
from pvenix.lifecycle.fields.wanted import wanted_of
from pvenix.lifecycle.fields.work import View, work
from pvenix.lifecycle.identity import pinned
from pvenix.lifecycle.notes import parse
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.settling import refuse_lost
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe, Status, done, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when Proxmox holds the values, or when `configure` has taken over: after that a change needs a reboot."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM yet")
    is_new = world.vms.owns(found.config, step.host) and not pinned(world, step.host, found)  # as after `reprovision`
    if not is_new and await world.registered(step.host):
        return done("registered: pvenix configure writes what changes from now on")
    missing = _missing(_view(world, step, found.config))
    if "fields" in step.known and not missing:
        return needed("an interrupted attempt may not have regenerated the drive")
    return needed(f"to write: {', '.join(missing)}") if missing else done("the drive holds these values")


async def apply(world: World, step: Step) -> Outcome:
    """Write what differs, read it back, regenerate the drive of a running VM."""
    found = await world.vms.of(step)
    found = replace(found, config=await unlocked(world, step, found))
    changes = _missing(_view(world, step, found.config))
    await step.intend(fields=" ".join(changes))
    for call in await _calls(world, step, found):
        await call.send(step)
    again = await world.vms.of(step)
    refuse_lost(_view(world, step, again.config).differing(), VmCalls.on(world.pve, again, {}).path)
    return Outcome(status=Status.CHANGED, summary=f"wrote {', '.join(changes) or 'the drive anew'}")


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await world.vms.find(step.host, step.facts)
    return shown(await _calls(world, step, found))


async def _calls(world: World, step: Step, found: Found | None) -> list[Call[Any]]:
    """Write what differs, and regenerate the drive of a running VM; a start regenerates it by itself."""
    vm = VmCalls.on(world.pve, found, step.facts)
    view = _view(world, step, found.config if found else VmConfig(values={}, digest=""))
    calls = [action.call(vm, view) for action in work(view, view.differing())]
    if found is not None and await world.vms.running(found):
        calls.append(vm.regenerate_cloudinit())
    return calls


def _missing(view: View) -> list[str]:
    return sorted({one.key for one in view.differing()})


def _view(world: World, step: Step, config: VmConfig) -> View:
    wanted = tuple(one for one in wanted_of(world.fleet, step.host) if CLOUD_INIT.fullmatch(one.key))
    seen = VmPending(config=config, waiting={})
    fields = compare(wanted, parse(config.values.get("description", "")).applied, seen, running=False)
    mine = tuple(
        one for one in fields if CLOUD_INIT.fullmatch(one.key)
    )  # a disk that is not asked for here is not gone
    return View(wanted=wanted, fields=mine, seen=seen, storage="")

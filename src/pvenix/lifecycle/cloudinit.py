"""Write user, keys, address and DNS to the cloud-init drive: only the fields that we author, never a masked value."""

from __future__ import annotations

from dataclasses import replace

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.settings import cloudinit_settings, differing
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.outcome import Outcome, Probe, Status, done, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when Proxmox holds the values, or when the fleet has taken over from cloud-init."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM yet")
    if not _is_new(world, step, found) and await world.registered(step.host):
        return done("registered: the fleet owns its configuration now")
    missing = differing(_wanted(world, step), found.config)
    if "fields" in step.known and not missing:
        return needed("an interrupted attempt may not have regenerated the drive")
    return needed(f"to write: {', '.join(sorted(missing))}") if missing else done("the drive holds these values")


async def apply(world: World, step: Step) -> Outcome:
    """Write what differs, read it back, regenerate the drive of a running VM."""
    found = await world.vms.of(step)
    found = replace(found, config=await unlocked(world, step, found))
    wanted = _wanted(world, step)
    changes = differing(wanted, found.config)
    await step.intend(fields=" ".join(sorted(changes)))
    for call in await _calls(world, step, found):
        await call.send(step)
    again = await world.vms.of(step)
    left = differing(wanted, again.config)
    if left:
        path = VmCalls.on(world.pve, again, {}).path
        raise RemoteFailure(
            f"Proxmox did not keep {', '.join(sorted(left))}", hint=f"GET {path}/pending shows why", code="PVX0517"
        )
    return Outcome(status=Status.CHANGED, summary=f"wrote {', '.join(sorted(changes)) or 'the drive anew'}")


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await world.vms.find(step.host, step.facts)
    return shown(await _calls(world, step, found))


def _is_new(world: World, step: Step, found: Found) -> bool:
    """True for a machine of our making that is not the one whose key is pinned, as after `reprovision`."""
    pin = world.trust.get(step.host)
    known = pin is not None and (not pin.uuid or pin.uuid == found.config.uuid)
    return not known and world.vms.owns(found.config, step.host)


async def _calls(world: World, step: Step, found: Found | None) -> list[Call[None]]:
    """Write what differs, and regenerate the drive of a running VM; a start regenerates it by itself."""
    vm, wanted = VmCalls.on(world.pve, found, step.facts), _wanted(world, step)
    if found is None:
        return [vm.configure(wanted)]
    changes = differing(wanted, found.config)
    calls = [vm.configure(changes, digest=found.config.digest)] if changes else []
    if await world.vms.running(found):
        calls.append(vm.regenerate_cloudinit())
    return calls


def _wanted(world: World, step: Step) -> dict[str, str]:
    host, site = world.host(step), world.fleet.site
    zone = site.zones.get(host.machine.network.zone)
    return cloudinit_settings(host, zone, domain=site.domain, keys=world.fleet.authorized_keys(step.host))

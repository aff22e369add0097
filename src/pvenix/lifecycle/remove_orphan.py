"""Destroy a VM that has our marker and is no host's: its host vanished from the inventory, or has another VM."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import destroy
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.removal import obstacle
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, UsageError
from pvenix.model.outcome import Outcome, Probe, Status, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when an earlier attempt of this very step has destroyed it."""
    vmid = int(step.args["vmid"])
    if str(step.args.get("confirm")) != str(vmid):
        raise UsageError(
            f"removing VM {vmid} destroys its disks",
            hint=f"type its id: pvenix orphans remove {vmid} --confirm {vmid}",
        )
    found = await _vm(world, vmid)
    if found is None:
        if "volumes" in step.known:
            return needed("an interrupted attempt may not have seen its volumes go")
        raise UsageError(f"there is no VM {vmid}, as far as the token may see", hint="pvenix orphans", code="PVX0935")
    await _check(world, step, found)
    return needed(f"VM {vmid} on {found.node} will be destroyed", vmid=str(vmid), node=found.node)


async def apply(world: World, step: Step) -> Outcome:
    """Stop, destroy, and see that the VM and its volumes are gone."""
    found = await _vm(world, int(step.args["vmid"]))
    if found is not None:
        await _check(world, step, found)
        await destroy.demolish(world, step, found)
    summary, evidence = await destroy.told(world, step, found)
    return Outcome(status=Status.CHANGED, summary=summary, evidence=evidence)


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send; what they change beside the VM is told."""
    found = await _vm(world, int(step.args["vmid"]))
    return await destroy.demolition(world, step, found) if found is not None else ()


async def _vm(world: World, vmid: int) -> Found | None:
    for state in await world.survey.vms():
        if state.vmid == vmid:
            config = await world.pve.config(state.node, state.vmid)
            if config is not None:
                return Found(node=state.node, vmid=state.vmid, config=config)
    return None


async def _check(world: World, step: Step, found: Found) -> None:
    """Raises: Refused for a stranger's VM, the one VM of a host, or one that is protected or has changed since."""
    begun = step.known.get("uuid", "")
    if not world.vms.owns(found.config, step.host) or (begun and begun != found.config.uuid):
        raise Refused(
            f"VM {found.vmid} does not carry pvenix's marker for {step.host}",
            hint="pvenix destroys only what it made; remove the VM in Proxmox if that is what you want",
            code="PVX0542",
        )
    host = world.fleet.hosts.get(step.host)
    if host is not None:
        own = await world.vms.find(step.host)  # Refused when two may be it
        if own is None or own.vmid == found.vmid:
            raise Refused(
                f"VM {found.vmid} is the only VM of {step.host}",
                hint=f"pvenix retire {step.host} --confirm {step.host}",
                code="PVX0936",
            )
        if blocked := obstacle(host, found):
            raise blocked
    elif found.config.values.get("protection", "0") == "1":
        raise Refused(
            f"VM {found.vmid} is protected at Proxmox",
            hint=f"whoever set it clears it: `qm set {found.vmid} --protection 0` on {found.node}",
            code="PVX0937",
        )

"""Clone the template into the host's VM, mark it as ours and give it its size. Never adopts a stranger's VM."""

from __future__ import annotations

import contextlib
import random
import re

from pvenix.engine.ports import NewVm, VmConfig
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import place
from pvenix.lifecycle.calls import VmCalls, clone_call, shown
from pvenix.lifecycle.ownership import Found, is_tagged, marker
from pvenix.lifecycle.settling import ROOT_DISK, config_of, kept, present_gib, settle, settling, wanted_gib
from pvenix.lifecycle.waiting import task_end, until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure
from pvenix.model.names import NodeName, Vmid, node_name, vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.site import Template

TAKEN = "PVX0511"
_TRIES = 5
_TASK_TIMEOUT_S = 1500.0
_LOST_PATIENCE_S = 10.0
_BUSY = re.compile(r"got lock request timeout|got lock timeout|can't lock file '[^']*(?:pve-storage|storage-)[^']*'")
"""PVE::Cluster cfs_lock and PVE::Storage cluster_lock_storage, as a clone's task repeats them."""
_BUSY_PAUSE_S = (2.0, 8.0)


async def probe(world: World, step: Step) -> Probe:
    """Done when the host's VM exists unlocked, with our tag and the disk that the inventory wants."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return needed(f"{step.host} has no VM")
    facts = {"node": found.node, "vmid": str(found.vmid), "uuid": found.config.uuid}
    if not world.vms.owns(found.config, step.host):
        return done(f"VM {found.vmid} on {found.node} was not made by pvenix; its settings stay", **facts)
    if found.config.values.get("lock") == "clone":
        return needed(f"VM {found.vmid} is still being cloned", **facts)
    grown = not 0 < present_gib(found.config) < wanted_gib(world.host(step))
    if grown and is_tagged(found.config):
        return done(f"VM {found.vmid} on {found.node}", **facts)
    return needed(f"VM {found.vmid} is not set up yet", **facts)


async def apply(world: World, step: Step) -> Outcome:
    """Clone unless an earlier attempt did, then set what the host wants."""
    found = await _earlier(world, step) or await _after_foreign_clones(world, step) or await _clone(world, step)
    world.survey.outdated()
    await settle(world, step, found)
    config = await kept(world, step, found)
    return Outcome(
        status=Status.CHANGED,
        summary=f"VM {found.vmid} on {found.node}",
        facts={"node": found.node, "vmid": str(found.vmid), "uuid": config.uuid},
    )


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await world.vms.find(step.host, step.facts)
    if found is not None:
        return shown(settling(world, step, VmCalls.on(world.pve, found, {}), found.config))
    template = _template(world, step)
    if not {"node", "vmid"} <= step.facts.keys():
        step.facts |= (await place.apply(world, step)).facts
    target, new = node_name(step.facts["node"]), vmid(step.facts["vmid"])
    source = await _template_node(world, template)
    made = await _inherited(world, step, source)
    return shown(
        (
            clone_call(world.pve, source, Vmid(template.vmid), _new_vm(world, step, source, target, new)),
            *settling(world, step, VmCalls(world.pve, target, new), made),
        )
    )


async def _earlier(world: World, step: Step) -> Found | None:
    """The VM that a killed attempt of this run left behind, once its task has ended."""
    if "vmid" not in step.known:
        return await world.vms.find(step.host, step.facts)
    if "upid" in step.known:
        step.tell("an earlier process started a task; waiting for its end")
        with contextlib.suppress(RemoteFailure, OutcomeUnknown):  # the VM itself tells what came of it
            await task_end(world, step, step.known["upid"], timeout_s=_TASK_TIMEOUT_S)
    return await _appeared(world, step, node_name(step.known["node"]), vmid(step.known["vmid"]))


async def _after_foreign_clones(world: World, step: Step) -> Found | None:
    """The host's VM if a clone that this run did not start turns out to be it, None when none does.

    Until a clone has ended its VM has neither name nor notes, so it may be the work of an interrupted run.
    """

    async def pending() -> list[Vmid]:
        own = set(world.ledger.vmids.values())
        world.survey.outdated()
        return [vm.vmid for vm in await world.survey.vms() if vm.lock == "clone" and vm.vmid not in own]

    async def ended() -> bool | None:
        return None if await pending() else True

    foreign = await pending()
    if not foreign:
        return None
    step.tell(f"VM {foreign[0]} is being cloned; waiting to see whose it is")
    await until(ended, clock=world.clock, timeout_s=_TASK_TIMEOUT_S, what="the end of a clone that is under way")
    return await world.vms.find(step.host)


async def _appeared(world: World, step: Step, node: NodeName, new: Vmid, *, patience_s: float = 0) -> Found | None:
    """The VM `new` if it is ours and whole, None when it does not exist or belongs to somebody else.

    Until a clone has ended its VM is listed on the template's node, so both nodes are asked. A request whose answer was
    lost may still be on its way: for `patience_s` seconds a missing VM is looked for again.
    """
    source = await _template_node(world, _template(world, step))
    patient_until = world.clock.monotonic() + patience_s

    async def whole() -> Found | bool | None:
        for where in dict.fromkeys((node, source)):
            config = await world.pve.config(where, new)
            if config is not None and config.values.get("lock") == "clone":
                return None
            if config is not None:
                return Found(node=where, vmid=new, config=config) if world.vms.owns(config, step.host) else False
        return None if world.clock.monotonic() < patient_until else False

    found = await until(whole, clock=world.clock, timeout_s=_TASK_TIMEOUT_S, what=f"the end of the clone of VM {new}")
    return found if isinstance(found, Found) else None


async def _clone(world: World, step: Step) -> Found:
    host = world.host(step)
    for attempt in range(1, _TRIES + 1):
        if not {"node", "vmid"} <= step.facts.keys():
            step.facts |= (await place.apply(world, step)).facts
        target, new = node_name(step.facts["node"]), vmid(step.facts["vmid"])
        try:
            return await _clone_to(world, step, target, new)
        except RemoteFailure as error:
            if _BUSY.search(error.why) and await _absent(world, step, target, new):
                await _pause(world, step, attempt, error.why)
                continue
            if error.code != TAKEN:
                raise
            if (ours := await _appeared(world, step, target, new)) is not None:
                return ours
            if host.machine.proxmox.vmid:
                raise
            step.tell(f"VM id {new} was taken meanwhile; choosing another")
            world.survey.outdated()
            world.ledger.refused.add(new)
            del step.facts["vmid"]
    raise RemoteFailure(
        f"no clone for {step.host} after {_TRIES} tries", why="ids were taken or the storage was busy", code="PVX0522"
    )


async def _absent(world: World, step: Step, target: NodeName, new: Vmid) -> bool:
    """True when no VM has the id, so that another attempt makes no second one."""
    source = await _template_node(world, _template(world, step))
    nodes = dict.fromkeys((target, source))
    return all([await world.pve.config(node, new) is None for node in nodes])


async def _pause(world: World, step: Step, attempt: int, why: str) -> None:
    """Let other clones of the template finish; each host waits for a time of its own."""
    seconds = attempt * random.Random(f"{step.run} {step.host} {attempt}").uniform(*_BUSY_PAUSE_S)
    step.tell(f"the storage is busy ({why}); trying again in {seconds:.0f} s")
    await world.clock.sleep(seconds)


async def _clone_to(world: World, step: Step, target: NodeName, new: Vmid) -> Found:
    template = _template(world, step)
    source = await _template_node(world, template)
    await _inherited(world, step, source)
    wanted = _new_vm(world, step, source, target, new)
    await step.intend(node=target, vmid=str(new))
    try:
        upid = await clone_call(world.pve, source, Vmid(template.vmid), wanted).send(step)
        await task_end(world, step, upid, timeout_s=_TASK_TIMEOUT_S)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking whether the clone exists")
        found = await _appeared(world, step, target, new, patience_s=_LOST_PATIENCE_S)
        if found is None:
            raise
        return found
    except RemoteFailure as error:
        if "already exists" in error.why:
            raise RemoteFailure(error.what, why=error.why, evidence=error.evidence, code=TAKEN) from error
        raise
    return Found(node=target, vmid=new, config=await config_of(world, target, new))


async def _inherited(world: World, step: Step, source: NodeName) -> VmConfig:
    """The root disk that a clone of the template begins with; Proxmox grows it and never shrinks it."""
    template, wanted = _template(world, step), wanted_gib(world.host(step))
    disk = (await config_of(world, source, Vmid(template.vmid))).values.get(ROOT_DISK, "")
    made = VmConfig(values={ROOT_DISK: disk}, digest="")
    if present_gib(made) > wanted:
        step.tell(f"{wanted} GiB are asked for; the template's disk has {present_gib(made):.0f}, and no disk shrinks")
    return made


async def _template_node(world: World, template: Template) -> NodeName:
    for vm in await world.survey.vms():
        if vm.vmid == template.vmid and vm.template:
            return vm.node
    granted = await world.pve.permissions()
    if not any("VM.Audit" in granted.get(path, {}) for path in ("/", "/vms", f"/vms/{template.vmid}")):
        raise Refused(
            f"the API token does not see template {template.vmid}",
            why="without VM.Audit the lists leave a VM out and say nothing",
            hint=f"pveum acl modify /vms/{template.vmid} --tokens '<token>' --roles PVEAuditor",
            code="PVX0532",
        )
    raise RemoteFailure(
        f"template {template.vmid} does not exist",
        hint=f"make it, or correct templates.{template.name}.vmid in inventory/site.yaml",
        code="PVX0516",
    )


def _template(world: World, step: Step) -> Template:
    return world.fleet.site.templates[world.host(step).machine.template]


def _new_vm(world: World, step: Step, source: NodeName, target: NodeName, new: Vmid) -> NewVm:
    """What the clone is to be; storage is for full clones only, a linked one stays where its template is."""
    host = world.host(step)
    full = bool(step.args.get("full", host.machine.proxmox.full))
    return NewVm(
        vmid=new,
        name=step.host,
        description=marker(step.host, fleet=world.fleet.site.name, run=step.run),
        target=target if target != source else None,
        full=full,
        storage=step.facts.get("storage") if full else None,
        pool=host.machine.proxmox.pool or None,
    )

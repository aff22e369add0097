"""Prove a new template by clones of it: they boot, cloud-init ends, and each makes an identity of its own.

Everything is asked through the guest agent, so a canary needs no address, no pin and no key.
"""

from __future__ import annotations

from typing import Final

from pvenix.engine.ports import AgentResult, NewVm
from pvenix.engine.step import Commands, Step
from pvenix.engine.trust import parse_host_key
from pvenix.lifecycle import argv
from pvenix.lifecycle.calls import VmCalls, clone_call, shown
from pvenix.lifecycle.destroy import demolish
from pvenix.lifecycle.evidence import shown_state
from pvenix.lifecycle.making import TAKEN, taken_or
from pvenix.lifecycle.ownership import MARKER_TAG, Found, is_tagged, marker
from pvenix.lifecycle.placement.vmids import choose_vmid
from pvenix.lifecycle.slots import Use
from pvenix.lifecycle.tasks import carried_out
from pvenix.lifecycle.template.candidate import Candidate, refuse_real_hosts, to_come
from pvenix.lifecycle.template.sealing import MACHINE_ID
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from pvenix.model.names import NodeName, Vmid, node_name, vmid
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

CLONES: Final = 2
"""What one machine has for itself shows only beside another one."""
_TRIES: Final = 5
_TASK_TIMEOUT_S: Final = 900.0
_CLOUD_INIT_TIMEOUT_S: Final = 600.0
_PROGRAMS: Final = "/run/current-system/sw/bin"


async def probe(world: World, step: Step) -> Probe:
    """Done only when an earlier attempt of this very step proved the template."""
    await refuse_real_hosts(world, world.host(step))
    if to_come(step):
        return needed(f"{CLONES} clones of the new template will be made, looked at and destroyed")
    candidate = Candidate.of(step.facts)
    if _proven(step) == CLONES and await world.vms.find(step.host) is None:
        return done(f"template {candidate.vmid} was proven")
    return needed(f"{CLONES} clones of template {candidate.vmid} will be made, looked at and destroyed")


async def apply(world: World, step: Step) -> Outcome:
    """Clone, boot, look, destroy; then once more."""
    candidate = Candidate.of(step.facts)
    await _clear(world, step)
    for number in range(_proven(step) + 1, CLONES + 1):
        found = await _clone(world, step, candidate, number)
        await _start(world, step, found)
        identity = await _look(world, step, found, candidate)
        step.evidence(**{f"canary{number}": "\n".join(identity)})
        await _clear(world, step)
    return Outcome(
        status=Status.CHANGED,
        summary=f"{CLONES} clones of template {candidate.vmid} came up, each with an identity of its own",
        facts={"proven_template": str(candidate.vmid)},
    )


async def commands(world: World, step: Step) -> Commands:
    """The calls for one clone, which are sent for each; none while there is no new template."""
    if to_come(step):
        return ()
    candidate = Candidate.of(step.facts)
    clone = clone_call(world.pve, candidate.node, candidate.vmid, _new_vm(world, step, Vmid(0)))
    vm = VmCalls.on(world.pve, None, {"node": candidate.node})
    return (
        *shown([clone]),
        *shown([vm.configure({"tags": MARKER_TAG})]),
        *shown([vm.start(), vm.stop(), vm.destroy()]),
    )


def _proven(step: Step) -> int:
    """How many clones were looked at and found good."""
    return sum(f"canary{number}" in step.known for number in range(1, CLONES + 1))


async def _clear(world: World, step: Step) -> None:
    """Destroy the clone that there is, if one is: an earlier attempt's, or the one that was just looked at."""
    if planned := step.known.get("clone_vmid", ""):
        await _let_end(world, node_name(step.known["clone_node"]), vmid(planned))
    found = await world.vms.certain(step.host)
    if found is not None:
        await demolish(world, step, await _tagged(world, step, found), passing=True)


async def _let_end(world: World, node: NodeName, number: Vmid) -> None:
    """Wait for a clone under way: until it has ended its VM has neither name nor notes, and is nobody's."""

    async def whole() -> bool | None:
        config = await world.pve.config(node, number)
        return None if config is not None and config.values.get("lock") == "clone" else True

    await until(whole, clock=world.clock, timeout_s=_TASK_TIMEOUT_S, what=f"the end of the clone of VM {number}")
    world.survey.outdated()


async def _clone(world: World, step: Step, candidate: Candidate, ordinal: int) -> Found:
    """A linked clone with our notes, and then with our tag.

    A request that a killed attempt sent may still be on its way: it is sent again with the same VM id, of which Proxmox
    makes one VM at most.
    """
    for _ in range(_TRIES):
        number = await _number(world, step, candidate, ordinal)
        call = clone_call(world.pve, candidate.node, candidate.vmid, _new_vm(world, step, number))
        try:
            await carried_out(world, step, call, Use(node=candidate.node), timeout_s=_TASK_TIMEOUT_S)
        except OutcomeUnknown:
            step.tell("the answer was lost; looking whether the clone exists")
        except RemoteFailure as error:
            if taken_or(error).code != TAKEN:
                raise
        await _let_end(world, candidate.node, number)
        found = await world.vms.certain(step.host)
        if found is not None:
            return await _tagged(world, step, found)
        world.ledger.refused.add(number)
        step.known.pop("clone_vmid", None)
    raise RemoteFailure(f"no clone of template {candidate.vmid} came of {_TRIES} tries", code="PVX0747")


async def _number(world: World, step: Step, candidate: Candidate, ordinal: int) -> Vmid:
    """The VM id of this clone: the one that an attempt of it wrote down, else a free one."""
    if "clone_vmid" in step.known and step.known.get("clone_ordinal") == str(ordinal):
        return vmid(step.known["clone_vmid"])
    world.survey.outdated()
    number = choose_vmid(world, world.host(step), (await world.survey.resources()).ids, {}).vmid
    await step.intend(clone_vmid=str(number), clone_node=candidate.node, clone_ordinal=str(ordinal))
    return number


async def _tagged(world: World, step: Step, found: Found) -> Found:
    """The clone with the tag without which nothing is destroyed."""
    if is_tagged(found.config):
        return found
    await step.intend(tagging=str(found.vmid))
    await VmCalls.on(world.pve, found, {}).configure({"tags": MARKER_TAG}, digest=found.config.digest).send(step)
    config = await world.pve.config(found.node, found.vmid)
    if config is None:
        raise RemoteFailure(f"VM {found.vmid} is no longer on {found.node}", hint="look again", code="PVX0525")
    return Found(node=found.node, vmid=found.vmid, config=config)


def _new_vm(world: World, step: Step, number: Vmid) -> NewVm:
    notes = marker(step.host, fleet=world.fleet.site.name, run=step.run)
    pool = world.host(step).machine.proxmox.pool or None
    return NewVm(vmid=number, name=step.host, description=notes, pool=pool)


async def _start(world: World, step: Step, found: Found) -> None:
    """Start it and wait for its agent."""
    start = VmCalls.on(world.pve, found, {}).start()
    await carried_out(world, step, start, Use(node=found.node), timeout_s=_TASK_TIMEOUT_S)
    limit = world.host(step).machine.bootstrap.agent_timeout_s
    step.tell("waiting for the guest agent")

    async def answers() -> bool | None:
        return await world.pve.agent_ping(found.node, found.vmid) or None

    try:
        await until(answers, clock=world.clock, timeout_s=limit, what="the guest agent")
    except OutcomeUnknown as error:
        raise await _not_good(world, step, found, f"its agent did not answer within {limit} s") from error


async def _look(world: World, step: Step, found: Found, candidate: Candidate) -> tuple[str, str]:
    """The clone's machine id and host key, which no other machine has.

    Raises: RemoteFailure for whatever is not as it should be.
    """
    ended = await _run(world, step, found, "cloud-init", "status", "--wait")
    if ended.exit_status not in (0, 2):  # 2: done, with recoverable errors (cloud-init 23.4 and later)
        raise await _not_good(world, step, found, f"cloud-init ended with status {ended.exit_status}")
    runs = (await _run(world, step, found, "readlink", "-f", "/run/current-system")).stdout.strip()
    if runs != candidate.system:
        raise await _not_good(world, step, found, f"it runs {runs}, and {candidate.system} was built")
    failed = (await _run(world, step, found, *argv.FAILED_UNITS)).stdout.split("\n")
    if units := [line.split()[0] for line in failed if line.strip()]:
        raise await _not_good(world, step, found, f"units failed: {', '.join(units)}")
    machine_id = (await _read(world, step, found, MACHINE_ID)).strip()
    key = parse_host_key(await _read(world, step, found, argv.HOST_KEY))
    if len(machine_id) != 32:
        raise await _not_good(world, step, found, f"its machine id is {machine_id[:40]!r}")
    for what, own in (("machine id", machine_id), ("host key", key)):
        if whose := _whose(world, step, candidate, own):
            raise await _not_good(world, step, found, f"it has the {what} of {whose}")
    return machine_id, key


def _whose(world: World, step: Step, candidate: Candidate, own: str) -> str:
    """Another machine that has this machine id or host key; empty when none is known to."""
    if own in candidate.identities:
        return "the machine that the template was made of"
    earlier = [step.known.get(f"canary{number}", "") for number in range(1, CLONES + 1)]
    if any(own in each.split("\n") for each in earlier):
        return "another clone of the template"
    for name in world.fleet.hosts:
        pin = world.trust.get(name)
        if (pin is not None and pin.key == own) or world.sightings.get(name).machine_id == own:
            return name
    return ""


async def _run(world: World, step: Step, found: Found, *words: str) -> AgentResult:
    command = (f"{_PROGRAMS}/{words[0]}", *words[1:])
    step.asks("agent", " ".join(command))
    return await world.pve.agent_run(found.node, found.vmid, command, timeout_s=_CLOUD_INIT_TIMEOUT_S)


async def _read(world: World, step: Step, found: Found, path: str) -> str:
    step.asks("agent", f"file-read {path}")
    return await world.pve.agent_read_file(found.node, found.vmid, path) or ""


async def _not_good(world: World, step: Step, found: Found, why: str) -> RemoteFailure:
    """The clone stays, so that somebody can look at it."""
    candidate = Candidate.of(step.facts)
    return RemoteFailure(
        f"clone {found.vmid} of the new template {candidate.vmid} is not as it should be",
        why=why,
        hint=f"look at it, then: pvenix destroy {step.host} --confirm {step.host}; the template is not used by anybody: "
        f"qm destroy {candidate.vmid} on {candidate.node}",
        evidence=await shown_state(world, found),
        code="PVX0744",
    )

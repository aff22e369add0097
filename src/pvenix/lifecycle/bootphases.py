"""The phases of a boot that are waited for, each with a time of its own.

One that passes ends the step with what Proxmox knows of the VM and what a person can do.
"""

from __future__ import annotations

from collections.abc import Mapping

from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.addresses import fixed_addresses
from pvenix.lifecycle.agentpath import Reader
from pvenix.lifecycle.evidence import shown_state
from pvenix.lifecycle.identity import pinned
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, PvenixError, RemoteFailure, Unreachable


async def agent_answers(world: World, step: Step, found: Found) -> bool:
    """True once the agent answers; False when it stays silent and the host can be proved and reached without it.

    Raises: RemoteFailure when it stays silent otherwise.
    """
    step.tell("waiting for the guest agent")
    timeout_s = world.host(step).machine.bootstrap.agent_timeout_s

    async def answers() -> bool | None:
        return await world.pve.agent_ping(found.node, found.vmid) or None

    try:
        return await until(answers, clock=world.clock, timeout_s=timeout_s, what="the guest agent")
    except OutcomeUnknown as error:
        fixed = fixed_addresses(world.host(step))
        if fixed and pinned(world, step.host, found):
            step.tell(f"no agent within {timeout_s:.0f} s; going on at {' or '.join(fixed)} with the pinned key")
            return False
        power = await world.pve.power(found.node, found.vmid)
        raise RemoteFailure(
            f"the guest agent of VM {found.vmid} did not answer within {timeout_s:.0f} s",
            why=f"the VM is {power.status}" + ("" if power.agent else " and its options name no agent"),
            hint=next_steps(
                step,
                "is the agent enabled in the template (services.qemuGuest) and in the VM's options?",
                f"without an agent: give {step.host} a fixed machine.network.address and put the host key that its "
                f"console shows into inventory/trust/{step.host}",
            ),
            evidence=await shown_state(world, found),
            code="PVX0518",
        ) from error


async def has_address(world: World, step: Step, found: Found) -> None:
    """Return once an address is known: fixed, or reported by the agent on the VM's own cards.

    Raises: RemoteFailure with what the agent reported instead.
    """
    host = world.host(step)
    if fixed_addresses(host):
        return
    step.tell("waiting for an address")
    said: list[str] = []

    async def known() -> bool | None:
        try:
            return bool(await world.ways.of_agent(step.host, place(found)))
        except (Unreachable, RemoteFailure) as error:
            said[:] = [str(error)]
            return None  # the agent goes away for a moment when the first boot restarts it

    timeout_s = host.machine.bootstrap.address_timeout_s
    try:
        await until(known, clock=world.clock, timeout_s=timeout_s, what=f"an address of {step.host}")
    except OutcomeUnknown as error:
        raise RemoteFailure(
            f"{step.host} had no usable address within {timeout_s:.0f} s",
            why=said[0] if said else "",
            hint=next_steps(
                step,
                "is its card on the right bridge and VLAN, and does DHCP answer there?",
                f"else fix its address: pvenix host edit {step.host} network.address=IP/PREFIX",
            ),
            evidence=(*await _interfaces(world, found), *await shown_state(world, found)),
            code="PVX0579",
        ) from error


async def _interfaces(world: World, found: Found) -> tuple[str, ...]:
    """What the agent reports, a line for each interface."""
    try:
        seen = await world.pve.agent_interfaces(found.node, found.vmid)
    except PvenixError:
        return ()
    return tuple(f"{each.name} {each.mac}: {' '.join(each.addresses) or 'no address'}" for each in seen[:8])


async def cloud_init_ends(world: World, step: Step, found: Found, reader: Reader) -> None:
    """Return when cloud-init has ended, well or not: what it could not do shows in what comes next.

    Raises: RemoteFailure when it does not end in time, OutcomeUnknown when the connection is lost.
    """
    step.tell("waiting for cloud-init")
    timeout_s, began = world.host(step).machine.bootstrap.cloudinit_timeout_s, world.clock.monotonic()
    try:
        status = (await reader.try_read(argv.CLOUD_INIT_DONE, timeout_s=timeout_s)).exit_status
    except RemoteFailure as error:
        step.tell(f"cloud-init cannot be asked ({error}); going on")
        return
    except OutcomeUnknown as error:
        if world.clock.monotonic() - began < timeout_s:
            raise
        raise RemoteFailure(
            f"cloud-init of {step.host} did not end within {timeout_s:.0f} s",
            hint=next_steps(step, f"see where it stands: `cloud-init status --long` on {step.host}"),
            evidence=(*error.evidence, *await shown_state(world, found)),
            code="PVX0593",
        ) from error
    # 2 is "done, with recoverable errors" since cloud-init 23.4; minimal images end so and work.
    if status not in (0, 2):
        step.tell(f"cloud-init ended with status {status}; going on, as the guest answers")


def place(found: Found) -> Mapping[str, str]:
    """Where the VM is, as facts of a step."""
    return {"node": found.node, "vmid": str(found.vmid)}


def next_steps(step: Step, *first: str) -> str:
    """What a person can do now."""
    ways = [f"look at it: pvenix console {step.host}", f"go on: pvenix boot {step.host}"]
    return "; ".join([*first, *ways, f"give up: pvenix retire {step.host}"])

"""Who a guest is: its host key, read through the agent and pinned, and that no other host of the fleet is the same."""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.engine.trust import Pin, parse_host_key
from pvenix.lifecycle import argv
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, RemoteFailure

_KEY_TIMEOUT_S = 60.0


def pinned(world: World, name: str, found: Found) -> bool:
    """True when a key is pinned that may be that of this VM."""
    pin = world.trust.get(name)
    return pin is not None and not (pin.uuid and pin.uuid != found.config.uuid)


def is_first_boot(world: World, step: Step, found: Found) -> bool:
    """True while no key of this VM is in force, or only one that an interrupted first boot has left here.

    Cloud-init makes a new instance's keys anew, on NixOS in cloud-config.service, which sshd does not wait for
    (nixpkgs: nixos/modules/services/system/cloud-init.nix): the first key that the agent delivers need not be the last.
    """
    if not pinned(world, step.host, found):
        return True
    return "vmid" in step.known and not world.trust.shared(step.host)


async def pin(world: World, step: Step, found: Found, *, renewed: bool = False) -> bool:
    """Read the host key through the agent and pin it; True when another one was in force.

    Raises: Refused when the same VM shows another key than the pinned one, unless its keys are being made (`renewed`).
    """

    async def key() -> str | None:
        try:
            return await world.pve.agent_read_file(found.node, found.vmid, argv.HOST_KEY)
        except RemoteFailure:
            return None  # the agent goes away for a moment when the first boot restarts it

    step.asks("agent", f"file-read {argv.HOST_KEY}")
    text = await until(key, clock=world.clock, timeout_s=_KEY_TIMEOUT_S, what=f"{argv.HOST_KEY} on {step.host}")
    read = Pin(key=parse_host_key(text), uuid=found.config.uuid)
    if read == world.trust.get(step.host):
        return False
    world.trust.pin(step.host, read, renewed=renewed)
    step.evidence(host_key=read.fingerprint)
    step.tell(f"pinned {read.key[:40]}…")
    return True


def twin(world: World, name: str) -> str:
    """Another host of the inventory with the same pinned key on another VM; empty when the key is this host's alone."""
    own = world.trust.get(name)
    if own is None:
        return ""
    for other, host in world.fleet.hosts.items():
        if other == name or not host.machine.state.managed:
            continue
        theirs = world.trust.get(other)
        if theirs is not None and theirs.key == own.key and not (own.uuid and theirs.uuid == own.uuid):
            return other
    return ""


def refuse_twin(world: World, name: str) -> None:
    """Return when no other host shares the key, which proves nothing then.

    Raises: Refused with both names.
    """
    if other := twin(world, name):
        raise Refused(
            f"{name} and {other} have the same SSH host key",
            why="whoever holds the one can pass for the other; their template was not cleaned before it was cloned",
            hint=f"on the console of {name}: rm /etc/ssh/ssh_host_*, restart sshd; then remove its pin and `pvenix boot "
            f"{name}`. Clean the template: no host keys, an empty /etc/machine-id",
            code="PVX0577",
        )


async def machine_twin(world: World, step: Step, found: Found) -> str:
    """Another host of the inventory that had the same machine id when it booted last, empty when none is known.

    Read through the agent: with one machine id DHCP may give both one address (systemd.network(5), DUIDType), where
    the other one would answer.
    """
    try:
        own = (await world.pve.agent_read_file(found.node, found.vmid, argv.MACHINE_ID) or "").strip()
    except RemoteFailure:
        return ""
    if not own:
        return ""
    world.sightings.booted(step.host, machine_id=own)
    seen = world.sightings.all()
    same = (name for name in seen if name != step.host and name in world.fleet.hosts and seen[name].machine_id == own)
    return next(same, "")

"""Take an existing VM that is nobody's into the fleet: its marker, and what the inventory would say of it.

Neither its disks nor its power are touched, and of its notes every byte stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pvenix.engine.ports import VmState
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import notes
from pvenix.lifecycle.calls import VmCalls, shown
from pvenix.lifecycle.fields.compare import is_device
from pvenix.lifecycle.fields.values import ROOT_DISK, parts_of, size
from pvenix.lifecycle.ownership import MARKER_TAG, Found, is_tagged
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, UsageError
from pvenix.model.names import host_name
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

_DRIVES: Final = ("virtio0", "sata0", "ide0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What making a VM a host would write."""

    host: str
    vmid: int
    node: str
    listed: bool
    """Whether the inventory has the host already."""
    machine: Mapping[str, Any]
    """What the VM has, in the inventory's words."""
    calls: Commands


async def examine(world: World, vmid: int, host: str, *, rename: bool) -> Adoption:
    """What adopting VM `vmid` as `host` would write.

    Raises: Refused when it is somebody's, or cannot be a host as it is; UsageError when there is no such VM.
    """
    host_name(host)
    state, found = await _vm(world, vmid)
    await _check(world, state, found, host, rename=rename)
    call = VmCalls.on(world.pve, found, {}).configure(_values(world, found, host, "<run>"), digest=found.config.digest)
    return Adoption(
        host=host,
        vmid=vmid,
        node=found.node,
        listed=host in world.fleet.hosts,
        machine=machine_of(state, found, running=await world.vms.running(found)),
        calls=shown([call]),
    )


async def probe(world: World, step: Step) -> Probe:
    """Done when the VM of the inventory's id is marked as the host's."""
    vmid = world.host(step).machine.proxmox.vmid
    if not vmid:
        raise UsageError(
            f"the inventory names no VM for {step.host}", hint=f"pvenix adopt VMID {step.host}", code="PVX0930"
        )
    state, found = await _vm(world, vmid)
    if (
        world.vms.owns(found.config, step.host)
        and is_tagged(found.config)
        and found.config.values.get("name") == step.host
        and not _recorded_beyond(world, step.host, found)
    ):
        return done(f"VM {vmid} on {found.node} is the host's", vmid=str(vmid), node=found.node)
    await _check(world, state, found, step.host, rename=bool(step.args.get("rename")))
    return needed(f"VM {vmid} on {found.node} becomes {step.host}")


async def apply(world: World, step: Step) -> Outcome:
    """Write the marker, and read it back."""
    state, found = await _vm(world, world.host(step).machine.proxmox.vmid)
    await _check(world, state, found, step.host, rename=bool(step.args.get("rename")))
    config = await unlocked(world, step, found)
    found = replace(found, config=config)
    await step.intend(vmid=str(found.vmid), node=found.node, uuid=config.uuid)
    call = VmCalls.on(world.pve, found, {}).configure(_values(world, found, step.host, step.run), digest=config.digest)
    try:
        await call.send(step)
    except OutcomeUnknown:
        step.tell("the answer was lost; looking at the VM")
    world.survey.outdated()
    after = await world.pve.config(found.node, found.vmid)
    if after is None or not world.vms.owns(after, step.host) or not is_tagged(after):
        raise RemoteFailure(f"Proxmox did not keep the marker of VM {found.vmid}", hint="look again", code="PVX0931")
    return Outcome(
        status=Status.CHANGED,
        summary=f"VM {found.vmid} on {found.node} is {step.host}",
        hint=f"pvenix plan -l {step.host}",
        facts={"vmid": str(found.vmid), "node": found.node, "uuid": after.uuid},
    )


async def commands(world: World, step: Step) -> Commands:
    """The one call."""
    _, found = await _vm(world, world.host(step).machine.proxmox.vmid)
    values = _values(world, found, step.host, step.run)
    return shown([VmCalls.on(world.pve, found, {}).configure(values, digest=found.config.digest)])


async def _vm(world: World, vmid: int) -> tuple[VmState, Found]:
    """The VM of this id. Raises: UsageError when there is none, as far as the token may see."""
    for state in await world.survey.vms():
        if state.vmid == vmid:
            config = await world.pve.config(state.node, state.vmid)
            if config is not None:
                return state, Found(node=state.node, vmid=state.vmid, config=config)
    raise UsageError(
        f"there is no VM {vmid}, as far as the token may see",
        why="without VM.Audit the lists leave a VM out and say nothing",
        hint=f"qm config {vmid}, on its node; or give the token's role VM.Audit, pvenix doctor prints the line",
        code="PVX0932",
    )


async def _check(world: World, state: VmState, found: Found, host: str, *, rename: bool) -> None:
    """Raises: Refused with the reason for which the VM cannot become the host."""
    why = _owned(world, found, host) or _unfit(state, found) or await _taken(world, found, host)
    if why:
        raise Refused(f"VM {found.vmid} cannot become {host}", why=why, code="PVX0933")
    name = found.config.values.get("name", "")
    if name != host and not rename:
        raise Refused(
            f"VM {found.vmid} is called {name!r}, not {host}",
            hint=f"adopt it as {name}, or let Proxmox call it {host}: pvenix adopt {found.vmid} {host} --rename",
            code="PVX0934",
        )


def _owned(world: World, found: Found, host: str) -> str:
    """Whose the VM is, if it is somebody else's."""
    marked = notes.parse(found.config.values.get("description", ""))
    if marked.fleet not in ("", world.fleet.site.name):
        return f"its notes say that it is {marked.host or 'a host'} of the fleet {marked.fleet}"
    if marked.host not in ("", host) and marked.host in world.fleet.hosts:
        return f"its notes say that it is {marked.host}"
    for other in world.fleet.hosts.values():
        if other.machine.proxmox.vmid == found.vmid and other.name != host:
            return f"the inventory gives its id to {other.name}"
        if other.name == found.config.values.get("name") != host:
            return f"it has the name of {other.name}, a host of the inventory"
    return ""


def _unfit(state: VmState, found: Found) -> str:
    """What it is that no host can be."""
    values = found.config.values
    if state.template or values.get("template") == "1":
        return "it is a template"
    if values.get("lock"):
        return f"it is locked ({values['lock']})"
    size = parts_of(ROOT_DISK, values.get(ROOT_DISK, "")).get("size", "")
    if not size:
        other = next((key for key in _DRIVES if key in values), "")
        return f"pvenix keeps a host's root disk as {ROOT_DISK}, and this one has " + (other or "none")
    return ""


async def _taken(world: World, found: Found, host: str) -> str:
    """Why the name is not free."""
    listed = world.fleet.hosts.get(host)
    pin = world.trust.get(host)
    if pin is not None and pin.uuid and pin.uuid != found.config.uuid:
        return f"the key that is pinned for {host} belongs to another machine (smbios uuid {pin.uuid})"
    if listed is None:
        return ""
    if listed.machine.proxmox.vmid not in (0, found.vmid):
        return f"the inventory gives {host} the VM id {listed.machine.proxmox.vmid}"
    if not listed.machine.state.managed:
        return f"the inventory has {host} as {listed.machine.state}"
    if not listed.machine.proxmox.vmid and (own := await world.vms.find(host)) is not None and own.vmid != found.vmid:
        return f"{host} has VM {own.vmid} already"
    return ""


def _recorded_beyond(world: World, host: str, found: Found) -> bool:
    """True when disks or cards are recorded that the inventory has not: it was written anew, after the host vanished."""
    machine = world.fleet.hosts[host].machine
    keys = {name.partition(".")[0] for name in notes.parse(found.config.values.get("description", "")).applied}
    cards = range(1 + len(machine.nics))
    listed = {ROOT_DISK, *(disk.slot for disk in machine.proxmox.disks)}
    listed |= {f"{key}{index}" for key in ("net", "ipconfig") for index in cards}
    listed |= {f"hostpci{index}" for index in range(len(machine.proxmox.pci))}
    listed |= {"tpmstate0"} if machine.hardware.tpm is not None else set()
    listed |= {"efidisk0"} if machine.hardware.secureboot is not None else set()
    return bool({key for key in keys if is_device(key)} - listed)


def _values(world: World, found: Found, host: str, run: str) -> dict[str, str]:
    """The marker in notes and tags, and the name where it is another one; everything else of them stays.

    What was recorded for an earlier host goes: by it an apply would detach the disks that this one's inventory has not.
    """
    values = found.config.values
    there = notes.parse(values.get("description", ""))
    marked = replace(there, host=host, fleet=world.fleet.site.name, run=run, applied={})
    tags = {tag for tag in values.get("tags", "").split(";") if tag}
    wanted = {"description": str(marked), "tags": ";".join(sorted({*tags, MARKER_TAG}))}
    return wanted | ({"name": host} if values.get("name") != host else {})


def machine_of(state: VmState, found: Found, *, running: bool) -> dict[str, Any]:
    """The fields of the inventory that the VM has: power, size, place, first network card, tags and options."""
    values = found.config.values
    tags = [tag for tag in values.get("tags", "").split(";") if tag not in ("", MARKER_TAG)]
    proxmox: dict[str, Any] = {
        "vmid": int(found.vmid),
        "node": str(found.node),
        "onboot": values.get("onboot", "0") == "1",
    }
    proxmox |= {"protect": True} if values.get("protection") == "1" else {}
    proxmox |= {"pool": state.pool} if state.pool else {}
    memory = parts_of("memory", values.get("memory", "512")).get("current", "512")
    machine: dict[str, Any] = {
        **({} if running else {"state": "stopped"}),
        "install": "adopt",
        "cores": int(values.get("cores", "1")),
        "memory": size(f"{memory}M"),
        "disk": size(parts_of(ROOT_DISK, values[ROOT_DISK])["size"]),
        "proxmox": proxmox,
    }
    machine |= {"network": network} if (network := _network(values)) else {}
    return machine | ({"tags": tags} if tags else {})


def _network(values: Mapping[str, str]) -> dict[str, Any]:
    card, address = parts_of("net0", values.get("net0", "")), parts_of("ipconfig0", values.get("ipconfig0", ""))
    found: dict[str, Any] = {"bridge": card["bridge"]} if "bridge" in card else {}
    found |= {"vlan": int(card["tag"])} if "tag" in card else {}
    found |= {"mac": card["macaddr"].upper()} if "macaddr" in card else {}
    found |= {"mtu": int(card["mtu"])} if "mtu" in card else {}
    found |= {"firewall": True} if card.get("firewall") == "1" else {}
    if "/" in address.get("ip", ""):
        found["address"] = address["ip"]
        found |= {"gateway": address["gw"]} if "gw" in address else {}
    return found

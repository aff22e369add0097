"""Bring a cloned VM to what the inventory wants of it: its settings, and a root disk that is large enough."""

from __future__ import annotations

from typing import Final

from pvenix.engine.ports import VmConfig
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call, VmCalls
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.settings import differing, hardware_settings
from pvenix.lifecycle.waiting import task_end, unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid
from pvenix.model.site import Zone

ROOT_DISK: Final = "scsi0"
_TASK_TIMEOUT_S = 1500.0


async def settle(world: World, step: Step, found: Found) -> None:
    """Write what differs from the inventory, and grow the root disk."""
    config = await unlocked(world, step, found)
    if "vmid" not in step.known:
        await step.intend(node=found.node, vmid=str(found.vmid))
    for call in settling(world, step, VmCalls.on(world.pve, found, {}), config):
        if upid := await call.send(step):
            await task_end(world, step, upid, timeout_s=_TASK_TIMEOUT_S)


def settling(world: World, step: Step, vm: VmCalls, config: VmConfig) -> list[Call[str] | Call[None]]:
    """The calls after which a VM that is now as `config` says is what the inventory wants."""
    host = world.host(step)
    calls: list[Call[str] | Call[None]] = []
    if changes := differing(hardware_settings(host, _zone(world, host), config), config):
        calls.append(vm.configure(changes, digest=config.digest))
    if present_gib(config) < wanted_gib(host):
        calls.append(vm.resize(ROOT_DISK, wanted_gib(host)))
    return calls


async def kept(world: World, step: Step, found: Found) -> VmConfig:
    """The VM's configuration, when it is what was written.

    Raises: RemoteFailure naming what Proxmox did not keep.
    """
    host, config = world.host(step), await config_of(world, found.node, found.vmid)
    left = sorted(differing(hardware_settings(host, _zone(world, host), config), config))
    left += [ROOT_DISK] if present_gib(config) < wanted_gib(host) else []
    if left:
        path = f"/nodes/{found.node}/qemu/{found.vmid}"
        raise RemoteFailure(
            f"Proxmox did not keep {', '.join(left)}", hint=f"GET {path}/pending shows why", code="PVX0517"
        )
    return config


async def config_of(world: World, node: NodeName, new: Vmid) -> VmConfig:
    """The configuration of a VM that must be there.

    Raises: RemoteFailure when it is not.
    """
    config = await world.pve.config(node, new)
    if config is None:
        raise RemoteFailure(f"VM {new} is not on {node} although its task ended well", code="PVX0515")
    return config


def _zone(world: World, host: Host) -> Zone | None:
    return world.fleet.site.zones.get(host.machine.network.zone)


def wanted_gib(host: Host) -> int:
    """The root disk that the inventory wants, in whole GiB."""
    return -(-host.machine.disk_mib // 1024)


def present_gib(config: VmConfig) -> float:
    """The root disk that a VM has, in GiB; 0 when its configuration does not say."""
    for part in config.values.get(ROOT_DISK, "").split(","):
        if part.startswith("size="):
            unit = {"K": 2**-20, "M": 2**-10, "G": 1, "T": 2**10}[part[-1]]
            return float(part[5:-1]) * unit
    return 0.0

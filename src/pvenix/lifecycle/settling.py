"""Bring a cloned VM to what the inventory wants of it, before it is started for the first time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pvenix.engine.ports import VmConfig, VmPending
from pvenix.engine.step import Step
from pvenix.lifecycle.calls import Call, VmCalls
from pvenix.lifecycle.fields.compare import compare
from pvenix.lifecycle.fields.doing import carry_out
from pvenix.lifecycle.fields.values import CLOUD_INIT, ROOT_DISK, mib_of, parts_of
from pvenix.lifecycle.fields.wanted import wanted_of
from pvenix.lifecycle.fields.work import View, work
from pvenix.lifecycle.notes import parse
from pvenix.lifecycle.ownership import Found, marker
from pvenix.lifecycle.waiting import unlocked
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.fleetplan import Effect, FieldPlan
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid

__all__ = ["ROOT_DISK", "config_of", "present_gib", "set_up", "settling", "wanted_gib"]


async def set_up(world: World, step: Step, found: Found) -> Found:
    """The VM with what differs from the inventory written, its disks added, and the root disk grown.

    Raises: RemoteFailure naming what Proxmox did not keep.
    """
    await _settle(world, step, found)
    config = await config_of(world, found.node, found.vmid)
    refuse_lost(_open(_view(world, step, config)), f"/nodes/{found.node}/qemu/{found.vmid}")
    return replace(found, config=config)


async def _settle(world: World, step: Step, found: Found) -> None:
    config = await unlocked(world, step, found)
    if "vmid" not in step.known:
        await step.intend(node=found.node, vmid=str(found.vmid))
    view = _view(world, step, config)
    await carry_out(world, step, found, view, work(view, _open(view)))


def settling(world: World, step: Step, vm: VmCalls, config: VmConfig) -> list[Call[Any]]:
    """The calls after which a VM that is now as `config` says is what the inventory wants."""
    if not parse(config.values.get("description", "")).host:
        made = marker(step.host, fleet=world.fleet.site.name, run=step.run)
        config = replace(config, values={**config.values, "description": made})
    view = _view(world, step, config)
    return [action.call(vm, view) for action in work(view, _open(view))]


def refuse_lost(left: list[FieldPlan], path: str) -> None:
    """Return when nothing is left.

    Raises: RemoteFailure naming the options that Proxmox did not keep.
    """
    if left:
        keys = sorted({one.key for one in left})
        raise RemoteFailure(
            f"Proxmox did not keep {', '.join(keys)}", hint=f"GET {path}/pending shows why", code="PVX0517"
        )


async def config_of(world: World, node: NodeName, new: Vmid) -> VmConfig:
    """The configuration of a VM that must be there.

    Raises: RemoteFailure when it is not.
    """
    config = await world.pve.config(node, new)
    if config is None:
        raise RemoteFailure(f"VM {new} is not on {node} although its task ended well", code="PVX0515")
    return config


def _view(world: World, step: Step, config: VmConfig) -> View:
    """A VM that never ran beside what is wanted of its hardware; cloud-init's values are a step of their own.

    What it has from its template is as good as ours: of the template's tags none stays unless the host has it too.
    """
    host = world.host(step)
    wanted = tuple(one for one in wanted_of(world.fleet, step.host) if not CLOUD_INIT.fullmatch(one.key))
    recorded = dict(parse(config.values.get("description", "")).applied)
    if "tags" not in recorded:
        recorded["tags"] = config.values.get("tags", "")
    seen = VmPending(config=config, waiting={})
    fields = compare(wanted, recorded, seen, running=False)
    return View(wanted=wanted, fields=fields, seen=seen, storage=storage_of(host, config), inherited=recorded["tags"])


def _open(view: View) -> list[FieldPlan]:
    """What is to be written: a root disk stays where it was cloned to, and no disk shrinks."""
    return [one for one in view.differing() if one.effect not in (Effect.MOVE, Effect.REFUSE)]


def storage_of(host: Host, config: VmConfig) -> str:
    """Where a disk goes of which the inventory does not say where: to the host's storage, or beside the root disk."""
    beside = parts_of(ROOT_DISK, config.values.get(ROOT_DISK, "")).get("file", "").partition(":")[0]
    return host.machine.proxmox.storage or beside


def wanted_gib(host: Host) -> int:
    """The root disk that the inventory wants, in whole GiB."""
    return -(-host.machine.disk_mib // 1024)


def present_gib(config: VmConfig) -> float:
    """The root disk that a VM has, in GiB; 0 when its configuration does not say."""
    return mib_of(parts_of(ROOT_DISK, config.values.get(ROOT_DISK, "")).get("size", "")) / 1024

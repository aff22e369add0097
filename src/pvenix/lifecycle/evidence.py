"""What Proxmox knows of a VM that does not come up: shown when a wait ends, so that nobody has to look for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from pvenix.engine.ports import VmConfig
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError

SERIAL = "serial0"
T = TypeVar("T")


async def shown_state(world: World, found: Found) -> tuple[str, ...]:
    """The VM's power, agent, cloud-init drive, boot order, serial port and newest task, a line each.

    What cannot be read is said so: the wait that failed is the error, not this.
    """
    config = await _told(lambda: world.pve.config(found.node, found.vmid))
    seen = config if isinstance(config, VmConfig) else found.config
    return (
        await _power(world, found),
        _cloudinit(seen),
        f"boot order: {seen.values.get('boot') or 'the default'}",
        serial(found, seen),
        await _newest(world, found),
    )


def cloudinit_drive(config: VmConfig) -> str:
    """The key of the cloud-init drive, such as `ide2`; empty when the VM has none."""
    drives = (key for key, value in config.values.items() if "media=cdrom" in value and "cloudinit" in value)
    return next(drives, "")


def serial_command(found: Found) -> tuple[str, ...]:
    """What shows the VM's serial console, as root of its node (qm(1))."""
    return ("ssh", "-t", f"root@{found.node}", "qm", "terminal", str(found.vmid))


def serial(found: Found, config: VmConfig) -> str:
    """Whether the VM has a serial port, and how to look at it."""
    if SERIAL in config.values:
        return f"serial console: {' '.join(serial_command(found))}"
    return f"no serial port: qm set {found.vmid} --serial0 socket on {found.node}, then stop and start the VM"


async def _power(world: World, found: Found) -> str:
    power = await _told(lambda: world.pve.power(found.node, found.vmid))
    if isinstance(power, str):
        return f"VM {found.vmid} on {found.node}: {power}"
    detail = f" (QEMU: {power.detail})" if power.detail not in ("", power.status) else ""
    parts = [f"VM {found.vmid} on {found.node}: {power.status}{detail}", f"up {power.uptime_s} s"]
    parts += [f"locked ({power.lock})"] if power.lock else ["not locked"]
    parts += ["its options name a guest agent" if power.agent else "its options name no guest agent (agent: 0)"]
    return ", ".join(parts)


def _cloudinit(config: VmConfig) -> str:
    drive = cloudinit_drive(config)
    return f"cloud-init drive: {drive}" if drive else "no cloud-init drive: the guest gets no name, key or address"


async def _newest(world: World, found: Found) -> str:
    tasks = await _told(lambda: world.pve.tasks_of(found.node, found.vmid))
    if isinstance(tasks, str) or not tasks:
        return f"newest task: {tasks or 'none known'}"
    newest = tasks[0]
    end = "still runs" if newest.running else newest.exit_text or "ended"
    return (
        f"newest task: {newest.kind} of {newest.user}, {datetime.fromtimestamp(newest.began_at, UTC):%F %T} UTC, {end}"
    )


async def _told(ask: Callable[[], Awaitable[T]]) -> T | str:
    """An answer, or why there is none."""
    try:
        return await ask()
    except PvenixError as error:
        return f"not known ({error})"

"""Reading and writing a VM's configuration over the API (proxmox.md a5, a6, a7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.config_write import Change, change_of, check_change, check_vm, write_change
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.options import MASKED_PASSWORD
from pvenix_lab.site.pve.pending import applied
from pvenix_lab.site.pve.snippets import snippets
from pvenix_lab.site.pve.tasks import Task, launch

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import ConfigValue, Vm

_CONFIG = "/nodes/{node}/qemu/{vmid}/config"


@route("GET", _CONFIG)
async def read(call: Call) -> dict[str, Any]:
    """The configuration with pending changes applied, unless `current` or `snapshot` asks otherwise."""
    vm = call.vm()
    if "snapshot" in call.params:
        name = call.text("snapshot")
        if name not in vm.snapshots:
            raise PveError(f"snapshot '{name}' does not exist")
        return shown(vm.snapshots[name].config) | {"digest": vm.digest()}
    config = vm.config if call.flag("current") else applied(vm.config, vm.pending)
    return shown(config) | _beside(vm)


def _beside(vm: Vm) -> dict[str, Any]:
    """What else Proxmox keeps in the configuration's file."""
    kept = {"lock": vm.lock, "parent": vm.current_parent}
    return {"digest": vm.digest()} | {key: value for key, value in kept.items() if value}


@route("GET", "/nodes/{node}/qemu/{vmid}/pending")
async def pending(call: Call) -> list[dict[str, Any]]:
    """One item per option: its value now, and what the next start makes of it; `delete` is 2 where a disk is freed.

    The lock is one of them (`config_with_pending_array`, pve-guest-common).
    """
    vm = call.vm()
    now = shown(vm.config) | _beside(vm)
    items: dict[str, dict[str, Any]] = {key: {"key": key, "value": value} for key, value in now.items()}
    for key, value in vm.pending.items():
        item = items.setdefault(key, {"key": key})
        if value is None:
            item["delete"] = 2 if key in vm.forced else 1
        else:
            item["pending"] = value
    return list(items.values())


@route("PUT", _CONFIG)
async def write(call: Call) -> None:
    """Write options at once; the answer comes when all is done."""
    await write_now(call, change_of(call))


@route("POST", _CONFIG)
async def write_in_task(call: Call) -> str | None:
    """Write options in a task; with `background_delay` nothing comes back if the task ends in that time."""
    change = change_of(call)
    check_change(call, change)
    vm = call.vm()
    async with held(call.cluster, call.text("node"), vm.vmid):
        check_vm(vm, change)

    async def worker(task: Task) -> None:
        task.log(f"update VM {vm.vmid}: {_parameters(change)}")
        write_change(call, vm, change, task.log)
        check_custom(call, vm, change.settings.get("cicustom"))

    upid = launch(call, "qmconfig", worker)
    return await _finished(call, upid, call.number("background_delay"))


async def _finished(call: Call, upid: str, seconds: int) -> str | None:
    """The UPID, or None when the task ends well within the time. Raises PveError when it ends badly."""
    task = call.cluster.tasks[upid]
    if seconds and task.job is not None:
        await asyncio.wait([task.job], timeout=seconds)
    if not seconds or task.exitstatus is None:
        return upid
    if task.exitstatus != "OK" and not task.exitstatus.startswith("WARNINGS"):
        raise PveError(f"failed to update VM {call.vmid}: {task.exitstatus}")
    return None


@route("PUT", "/nodes/{node}/qemu/{vmid}/unlink")
async def unlink(call: Call) -> None:
    """Detach drives, or with `force` free them; drives that are unused already are freed either way."""
    change = Change(settings={}, delete=split_list(call.text("idlist")), revert=[], force=call.flag("force"))
    await write_now(call, change)


async def write_now(call: Call, change: Change) -> None:
    """Do a whole write and wait for the VM's lock file if need be. Raises PveError as the calls do."""
    check_change(call, change)
    async with held(call.cluster, call.text("node"), call.vmid):
        vm = call.vm()
        check_vm(vm, change)
        write_change(call, vm, change)
    check_custom(call, vm, change.settings.get("cicustom"))


def check_custom(call: Call, vm: Vm, custom: object) -> None:
    """Raise PveError for a snippet that the VM's node does not have; the setting stays (measured, proxmox.md a6, F30)."""
    snippets(call.cluster, vm, custom)


def shown(config: dict[str, ConfigValue]) -> dict[str, Any]:
    """A configuration as answers carry it: the password masked."""
    result: dict[str, Any] = dict(config)
    if "cipassword" in result:
        result["cipassword"] = MASKED_PASSWORD
    return result


def _parameters(change: Change) -> str:
    words = [f"-{key} {'<hidden>' if key == 'cipassword' else value}" for key, value in sorted(change.settings.items())]
    return " ".join([*words, *([f"-delete {','.join(change.delete)}"] if change.delete else [])])

"""The cloud-init calls: what changed, regenerate, show (proxmox.md a6)."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve import cloudinit
from pvenix_lab.site.pve.call import Call, check_lock, route
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.filelock import held
from pvenix_lab.site.pve.options import MASKED_PASSWORD
from pvenix_lab.site.pve.snippets import snippets

_CLOUDINIT = "/nodes/{node}/qemu/{vmid}/cloudinit"
_FILES = {"meta": "meta-data", "network": "network-config", "user": "user-data"}


@route("GET", _CLOUDINIT)
async def changes(call: Call) -> list[dict[str, Any]]:
    """The cloud-init options, with what the running guest has not seen yet; ipconfigN is never among them."""
    vm = call.vm()
    items: list[dict[str, Any]] = []
    for key in cloudinit.OPTIONS:
        now, seen = vm.config.get(key), vm.cloudinit_config.get(key)
        masked = key == "cipassword"
        if vm.running and now != seen:
            item: dict[str, Any] = {"key": key}
            if seen is not None and now is not None:
                item["value"] = MASKED_PASSWORD if masked else seen
            item["delete" if now is None else "pending"] = 1 if now is None else MASKED_PASSWORD if masked else now
            items.append(item)
        elif now is not None:
            items.append({"key": key, "value": MASKED_PASSWORD if masked else now})
    return items


@route("PUT", _CLOUDINIT)
async def regenerate(call: Call) -> None:
    """Write the drive anew from the configuration."""
    async with held(call.cluster, call.text("node"), call.vmid):
        vm = call.vm()
        check_lock(vm)
        custom = snippets(call.cluster, vm, vm.config.get("cicustom"))
        cloudinit.regenerate(vm, resolver=call.cluster.resolver, custom=custom)


@route("GET", _CLOUDINIT + "/dump")
async def dump(call: Call) -> str:
    """A file as it would be generated now, the password masked."""
    vm = call.vm()
    if vm.cloudinit_drive() is None:
        raise PveError("no cloudinit drive found")
    text = cloudinit.generate(vm, resolver=call.cluster.resolver)[_FILES[call.text("type")]]
    password = vm.config.get("cipassword")
    return text.replace(str(password), MASKED_PASSWORD) if password else text

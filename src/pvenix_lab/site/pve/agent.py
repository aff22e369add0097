"""The guest agent calls: enabled, running, answering, then the guest's own answer (proxmox.md a7)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import AgentError
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError

if TYPE_CHECKING:
    from pvenix_lab.site.core import GuestProtocol, Site
    from pvenix_lab.site.pve.vm import Vm

_AGENT = "/nodes/{node}/qemu/{vmid}/agent"
_POLL_S = 0.02
_PREFIX = "Agent error: "


async def _ask(call: Call, command: str, params: dict[str, object] | None = None) -> Any:
    vm = call.vm()
    if not vm.agent_enabled:
        raise PveError("No QEMU guest agent configured")
    if not vm.running:
        raise PveError(f"VM {vm.vmid} is not running")
    guest = call.site.guest_for(vm)
    if not await _answers(call.site, vm, guest):
        raise PveError("QEMU guest agent is not running")
    try:
        return guest.agent(command, params or {})
    except AgentError as error:
        raise PveError(_PREFIX + str(error).removeprefix(_PREFIX)) from None


async def _answers(site: Site, vm: Vm, guest: GuestProtocol) -> bool:
    """True once the agent answers, False after the ping's time-out; an agent that comes up meanwhile answers."""

    def ready() -> bool:
        return not vm.paused and not site.faults.peek("agent-absent", vm.name) and guest.agent_ready()

    loop = asyncio.get_running_loop()
    deadline = loop.time() + site.timings.agent_silence_s
    while not ready():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def _simple(call: Call, command: str) -> dict[str, Any]:
    return {"result": await _ask(call, command)}


@route("POST", _AGENT + "/ping")
async def ping(call: Call) -> dict[str, Any]:
    """An empty result if the agent answers."""
    await _ask(call, "ping")
    return {"result": {}}


@route("GET", _AGENT + "/info")
async def info(call: Call) -> dict[str, Any]:
    """Version and commands of the agent."""
    return await _simple(call, "info")


@route("GET", _AGENT + "/network-get-interfaces")
async def interfaces(call: Call) -> dict[str, Any]:
    """Every interface with its addresses, `lo` too."""
    return await _simple(call, "network-get-interfaces")


@route("GET", _AGENT + "/get-host-name")
async def host_name(call: Call) -> dict[str, Any]:
    """The guest's host name."""
    return await _simple(call, "get-host-name")


@route("GET", _AGENT + "/get-osinfo")
async def os_info(call: Call) -> dict[str, Any]:
    """The guest's system."""
    return await _simple(call, "get-osinfo")


@route("GET", _AGENT + "/file-read")
async def file_read(call: Call) -> Any:
    """A file's content, a bare object."""
    return await _ask(call, "file-read", {"file": call.text("file")})


@route("POST", _AGENT + "/file-write")
async def file_write(call: Call) -> None:
    """Write a file; with `encode=0` the content is base64 already."""
    params: dict[str, object] = {"file": call.text("file"), "content": call.text("content"), "encode": "1"}
    if not call.flag("encode", default=True):
        try:
            base64.b64decode(call.text("content"), validate=True)
        except binascii.Error:
            raise ParameterError({"content": "invalid base64 content"}) from None
        params["encode"] = "0"
    await _ask(call, "file-write", params)


@route("POST", _AGENT + "/exec")
async def execute(call: Call) -> Any:
    """Start a program; a single text is one word of argv, not a command line."""
    params: dict[str, object] = {"command": call.items("command")}
    if "input-data" in call.params:
        params["input-data"] = call.text("input-data")
    return await _ask(call, "exec", params)


@route("GET", _AGENT + "/exec-status")
async def exec_status(call: Call) -> Any:
    """State of a started program, output decoded."""
    return await _ask(call, "exec-status", {"pid": call.number("pid")})

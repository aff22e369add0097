"""The guest agent calls: enabled, running, answering, then the guest's own answer (proxmox.md a7; source: qemu-server API2/Qemu/Agent.pm).

A simple command passes on what the agent says, its refusals too: those are a 200 with an `error` in the result. The calls with
parameters of their own turn a refusal into a 500.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.core import AgentError
from pvenix_lab.site.pve.agent_answers import NOT_FOUND, answer
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PveError
from pvenix_lab.site.pve.power import power_off

if TYPE_CHECKING:
    from pvenix_lab.site.core import GuestProtocol, Site
    from pvenix_lab.site.pve.call import Handler
    from pvenix_lab.site.pve.vm import Vm

_AGENT = "/nodes/{node}/qemu/{vmid}/agent"
_POLL_S = 0.02
_PREFIX = "Agent error: "
_GET = (
    *("get-fsinfo", "get-host-name", "get-memory-block-info", "get-memory-blocks", "get-osinfo", "get-time"),
    *("get-timezone", "get-users", "get-vcpus", "info", "network-get-interfaces"),
)
_POST = (
    *("fsfreeze-freeze", "fsfreeze-status", "fsfreeze-thaw", "fstrim", "ping", "shutdown"),
    *("suspend-disk", "suspend-hybrid", "suspend-ram"),
)
_WITH_PARAMETERS = ("exec", "exec-status", "file-read", "file-write", "set-user-password")
_WHILE_FROZEN = frozenset({"fsfreeze-freeze", "fsfreeze-status", "fsfreeze-thaw", "info", "ping"})
_FROZEN = "Command guest-{} has been disabled: the agent is in frozen state"


async def _ask(call: Call, command: str, params: dict[str, object] | None = None) -> Any:
    """The agent's answer.

    Raises:
        PveError: no agent, no VM, no answer.
        AgentError: the agent refuses.
    """
    vm = call.vm()
    if not vm.agent_enabled:
        raise PveError("No QEMU guest agent configured")
    if not vm.running:
        raise PveError(f"VM {vm.vmid} is not running")
    guest = call.site.guest_for(vm)
    if not await _answers(call.site, vm, guest):
        raise PveError("QEMU guest agent is not running")
    if vm.frozen and command not in _WHILE_FROZEN:
        raise AgentError(_FROZEN.format("file-open" if command.startswith("file-") else command))
    return answer(call.site, vm, guest, command, params or {})


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


async def _checked(call: Call, command: str, params: dict[str, object]) -> Any:
    """As `_ask`, a refusal of the agent as the backend's error."""
    try:
        return await _ask(call, command, params)
    except AgentError as error:
        raise PveError(_PREFIX + str(error).removeprefix(_PREFIX)) from None


async def _simple(call: Call, command: str) -> dict[str, Any]:
    try:
        said = await _ask(call, command)
    except AgentError as error:
        kind = "CommandNotFound" if str(error).endswith(NOT_FOUND) else "GenericError"
        return {"result": {"error": {"class": kind, "desc": str(error)}}}
    if command == "shutdown":
        vm, site = call.vm(), call.site
        site.spawn(power_off(site, vm, graceful=True), f"guest-shutdown of {vm.vmid}")
    return {"result": said}


def _handler(command: str) -> Handler:
    async def handle(call: Call) -> dict[str, Any]:
        return await _simple(call, command)

    return handle


for _method, _commands in (("GET", _GET), ("POST", _POST)):
    for _command in _commands:
        route(_method, f"{_AGENT}/{_command}")(_handler(_command))


@route("GET", _AGENT)
async def index(_call: Call) -> list[dict[str, str]]:
    """Every command."""
    return [{"name": name} for name in sorted((*_GET, *_POST, *_WITH_PARAMETERS))]


@route("POST", _AGENT)
async def command(call: Call) -> dict[str, Any]:
    """A simple command by its name."""
    return await _simple(call, call.text("command"))


@route("GET", _AGENT + "/file-read")
async def file_read(call: Call) -> Any:
    """A file's content, a bare object; 9.2 reads a part and leaves it in base64 on demand."""
    read = await _checked(call, "file-read", {"file": call.text("file")})
    offset, count = call.number("offset"), call.number("count", -1)
    decode = call.flag("decode", default=True)
    if (offset or count >= 0 or not decode) and isinstance(read, dict):
        data = str(read.get("content", "")).encode("latin-1", errors="replace")
        part = data[offset:] if count < 0 else data[offset : offset + count]
        shown = part.decode("latin-1") if decode else base64.b64encode(part).decode()
        read = read | {"content": shown, "bytes-read": len(part)}
        if offset + len(part) < len(data):
            read["truncated"] = 1
    return read


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
    await _checked(call, "file-write", params)


@route("POST", _AGENT + "/exec")
async def execute(call: Call) -> Any:
    """Start a program; a single text is one word of argv, not a command line."""
    params: dict[str, object] = {"command": call.items("command")}
    if "input-data" in call.params:
        params["input-data"] = call.text("input-data")
    return await _checked(call, "exec", params)


@route("GET", _AGENT + "/exec-status")
async def exec_status(call: Call) -> Any:
    """State of a started program, output decoded."""
    return await _checked(call, "exec-status", {"pid": call.number("pid")})


@route("POST", _AGENT + "/set-user-password")
async def set_user_password(call: Call) -> dict[str, Any]:
    """Set a password in the guest."""
    params: dict[str, object] = {"username": call.text("username"), "password": call.text("password")}
    params["crypted"] = call.flag("crypted")
    return {"result": await _checked(call, "set-user-password", params)}

"""Consoles as far as they go without a screen: tickets and ports, keys (source: qemu-server 8.4 vncproxy, termproxy, sendkey).

Nobody can connect to the port, so the task behind it ends as it does when nobody connects; the web sockets are not answered (501).
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.needs import root_parameters
from pvenix_lab.site.pve.tasks import Task, launch

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import Vm

_VM = "/nodes/{node}/qemu/{vmid}"
_FIRST_PORT, _PORTS = 5900, 100
_CONNECT_S = 10.0
_TICKET_BYTES = 128
_KEY = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*")


def _proxy(call: Call) -> dict[str, Any]:
    site = call.site
    open_ports = sum(1 for task in call.cluster.tasks.values() if task.type == "vncproxy" and task.running)
    secret = base64.b64encode(site.rng.randbytes(_TICKET_BYTES)).decode()

    async def worker(_task: Task) -> None:
        await site.sleep(_CONNECT_S)
        raise PveError("connection timed out")

    return {
        "user": call.caller.auth_id,
        "ticket": f"PVEVNC:{int(site.wall()):08X}::{secret}",
        "port": _FIRST_PORT + open_ports % _PORTS,
        "upid": launch(call, "vncproxy", worker),
    }


@route("POST", _VM + "/vncproxy")
async def vnc(call: Call) -> dict[str, Any]:
    """A ticket and a port for the VM's screen."""
    call.vm()
    result = _proxy(call)
    result["port"] = str(result["port"])  # text here and a number for the terminal, as in the real answers
    if call.flag("generate-password"):
        result["password"] = base64.b64encode(call.site.rng.randbytes(6)).decode()
    return result


@route("POST", _VM + "/termproxy")
async def terminal(call: Call) -> dict[str, Any]:
    """A ticket and a port for a serial terminal of the VM."""
    call.vm()
    return _proxy(call)


@route("PUT", _VM + "/sendkey")
async def send_key(call: Call) -> None:
    """Press keys (`ctrl-alt-delete`); the guests have no keyboard, so nothing comes of it."""
    root_parameters(call, "skiplock")
    vm: Vm = call.vm()
    if not vm.running:
        raise PveError(f"VM {vm.vmid} not running")
    if _KEY.fullmatch(call.text("key")) is None:
        raise PveError("sendkey error")

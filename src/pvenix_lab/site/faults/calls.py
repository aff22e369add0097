"""Faults of the Proxmox API: around the one entry of the API, so that both faces show them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.faults import breaks, lists, strangers
from pvenix_lab.site.faults.asked import VMID, Asked
from pvenix_lab.site.faults.wire import Breach, Broken
from pvenix_lab.site.pve.api import Ask, Params
from pvenix_lab.site.pve.call import Response

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site


async def struck(site: Site, method: str, path: str, params: Params, ask: Ask) -> Response:
    """The answer to a call, with the faults that strike it."""
    if not site.faults:
        return await ask()
    asked = Asked(site=site, method=method, path=path, params=params)
    for state in (_no_token, _no_node, _agent_hung):
        if (refused := await state(asked)) is not None:
            return refused
    for occasion in (breaks.stalled, _missing, _stale_drive, _no_upload, _taken, breaks.broken):
        if (answer := await occasion(asked, ask)) is not None:
            return answer
    return lists.changed(asked, await ask())


def failed(text: str, status: int = 500) -> Response:
    """An error as the API words it: the first line is the reason, the body repeats it."""
    return Response(status=status, reason=text, body={"data": None, "message": f"{text}\n"})


# --- states ----------------------------------------------------------------------------------------------------------


async def _no_token(asked: Asked) -> Response | None:
    if not asked.peek("token-revoked"):
        return None
    await asyncio.sleep(asked.site.timings.unauthorized_s)
    return Response(status=401, reason="no such token 'lab' for user 'pvenix@pve'", body=None)


async def _no_node(asked: Asked) -> Response | None:
    def here(fault: Fault) -> bool:
        return fault.text("node") == asked.node != ""

    if asked.peek("node-certificate-wrong", here):
        reason = "tls_process_server_certificate: certificate verify failed"
        return Response(status=596, reason=reason, body=None)
    return None


async def _agent_hung(asked: Asked) -> Response | None:
    fault = asked.peek("agent-hung") if "/agent/" in asked.path else None
    if fault is None:
        return None
    await asyncio.sleep(fault.number("seconds"))
    command, found = asked.path.rpartition("/")[2], VMID.search(asked.path)
    return failed(f"VM {found[1] if found else 0} qmp command 'guest-{command}' failed - got timeout")


# --- occasions -------------------------------------------------------------------------------------------------------


async def _missing(asked: Asked, ask: Ask) -> Response | None:
    del ask
    found = VMID.search(asked.path)
    if not (found and asked.path.endswith("/config") and asked.method == "GET" and asked.take("config-missing")):
        return None
    return failed(f"Configuration file 'nodes/{asked.node}/qemu-server/{found[1]}.conf' does not exist")


async def _stale_drive(asked: Asked, ask: Ask) -> Response | None:
    del ask
    if asked.method == "PUT" and asked.path.endswith("/cloudinit") and asked.take("cloudinit-stale"):
        return Response(status=200, reason="OK", body={"data": None}, protected=True)
    return None


async def _no_upload(asked: Asked, ask: Ask) -> Response | None:
    del ask
    fault = asked.take("upload-fails") if asked.method == "POST" and asked.path.endswith("/upload") else None
    match fault.text("how") if fault else "":
        case "too-large":
            return Response(status=501, reason="for data too large", body=None)
        case "broken-pipe":
            return Broken(status=596, reason="Broken pipe", body=None, breach=Breach.RESET)
        case "no-space":
            return failed("import failed: No space left on device")
        case _:
            return None


async def _taken(asked: Asked, ask: Ask) -> Response | None:
    """Somebody else's VM takes the id of a clone: before it, between the answer and the task, or unseen."""
    new = str(asked.params.get("newid", ""))
    if asked.method != "POST" or not asked.path.endswith("/clone") or not new.isdigit():
        return None
    fault = asked.take("id-taken")
    if fault is None or int(new) in asked.site.cluster.vms:
        return None
    if fault.text("when") == "in-task":
        answer = await ask()  # nothing else runs between the answer and the stranger: the task checks later
        strangers.make(asked.site, int(new), asked.node)
        return answer
    strangers.make(asked.site, int(new), asked.node)
    if fault.text("when") == "answer-lost":
        return Response(status=596, reason="Broken pipe", body=None)
    return await ask()


_ON_NODE = (Arg(name="node", default="tappaas2", what="the node"),)

SPECS = (
    Spec(
        name="config-missing",
        rows=("F25",),
        what="the next read of the VM's configuration says that there is none, as while it moves",
        face=Face.API,
    ),
    Spec(
        name="cloudinit-stale",
        rows=("F19",),
        what="the next regeneration of the cloud-init drive answers well and does nothing",
        face=Face.API,
    ),
    Spec(
        name="upload-fails",
        rows=("F38",),
        what="the next upload fails",
        args=(
            Arg(name="how", default="too-large", what="in which way", choices=("too-large", "broken-pipe", "no-space")),
        ),
        face=Face.API,
    ),
    Spec(
        name="id-taken",
        rows=("F01", "F02"),
        what="somebody else's VM takes the id of the next clone",
        args=(
            Arg(
                name="when",
                default="at-once",
                what="before the clone, after its answer, or before it with the answer lost",
                choices=("at-once", "in-task", "answer-lost"),
            ),
        ),
        face=Face.API,
    ),
    Spec(
        name="token-revoked",
        rows=("F14", "R3"),
        what="the API token is refused with 401, three seconds late, until cleared",
        face=Face.API,
        kind=Kind.STATE,
    ),
    Spec(
        name="node-certificate-wrong",
        rows=("F12",),
        what="calls for a node end with 596 `certificate verify failed`, until cleared",
        args=_ON_NODE,
        face=Face.API,
        kind=Kind.STATE,
    ),
    Spec(
        name="agent-hung",
        rows=("R4",),
        what="the guest agent takes every command and answers none, until cleared",
        args=(Arg(name="seconds", default=3.0, what="until the node gives up"),),
        face=Face.API,
        kind=Kind.STATE,
    ),
)

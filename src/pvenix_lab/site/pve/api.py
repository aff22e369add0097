"""The one entry of the API: authenticate, find, permit, check, handle, answer (the order of pve-http-server and pve-manager)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.faults.calls import Asked, struck
from pvenix_lab.site.pve import (  # importing a module registers its handlers
    access,
    agent,
    clone,
    cloudinit_api,
    cluster_api,
    config,
    life,
    migrate,
    nodes,
    power,
    qemu,
    snapshots,
    storage,
    tasks_api,
)
from pvenix_lab.site.pve.call import HANDLERS, Call, Handler, Page, Response
from pvenix_lab.site.pve.errors import (
    NotImplementedHereError,
    ParameterError,
    PermissionDeniedError,
    PveError,
    TokenNotAllowedError,
    UnauthorizedError,
)
from pvenix_lab.site.pve.permissions import Caller, check_permissions
from pvenix_lab.site.pve.schema import Match, check, find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pvenix_lab.site.core import Site
    from pvenix_lab.site.faults import Fault

__all__ = ["HANDLER_MODULES", "Response", "answer"]

HANDLER_MODULES = (
    *(access, agent, clone, cloudinit_api, cluster_api, config, migrate),
    *(nodes, power, qemu, snapshots, storage, tasks_api, *life.HANDLER_MODULES),
)
"""The modules that register the handlers."""

BROKEN_PIPE = Response(status=596, reason="Broken pipe", body=None)
_TICKET_PATH = "/access/ticket"


async def answer(
    site: Site, method: str, path: str, params: Mapping[str, str | Sequence[str]], auth: str | None
) -> Response:
    """Answer one call; a bad call is an answer, never an exception."""
    asked = Asked(site=site, method=method, path=path, params=params)
    return await struck(asked, lambda: _answer(site, method, path, params, auth))


async def _answer(
    site: Site, method: str, path: str, params: Mapping[str, str | Sequence[str]], auth: str | None
) -> Response:
    try:
        call, handler = _prepare(site, method, path, params, auth)
        if fault := _fault(site, "pve-500", call, path):
            text = f"can't lock file '{_lock_file(call)}' - got timeout"
            return await _failure(site, PveError(fault.text("message", text)))
        return await _handle(site, call, handler, path)
    except UnauthorizedError as error:
        await asyncio.sleep(site.timings.unauthorized_s)
        body = {"data": None, "message": f"{error.message}\n"} if error.with_body else None
        return Response(status=401, reason=error.message, body=body)
    except PveError as error:
        return await _failure(site, error)


def _prepare(
    site: Site, method: str, path: str, params: Mapping[str, str | Sequence[str]], auth: str | None
) -> tuple[Call, Handler]:
    open_to_all = path == _TICKET_PATH and not auth
    nobody = Caller(auth_id="", rights=site.cluster.rights)
    caller = nobody if open_to_all else access.authenticate(site.cluster, auth)
    match = find(method, path)
    handler = HANDLERS.get((method, match.method.pattern)) if match else None
    if match is None or handler is None:
        raise NotImplementedHereError(f"Method '{method} {path}' not implemented")
    if caller.is_token and not match.method.token_allowed:
        raise TokenNotAllowedError(f"URI '{path}' not available with API token, need proper ticket.")
    merged = _merge(match, params)
    node = match.uri_params.get("node")
    if node is not None and node not in site.cluster.nodes:
        raise PveError(
            f"hostname lookup '{node}' failed - failed to get address info for: {node}: Name or service not known"
        )
    check_permissions(match.method.permissions, caller, merged)
    checked = check(match.method.properties, merged)
    call = Call(
        site=site,
        caller=caller,
        method=method,
        protected=match.method.protected,
        properties=match.method.properties,
        params=checked,
    )
    return call, handler


def _merge(match: Match, params: Mapping[str, str | Sequence[str]]) -> dict[str, str | list[str]]:
    merged: dict[str, str | list[str]] = dict(match.uri_params)
    for name, value in params.items():
        if name in match.uri_params:
            raise ParameterError({name: "duplicate parameter (already defined in URI) with conflicting values"})
        merged[name] = value if isinstance(value, str) else list(value)
    return merged


async def _handle(site: Site, call: Call, handler: Handler, path: str) -> Response:
    if call.method == "GET":
        site.counters.pve_reads += 1
    else:
        site.counters.pve_writes += 1
    cut = _fault(site, "pve-596", call, path)
    if cut and cut.args.get("effect") is False:
        return BROKEN_PIPE
    result = await handler(call)
    if cut:
        return BROKEN_PIPE
    body: dict[str, Any] = {"data": result}
    if isinstance(result, Page):
        body = {"data": result.items, "total": result.total}
    return Response(status=200, reason="OK", body=body, protected=call.protected)


async def _failure(site: Site, error: PveError) -> Response:
    reason = error.message.splitlines()[0] if error.message else ""
    try:
        reason.encode("latin-1")
    except UnicodeEncodeError:  # the daemon dies on such a reason line and the proxy gives up (proxmox.md a1)
        await asyncio.sleep(site.timings.broken_reply_s)
        return BROKEN_PIPE
    body: dict[str, Any] = {"data": None, "message": f"{error.message}\n"}
    if isinstance(error, ParameterError):
        body["errors"] = error.errors
    if isinstance(error, PermissionDeniedError | TokenNotAllowedError | NotImplementedHereError):
        body = {"data": None, "message": f"{error.message}\n"}
    return Response(status=error.status, reason=reason, body=body)


def _fault(site: Site, name: str, call: Call, path: str) -> Fault | None:
    """Take the fault for the VM of the path or the name that the call gives to a new one."""

    def accept(fault: Fault) -> bool:
        return call.method.startswith(fault.text("method", "").upper()) and fault.text("path", "") in path

    vm = site.cluster.vms.get(call.vmid) if "vmid" in call.params else None
    for host in dict.fromkeys((vm.name if vm else None, call.text("name") or None)):
        if fault := site.faults.take(name, host, accept=accept):
            return fault
    return None


def _lock_file(call: Call) -> str:
    return f"/var/lock/qemu-server/lock-{call.vmid}.conf" if "vmid" in call.params else "/var/lock/pve-manager/lock"

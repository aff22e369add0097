"""The one entry of the API: authenticate, find, permit, check, handle, answer (the order of pve-http-server and pve-manager)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.armed.fault import Fault
from pvenix_lab.site.armed.table import Place
from pvenix_lab.site.pve import (  # importing a module registers its handlers
    access,
    acl_api,
    agent,
    clone,
    cloudinit_api,
    cluster_api,
    config,
    firewall_api,
    hops,
    jobs_api,
    life,
    mapping_api,
    migrate,
    network_api,
    node_api,
    nodes,
    power,
    qemu,
    resources,
    snapshots,
    storage,
    storages_api,
    tasks_api,
    users_api,
)
from pvenix_lab.site.pve.auth import Credentials, authenticate
from pvenix_lab.site.pve.call import HANDLERS, Call, Handler, Page, Response
from pvenix_lab.site.pve.cluster import LOCAL_NODE
from pvenix_lab.site.pve.errors import (
    NotImplementedHereError,
    ParameterError,
    PermissionDeniedError,
    PveError,
    UnauthorizedError,
)
from pvenix_lab.site.pve.permissions import Caller, check_permissions
from pvenix_lab.site.pve.schema import Match, check, find

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

__all__ = ["AROUND_CALL", "HANDLER_MODULES", "Response", "answer"]

HANDLER_MODULES = (
    *(access, acl_api, agent, clone, cloudinit_api, cluster_api, config, firewall_api, jobs_api, mapping_api, migrate),
    *(network_api, node_api, nodes, power, qemu, resources, snapshots, storage, storages_api, tasks_api, users_api),
    *life.HANDLER_MODULES,
)
"""The modules that register the handlers."""

Params = Mapping[str, str | Sequence[str]]
Ask = Callable[[], Awaitable[Response]]
"""Asks on: what answers a call when nothing strikes it."""
AROUND_CALL: Place[Callable[[Site, str, str, Params, Ask], Awaitable[Response]]] = Place(
    plain=lambda _site, _method, _path, _params, ask: ask()
)
"""The answer to a call as it arrives, before it is checked."""
_OPEN_TO_ALL = frozenset({("GET", "/access/domains"), ("GET", "/access/ticket"), ("POST", "/access/ticket")})


async def answer(
    site: Site,
    method: str,
    path: str,
    params: Params,
    auth: str | Credentials | None,
) -> Response:
    """Answer one call; a bad call is an answer, never an exception. `auth` as text is the Authorization header."""
    given = auth if isinstance(auth, Credentials) else Credentials(authorization=auth)
    if not site.cluster.nodes[LOCAL_NODE].online:
        return hops.SILENCE
    around = site.faults.at(AROUND_CALL)
    return await around(site, method, path, params, lambda: _guarded(site, method, path, params, given))


async def _guarded(site: Site, method: str, path: str, params: Params, given: Credentials) -> Response:
    try:
        return await _answer(site, method, path, params, given)
    except UnauthorizedError as error:
        await asyncio.sleep(site.timings.unauthorized_s)
        body = {"data": None, "message": f"{error.message}\n"} if error.with_body else None
        return Response(status=401, reason=error.message, body=body)
    except PveError as error:
        return await _failure(site, error)


async def _answer(site: Site, method: str, path: str, params: Params, given: Credentials) -> Response:
    caller = _caller(site, method, path, given)
    match = find(method, path, site.cluster.flavour)
    if match is None:
        raise NotImplementedHereError(f"Method '{method} {path}' not implemented")
    merged = _merge(match, params)
    if given.is_token and not match.method.token_allowed:
        raise PermissionDeniedError(f"URI '{path}' not available with API token, need proper ticket.\n")
    check_permissions(match.method.permissions, caller, merged)
    node = hops.serving_node(site.cluster, match)
    if cut := await hops.obstacle(site, match, node):
        return cut
    handler = HANDLERS.get((method, match.method.pattern))
    if handler is None:
        raise NotImplementedHereError(f"Method '{method} {match.method.pattern}' not simulated")
    call = Call(
        site=site,
        caller=caller,
        method=method,
        protected=match.method.protected,
        properties=match.method.properties,
        params=check(match.method.properties, merged),
    )
    hops.check_quorum(call, path)
    return await _handle(call, handler, path, behind_proxy=match.method.protected or node.name != LOCAL_NODE)


def _caller(site: Site, method: str, path: str, given: Credentials) -> Caller:
    """Who calls; where nobody has to, not even a wrong token is looked at."""
    if (method, path) in _OPEN_TO_ALL:
        return Caller(auth_id="", rights=site.cluster.rights)
    return authenticate(site, given, method)


def _merge(match: Match, params: Params) -> dict[str, str | list[str]]:
    merged: dict[str, str | list[str]] = dict(match.uri_params)
    for name, value in params.items():
        if merged.get(name, value) != value:
            raise ParameterError({name: "duplicate parameter (already defined in URI) with conflicting values!"})
        merged[name] = value if isinstance(value, str) else list(value)
    return merged


async def _handle(call: Call, handler: Handler, path: str, *, behind_proxy: bool) -> Response:
    site = call.site
    if fault := _fault(site, "pve-500", call, path):
        raise PveError(fault.text("message", f"can't lock file '{_lock_file(call)}' - got timeout"))
    if call.method == "GET" or path == "/access/ticket":  # a log-in changes nothing
        site.counters.pve_reads += 1
    else:
        site.counters.pve_writes += 1
    cut = _fault(site, "pve-596", call, path)
    if cut and cut.args.get("effect") is False:
        return hops.BROKEN_PIPE
    work = _run(handler, call)
    result = await (hops.through_proxy(site, work) if behind_proxy else work)
    if cut:
        return hops.BROKEN_PIPE
    if isinstance(result, Response):
        return result
    body: dict[str, Any] = {"data": result}
    if isinstance(result, Page):
        body = {"data": result.items, "total": result.total}
    return Response(status=200, reason="OK", body=body, protected=call.protected)


async def _run(handler: Handler, call: Call) -> Any:
    return await handler(call)


async def _failure(site: Site, error: PveError) -> Response:
    reason = error.message.splitlines()[0] if error.message else ""
    try:
        reason.encode("latin-1")
    except UnicodeEncodeError:  # the daemon dies on such a reason line and the proxy gives up (proxmox.md a1)
        await asyncio.sleep(site.timings.broken_reply_s)
        return hops.BROKEN_PIPE
    body: dict[str, Any] = {"data": None, "message": f"{error.message}\n"}
    if isinstance(error, ParameterError):
        body["errors"] = error.errors
    return Response(status=error.status, reason=reason, body=body)


def _fault(site: Site, name: str, call: Call, path: str) -> Fault | None:
    """Take the fault for the VM of the path or the name that the call gives to a new one."""

    def accept(fault: Fault) -> bool:
        return call.method.startswith(fault.text("method", "").upper()) and fault.text("path", "") in path

    vm = site.cluster.vms.get(call.vmid) if str(call.params.get("vmid", "")).isdigit() else None
    return site.faults.take_any(name, (vm.name if vm else None, call.text("name") or None), accept=accept)


def _lock_file(call: Call) -> str:
    vmid = str(call.params.get("vmid", ""))
    return f"/var/lock/qemu-server/lock-{vmid}.conf" if vmid.isdigit() else "/var/lock/pve-manager/lock"

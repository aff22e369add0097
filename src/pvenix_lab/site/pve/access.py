"""Who calls (proxmox.md a2)."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import UnauthorizedError
from pvenix_lab.site.pve.permissions import Caller

if TYPE_CHECKING:
    from pvenix_lab.site.pve.cluster import Cluster

_HEADER = re.compile(r"PVEAPIToken=([^=]*)(?:=(.*))?")
_ROOTS = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")


def authenticate(cluster: Cluster, header: str | None) -> Caller:
    """The token of an Authorization header.

    Raises:
        UnauthorizedError: no token in the header, an unknown one, or a wrong secret (texts of 8.4).
    """
    found = _HEADER.fullmatch(header.strip()) if header else None
    if found is None:
        raise UnauthorizedError("No ticket")
    token_id, secret = found[1], found[2]
    user, has_name, name = token_id.partition("!")
    if not has_name or secret is None:
        raise UnauthorizedError("no tokenid specified")
    if user not in cluster.rights.users:
        raise UnauthorizedError(f"no such user ('{user}')")
    token = cluster.tokens.get(token_id)
    if token is None:
        raise UnauthorizedError(f"no such token '{name}' for user '{user}'")
    if not hmac.compare_digest(token.secret.encode(), secret.encode()):
        raise UnauthorizedError("invalid token value!")
    return Caller(auth_id=token_id, rights=cluster.rights)


@route("GET", "/access/permissions")
async def permissions(call: Call) -> dict[str, dict[str, int]]:
    """The caller's privileges by path."""
    rights, auth_id = call.cluster.rights, call.caller.auth_id
    paths = (call.text("path"),) if "path" in call.params else (*_ROOTS, *rights.acl)
    found = {path: rights.privileges(auth_id, path) for path in sorted(paths)}
    return {
        path: {name: int(value) for name, value in sorted(has.items())}
        for path, has in found.items()
        if has or "path" in call.params
    }


@route("GET", "/access/ticket")
async def ticket_index(_call: Call) -> None:
    """Nothing: a dummy for formatters, as in the real API."""


@route("POST", "/access/ticket")
async def ticket(_call: Call) -> Any:
    """Always refused: the site has API tokens and no passwords."""
    raise UnauthorizedError("authentication failure", with_body=True)

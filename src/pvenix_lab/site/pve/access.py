"""Tickets, passwords, realms and one's own permissions (proxmox.md a2; source: pve-access-control API2/AccessControl.pm)."""

from __future__ import annotations

import hmac
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.auth import check_user, new_csrf_token, new_ticket, ticket_user
from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import PermissionDeniedError, PveError, UnauthorizedError
from pvenix_lab.site.pve.rights import ROOT

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.rights import Rights

_TOP_PATHS = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")
_CAPABILITIES = MappingProxyType(
    {
        "vms": r"VM\.|Permissions\.Modify",
        "access": r"(?:User|Group)\.|Permissions\.Modify",
        "storage": r"Datastore\.|Permissions\.Modify",
        "nodes": r"Sys\.|Permissions\.Modify",
        "sdn": r"SDN\.|Permissions\.Modify",
        "dc": r"Sys\.Audit|Sys\.Modify|SDN\.",
        "mapping": r"Mapping\.|Permissions\.Modify",
    }
)
_REALMS = (
    {"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
    {"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"},
)


@route("GET", "/access")
async def index(_call: Call) -> list[dict[str, str]]:
    """The sub-directories."""
    names = ("users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password")
    return [{"subdir": name} for name in names]


@route("GET", "/access/domains")
async def domains(_call: Call) -> list[dict[str, str]]:
    """The realms; the two that every installation has, no other is simulated."""
    return [dict(realm) for realm in _REALMS]


@route("GET", "/access/domains/{realm}")
async def domain(call: Call) -> dict[str, str]:
    """The settings of a realm."""
    found = next((realm for realm in _REALMS if realm["realm"] == call.text("realm")), None)
    if found is None:
        raise PveError(f"domain '{call.text('realm')}' does not exist")
    return {key: value for key, value in found.items() if key != "realm"}


@route("GET", "/access/permissions")
async def permissions(call: Call) -> dict[str, dict[str, int]]:
    """The privileges by path, each with whether it propagates: the caller's, or with Sys.Audit those of another one."""
    rights, auth_id = call.cluster.rights, call.caller.auth_id
    if "userid" in call.params:
        call.require("/access", "Sys.Audit")
        auth_id = call.text("userid")
        _check_exists(rights, auth_id)
    if "path" in call.params:
        path = call.text("path")
        return {path: _shown(rights.privileges(auth_id, path))}
    members = [f"/vms/{vm.vmid}" for vm in call.cluster.vms.values() if vm.pool]
    members += [f"/storage/{name}" for pool in call.cluster.pools.values() for name in pool.storages]
    found = {path: rights.privileges(auth_id, path) for path in sorted({*_TOP_PATHS, *rights.acl, *members})}
    return {path: _shown(has) for path, has in found.items() if has}


def _shown(privileges: dict[str, bool]) -> dict[str, int]:
    return {name: int(propagate) for name, propagate in sorted(privileges.items())}


def _check_exists(rights: Rights, auth_id: str) -> None:
    user, _, name = auth_id.partition("!")
    if user not in rights.users:
        raise PveError(f"no such user ('{user}')")
    if name and auth_id not in rights.tokens:
        raise PveError(f"no such token '{name}' for user '{user}'")


@route("GET", "/access/ticket")
async def ticket_index(_call: Call) -> None:
    """Nothing: a dummy for formatters, as in the real API."""


@route("POST", "/access/ticket")
async def ticket(call: Call) -> dict[str, Any]:
    """A ticket for a name and a password (or a ticket that is still good); every failure has one text and a body."""
    site, rights = call.site, call.cluster.rights
    user = call.text("username") + (f"@{call.text('realm')}" if "realm" in call.params else "")
    try:
        check_user(rights, user, site.wall())
        _check_password(site, user, call.text("password"))
    except UnauthorizedError:
        raise UnauthorizedError("authentication failure", with_body=True) from None
    result: dict[str, Any] = {"username": user}
    if "privs" in call.params:
        if not rights.allowed(user, call.text("path"), call.text("privs").split(",")):
            raise UnauthorizedError("authentication failure", with_body=True)
    else:
        result |= {"ticket": new_ticket(site, user), "CSRFPreventionToken": new_csrf_token(site, user)}
    result["cap"] = _capabilities(rights, user)
    if rights.allowed(user, "/", ["Sys.Audit"]):
        result["clustername"] = call.cluster.name
    call.cluster.note(site.wall(), user=ROOT, text=f"successful auth for user '{user}'")
    return result


def _check_password(site: Site, user: str, given: str) -> None:
    if given.startswith("PVE:") and ticket_user(site, given) == user:
        return
    known = site.cluster.rights.users[user].password
    if known is None or not hmac.compare_digest(known.encode(), given.encode()):
        raise UnauthorizedError("invalid credentials")


def _capabilities(rights: Rights, user: str) -> dict[str, dict[str, int]]:
    """What the web interface asks: privileges by kind of object, wherever the user has them."""
    result: dict[str, dict[str, int]] = {kind: {} for kind in _CAPABILITIES}
    for path in dict.fromkeys((*_TOP_PATHS, "/mapping", *rights.acl)):
        kind = path.split("/")[1] or "dc"
        kinds = ("vms", "storage") if kind == "pool" else (kind,)
        for name in filter(_CAPABILITIES.__contains__, kinds):
            found = [p for p in rights.privileges(user, path) if re.match(_CAPABILITIES[name], p)]
            result[name] |= dict.fromkeys(found, 1)
    return result


@route("PUT", "/access/password")
async def password(call: Call) -> None:
    """A new password for a user of realm pve, one's own or with User.Modify; never root's by anybody else."""
    userid = call.text("userid")
    if userid == ROOT and not call.caller.is_root:
        raise PermissionDeniedError
    call.cluster.rights.users[userid].password = call.text("password")

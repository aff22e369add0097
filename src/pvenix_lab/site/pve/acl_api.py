"""Access control entries and roles (source: pve-access-control API2/ACL.pm, API2/Role.pm)."""

from __future__ import annotations

import re
from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import ParameterError, PermissionDeniedError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.permissions import check_acl_change, normalise_path
from pvenix_lab.site.pve.rights import Holder

_HOLDERS = {"users": Holder.USER, "groups": Holder.GROUP, "tokens": Holder.TOKEN}
_NAME = r"[A-Za-z0-9._-]+"
_VALID_PATH = re.compile(
    rf"/|/access(?:/groups(?:/{_NAME})?|/realm(?:/{_NAME})?)?|/nodes(?:/{_NAME})?|/pool(?:/{_NAME}){{0,3}}"
    rf"|/sdn(?:/(?:controllers|dns|fabrics|ipams)(?:/{_NAME})?|/zones(?:/{_NAME}){{0,2}}|/zones(?:/{_NAME}){{2}}/[1-9][0-9]{{0,3}})?"
    rf"|/storage(?:/{_NAME})?|/vms(?:/[1-9][0-9]{{2,}})?|/mapping(?:/{_NAME}){{0,2}}"
)


@route("GET", "/access/acl")
async def entries(call: Call) -> list[dict[str, Any]]:
    """The entries: all for an auditor of /access, else those whose path the caller may change."""
    audit = call.allowed("/access", "Sys.Audit")
    return [
        {
            "path": path,
            "type": entry.holder.value,
            "ugid": entry.name,
            "roleid": entry.role,
            "propagate": int(propagate),
        }
        for path, held in call.cluster.rights.acl.items()
        if audit or _may_change(call, path)
        for entry, propagate in held.items()
    ]


def _may_change(call: Call, path: str) -> bool:
    try:
        check_acl_change(call.caller, path)
    except PermissionDeniedError:
        return False
    return True


@route("PUT", "/access/acl")
async def change(call: Call) -> None:
    """Add entries (or with `delete` remove them) for users, groups and tokens."""
    if not any(name in call.params for name in _HOLDERS):
        raise ParameterError(dict.fromkeys(_HOLDERS, "either 'users', 'groups' or 'tokens' is required."))
    path, delete = normalise_path(call.text("path")), call.flag("delete")
    if not delete and not _VALID_PATH.fullmatch(path):
        raise ParameterError({"path": f"invalid ACL path '{call.text('path')}'"})
    rights, propagate = call.cluster.rights, call.flag("propagate", default=True)
    for role in split_list(call.text("roles")):
        _check_role(call, path, role)
        for parameter, holder in _HOLDERS.items():
            for name in split_list(call.text(parameter)):
                _check_holder(call, holder, name)
                if delete:
                    rights.revoke(path, holder, name, role)
                else:
                    rights.grant(path, holder, name, role, propagate=propagate)


def _check_role(call: Call, path: str, role: str) -> None:
    """Only what the caller has itself may be given, unless it has Permissions.Modify."""
    privileges = call.cluster.rights.role(role)
    if privileges is None:
        raise PveError(f"ACL update failed: role '{role}' does not exist")
    has = call.cluster.rights.privileges(call.caller.auth_id, path)
    if "Permissions.Modify" in has:
        return
    verb = "remove" if call.flag("delete") else "add"
    if role == "NoAccess" or not privileges <= has.keys():
        text = f"Cannot {verb} role '{role}' - requires 'Permissions.Modify' or superset of privileges."
        raise ParameterError({"role": text})


def _check_holder(call: Call, holder: Holder, name: str) -> None:
    rights = call.cluster.rights
    known = {Holder.USER: [*rights.users], Holder.GROUP: [*rights.groups], Holder.TOKEN: [*rights.tokens]}
    if name not in known[holder]:
        raise PveError(f"ACL update failed: {holder.value} '{name}' does not exist")


@route("GET", "/access/roles")
async def roles(call: Call) -> list[dict[str, Any]]:
    """Every role, built-in ones marked as special."""
    found = {**call.cluster.rights.roles, **call.flavour.roles}
    return [
        {"roleid": name, "privs": ",".join(sorted(privileges)), "special": int(name in call.flavour.roles)}
        for name, privileges in sorted(found.items())
    ]


@route("GET", "/access/roles/{roleid}")
async def role(call: Call) -> dict[str, int]:
    """The privileges of a role."""
    return dict.fromkeys(sorted(_known(call, "")), 1)


@route("POST", "/access/roles")
async def create_role(call: Call) -> None:
    """A new role. A privilege that the release does not know is a faulty parameter."""
    name = call.text("roleid")
    if name.upper().startswith("PVE"):
        text = "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"
        raise ParameterError({"roleid": text})
    privileges = _privileges(call)
    if call.cluster.rights.role(name) is not None:
        raise PveError(f"create role failed: role '{name}' already exists")
    call.cluster.rights.roles[name] = privileges


@route("PUT", "/access/roles/{roleid}")
async def update_role(call: Call) -> None:
    """Other privileges for a role, with `append` further ones."""
    privileges = _privileges(call)
    before = _own(call, "modified", "update role failed: ")
    call.cluster.rights.roles[call.text("roleid")] = privileges | (before if call.flag("append") else frozenset())


@route("DELETE", "/access/roles/{roleid}")
async def delete_role(call: Call) -> None:
    """Remove a role; entries that name it stay and count for nothing."""
    _own(call, "deleted", "delete role failed: ")
    del call.cluster.rights.roles[call.text("roleid")]


def _known(call: Call, prefix: str) -> frozenset[str]:
    found = call.cluster.rights.role(call.text("roleid"))
    if found is None:
        raise PveError(f"{prefix}role '{call.text('roleid')}' does not exist")
    return found


def _own(call: Call, what: str, prefix: str) -> frozenset[str]:
    if call.text("roleid") in call.flavour.roles:
        raise PveError(f"auto-generated role '{call.text('roleid')}' cannot be {what}")
    return _known(call, prefix)


def _privileges(call: Call) -> frozenset[str]:
    wanted = split_list(call.text("privs"))
    unknown = next((name for name in wanted if name not in call.flavour.privileges), None)
    if unknown:
        raise ParameterError({"privs": f"invalid format - invalid privilege '{unknown}'\n"})
    return frozenset(wanted)

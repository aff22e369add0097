"""The permission check of a call: the expressions of the schema (source: pve-access-control RPCEnvironment.pm)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.errors import PermissionDeniedError, PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.rights import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pvenix_lab.site.pve.rights import Rights

_EXTRA_FOR_ACL = (("/storage/", "Datastore.Allocate"), ("/vms/", "VM.Allocate"), ("/pool/", "Pool.Allocate"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: `auth_id` is `user@realm`, or `user@realm!token` for a token. Nobody (before a log-in) is empty."""

    auth_id: str
    rights: Rights

    @property
    def is_root(self) -> bool:
        """True for root@pam by ticket; a token of root@pam is not root@pam (proxmox.md a2)."""
        return self.auth_id == ROOT

    @property
    def is_token(self) -> bool:
        """True for an API token."""
        return "!" in self.auth_id

    @property
    def user(self) -> str:
        """The user, without the token's name."""
        return self.auth_id.partition("!")[0]

    def allowed(self, path: str, *privileges: str, any_of: bool = False) -> bool:
        """True if the caller has all (or one) of the privileges on the path."""
        return self.rights.allowed(self.auth_id, path, privileges, any_of=any_of)

    def require(self, path: str, *privileges: str, any_of: bool = False) -> None:
        """As `allowed`, but refuse.

        Raises:
            PermissionDeniedError: names the path and the first missing privilege, with `any_of` all of them.
        """
        has = self.rights.privileges(self.auth_id, path)
        missing = [name for name in privileges if name not in has]
        if any_of and len(missing) == len(privileges):
            raise PermissionDeniedError(f"{path}, {'|'.join(privileges)}")
        if missing and not any_of:
            raise PermissionDeniedError(f"{path}, {missing[0]}")


def check_permissions(rules: Mapping[str, Any], caller: Caller, params: Mapping[str, object]) -> None:
    """Check a method's `permissions` entry of the schema; a method without one is for root@pam only.

    Raises:
        PermissionDeniedError: with the path and privilege, bare for a composite `or`.
    """
    if rules.get("user") == "world" or caller.is_root:
        return
    if not rules or not caller.auth_id:
        raise PermissionDeniedError("user != root@pam")
    if rules.get("user") != "all":
        _check(rules.get("check", ["or"]), caller, params)


def check_acl_change(caller: Caller, path: str) -> None:
    """May the caller change the entries of `path`? Raises PermissionDeniedError."""
    extra = [privilege for prefix, privilege in _EXTRA_FOR_ACL if path.startswith(prefix) and path != prefix]
    caller.require(path, "Permissions.Modify", *extra, any_of=True)


def normalise_path(path: str) -> str:
    """A path of the access control list without doubled or trailing slashes."""
    return "/" + re.sub(r"/+", "/", path).strip("/")


def _check(rule: list[Any], caller: Caller, params: Mapping[str, object]) -> None:
    kind, *rest = rule
    if kind == "and":
        for part in rest:
            _check(part, caller, params)
    elif kind == "or":
        if not any(_passes(part, caller, params) for part in rest):
            raise PermissionDeniedError
    elif kind == "perm":
        _check_path(rest, caller, params)
    elif kind == "perm-modify":
        check_acl_change(caller, normalise_path(_fill(rest[0], params)))
    elif kind == "userid-param":
        _check_user(rest[0], caller, str(params.get("userid", "")))
    elif kind == "userid-group":
        _check_group(rest, caller, params)
    else:
        raise PveError(f"unknown permission test '{kind}'")


def _passes(rule: list[Any], caller: Caller, params: Mapping[str, object]) -> bool:
    try:
        _check(rule, caller, params)
    except PveError:
        return False
    return True


def _options(flags: list[Any]) -> dict[str, Any]:
    return dict(zip(flags[::2], flags[1::2], strict=False))


def _fill(template: str, params: Mapping[str, object]) -> str:
    return re.sub(r"\{([^}]+)\}", lambda found: str(params.get(found[1], "")), template)


def _check_path(rest: list[Any], caller: Caller, params: Mapping[str, object]) -> None:
    template, privileges, *flags = rest
    options = _options(flags)
    if "require_param" in options and options["require_param"] not in params:
        raise PermissionDeniedError
    caller.require(normalise_path(_fill(template, params)), *privileges, any_of=bool(options.get("any")))


def _check_user(test: str, caller: Caller, userid: str) -> None:
    if test == "self":
        _check_exists(caller, userid)
        if caller.auth_id != userid:
            raise PermissionDeniedError
    else:
        caller.require(f"/access/realm/{userid.rpartition('@')[2]}", test)


def _check_exists(caller: Caller, userid: str) -> None:
    if userid not in caller.rights.users:
        raise PveError(f"no such user ('{userid}')")


def _check_group(rest: list[Any], caller: Caller, params: Mapping[str, object]) -> None:
    """Any of the privileges on all groups, or on a group that the user is in (and, when groups are given, on each of those)."""
    privileges, *flags = rest
    wanted, userid = _options(flags).get("groups_param"), str(params.get("userid", ""))
    if wanted != "create":
        _check_exists(caller, userid)
    if caller.allowed("/access/groups", *privileges, any_of=True):
        return
    if wanted:
        _check_named_groups(caller, split_list(str(params.get("groups", ""))), privileges)
    if wanted != "create" and not any(
        caller.allowed(f"/access/groups/{group}", *privileges, any_of=True)
        for group in caller.rights.users[userid].groups
    ):
        raise PermissionDeniedError


def _check_named_groups(caller: Caller, groups: list[str], privileges: Iterable[str]) -> None:
    if not groups:
        raise PermissionDeniedError(f"/access/groups, {'|'.join(privileges)}")
    for group in groups:
        caller.require(f"/access/groups/{group}", *privileges, any_of=True)

"""Who calls and what the caller may do (proxmox.md a2, a8)."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.errors import PermissionDeniedError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pvenix_lab.site.pve.cluster import Cluster, Token

_HEADER = re.compile(r"PVEAPIToken=([^=]*)(?:=(.*))?")
_ROOTS = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")


def authenticate(cluster: Cluster, header: str | None) -> Token:
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
    if user not in {token.user for token in cluster.tokens.values()}:
        raise UnauthorizedError(f"no such user ('{user}')")
    token = cluster.tokens.get(token_id)
    if token is None:
        raise UnauthorizedError(f"no such token '{name}' for user '{user}'")
    if not hmac.compare_digest(token.secret.encode(), secret.encode()):
        raise UnauthorizedError("invalid token value!")
    return token


def check_permissions(rules: Mapping[str, Any], token: Token | None, params: Mapping[str, object]) -> None:
    """Check a method's `permissions` entry of the schema.

    Raises:
        PermissionDeniedError: with the path and privilege, bare for a composite `or`.
    """
    if "check" in rules and token is not None:
        _check(rules["check"], token, params)


def _check(rule: list[Any], token: Token, params: Mapping[str, object]) -> None:
    kind, *rest = rule
    if kind == "and":
        for part in rest:
            _check(part, token, params)
    elif kind == "or":
        if not any(_passes(part, token, params) for part in rest):
            raise PermissionDeniedError
    elif kind == "perm":
        _check_privileges(rest, token, params)
    else:
        raise PermissionDeniedError


def _passes(rule: list[Any], token: Token, params: Mapping[str, object]) -> bool:
    try:
        _check(rule, token, params)
    except PermissionDeniedError:
        return False
    return True


def _check_privileges(rest: list[Any], token: Token, params: Mapping[str, object]) -> None:
    template, privileges, *flags = rest
    options = dict(zip(flags[::2], flags[1::2], strict=False))
    if "require_param" in options and options["require_param"] not in params:
        raise PermissionDeniedError
    path = re.sub(r"\{([^}]+)\}", lambda found: str(params.get(found[1], "")), template)
    missing = [privilege for privilege in privileges if privilege not in token.privileges]
    if options.get("any"):
        if len(missing) == len(privileges):
            raise PermissionDeniedError(f"{path}, {'|'.join(privileges)}")
    elif missing:
        raise PermissionDeniedError(f"{path}, {missing[0]}")


@route("GET", "/access/permissions")
async def permissions(call: Call) -> dict[str, dict[str, int]]:
    """The caller's privileges by path."""
    granted = dict.fromkeys(sorted(call.caller.privileges), 1)
    if "path" in call.params:
        return {call.text("path"): granted}
    return {path: dict(granted) for path in _ROOTS}


@route("GET", "/access/ticket")
async def ticket_index(_call: Call) -> None:
    """Nothing: a dummy for formatters, as in the real API."""


@route("POST", "/access/ticket")
async def ticket(_call: Call) -> None:
    """Always refused: the site has API tokens and no passwords."""
    raise UnauthorizedError("authentication failure", with_body=True)

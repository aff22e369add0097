"""The `pveum` lines, to be pasted on a node, that give a token what it needs. Syntax: pveum(1) of Proxmox VE 8 and 9."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pvenix.model.privileges import Level, Need

_KINDS = {"vms": "vms", "pool": "vms", "storage": "storage", "sdn": "network", "mapping": "devices", "nodes": "nodes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role on a path."""

    path: str
    privileges: tuple[str, ...]
    below: bool
    role: str


def grants(wanted: Sequence[Need], level: Level, site: str) -> tuple[Grant, ...]:
    """What meets `wanted` with as little as possible: one role for each path, paths of the same kind share theirs.

    An entry takes the place of those above it, so each path is given everything that is needed there.
    """
    by_path: dict[str, list[Need]] = {}
    for need in wanted:
        by_path.setdefault(need.path, []).append(need)
    roles: dict[tuple[str, tuple[str, ...]], str] = {}
    found = []
    for path, there in by_path.items():
        privileges, kind = _fewest(there), _kind(path)
        if (kind, privileges) not in roles:
            number = sum(1 for known, _ in roles if known == kind) + 1
            roles[kind, privileges] = _role(site, level, kind, number)
        below = any(need.below for need in there)
        found.append(Grant(path=path, privileges=privileges, below=below, role=roles[kind, privileges]))
    return tuple(found)


def _fewest(there: Sequence[Need]) -> tuple[str, ...]:
    """Privileges that meet all needs of one path; a need with a choice adds one only when no other brings it."""
    chosen = {need.privilege for need in there if len(need.any_of) == 1}
    for need in sorted(there, key=lambda need: len(need.any_of)):
        if not chosen & set(need.any_of):
            chosen.add(need.privilege)
    return tuple(sorted(chosen))


def _kind(path: str) -> str:
    first, _, rest = path.strip("/").partition("/")
    return "template" if first == "vms" and rest else _KINDS.get(first, "site")


def _role(site: str, level: Level, kind: str, number: int) -> str:
    """A name that Proxmox takes: those that begin with `PVE` are its own (pve-access-control API2/Role.pm)."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", site)
    name = f"fleet-{name}" if name.upper().startswith("PVE") else name
    return f"{name}-{level}-{kind}" + (f"-{number}" if number > 1 else "")


def account_lines(auth_id: str) -> tuple[str, ...]:
    """The lines that make a user and its token; a user that logs in with a password is given one."""
    user, _, token = auth_id.partition("!")
    realm = user.rpartition("@")[2]
    password = () if token or realm == "pam" else (f"pveum passwd {shlex.quote(user)}",)
    made = (f"pveum user token add {shlex.quote(user)} {shlex.quote(token)} --privsep 1",) if token else ()
    return (f"pveum user add {shlex.quote(user)}", *password, *made)


def role_lines(given: Sequence[Grant]) -> tuple[str, ...]:
    """The lines that make the roles, or bring those that are there to the same privileges."""
    roles = {grant.role: grant.privileges for grant in given}
    return tuple(
        f'pveum role add {role} --privs "{" ".join(names)}" || pveum role modify {role} --privs "{" ".join(names)}"'
        for role, names in roles.items()
    )


def acl_lines(given: Sequence[Grant], auth_id: str) -> tuple[str, ...]:
    """The lines that put the roles on their paths, for the user too: a token never has more than its user."""
    user, _, token = auth_id.partition("!")
    holders = f"--users {shlex.quote(user)}" + (f" --tokens {shlex.quote(auth_id)}" if token else "")
    return tuple(
        f"pveum acl modify {grant.path} {holders} --roles {grant.role}" + ("" if grant.below else " --propagate 0")
        for grant in given
    )


def lines(given: Sequence[Grant], auth_id: str, *, account: bool) -> tuple[str, ...]:
    """Everything to paste; with `account` the user and the token are made first."""
    return (*(account_lines(auth_id) if account else ()), *role_lines(given), *acl_lines(given, auth_id))

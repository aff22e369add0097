"""Users, groups, roles, tokens and access control entries, and what they add up to on a path (proxmox.md a2).

The rules are those of pve-access-control: an entry nearer to the path replaces those further up, one for the user replaces
those for its groups at the same place, a role without propagation counts on its own path only, NoAccess wins, roles on a pool
count on its members, and a token with privilege separation has what both it and its user have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pvenix_lab.site.pve.flavour import Flavour

ROOT = "root@pam"
"""The one user that may do everything; a token of it is not that user."""


class Holder(Enum):
    """Whom an access control entry is for, as the API spells it."""

    USER = "user"
    GROUP = "group"
    TOKEN = "token"  # noqa: S105  the word of the API, no secret


@dataclass(slots=True, kw_only=True)
class Token:
    """An API token. `expire` is a wall-clock second, 0 for never."""

    token_id: str
    secret: str
    privsep: bool = True
    expire: int = 0
    comment: str = ""

    @property
    def user(self) -> str:
        """`user@realm` of the token."""
        return self.token_id.partition("!")[0]

    @property
    def name(self) -> str:
        """The token's own name, after the `!`."""
        return self.token_id.partition("!")[2]


@dataclass(slots=True, kw_only=True)
class User:
    """An account. `password` is None for one that cannot log in; `details` holds e-mail, names, keys and comment."""

    userid: str
    enable: bool = True
    expire: int = 0
    password: str | None = None
    groups: set[str] = field(default_factory=set)
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One access control entry without its path."""

    holder: Holder
    name: str
    role: str


def _no_pools(_path: str) -> Iterable[str]:
    return ()


@dataclass(slots=True, kw_only=True)
class Rights:
    """Everything that decides what a caller may do. `acl` maps path to entry to whether it propagates.

    `pools_of` names the pools that an object, given by its path, is a member of.
    """

    flavour: Flavour
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    roles: dict[str, frozenset[str]] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    acl: dict[str, dict[Entry, bool]] = field(default_factory=dict)
    pools_of: Callable[[str], Iterable[str]] = _no_pools

    def __post_init__(self) -> None:
        self.users.setdefault(ROOT, User(userid=ROOT))

    def role(self, name: str) -> frozenset[str] | None:
        """The privileges of a role, built-in or not; None if there is none of that name."""
        return self.flavour.roles.get(name, self.roles.get(name))

    def grant(self, path: str, holder: Holder, name: str, role: str, *, propagate: bool = True) -> None:
        """Add an access control entry, or change whether it propagates."""
        self.acl.setdefault(path, {})[Entry(holder=holder, name=name, role=role)] = propagate

    def revoke(self, path: str, holder: Holder, name: str, role: str) -> None:
        """Remove an access control entry if it is there."""
        entries = self.acl.get(path, {})
        entries.pop(Entry(holder=holder, name=name, role=role), None)
        if not entries:
            self.acl.pop(path, None)

    def add_token(
        self, token_id: str, secret: str, *, roles: Mapping[str, str] | None = None, privsep: bool = False
    ) -> Token:
        """A token and its user if that is new; `roles` by path go to the user, and with `privsep` to the token too."""
        token = self.tokens[token_id] = Token(token_id=token_id, secret=secret, privsep=privsep)
        self.users.setdefault(token.user, User(userid=token.user))
        for path, role in (roles or {}).items():
            self.grant(path, Holder.USER, token.user, role)
            if privsep:
                self.grant(path, Holder.TOKEN, token_id, role)
        return token

    def privileges(self, auth_id: str, path: str) -> dict[str, bool]:
        """The privileges of a user or token on a path, each with whether it propagates below."""
        if auth_id == ROOT:
            return dict.fromkeys(self.flavour.privileges, True)
        token = self.tokens.get(auth_id)
        if "!" in auth_id and token is None:
            return {}
        owner = self.privileges(token.user, path) if token else None
        if token and owner is not None and not token.privsep:
            return owner
        result: dict[str, bool] = {}
        for role, propagate in self._roles_with_pools(auth_id, path).items():
            for privilege in self.role(role) or ():
                result[privilege] = result.get(privilege, False) or propagate
        if owner is None:
            return result
        return {name: propagate and owner[name] for name, propagate in result.items() if name in owner}

    def allowed(self, auth_id: str, path: str, privileges: Iterable[str], *, any_of: bool = False) -> bool:
        """True if the caller has all (or with `any_of` one) of the privileges on the path."""
        if auth_id == ROOT:
            return True
        has = self.privileges(auth_id, path)
        return any(name in has for name in privileges) if any_of else all(name in has for name in privileges)

    def _roles_with_pools(self, auth_id: str, path: str) -> dict[str, bool]:
        roles = self.roles_on(auth_id, path)
        if "NoAccess" in roles:
            return roles
        for pool in self.pools_of(path):
            inherited = self.roles_on(auth_id, f"/pool/{pool}")
            if "NoAccess" in inherited:
                return {"NoAccess": False}
            roles = {**dict.fromkeys(inherited, False), **roles}
        return roles

    def roles_on(self, auth_id: str, path: str) -> dict[str, bool]:
        """The roles of a user or of a token with privilege separation on a path, pools left aside."""
        user = self.users.get(auth_id)
        own = Holder.TOKEN if "!" in auth_id else Holder.USER
        found: dict[str, bool] = {}
        for step in _steps(path):
            entries = self.acl.get(step)
            if not entries:
                continue
            valid = {entry: propagate for entry, propagate in entries.items() if propagate or step == path}
            mine = {e.role: p for e, p in valid.items() if e.holder is own and e.name == auth_id}
            if not mine and user:
                mine = {e.role: p for e, p in valid.items() if e.holder is Holder.GROUP and e.name in user.groups}
            found = mine or found
        return {"NoAccess": found["NoAccess"]} if "NoAccess" in found else found


def _steps(path: str) -> list[str]:
    """The path and everything above it, from the top."""
    steps, end = ["/"], path.find("/", 1)
    while end != -1:
        steps.append(path[:end])
        end = path.find("/", end + 1)
    return [*steps, path] if path != "/" else steps

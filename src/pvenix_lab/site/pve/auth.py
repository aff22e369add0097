"""Who calls: tokens, tickets and the token against forged requests (proxmox.md a2; source: pve-access-control AccessControl.pm)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.errors import UnauthorizedError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.permissions import Caller

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.rights import Rights

TICKET_LIFE_S = 7200
_CLOCK_SKEW_S = 300
_HEADER = re.compile(r"PVEAPIToken=([^=]*)(?:=(.*))?")
_COOKIE = re.compile(r"(?:^|[;\s])PVEAuthCookie=([^;\s]+)")
_TICKET = re.compile(r"PVE:(?P<user>[^:]+):(?P<time>[0-9A-F]{8})::(?P<signature>\S+)")
_CSRF = re.compile(r"(?P<time>[0-9A-F]{8}):(?P<signature>\S+)")
_BAD_TICKET = "permission denied - invalid PVE ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The headers of a request that say who calls: Authorization, the ticket's cookie, CSRFPreventionToken."""

    authorization: str | None = None
    cookie: str | None = None
    csrf: str | None = None

    @property
    def is_token(self) -> bool:
        """True for an API token that no ticket goes before."""
        return self.ticket is None and bool(self.authorization and self.authorization.startswith("PVEAPIToken"))

    @property
    def ticket(self) -> str | None:
        """The ticket of the cookie, or of an Authorization header in the cookie's form."""
        found = _COOKIE.search(f"{self.cookie or ''}; {self.authorization or ''}")
        return found[1] if found else None


def authenticate(site: Site, given: Credentials, method: str) -> Caller:
    """Who calls.

    Raises:
        UnauthorizedError: nobody, or with a wrong secret; on 9.2 every wrong one has the same text.
    """
    token = _HEADER.fullmatch(given.authorization.strip()) if given.authorization else None
    ticket = given.ticket
    if token is None and ticket is None:
        raise UnauthorizedError("No ticket")
    rights = site.cluster.rights
    try:
        if token is not None and ticket is None:
            return Caller(auth_id=_token(rights, token[1], token[2], site.wall()), rights=rights)
        user = ticket_user(site, ticket or "")
        check_user(rights, user, site.wall())
    except UnauthorizedError:
        if site.cluster.flavour is Flavour.PVE_8_4:
            raise
        raise UnauthorizedError("Authentication failed!") from None
    if method != "GET":
        _check_csrf(site, user, given.csrf or "")
    return Caller(auth_id=user, rights=rights)


def check_user(rights: Rights, userid: str, now: float) -> None:
    """Raise UnauthorizedError for a user that is missing, disabled or expired."""
    user = rights.users.get(userid)
    if user is None:
        raise UnauthorizedError(f"no such user ('{userid}')")
    if not user.enable:
        raise UnauthorizedError(f"user '{userid}' is disabled")
    if user.expire and user.expire < now:
        raise UnauthorizedError(f"user '{userid}' access expired")


def new_ticket(site: Site, userid: str) -> str:
    """A ticket for a user, signed, with the time of its making."""
    stamp = f"PVE:{userid}:{int(site.wall()):08X}"
    return f"{stamp}::{_sign(site, 'ticket', stamp)}"


def new_csrf_token(site: Site, userid: str) -> str:
    """The token that a write with a ticket has to carry."""
    stamp = f"{int(site.wall()):08X}"
    return f"{stamp}:{_sign(site, 'csrf', stamp + userid)}"


def ticket_user(site: Site, ticket: str) -> str:
    """The user of a ticket. Raises UnauthorizedError for one that is forged or older than two hours."""
    found = _TICKET.fullmatch(ticket)
    if found is None or not hmac.compare_digest(
        found["signature"], _sign(site, "ticket", f"PVE:{found['user']}:{found['time']}")
    ):
        raise UnauthorizedError(_BAD_TICKET)
    if not _is_current(site, found["time"]):
        raise UnauthorizedError(_BAD_TICKET)
    return found["user"]


def _check_csrf(site: Site, user: str, given: str) -> None:
    found = _CSRF.fullmatch(given)
    good = found and hmac.compare_digest(found["signature"], _sign(site, "csrf", found["time"] + user))
    if not found or not good or not _is_current(site, found["time"]):
        raise UnauthorizedError("Permission denied - invalid csrf token")


def _is_current(site: Site, stamp: str) -> bool:
    return -_CLOCK_SKEW_S < site.wall() - int(stamp, 16) < TICKET_LIFE_S


def _sign(site: Site, purpose: str, text: str) -> str:
    key = random.Random(f"{purpose} {site.seed}").randbytes(32)
    return base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode()


def _token(rights: Rights, token_id: str, secret: str | None, now: float) -> str:
    user, has_name, name = token_id.partition("!")
    if not has_name or secret is None:
        raise UnauthorizedError("no tokenid specified")
    check_user(rights, user, now)
    token = rights.tokens.get(token_id)
    if token is None:
        raise UnauthorizedError(f"no such token '{name}' for user '{user}'")
    if token.expire and token.expire < now:
        raise UnauthorizedError(f"token '{name}' access expired")
    if not hmac.compare_digest(token.secret.encode(), secret.encode()):
        raise UnauthorizedError("invalid token value!")
    return token_id

"""Who a request is from: an API token, or a user's ticket, which lives two hours and is renewed before that.

A ticket is asked for over the same verified connections as everything else (proxmoxer's own login is sent before a
fingerprint can be mounted). A password is used once and forgotten; the ticket stands for it until it has died.
Sources: proxmoxer 2.3 backends/https.py, pve-access-control API2/AccessControl.pm (`tfa-challenge`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from typing_extensions import override

from pvenix.adapters.pve.transport import ApiStatus, BadAnswer
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import Clock
from pvenix.model.errors import Refused, UsageError
from pvenix.model.secret import Secret

Ask = Callable[[str], Awaitable[Secret]]
"""A secret that a person types; raises PvenixError when there is nobody to ask."""
Post = Callable[[Mapping[str, str]], Awaitable[object]]
"""`POST /access/ticket` without credentials; raises what a transport raises."""

RENEW_AFTER_S: Final = 5400.0
"""A ticket is good for 7200 s (pve-access-control AccessControl.pm, `$ticket_lifetime`)."""
_UNAUTHORIZED: Final = 401


class Login(Protocol):
    """The credentials of a transport, shared by its workers."""

    number: int
    """Grows with each new credential: who was refused with an older one need only try again."""

    async def ready(self, post: Post) -> None:
        """Return when there are credentials that have not run out.

        Raises: ApiStatus, NotSent, AnswerLost, BadAnswer, and Refused when nobody can be asked.
        """
        ...

    def headers(self, method: str) -> Mapping[str, str]:
        """What a request carries."""
        ...

    def accepted(self) -> None:
        """A request came through."""
        ...

    async def again(self, number: int, post: Post) -> bool:
        """After credentials `number` were refused: True when there are others now. Everybody else waits meanwhile."""
        ...


def _for_a_header(token_id: str, secret: Secret) -> Secret:
    """The secret, which is one word: a token goes into a header, and what refuses the header would print it.

    Raises: UsageError.
    """
    text = secret.reveal()
    if text.isascii() and text.isprintable() and " " not in text:
        return secret
    lines = len(text.splitlines())
    raise UsageError(
        f"the secret of API token {token_id} is no token's",
        why=f"it has {lines} lines" if lines > 1 else "it has blanks, or characters that are not ASCII",
        hint="let its provider give the token's secret alone: one word, as `pveum user token add` printed it",
        code="PVX0309",
    )


class TokenLogin:
    """An API token; when it dies in the middle of the work, a person may give its new secret."""

    def __init__(self, token_id: str, secret: Secret, ask: Ask | None = None) -> None:
        self.number = 1
        self._id = token_id
        self._secret = _for_a_header(token_id, secret)
        self._ask = ask
        self._worked = False
        self._lock = asyncio.Lock()

    async def ready(self, post: Post) -> None:
        """A token is always ready; while a person is asked for a new one, it is waited for."""
        del post
        async with self._lock:
            return

    def headers(self, method: str) -> Mapping[str, str]:
        """The header of a token; no other protection is needed for writes."""
        del method
        return {"Authorization": f"PVEAPIToken={self._id}={self._secret.reveal()}"}

    def accepted(self) -> None:
        """Remember that the token was good once."""
        self._worked = True

    async def again(self, number: int, post: Post) -> bool:
        """Ask for a new secret, if the old one was good before and there is somebody to ask."""
        del post
        async with self._lock:
            if number != self.number:
                return True
            if self._ask is None or not self._worked:
                return False
            typed = await self._ask(f"API token {self._id} is no longer accepted; its new secret")
            if not typed.reveal().strip():
                return False
            self._secret = _for_a_header(self._id, Secret(typed.reveal().strip()))
            self.number += 1
            return True

    @override
    def __repr__(self) -> str:
        return f"TokenLogin({self._id})"


class TicketLogin:
    """A user with a password, and a second factor if Proxmox asks for one."""

    def __init__(self, username: str, password: Ask, code: Ask, clock: Clock, *, tries: int = 3) -> None:
        self.number = 0
        self._tries = tries
        self._user = username
        self._password = password
        self._code = code
        self._clock = clock
        self._ticket = Secret("")
        self._csrf = Secret("")
        self._made_at = 0.0
        self._lock = asyncio.Lock()

    async def ready(self, post: Post) -> None:
        """Log in if nobody is, and renew a ticket that grows old with itself."""
        async with self._lock:
            if not self._ticket:
                await self._log_in(post)
            elif self._clock.monotonic() - self._made_at >= RENEW_AFTER_S:
                await self._renew(post)

    def headers(self, method: str) -> Mapping[str, str]:
        """The ticket's cookie, and for a write the token against forged requests."""
        cookie = {"Cookie": f"PVEAuthCookie={self._ticket.reveal()}"}
        return cookie if method == "GET" else cookie | {"CSRFPreventionToken": self._csrf.reveal()}

    def accepted(self) -> None:
        """Nothing is learnt from it."""

    async def again(self, number: int, post: Post) -> bool:
        """Log in anew with the password."""
        async with self._lock:
            if number == self.number:
                self._ticket = Secret("")
                await self._log_in(post)
            return True

    async def _renew(self, post: Post) -> None:
        try:
            await self._take(await post({"username": self._user, "password": self._ticket.reveal()}), post)
        except ApiStatus as error:
            if error.status != _UNAUTHORIZED:
                raise
            self._ticket = Secret("")
            await self._log_in(post)

    async def _log_in(self, post: Post) -> None:
        """A ticket for the password; one that was mistyped is asked for again."""
        for left in reversed(range(self._tries)):
            password = await self._password(f"password of {self._user}")
            try:
                await self._take(await post({"username": self._user, "password": password.reveal()}), post)
            except ApiStatus as error:
                if error.status != _UNAUTHORIZED or not left:
                    raise
            else:
                return

    async def _take(self, answer: object, post: Post) -> None:
        answer = answer if isinstance(answer, dict) else {}
        if answer.get("NeedTFA"):
            challenge = str(answer.get("ticket", ""))
            if "totp" not in challenge:
                raise Refused(
                    f"{self._user} needs a second factor that pvenix cannot ask for",
                    why="only codes of an authenticator app (TOTP) can be typed here",
                    hint="use an API token: pvenix doctor prints the lines that make one",
                    code="PVX0548",
                )
            code = await self._code(f"code of {self._user}'s authenticator app")
            form = {"username": self._user, "password": f"totp:{code.reveal().strip()}", "tfa-challenge": challenge}
            second = await post(form)
            answer = second if isinstance(second, dict) else {}
        if not answer.get("ticket") or not answer.get("CSRFPreventionToken"):
            raise BadAnswer(f"a ticket was expected: {sanitise(', '.join(map(str, answer)))}")
        self._ticket, self._csrf = Secret(str(answer["ticket"])), Secret(str(answer["CSRFPreventionToken"]))
        self._made_at, self.number = self._clock.monotonic(), self.number + 1

    @override
    def __repr__(self) -> str:
        return f"TicketLogin({self._user})"

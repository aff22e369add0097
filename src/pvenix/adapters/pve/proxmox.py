"""Requests to a cluster with proxmoxer, held to what it does not do itself.

proxmoxer 2.3.0 follows redirects, takes a page for data, has a timeout of 5 s, reads proxies and .netrc from the
environment, its logger prints passwords at INFO, and its logins with a password are sent before a fingerprint can be
mounted and die overnight: who a request is from is `login.py`'s business.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from proxmoxer.backends.https import Backend, ProxmoxHTTPAuthBase
from proxmoxer.core import ProxmoxResource, ResourceException
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import MaxRetryError, NewConnectionError

from pvenix.adapters.pve.login import Login
from pvenix.adapters.pve.networds import cause_words, failure_words, first_cause
from pvenix.adapters.pve.transport import AnswerLost, ApiPath, ApiStatus, BadAnswer, NotSent, Params, api_path
from pvenix.model.errors import UsageError

_TIMEOUTS_S: Final = (5.0, 30.0)
"""To connect, and for each read: every 401 takes Proxmox 3 s, a proxied call up to 30 s."""
_PORT: Final = 8006
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    verify: bool | str
    fingerprint: str
    timeouts_s: tuple[float, float]


class ProxmoxerTransport:
    """A Transport over HTTPS: `workers` threads with one client each, so that no session is shared.

    `endpoints` are `https://host[:port]`, tried in this order; `ca` is a file of CA certificates (None: the system's),
    `fingerprint` the SHA-256 of the one certificate that is accepted instead. Nothing, and no login either, is sent
    before the certificate was accepted.
    """

    def __init__(
        self,
        *,
        endpoints: Sequence[str],
        login: Login,
        ca: Path | None = None,
        fingerprint: str = "",
        workers: int = 4,
        timeouts_s: tuple[float, float] = _TIMEOUTS_S,
    ) -> None:
        for name in ("proxmoxer.core", "proxmoxer.backends.https"):
            logging.getLogger(name).setLevel(logging.WARNING)
        if not endpoints:
            raise UsageError("the cluster has no endpoint", hint="name one under `clusters:` in inventory/site.yaml")
        access = _Access(
            verify=False if fingerprint else str(ca) if ca else True,
            fingerprint=fingerprint,
            timeouts_s=timeouts_s,
        )
        self._idle = [[_Client(access, endpoint) for _ in range(workers)] for endpoint in endpoints]
        self._clients = [client for clients in self._idle for client in clients]
        self._login = login
        self._preferred = 0
        self._workers = asyncio.Semaphore(workers)
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="proxmox")

    async def request(self, method: str, path: ApiPath, params: Params) -> object:
        """The `data` of a successful answer. A 401 means that nothing was done: with a new login it is asked once more.

        Raises: ApiStatus, NotSent, AnswerLost, BadAnswer; Refused when a person would have to be asked and cannot.
        """
        await self._login.ready(self._post_login)
        number = self._login.number
        try:
            answer = await self._somewhere(method, path, params, self._login.headers(method))
        except ApiStatus as error:
            if error.status != _UNAUTHORIZED or not await self._login.again(number, self._post_login):
                raise
            answer = await self._somewhere(method, path, params, self._login.headers(method))
        self._login.accepted()
        return answer

    async def _post_login(self, form: Mapping[str, str]) -> object:
        return await self._somewhere("POST", api_path("access", "ticket"), form, {})

    async def _somewhere(self, method: str, path: ApiPath, params: Params, headers: Mapping[str, str]) -> object:
        """The answer of the first endpoint that takes a connection."""
        problem = NotSent("no endpoint")
        count = len(self._idle)
        for offset in range(count):
            index = (self._preferred + offset) % count
            try:
                answer = await self._ask(index, method, path, params, headers)
            except NotSent as error:
                problem = error
                if error.refused:
                    break
                continue
            self._preferred = index
            return answer
        raise problem

    async def _ask(self, index: int, method: str, path: ApiPath, params: Params, headers: Mapping[str, str]) -> object:
        await self._workers.acquire()
        client = self._idle[index].pop()
        client.sender.headers = headers
        job = asyncio.get_running_loop().run_in_executor(self._threads, client.request, method, path, params)
        # A cancelled caller leaves its thread at work: client and place are free when the thread is, not before.
        job.add_done_callback(lambda job: self._done(index, client, job))
        return await asyncio.shield(job)

    def _done(self, index: int, client: _Client, job: asyncio.Future[object]) -> None:
        self._idle[index].append(client)
        self._workers.release()
        if not job.cancelled():
            job.exception()  # looked at: one that nobody waits for any more is no news

    async def close(self) -> None:
        """End the connections; a request that is still under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.close()


class _Client:
    """One proxmoxer session to one endpoint, used by one thread at a time."""

    def __init__(self, access: _Access, endpoint: str) -> None:
        self.endpoint = endpoint
        # A backend without credentials cannot be made; these are replaced before anything is sent.
        port = urlsplit(endpoint).port or _PORT
        backend = Backend(_host(endpoint), port=port, user="", token_name="", token_value="")
        self.sender = _Sender(verify_ssl=access.verify, timeout=access.timeouts_s)
        self._session: requests.Session = backend.get_session()
        self._session.auth = self.sender
        self._session.trust_env = False
        self._session.hooks["response"].append(_only_final_answers)
        self._session.mount("http://", _Forbidden())
        if access.fingerprint:
            self._session.mount("https://", _PinnedAdapter(access.fingerprint))
        self._root = ProxmoxResource(
            base_url=backend.get_base_url(), session=self._session, serializer=_StrictSerializer()
        )

    def request(self, method: str, path: ApiPath, params: Params) -> object:
        """Blocking; called in a worker thread.

        Raises: ApiStatus, NotSent, AnswerLost, BadAnswer.
        """
        resource = self._root(path)
        form = {key: value if isinstance(value, str) else list(value) for key, value in params.items()}
        call = {"GET": resource.get, "POST": resource.post, "PUT": resource.put, "DELETE": resource.delete}[method]
        try:
            return call(**form)
        except ResourceException as error:
            errors = error.errors if isinstance(error.errors, dict) else {}
            raise ApiStatus(
                error.status_code, str(error.content or ""), {str(k): str(v) for k, v in errors.items()}
            ) from error
        except requests.exceptions.RequestException as error:
            if _not_trusted(error):
                raise NotSent(cause_words(first_cause(error)), refused=True) from error
            if _never_connected(error):
                raise NotSent(f"{self.endpoint}: {failure_words(error, connecting=True)}") from error
            raise AnswerLost(f"{self.endpoint}: {failure_words(error, connecting=False)}") from error
        except OSError as error:  # requests' own word for a file of certificates that is not there
            raise NotSent(str(error), refused=True) from error

    def close(self) -> None:
        self._session.close()


class _Sender(ProxmoxHTTPAuthBase):  # type: ignore[misc]  # untyped base; requests asks an AuthBase for the headers
    """Puts the headers of whoever is logged in on a request, and tells how certificates are verified."""

    headers: Mapping[str, str] = MappingProxyType({})

    @override
    def __call__(self, req: requests.PreparedRequest) -> requests.PreparedRequest:
        req.headers.update(self.headers)
        return req


class _StrictSerializer:
    """Only JSON with `data` is an answer; proxmoxer's own returns a page as if it were one."""

    def loads(self, response: requests.Response) -> object:
        try:
            body = response.json()
        except ValueError as error:
            raise BadAnswer(f"not JSON: {response.text[:80]!r}") from error
        if not isinstance(body, dict) or "data" not in body:
            raise BadAnswer("JSON without `data`")
        return body["data"]

    def loads_errors(self, response: requests.Response) -> dict[str, str]:
        try:
            body = response.json()
        except ValueError:
            return {}  # 401 and 59x have no body
        errors = body.get("errors") if isinstance(body, dict) else None
        return errors if isinstance(errors, dict) else {}


class _PinnedAdapter(HTTPAdapter):
    """Accepts exactly one certificate; urllib3 compares it before the first byte of a request."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        super().__init__()

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self._fingerprint)


class _Forbidden(HTTPAdapter):
    """Refuses plain HTTP: a token never leaves unencrypted."""

    @override
    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        raise BadAnswer("plain HTTP is refused")


def _only_final_answers(response: requests.Response, **_: object) -> requests.Response:
    """Refuse a redirect before requests follows it, which would turn a POST into a GET."""
    if 300 <= response.status_code < 400:
        response.close()
        raise BadAnswer(f"redirected to {response.headers.get('location', 'nowhere')[:120]!r}")
    return response


def _host(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme != "https" or not parts.hostname:
        raise UsageError(f"{endpoint!r} is not an endpoint", hint="write https://host:8006")
    return f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname


def _never_connected(error: requests.exceptions.RequestException) -> bool:
    """True when the failure came before the request could be sent."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _not_trusted(error: requests.exceptions.RequestException) -> bool:
    """True when the certificate was the reason, so that no request was sent; TLS may also break in mid-answer."""
    if not isinstance(error, requests.exceptions.SSLError):
        return False
    cause = first_cause(error)
    return isinstance(cause, ssl.SSLCertVerificationError) or "ingerprint" in str(cause) or "X509" in str(cause)

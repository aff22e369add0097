"""One API call. Reads are tried again, writes never: a lost answer is for the caller to look at."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, TypeVar

from pvenix.adapters.pve.problems import Call, explained, transient
from pvenix.adapters.pve.transport import FAILURES, ApiPath, BadAnswer, Params, Transport, api_path, upid_node
from pvenix.engine.calls import CALLS, Channel
from pvenix.engine.ports import Clock
from pvenix.model.errors import UsageError
from pvenix.model.names import NodeName, Vmid

T = TypeVar("T")

_TRIES: Final = 3
_PAUSE_S: Final = 0.4


class Caller:
    """Calls over any Transport. The cluster's and the token's names are for messages."""

    def __init__(self, transport: Transport, *, clock: Clock, cluster: str, token: str) -> None:
        self._transport = transport
        self._clock = clock
        self._cluster = cluster
        self._token = token
        self._random = random.Random()

    async def _get(self, path: ApiPath, parse: Callable[[object], T], params: Params | None = None) -> T:
        """The parsed answer of a read, tried a few times."""
        for attempt in range(1, _TRIES + 1):
            try:
                return parse(await self._request("GET", path, params or {}))
            except FAILURES as error:
                if attempt == _TRIES or not transient(error):
                    raise explained(self._call("GET", path), error) from error
            await self._clock.sleep(_PAUSE_S * attempt * self._random.uniform(0.5, 1.5))
        raise AssertionError("unreachable")

    async def _write(self, method: str, path: ApiPath, params: Params) -> object:
        try:
            return await self._request(method, path, params)
        except FAILURES as error:
            raise explained(self._call(method, path), error) from error

    async def _request(self, method: str, path: ApiPath, params: Params) -> object:
        """As the transport's; of the parameters the log has the names, for values may be secrets."""
        words = " ".join(f"{name}=" for name in params)
        with CALLS.call(Channel.API, self._cluster, f"{method} /{path} {words}".rstrip()):
            return await self._transport.request(method, path, params)

    async def _ask(self, path: ApiPath, parse: Callable[[object], T], params: Params) -> T:
        """The parsed answer of a POST that asks the guest agent for something."""
        answer = await self._write("POST", path, params)
        try:
            return parse(answer)
        except BadAnswer as error:
            raise explained(self._call("POST", path), error) from error

    async def _start(self, method: str, path: ApiPath, params: Params) -> str:
        """The UPID of the task that a write started."""
        upid = await self._write(method, path, params)
        try:
            upid_node(str(upid))
        except UsageError as error:
            raise explained(self._call(method, path), BadAnswer(f"a task id was expected: {error}")) from error
        return str(upid)

    def _call(self, method: str, path: ApiPath) -> Call:
        return Call(cluster=self._cluster, token=self._token, method=method, path=path)


def vm_path(node: NodeName, vmid: Vmid, *rest: str) -> ApiPath:
    """The path of something of a VM."""
    return api_path("nodes", node, "qemu", vmid, *rest)

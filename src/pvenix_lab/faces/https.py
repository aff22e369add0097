"""The Proxmox VE API over real HTTPS on 127.0.0.1."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from pvenix_lab.faces.broken import send_broken
from pvenix_lab.faces.http1 import HEAD_LIMIT, BadRequestError, DroppedError, Request, encode_response, read_request
from pvenix_lab.faces.impostor import Impostors
from pvenix_lab.faces.tls import CertificateFiles, make_ca_and_certificate
from pvenix_lab.faces.upload import is_upload, upload_params
from pvenix_lab.site.faults.wire import Broken
from pvenix_lab.site.pve.api import answer
from pvenix_lab.site.pve.auth import Credentials
from pvenix_lab.site.pve.call import Response
from pvenix_lab.site.pve.cluster import LOCAL_NODE
from pvenix_lab.site.pve.storage_files import uploads

if TYPE_CHECKING:
    from pathlib import Path

    from pvenix_lab.site.core import Site

__all__ = ["CertificateFiles", "HttpsFace", "make_ca_and_certificate"]

_LOG = logging.getLogger(__name__)
_BASE = "/api2/json"
_METHODS = frozenset({"DELETE", "GET", "POST", "PUT"})
_REQUESTS_PER_CONNECTION = 100
_SHUTDOWN_S = 0.5
"""How long a closed connection waits for the client's own close; a pooled idle client never sends it."""


class HttpsFace:
    """One HTTPS server before a site. The certificate files lie in the directory given to `start`."""

    def __init__(self) -> None:
        self._site: Site | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._order = random.Random()
        self.certificate: CertificateFiles | None = None

    async def start(self, site: Site, directory: Path, port: int = 0) -> int:
        """Listen on 127.0.0.1 and return the port; `port` 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        names = ("localhost", *site.cluster.nodes)
        self.certificate = make_ca_and_certificate(directory, names)
        self._site = site
        self._order = random.Random(site.seed)
        site.cluster.fingerprint = self.certificate.fingerprint
        context = self.certificate.server_context()
        context.sni_callback = Impostors(site, self.certificate).choose
        self._server = await asyncio.start_server(
            self._serve,
            "127.0.0.1",
            port,
            ssl=context,
            ssl_shutdown_timeout=_SHUTDOWN_S,
            limit=HEAD_LIMIT * 2,
            backlog=256,
        )
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def stop(self) -> None:
        """Stop listening, cut every connection and wait for their ends. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        if connections:
            await asyncio.wait(connections)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        site = self._site
        if self._server is None or site is None or not site.cluster.nodes[LOCAL_NODE].online:
            # the handshake ended after stop(), or the node itself is gone
            writer.transport.abort()
            return
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            await self._conversation(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()  # the client has gone, or the face is stopping
        finally:
            writer.close()

    async def _conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(1, _REQUESTS_PER_CONNECTION + 1):
            try:
                request = await read_request(reader, writer, unlimited=is_upload)
                if request is None:
                    return
                response = await self._answer(request)
                close = response.status >= 400 or request.wants_close or number == _REQUESTS_PER_CONNECTION
            except BadRequestError as error:
                response, close = Response(status=error.status, reason=error.reason, body=None), True
            except DroppedError:
                writer.transport.abort()
                return
            if isinstance(response, Broken):
                await send_broken(writer, response)
                return
            if response.status == 0:
                writer.transport.abort()
                return
            writer.write(
                encode_response(
                    status=response.status,
                    reason=response.reason,
                    body=response.body,
                    close=close,
                    second_hop=response.protected,
                    order=self._order,
                )
            )
            await writer.drain()
            if close:
                return

    async def _answer(self, request: Request) -> Response:
        site = self._site
        if site is None:
            raise RuntimeError("the face is not started; call start() first")
        if request.method not in _METHODS:
            return Response(status=501, reason=f"method '{request.method}' not available", body=None)
        path = request.path.removeprefix(_BASE)
        if path == request.path or not (path == "" or path.startswith("/")):
            return Response(status=501, reason=f"no such file '{request.path}'", body=None)
        file = is_upload(request.method, request.path)
        params = upload_params(request, uploads(site)) if file else request.params()
        headers = request.headers
        given = Credentials(
            authorization=headers.get("authorization"),
            cookie=headers.get("cookie"),
            csrf=headers.get("csrfpreventiontoken"),
        )
        try:
            return await answer(site, request.method, path or "/", params, given)
        except Exception as error:  # noqa: BLE001  a defect of the site is an answer to the client and is kept for the test
            _LOG.exception("%s %s", request.method, path)
            site.defects.append(error)
            return Response(status=500, reason="simulator defect", body={"data": None, "message": f"{error!r}\n"})

"""An HTTPS server that answers whatever a test wants, word by word."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pvenix.adapters.pve.transport import api_path
from pvenix_lab.faces.tls import CertificateFiles

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]
VERSION = api_path("version")


def page(status: str, body: str = "", *headers: str) -> Reply:
    """A whole answer."""

    async def write(writer: asyncio.StreamWriter) -> None:
        data = body.encode()
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", *headers, "", ""])
        writer.write(head.encode("latin-1") + data)
        await writer.drain()

    return write


JSON = "Content-Type: application/json;charset=UTF-8"
OK = page("200 OK", '{"data":{"version":"8.4.5"}}', JSON)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{")
    await writer.drain()
    writer.close()


async def silence(writer: asyncio.StreamWriter) -> None:
    del writer
    await asyncio.sleep(1)


async def garbage(writer: asyncio.StreamWriter) -> None:
    """A TLS record that nobody can have sealed, once the request was read."""
    raw = socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno()))
    raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    raw.close()


@dataclass
class Node:
    """An HTTPS server that answers whatever the test wants and keeps what it was sent."""

    files: CertificateFiles
    replies: list[Reply] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    port: int = 0
    server: asyncio.Server | None = None
    open: set[asyncio.Task[None]] = field(default_factory=set)

    async def stop(self) -> None:
        assert self.server
        self.server.close()
        for task in self.open:
            task.cancel()
        if self.open:
            await asyncio.wait(self.open)
        await self.server.wait_closed()

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.files.server_context())
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.open.add(task)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = next(
                    (line.split(":")[1] for line in head.splitlines() if "content-length" in line.lower()), "0"
                )
                self.heads.append(head)
                self.bodies.append((await reader.readexactly(int(length))).decode())
                await (self.replies.pop(0) if self.replies else OK)(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            writer.transport.abort()  # the client hung up, or the test is over
        finally:
            self.open.discard(task)
            writer.close()

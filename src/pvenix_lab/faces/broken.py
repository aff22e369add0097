"""Broken answers as bytes: a page, a redirect, half a document, a reset connection."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

from pvenix_lab.site.faults.wire import LOGIN_PAGE, Breach, Broken


async def send_broken(writer: asyncio.StreamWriter, response: Broken) -> None:
    """Write what is left of the answer; the connection is of no use afterwards."""
    if response.breach is Breach.RESET:
        reset(writer)
        return
    writer.write(_bytes(response))
    await writer.drain()


def _bytes(response: Broken) -> bytes:
    whole = json.dumps(response.body or {"data": [{"vmid": 100}]}).encode()
    match response.breach:
        case Breach.HTML:
            return _message(200, "OK", "text/html", LOGIN_PAGE.encode())
        case Breach.REDIRECT:
            return _message(302, "Moved Temporarily", "text/html", b"", f"Location: {response.location}\r\n")
        case _:
            return _message(200, "OK", "application/json;charset=UTF-8", whole[: len(whole) // 2])


def _message(status: int, reason: str, kind: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{more}\r\n".encode() + body


def reset(writer: asyncio.StreamWriter) -> None:
    """Close the socket so that the peer gets a reset (RST) and no end of the stream."""
    reset_socket(writer.get_extra_info("socket"))
    writer.transport.abort()


def reset_socket(sock: socket.socket | None) -> None:
    """Let the close that follows be a reset (RST)."""
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

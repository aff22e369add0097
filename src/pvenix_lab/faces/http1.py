"""HTTP/1.1 as the API's server speaks it: reading one request, writing one answer (proxmox.md a1)."""

from __future__ import annotations

import asyncio
import email.utils
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

HEAD_LIMIT = 8 * 1024
HEADER_LINES = 64
"""Limits of a head; the line that reaches one, the empty last one counted, is one too many."""
BODY_LIMIT = 512 * 1024
IDLE_S = 5.0
_CHUNK = 256 * 1024
_BODY_KINDS = frozenset({"", "application/x-www-form-urlencoded", "application/json"})
_REQUEST_LINE = re.compile(r"(?P<method>\S+) (?P<target>\S+) HTTP/(?P<major>\d+)\.(?P<minor>\d+)")
Params = dict[str, str | list[str]]


class DroppedError(Exception):
    """A request that the server leaves without an answer: the connection ends (the real one lets it idle out first)."""


class BadRequestError(Exception):
    """A request that the server refuses before the API sees it; `status` is the answer's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, its body still undecoded."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def wants_close(self) -> bool:
        """True if the client asked for the connection to be closed."""
        return "close" in self.headers.get("connection", "").lower()

    def params(self) -> Params:
        """Parameters of query and body; a repeated key is a list.

        Raises:
            BadRequestError: a JSON body that is no object.
        """
        pairs: list[tuple[str, str]] = parse_qsl(self.query, keep_blank_values=True)
        if self.body and _kind_of(self.headers) == "application/json":
            return _collect(pairs) | _json_params(self.body)
        if self.body:
            pairs += parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return _collect(pairs)


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, unlimited: Callable[[str, str], bool]
) -> Request | None:
    """The next request, None when the client has closed or stayed silent too long.

    `unlimited` tells by method and path whether the body may be a file.

    Raises:
        BadRequestError: it is malformed or exceeds a limit.
        DroppedError: its head is too large.
    """
    try:
        async with asyncio.timeout(IDLE_S):
            head = await reader.readuntil(b"\r\n\r\n")
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return None
    except asyncio.LimitOverrunError:
        raise DroppedError from None
    method, target, headers = _parse_head(head)
    parts = urlsplit(target)
    path = unquote(parts.path)
    body = await _read_body(reader, writer, headers, method, unlimited=unlimited(method, path))
    return Request(method=method, path=path, query=parts.query, headers=headers, body=body)


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if found is None:
        raise BadRequestError(400, "bad request")
    if found["major"] != "1":
        raise BadRequestError(506, f"http protocol version {found['major']}.{found['minor']} not supported")
    if len(lines) + 1 >= HEADER_LINES or sum(map(len, lines)) >= HEAD_LIMIT:
        raise DroppedError
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise BadRequestError(506, "unable to parse request header")
        headers[name.strip().lower()] = value.strip()
    return found["method"], found["target"], headers


async def _read_body(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    headers: dict[str, str],
    method: str,
    *,
    unlimited: bool,
) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequestError(501, "chunked transfer encoding not supported")
    length = headers.get("content-length", "0")
    if not length.isdigit():
        raise BadRequestError(400, "bad request")
    if int(length) and method in {"DELETE", "GET"}:
        raise BadRequestError(501, f"Unexpected content for method '{method}'")
    if int(length) > BODY_LIMIT and not unlimited:
        raise BadRequestError(501, "for data too large")
    if int(length) and not unlimited and _kind_of(headers) not in _BODY_KINDS:
        raise BadRequestError(506, f"upload 'Content-Type '{headers['content-type']}' not implemented")
    if "100-continue" in headers.get("expect", ""):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    chunks, missing = [], int(length)
    try:
        while missing:
            async with asyncio.timeout(IDLE_S):
                chunk = await reader.readexactly(min(missing, _CHUNK))
            chunks.append(chunk)
            missing -= len(chunk)
    except (TimeoutError, asyncio.IncompleteReadError):
        raise DroppedError from None
    return b"".join(chunks)


def _kind_of(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _collect(pairs: Iterable[tuple[str, str]]) -> Params:
    result: Params = {}
    for key, value in pairs:
        before = result.get(key)
        if before is None:
            result[key] = value
        else:
            result[key] = [*(before if isinstance(before, list) else [before]), value]
    return result


def _json_params(body: bytes) -> Params:
    try:
        loaded = json.loads(body)
    except ValueError:
        raise BadRequestError(400, "unable to decode JSON parameters") from None
    if not isinstance(loaded, dict):
        raise BadRequestError(400, "unable to decode JSON parameters")
    return {
        str(key): [_plain(item) for item in value] if isinstance(value, list) else _plain(value)
        for key, value in loaded.items()
    }


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def encode_response(
    *, status: int, reason: str, body: dict[str, Any] | None, close: bool, second_hop: bool, order: random.Random
) -> bytes:
    """The answer on the wire. `order` shuffles the keys of objects, which the real server does not order either.

    A good answer of a call that took the second hop carries both `close` and `Keep-Alive` and the connection stays open
    (recorded on 8.4.5; Python's http.client takes it for a close).
    """
    payload = b"" if body is None else json.dumps(_shuffled(body, order), ensure_ascii=False).encode()
    connection = "close" if close else ("close, Keep-Alive" if second_hop else "Keep-Alive")
    lines = [
        f"HTTP/1.1 {status} {reason}",
        "Cache-Control: max-age=0",
        f"Connection: {connection}",
        f"Date: {email.utils.formatdate(usegmt=True)}",
        "Pragma: no-cache",
        "Server: pve-api-daemon/3.0",
        f"Content-Length: {len(payload)}",
    ]
    if body is not None:
        lines.append("Content-Type: application/json;charset=UTF-8")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload


def _shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _shuffled(value[key], order) for key in keys}
    if isinstance(value, list):
        return [_shuffled(item, order) for item in value]
    return value

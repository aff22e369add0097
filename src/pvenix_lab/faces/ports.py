"""What answers on a guest's TCP ports besides SSH: a connection that opens, and a 200 to whoever speaks HTTP.

That much is simulated and no more: a port is open when the running configuration opens it and no declared unit has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncssh
from typing_extensions import override

if TYPE_CHECKING:
    from pvenix_lab.site.guest.guest import Guest

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"


class PortSession(asyncssh.SSHTCPSession[bytes]):
    """A forwarded connection to a simulated service."""

    def __init__(self) -> None:
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None

    @override
    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan

    @override
    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._channel is not None and data.startswith((b"GET ", b"HEAD ")):
            self._channel.write(_ANSWER)
            self._channel.write_eof()

    @override
    def eof_received(self) -> bool:
        return False


def open_port(guest: Guest, port: int) -> PortSession | None:
    """A session on the guest's port, None when nothing listens."""
    return PortSession() if guest.service_listens(port) else None

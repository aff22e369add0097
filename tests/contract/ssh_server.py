"""An SSH server in this process in front of a ToyMachine, and a cable between client and server that can be cut."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
from typing_extensions import override

from pvenix.engine.ports import Target

if TYPE_CHECKING:
    from tests.contract.machine import ToyMachine


def key_pair(path: Path) -> asyncssh.SSHKey:
    """A new key, its private part in `path` as OpenSSH wants it."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(path))
    path.chmod(0o600)
    return key


def public_line(key: asyncssh.SSHKey) -> str:
    """`ssh-ed25519 AAAA…` without a comment."""
    return key.export_public_key().decode().strip()


class SshServer:
    """One listening server; counts what its clients tried."""

    def __init__(self, machine: ToyMachine | None, host_key: asyncssh.SSHKey, authorised: Path) -> None:
        self.machine = machine
        self.host_key = host_key
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.offered: list[str] = []
        self.users: list[str] = []
        self.forwards: dict[tuple[str, int], int] = {}
        self.address = "127.0.0.1"
        self.port = 0
        self._authorised = authorised
        self._acceptor: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        """Listen on a port of `address`, the same one each time."""
        self._acceptor = await asyncssh.listen(
            self.address,
            self.port,
            server_factory=lambda: _Login(self),
            server_host_keys=[self.host_key],
            process_factory=self._process,
            encoding=None,
            config=None,
        )
        self.port = self._acceptor.get_port()

    async def stop(self) -> None:
        """Refuse new connections; those that are open stay."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            self._acceptor = None

    def abort(self) -> None:
        """Reset every connection."""
        for connection in self.connections:
            connection.abort()
        self.connections.clear()

    async def close(self) -> None:
        """End everything."""
        await self.stop()
        for connection in self.connections:
            connection.abort()
        for connection in self.connections:
            await connection.wait_closed()

    def authorises(self, key: asyncssh.SSHKey) -> bool:
        """True for a key of the authorised file."""
        return public_line(key).split()[:2] in [line.split()[:2] for line in self._authorised.read_text().splitlines()]

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        argv = shlex.split(process.command or "")
        if argv[0] in _ENDINGS:
            _ENDINGS[argv[0]](self, process)
            return
        async with asyncio.TaskGroup() as group:
            command = group.create_task(self._command(argv, process))
            closed = group.create_task(process.wait_closed())
            await asyncio.wait((command, closed), return_when=asyncio.FIRST_COMPLETED)
            command.cancel()

    async def _command(self, argv: list[str], process: asyncssh.SSHServerProcess[bytes]) -> None:
        assert self.machine is not None
        try:
            status = await self.machine.run(argv, process.stdin, process.stdout, process.stderr, user="tappaas")
        except (ConnectionResetError, asyncssh.Error, OSError):
            self.abort()
        else:
            if status < 0:
                _killed(self, process)
            else:
                process.exit(status)


class _Login(asyncssh.SSHServer):
    def __init__(self, owner: SshServer) -> None:
        self._owner = owner

    @override
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._owner.connections.append(conn)

    @override
    def begin_auth(self, username: str) -> bool:
        self._owner.users.append(username)
        return username != "anybody"

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._owner.offered.append(public_line(key))
        return self._owner.authorises(key)

    @override
    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> asyncssh.SSHTCPSession[bytes] | bool:
        if dest_host == "forbidden.test":
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "not permitted")
        key = (dest_host, dest_port)
        self._owner.forwards[key] = self._owner.forwards.get(key, 0) + 1
        return True


def _close_channel(server: SshServer, process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stdout.write(b"partial")
    process.close()


def _reset(server: SshServer, process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stdout.write(b"partial")
    server.abort()


def _killed(server: SshServer, process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.exit_with_signal("KILL", core_dumped=False, msg="killed", lang="")


def _status_then_reset(server: SshServer, process: asyncssh.SSHServerProcess[bytes]) -> None:
    process.stdout.write(b"partial")
    process.channel._send_request(b"exit-status", (0).to_bytes(4, "big"))
    asyncio.get_running_loop().call_later(0.02, server.abort)


_ENDINGS = {
    "end-by-close": _close_channel,
    "end-by-reset": _reset,
    "end-by-status-then-reset": _status_then_reset,
}


class Cable:
    """A TCP relay to a server that can go silent: open, but nothing passes."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self._to = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._relays: set[asyncio.Task[None]] = set()

    async def start(self, to: int) -> None:
        """Listen on a port of 127.0.0.1, and lead to the port `to`."""
        self._to = to
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def go_silent(self) -> None:
        """From now on bytes are taken and go nowhere."""
        self._flowing.clear()

    async def close(self) -> None:
        """Cut everything."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._relays:
            await asyncio.wait(self._relays)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers += [writer, far_writer]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, far_writer))
            group.create_task(self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                if self._flowing.is_set():
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass  # the cable was cut
        writer.close()


def target_of(server: SshServer, key_file: Path, *, port: int = 0, jump: Target | None = None) -> Target:
    """How a client reaches `server`."""
    return Target(
        host="dns01",
        address="127.0.0.1",
        port=port or server.port,
        user="tappaas",
        host_key=public_line(server.host_key),
        key_file=str(key_file),
        jump=jump,
    )

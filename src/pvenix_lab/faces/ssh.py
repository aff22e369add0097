"""Real SSH servers for the guests: one listener per guest on loopback, and the CI/CD host's public one, which is the jump.

A guest's own address is reached as `direct-tcpip` through the jump; who asks for an address where nobody listens gets refused.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import asyncssh
from typing_extensions import override

from pvenix_lab.faces.broken import reset_socket
from pvenix_lab.faces.passage import Hold, Passage, passage_to, swallow
from pvenix_lab.faces.ports import open_port
from pvenix_lab.faces.sessions import GuestProcess
from pvenix_lab.site.faults import guests as faults
from pvenix_lab.site.guest.call import UIDS
from pvenix_lab.site.guest.fabric import fabric_of
from pvenix_lab.site.guest.firstboot import HOST_KEY
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.logins import authorized_key

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.guest.keys import AuthorizedKey

LOOPBACK = "127.0.0.1"
SSH_PORT = 22
_LOG = logging.getLogger(__name__)


class SshFace:
    """The SSH listeners of a site. `jump` is the VM whose listener is public and has a fixed port."""

    def __init__(self, site: Site, *, jump: int) -> None:
        self.site = site
        self.jump = jump
        self.jump_port = 0
        self.ports: dict[int, int] = {}
        self._acceptors: dict[int, asyncssh.SSHAcceptor | asyncio.Server] = {}
        self._holds: dict[int, set[Hold]] = {}
        self._connections: dict[int, set[asyncssh.SSHServerConnection]] = {}
        self._reserved: socket.socket | None = None
        self._lock = asyncio.Lock()

    def reserve(self, port: int = 0) -> int:
        """Take the jump's port before anything listens, so that it can be written down; returns it."""
        self._reserved = socket.create_server((LOOPBACK, port))
        self.jump_port = self._reserved.getsockname()[1]
        return self.jump_port

    async def start(self) -> None:
        """Open the listeners of every guest that is up, and follow the guests from now on."""
        if not self.jump_port:
            self.reserve()
        fabric_of(self.site).observers.append(self._observe)
        for guest in list(self.site.guests.values()):
            if isinstance(guest, Guest):
                await self._reconcile(guest)

    async def stop(self) -> None:
        """Cut every connection and close every port."""
        fabric_of(self.site).observers.remove(self._observe)
        for vmid in list(self._acceptors):
            self._close(vmid)
        for vmid in list(self._connections):
            self._cut(vmid)
        if self._reserved is not None:
            self._reserved.close()
        await asyncio.sleep(0)

    def guest_at(self, address: str) -> Guest | None:
        """The running guest that has this IP address or this name."""
        for guest in self.site.guests.values():
            if isinstance(guest, Guest) and guest.running:
                own = {entry.partition("/")[0] for entry in guest.addresses}
                if address in own or address == guest.hostname:
                    return guest
        return None

    def connections(self, vmid: int) -> set[asyncssh.SSHServerConnection]:
        """The live connections of a guest."""
        return self._connections.setdefault(vmid, set())

    def hold(self, vmid: int) -> Hold:
        """A brake for one more passage to a guest; it is forgotten when the passage ends."""
        holds = self._holds.setdefault(vmid, set())
        hold = Hold(forget=holds.discard)
        holds.add(hold)
        return hold

    def _observe(self, guest: Guest, what: str) -> None:
        vmid = guest.vm.vmid
        if what in (faults.SILENT, faults.HALF_OPEN):
            for hold in self._holds.get(vmid, ()):
                hold.fall(half_open=what == faults.HALF_OPEN)
        if what in ("cut", "off", faults.KILLED):
            self._cut(vmid, polite=what == faults.KILLED)
        if what in ("off", faults.RELISTEN):
            self._close(vmid)
        if what in ("ssh", faults.RELISTEN):
            self.site.spawn(self._reconcile(guest), f"{guest.name}: SSH port")

    async def _reconcile(self, guest: Guest) -> None:
        """Listen exactly when the guest would accept connections; those that exist stay."""
        async with self._lock:
            vmid = guest.vm.vmid
            ready = guest.ssh_ready and faults.listens(guest)
            if ready and vmid not in self._acceptors:
                self._acceptors[vmid] = acceptor = await self._listen(guest)
                self.ports[vmid] = acceptor.sockets[0].getsockname()[1]
            elif not ready:
                self._close(vmid)

    async def _listen(self, guest: Guest) -> asyncssh.SSHAcceptor | asyncio.Server:
        public = guest.vm.vmid == self.jump
        sock = self._reserved if public else None
        if public:
            self._reserved = None
        where: dict[str, object] = (
            {"sock": sock} if sock else {"host": LOOPBACK, "port": self.jump_port if public else 0}
        )
        if faults.is_silent(guest):
            return await asyncio.start_server(swallow, **where)  # type: ignore[arg-type]  # a socket, or host and port
        return await asyncssh.listen(
            **where,
            config=None,
            server_factory=lambda: GuestServer(self, guest),
            process_factory=GuestProcess(guest),
            server_host_keys=[self._host_key(guest)],
            encoding=None,
            line_editor=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            compression_algs=None,
            keepalive_interval=0,
            login_timeout=30,
        )

    def _host_key(self, guest: Guest) -> asyncssh.SSHKey:
        """The guest's own, or that of whoever sits in between."""
        return (
            asyncssh.generate_private_key("ssh-ed25519")
            if faults.is_impostor(guest)
            else asyncssh.import_private_key(guest.tree.read(HOST_KEY))
        )

    def _close(self, vmid: int) -> None:
        self.ports.pop(vmid, None)
        acceptor = self._acceptors.pop(vmid, None)
        if acceptor is not None:
            acceptor.close()

    def _cut(self, vmid: int, *, polite: bool = False) -> None:
        for connection in list(self._connections.get(vmid, ())):
            if not polite:
                reset_socket(connection.get_extra_info("socket"))
            connection.abort()


class GuestServer(asyncssh.SSHServer):
    """One connection to a guest: who may log in is read from the guest's own files at every login."""

    def __init__(self, face: SshFace, guest: Guest) -> None:
        self._face = face
        self._guest = guest
        self._connection: asyncssh.SSHServerConnection | None = None
        self._user = ""

    @override
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._face.connections(self._guest.vm.vmid).add(conn)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._face.connections(self._guest.vm.vmid).discard(self._connection)

    @override
    def begin_auth(self, username: str) -> bool:
        self._user = username
        return True

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        found = self._entry(username, key)
        if found is None or self._connection is None:
            return False
        self._connection.set_extra_info(lab_entry=found, lab_user=username)
        return True

    def _entry(self, username: str, key: asyncssh.SSHKey) -> AuthorizedKey | None:
        if username not in UIDS:
            return None
        offered = b" ".join(key.export_public_key("openssh").split()[:2]).decode()
        return authorized_key(self._guest.tree, username, offered)

    @override
    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> asyncssh.SSHTCPSession[bytes] | Passage:
        if self._user == "git":
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        local = dest_host in ("localhost", LOOPBACK, "::1")
        target = self._guest if local else self._face.guest_at(dest_host)
        if target is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "No route to host")
        port = self._face.ports.get(target.vm.vmid)
        if dest_port == SSH_PORT and port:
            return passage_to(LOOPBACK, port, self._face.hold(target.vm.vmid))
        session = open_port(target, dest_port) if dest_port != SSH_PORT else None
        if session is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection refused")
        return session

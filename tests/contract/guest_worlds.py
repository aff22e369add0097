"""Every implementation of Guest, each with one guest behind it that has the same few programs and files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from pvenix.adapters.ssh.guest import SshGuest
from pvenix.adapters.ssh.login import SshSettings
from pvenix.engine.ports import Guest, Target
from pvenix_lab.faces.ssh import GuestServer
from pvenix_lab.site.guest.guest import Guest as LabGuest
from tests.contract.machine import ToyMachine
from tests.contract.memory_guest import MemoryGuest
from tests.contract.openssh import SSHD, running_sshd
from tests.contract.ssh_server import Cable, SshServer, key_pair, public_line, target_of
from tests.lab.guest_support import Prepared
from tests.lab.ssh_support import network
from tests.sim.ports import Calls, Machines, SimGuest

QUICK: Final = SshSettings(connect_timeout_s=5.0, login_timeout_s=5.0, keepalive_s=0.1, keepalive_count=2)
"""For the rules about silence: given up after 0.3 s."""
JUMP_HOST: Final = "jump"


@dataclass(kw_only=True)
class GuestWorld:
    """A Guest, one guest that it reaches as `target`, and what can be done to that guest from behind."""

    guest: Guest
    target: Target
    base: str
    """A directory of the guest where the user who logs in may write."""
    write: Callable[[str, bytes], None]
    """Make the content of a file below `base`, or add to it when it is there."""
    read: Callable[[str], bytes]
    cut: Callable[[], None]
    """Every connection to the guest dies; what runs there goes on."""
    close_port: Callable[[], Awaitable[None]]
    """Refuse new connections; those that are open stay."""
    logins: Callable[[], int]
    """How often somebody got as far as naming a user on the guest."""
    root_uid: str = "0"
    signalled: tuple[str, ...] = ()
    """A command that is ended by a signal, where there is one."""
    cable: Cable | None = None
    """What the connections run through, where they are of a network."""

    def at(self, name: str) -> str:
        """The file `name` as a program of the guest names it."""
        return f"{self.base}/{name}"


MakePrepared = Callable[[], Prepared]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a world is made from."""

    folder: Path
    prepared: MakePrepared
    patch: pytest.MonkeyPatch


Make = Callable[[Needs], AbstractAsyncContextManager[GuestWorld]]


def _append(root: Path) -> Callable[[str, bytes], None]:
    def write(name: str, data: bytes) -> None:
        with (root / name).open("ab") as file:
            file.write(data)

    return write


def _of_toy(guest: Guest, machine: ToyMachine, target: Target) -> GuestWorld:
    async def close_port() -> None:
        machine.ssh_ready = False

    return GuestWorld(
        guest=guest, target=target, base="", write=_append(machine.root), signalled=("kill", "-KILL", "0"),
        read=lambda name: (machine.root / name).read_bytes(), cut=machine.cut, close_port=close_port,
        logins=lambda: guest.opened if isinstance(guest, MemoryGuest) else 0,
    )  # fmt: skip


@asynccontextmanager
async def toy_in_memory(needs: Needs) -> AsyncIterator[GuestWorld]:
    """MemoryGuest before the toy machine."""
    machine = ToyMachine(needs.folder, public_line(key_pair(needs.folder / ".host")))
    target = Target(
        host="dns01", address="10.0.0.5", port=22, user="tappaas", key_file="unused", host_key=machine.host_key
    )
    yield _of_toy(MemoryGuest(lambda _: machine), machine, target)


@asynccontextmanager
async def toy_over_ssh(needs: Needs) -> AsyncIterator[GuestWorld]:
    """The adapter against a small server before the toy machine."""
    async with toy_net(needs.folder) as net:
        yield await net.world(net.target)


@asynccontextmanager
async def toy_through_a_jump_host(needs: Needs) -> AsyncIterator[GuestWorld]:
    """The same with a second server on the way."""
    async with toy_net(needs.folder) as net:
        yield await net.world(net.via_jump)


@dataclass(kw_only=True)
class ToyNet:
    """A small server before the toy machine, a jump host, and the keys in a directory."""

    server: SshServer
    jump: SshServer
    machine: ToyMachine
    target: Target
    via_jump: Target
    keys: Path
    cable: Cable

    async def world(self, target: Target) -> GuestWorld:
        """The toy machine as reached by `target`, through the cable."""
        guest = SshGuest()
        world = _of_toy(guest, self.machine, target)
        world.close_port, world.cut = self.server.stop, self._cut
        world.logins = lambda: len(self.server.users)
        world.cable = self.cable
        world.target = await _through(self.cable, target)
        return world

    def _cut(self) -> None:
        self.machine.cut()
        self.server.abort()


@asynccontextmanager
async def toy_net(folder: Path) -> AsyncIterator[ToyNet]:
    """Both servers, listening."""
    client, host_key = key_pair(folder / "client"), key_pair(folder / "host")
    (folder / "authorised").write_text(public_line(client))
    (folder / "root").mkdir()
    machine = ToyMachine(folder / "root", public_line(host_key))
    server = SshServer(machine, host_key, folder / "authorised")
    jump = SshServer(None, key_pair(folder / "jump"), folder / "authorised")
    await server.start()
    await jump.start()
    target = target_of(server, folder / "client")
    via_jump = replace(target, jump=replace(target_of(jump, folder / "client"), host=JUMP_HOST))
    cable = Cable()
    yield ToyNet(
        server=server, jump=jump, machine=machine, target=target, via_jump=via_jump, keys=folder, cable=cable
    )  # fmt: skip
    await cable.close()
    await server.close()
    await jump.close()


async def _through(cable: Cable, target: Target) -> Target:
    """`target` with the cable as the first stretch of the way."""
    if target.jump:
        return replace(target, jump=await _through(cable, target.jump))
    await cable.start(target.port)
    return replace(target, port=cable.port)


def _of_lab(guest: Guest, lab: LabGuest, target: Target) -> GuestWorld:
    base = "/home/tappaas"

    def write(name: str, data: bytes) -> None:
        lab.tree.write(f"{base}/{name}", data, append=True)

    async def close_port() -> None:
        lab.port_closed_by.add(lab.current_path)
        lab.fabric.notify(lab, "ssh")

    return GuestWorld(
        guest=guest, target=target, base=base, write=write, read=lambda name: lab.tree.read(f"{base}/{name}"),
        cut=lab.cut_connections, close_port=close_port, logins=lambda: 0,
    )  # fmt: skip


@asynccontextmanager
async def lab_in_memory(needs: Needs) -> AsyncIterator[GuestWorld]:
    """What the simulation connects with, over the lab's own guest."""
    async with network(needs.folder, needs.prepared()) as net:
        guest = SimGuest(Machines(net.guest.site), Calls())
        target = Target(
            host="dns01", address="10.69.13.5", port=22, user="tappaas", key_file="unused",
            host_key=_host_key(net.guest),
        )  # fmt: skip
        world = _of_lab(guest, net.guest, target)
        world.logins = lambda: guest.opened
        yield world


@asynccontextmanager
async def lab_over_ssh(needs: Needs) -> AsyncIterator[GuestWorld]:
    """The adapter against the lab's SSH face: the guest's own address, through the lab's jump host."""
    async with network(needs.folder, needs.prepared()) as net:
        jump = Target(
            host=JUMP_HOST, address="127.0.0.1", port=net.face.jump_port, user="tappaas", key_file=str(net.key),
            host_key=_host_key(net.jump),
        )  # fmt: skip
        target = replace(jump, host="dns01", address="10.69.13.5", port=22, host_key=_host_key(net.guest), jump=jump)
        users: list[str] = []
        begin_auth = GuestServer.begin_auth

        def counted(server: GuestServer, username: str) -> bool:
            users.extend([username] * (server._guest is net.guest))
            return begin_auth(server, username)

        needs.patch.setattr(GuestServer, "begin_auth", counted)
        cable = Cable()
        world = _of_lab(SshGuest(), net.guest, await _through(cable, target))
        world.cable = cable

        async def close_port() -> None:
            net.guest.port_closed_by.add(net.guest.current_path)
            await net.face._reconcile(net.guest)

        world.logins, world.close_port = (lambda: len(users)), close_port
        yield world
        await world.guest.close()
        await cable.close()


def _host_key(guest: LabGuest) -> str:
    return guest.tree.read_text("/etc/ssh/ssh_host_ed25519_key.pub").strip()


@asynccontextmanager
async def openssh(needs: Needs) -> AsyncIterator[GuestWorld]:
    """The adapter against OpenSSH's server and the machine's own programs."""
    if SSHD is None:
        pytest.skip("no sshd on this machine")
    async with running_sshd(needs.folder / "sshd") as sshd:
        files = needs.folder / "files"
        files.mkdir()
        cable = Cable()
        yield GuestWorld(
            guest=SshGuest(), target=await _through(cable, sshd.target), base=str(files), write=_append(files),
            read=lambda name: (files / name).read_bytes(), cut=sshd.kill_sessions, close_port=sshd.stop,
            logins=sshd.logins, root_uid=str(os.geteuid()), signalled=("sh", "-c", "kill -KILL $$"), cable=cable,
        )  # fmt: skip
        await cable.close()


MEMORY: Final[dict[str, Make]] = {"toy, in memory": toy_in_memory, "lab, in memory": lab_in_memory}
WIRE: Final[dict[str, Make]] = {
    "toy, ssh": toy_over_ssh,
    "toy, jump host": toy_through_a_jump_host,
    "lab, ssh and jump": lab_over_ssh,
    "openssh": openssh,
}
"""Those whose connections are of a network."""


def params(makers: dict[str, Make]) -> list[object]:
    """The worlds as parameters of a fixture."""
    return [
        pytest.param(make, id=name, marks=[pytest.mark.real] if make is openssh else [])
        for name, make in makers.items()
    ]

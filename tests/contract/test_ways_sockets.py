"""The way to a host over real sockets: IPv4 and IPv6 listeners come and go as the operator's place does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.adapters.ssh.guest import SshGuest
from pvenix.engine.ports import Target
from pvenix.engine.sightings import Sightings
from pvenix.lifecycle.ways import Ways
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from tests.contract.guest_worlds import QUICK, toy_net
from tests.contract.ssh_server import SshServer, key_pair
from tests.unit.lifecycle_support import host

V4, V6 = "127.0.0.1", "::1"


@dataclass
class Net:
    """A host with a listener of each family on one port, and somebody else who may have its IPv6 address."""

    v4: SshServer
    v6: SshServer
    stranger: SshServer
    target: Target
    memory: Path

    async def place(self, *listening: SshServer) -> None:
        """Be where only these answer."""
        for server in (self.v4, self.v6, self.stranger):
            await server.stop()
            server.abort()
        for server in listening:
            await server.start()

    async def reached(self, prefer: str = "any") -> str:
        """Where one command, a process of its own, reaches the host; it runs a command there."""
        guest = SshGuest(QUICK)
        try:
            session = await self._ways(guest, prefer).session("dns01")
            assert (await session.run(["true"])).ok
        finally:
            await guest.close()
        return Sightings(self.memory).get("dns01").address

    def _ways(self, guest: SshGuest, prefer: str) -> Ways:
        async def find(*_: object) -> object:
            raise RemoteFailure("QEMU guest agent is not running")

        one = host(network={"address": f"{V4}/8", "ip6": f"{V6}/128", "prefer": prefer})
        world: Any = SimpleNamespace(
            fleet=SimpleNamespace(hosts={"dns01": one}, site=SimpleNamespace(zones={})),
            vms=SimpleNamespace(find=find),
            clock=SystemClock(),
            target_at=lambda _name, address: replace(self.target, address=address),
        )
        return Ways(world, guest, Sightings(self.memory))


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[Net]:
    async with toy_net(tmp_path) as toy:
        v6 = SshServer(toy.machine, toy.server.host_key, tmp_path / "authorised")
        stranger = SshServer(toy.machine, key_pair(tmp_path / "stranger"), tmp_path / "authorised")
        for server in (v6, stranger):
            server.address, server.port = V6, toy.server.port
        yield Net(toy.server, v6, stranger, toy.target, tmp_path / "seen")
        for server in (v6, stranger):
            await server.close()


@pytest.mark.parametrize(("prefer", "at_home"), [("v6", V6), ("v4", V4)])
async def test_the_declared_family_wins_where_it_answers_and_never_stands_in_the_way(
    net: Net, prefer: str, at_home: str
) -> None:
    """The café has no IPv6; the place changes between two commands, in both directions."""
    cafe, home = (net.v4,), (net.v4, net.v6)
    for place, wanted in ((home, at_home), (cafe, V4), (home, at_home), (cafe, V4), ((net.v6,), V6)):
        await net.place(*place)
        assert await net.reached(prefer) == wanted


async def test_without_a_wish_what_worked_last_is_asked_first(net: Net) -> None:
    await net.place(net.v6)
    assert await net.reached() == V6
    await net.place(net.v4, net.v6)
    seen = len(net.v4.connections)
    assert await net.reached() == V6
    assert len(net.v4.connections) == seen


async def test_a_stranger_at_an_address_of_the_host_is_offered_no_key(net: Net) -> None:
    await net.place(net.v4, net.v6)
    assert await net.reached("v6") == V6
    await net.place(net.v4, net.stranger)
    assert await net.reached("v6") == V4
    assert net.stranger.offered == []
    await net.place(net.stranger)
    with pytest.raises(Refused):
        await net.reached("v6")
    assert net.stranger.offered == []


async def test_where_nothing_answers_the_host_is_unreachable_at_once(net: Net) -> None:
    await net.place()
    with pytest.raises(Unreachable) as error:
        await net.reached()
    assert "QEMU guest agent is not running" in "\n".join(error.value.evidence)

"""The in-memory Guest over the lab's own guests behaves as the wire does: what the simulations stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pvenix.engine.ports import End, Target
from pvenix.model.errors import Refused, Unreachable
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest, whole_site
from tests.contract.lab_machine import HOST_KEY_FILE, LabMachines
from tests.contract.memory_guest import MemoryGuest
from tests.lab.guest_support import make_disk, make_fleet, vm_of


@dataclass
class World:
    guest: MemoryGuest
    target: Target
    machine: Guest


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("disk")
    (base / "fleet").mkdir()
    make_fleet(base / "fleet")
    make_disk(whole_site(root=base / "site"), base / "fleet", base / "disk")
    return base / "disk"


@pytest.fixture
async def world(tmp_path: Path, disk: Path) -> AsyncIterator[World]:
    async with whole_site(root=tmp_path / "lab", time_scale=0) as site:
        clone_disk(site, disk, site.guest_root(200))
        machine = new_guest(site, vm_of("dns01"), site.guest_root(200))
        site.guests[200] = machine
        machine.boot_now()
        target = Target(
            host="dns01", address="10.69.13.5", port=22, user="tappaas", key_file="unused",
            host_key=machine.tree.read_text(HOST_KEY_FILE),
        )  # fmt: skip
        yield World(MemoryGuest(LabMachines(site)), target, machine)
    assert site.defects == []


async def test_commands_run_on_the_guest_that_has_the_address(world: World) -> None:
    session = await world.guest.session(world.target)
    assert (await session.run(["hostname"])).stdout == "dns01\n"
    assert (await session.run(["id", "-u"], sudo=True)).stdout == "0\n"
    assert (await session.run(["mkdir", "-p", "/var/lib/pvenix/a"], sudo=True)).ok
    assert (await session.run(["dd", "of=/var/lib/pvenix/a/b c", "status=none"], sudo=True, stdin=b"x")).ok
    assert (await session.run(["cat", "/var/lib/pvenix/a/b c"], sudo=True)).stdout == "x"
    assert (await session.run(["no-such-program"])).exit_status == 127
    assert await world.guest.reachable(replace(world.target, address="10.69.13.6"), timeout_s=1) is None


async def test_a_cut_and_a_power_off_are_lost_results(world: World) -> None:
    session = await world.guest.session(world.target)
    async with session.stream(["tail", "-c", "+1", "-F", "/proc/sys/kernel/random/boot_id"]) as chunks:
        assert (await anext(chunks)).strip() == world.machine.boot_id
        world.machine.cut_connections()
        assert [chunk async for chunk in chunks] == []
    assert not session.alive
    assert (await session.run(["true"])).end is End.LOST
    again = await world.guest.session(world.target)
    assert (await again.run(["true"])).ok
    await world.machine.power_off(graceful=False)
    assert (await again.run(["true"])).end is End.LOST
    with pytest.raises(Unreachable):
        await world.guest.session(world.target)


async def test_another_host_key_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        await world.guest.session(replace(world.target, host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIother"))

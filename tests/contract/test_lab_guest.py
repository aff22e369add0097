"""What only the in-memory Guest over the lab's guests can get wrong: which guest has the address, and its power."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pvenix.engine.ports import End, Target
from pvenix.model.errors import Unreachable
from pvenix_lab.site.guest.firstboot import HOST_KEY
from tests.contract.guest_worlds import MakePrepared
from tests.contract.memory_guest import MemoryGuest
from tests.lab.ssh_support import network
from tests.sim.ports import Machines


async def test_commands_run_on_the_guest_that_has_the_address_while_it_is_on(
    tmp_path: Path, prepared_lab: MakePrepared
) -> None:
    async with network(tmp_path, prepared_lab()) as net:
        guest = MemoryGuest(Machines(net.guest.site).find)
        target = Target(
            host="dns01", address="10.69.13.5", port=22, user="tappaas", key_file="unused",
            host_key=net.guest.tree.read_text(f"{HOST_KEY}.pub"),
        )  # fmt: skip
        jump = replace(target, address="10.0.0.30", host_key=net.jump.tree.read_text(f"{HOST_KEY}.pub"))
        session = await guest.session(target)
        assert (await session.run(["hostname"])).stdout == "dns01\n"
        assert (await (await guest.session(jump)).run(["hostname"])).stdout == "tappaas-cicd\n"
        assert await guest.reachable(replace(target, address="10.69.13.6"), timeout_s=1) is None

        await net.guest.power_off(graceful=False)
        assert (await session.run(["true"])).end is End.LOST
        with pytest.raises(Unreachable):
            await guest.session(target)
        await guest.close()

"""What only OpenSSH can show: a real shell behind the command line, and its server as a jump host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from pvenix.adapters.ssh.guest import SshGuest
from pvenix.model.errors import Refused, Unreachable
from tests.contract.openssh import SSHD, Sshd, another_key, running_sshd
from tests.contract.test_guest import ODD_NAMES

pytestmark = [pytest.mark.real, pytest.mark.skipif(SSHD is None, reason="no sshd on this machine")]


@pytest.fixture
async def sshd(tmp_path: Path) -> AsyncIterator[Sshd]:
    async with running_sshd(tmp_path / "sshd") as made:
        yield made


@pytest.fixture
async def guest() -> AsyncIterator[SshGuest]:
    guest = SshGuest()
    yield guest
    await guest.close()


async def test_a_real_shell_sees_one_argument(sshd: Sshd, guest: SshGuest) -> None:
    session = await guest.session(sshd.target)
    for argument in (*ODD_NAMES, "!x", "$HOME", "~root", "{a,b}", "\t", "%s", "a=~"):
        result = await session.run(["printf", "%s", argument])
        assert (result.ok, result.stdout) == (True, argument)


async def test_a_jump_host_carries_and_refuses(sshd: Sshd, guest: SshGuest) -> None:
    through = replace(sshd.target, jump=replace(sshd.target, host="jump"))
    assert (await (await guest.session(through)).run(["true"])).ok
    with pytest.raises(Unreachable):
        await guest.session(replace(through, port=1))
    with pytest.raises(Refused):
        await guest.fresh_session(replace(through, host_key=another_key()))

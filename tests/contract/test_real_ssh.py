"""The adapters against OpenSSH: its server for guests, its client and server for git."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from pvenix.adapters.git.repo import GitRepo
from pvenix.adapters.ssh.guest import SshGuest
from pvenix.engine.ports import End, Target
from pvenix.model.errors import OutcomeUnknown, Refused, Unreachable
from tests.contract.ssh_server import key_pair, public_line
from tests.contract.test_repo import AUTHOR, BASE, seed_bare

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
pytestmark = [pytest.mark.real, pytest.mark.skipif(SSHD is None, reason="no sshd on this machine")]


@dataclass
class Sshd:
    """A running sshd of the person who runs the tests, on a free port of 127.0.0.1."""

    process: asyncio.subprocess.Process
    target: Target
    folder: Path
    bare: Path

    def sessions(self) -> list[int]:
        """Processes that serve a connection."""
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], check=False, capture_output=True, text=True
        )
        return [int(pid) for pid in found.stdout.split()]


def configuration(folder: Path, port: int) -> str:
    return "\n".join(
        [
            f"ListenAddress 127.0.0.1:{port}", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorised",
            f"PidFile {folder}/pid", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PermitRootLogin yes", "AllowTcpForwarding yes", "LogLevel ERROR",
            "PermitUserEnvironment no", f"SetEnv HOME={folder}", "",
        ]
    )  # fmt: skip


def make_privilege_separation_directory() -> None:
    """As root sshd wants this directory, which its service file makes otherwise."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)


@pytest.fixture
async def sshd(tmp_path: Path, unused_tcp_port: int) -> AsyncIterator[Sshd]:
    assert SSHD
    host_key, client_key = key_pair(tmp_path / "host"), key_pair(tmp_path / "client")
    (tmp_path / "authorised").write_text(public_line(client_key) + "\n")
    (tmp_path / "config").write_text(configuration(tmp_path, unused_tcp_port))
    seed_bare(tmp_path / "fleet.git", BASE)
    make_privilege_separation_directory()
    process = await asyncio.create_subprocess_exec(
        SSHD, "-D", "-E", str(tmp_path / "log"), "-f", str(tmp_path / "config"), stdin=asyncio.subprocess.DEVNULL
    )  # fmt: skip
    target = Target(
        host="dns01", address="127.0.0.1", port=unused_tcp_port, user=pwd.getpwuid(os.geteuid()).pw_name, host_key=public_line(host_key),
        key_file=str(tmp_path / "client"),
    )  # fmt: skip
    guest = SshGuest()
    for _ in range(200):
        if await guest.reachable(target, timeout_s=1) is not None:
            break
        await asyncio.sleep(0.02)
    yield Sshd(process, target, tmp_path, tmp_path / "fleet.git")
    if process.returncode is None:
        process.terminate()
    await process.wait()


@pytest.fixture
async def guest() -> AsyncIterator[SshGuest]:
    guest = SshGuest()
    yield guest
    await guest.close()


@pytest.mark.parametrize("argument", ["a b", "it's", "$(id)", "`id`", "a;b", "x\ny", "\\", "é", "~", "*", "!x", "#"])
async def test_a_real_shell_sees_one_argument(sshd: Sshd, guest: SshGuest, argument: str) -> None:
    result = await (await guest.session(sshd.target)).run(["printf", "%s", argument])
    assert (result.ok, result.stdout) == (True, argument)


async def test_streams_status_input_and_signals(sshd: Sshd, guest: SshGuest) -> None:
    session = await guest.session(sshd.target)
    assert (await session.run(["sh", "-c", "echo out; echo err >&2; exit 7"])).exit_status == 7
    data = os.urandom(3_000_000)
    assert (await session.run(["dd", f"of={sshd.folder}/copy", "status=none"], stdin=data)).ok
    assert (sshd.folder / "copy").read_bytes() == data
    assert (await session.run(["sh", "-c", "kill -KILL $$"])).end is End.SIGNALLED
    with pytest.raises(OutcomeUnknown):
        await session.run(["sleep", "30"], timeout_s=0.1)
    assert (await session.run(["true"])).ok


async def test_a_killed_session_of_the_server_is_a_lost_result(sshd: Sshd, guest: SshGuest) -> None:
    session = await guest.session(sshd.target)
    async with asyncio.TaskGroup() as group:
        command = group.create_task(session.run(["sleep", "30"]))
        await asyncio.sleep(0.3)
        for pid in sshd.sessions():
            os.kill(pid, signal.SIGKILL)
    assert command.result().end is End.LOST
    assert (await (await guest.session(sshd.target)).run(["true"])).ok


async def test_more_commands_than_the_server_allows_at_once_all_end_well(sshd: Sshd, guest: SshGuest) -> None:
    session = await guest.session(sshd.target)
    async with asyncio.TaskGroup() as group:
        commands = [group.create_task(session.run(["echo", str(number)])) for number in range(25)]
    assert [command.result().stdout.strip() for command in commands] == [str(number) for number in range(25)]


async def test_a_jump_host_carries_and_refuses(sshd: Sshd, guest: SshGuest) -> None:
    through = replace(sshd.target, jump=replace(sshd.target, host="jump"))
    assert (await (await guest.session(through)).run(["true"])).ok
    with pytest.raises(Unreachable):
        await guest.session(replace(through, port=1))
    other = public_line(asyncssh.generate_private_key("ssh-ed25519"))
    with pytest.raises(Refused):
        await guest.fresh_session(replace(through, host_key=other))


async def test_git_works_over_ssh_with_the_pinned_key_only(sshd: Sshd, tmp_path: Path) -> None:
    url = f"ssh://{sshd.target.user}@127.0.0.1:{sshd.target.port}{sshd.bare}"

    def repository(host_key: str, key: str, address: str = url) -> GitRepo:
        return GitRepo(
            url=address, branch="main", key_file=tmp_path / key, host_key=host_key, cache_dir=tmp_path / "cache",
            author=AUTHOR,
        )  # fmt: skip

    repo = repository(sshd.target.host_key, "client")
    main = await repo.fetch()
    commit = await repo.commit("registration/dns01", main, {"a": "1"}, message="x")
    assert await repo.merge(commit, into="main", message="Merge") == commit
    await repo.add_note("reviews", commit, "approved")
    assert await repo.fetch() == commit
    other = public_line(asyncssh.generate_private_key("ssh-ed25519"))
    with pytest.raises(Refused) as wrong_host:
        await repository(other, "client").fetch()
    assert wrong_host.value.code == "PVX0711"
    key_pair(tmp_path / "stranger")
    with pytest.raises(Refused) as wrong_key:
        await repository(sshd.target.host_key, "stranger").fetch()
    assert wrong_key.value.code == "PVX0712"
    sshd.process.terminate()
    await sshd.process.wait()
    with pytest.raises(Unreachable):
        await repo.fetch()
    with pytest.raises(Unreachable):
        await repo.commit("topic", commit, {"b": "1"}, message="x")
    await repo.close()

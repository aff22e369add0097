"""OpenSSH's own server, run by the person who runs the tests, on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncssh

from pvenix.engine.ports import Target
from tests.contract.ssh_server import key_pair, public_line

SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_TRIES_TO_LOG_IN: Final = re.compile(r"Accepted publickey|Failed publickey|authenticating user")
_SUDO: Final = '#!/bin/sh\n[ "$1" = -n ] || { echo "sudo: a password is required" >&2; exit 1; }\nshift\nexec "$@"\n'
"""Takes the place of sudo, which the machine of the tests need not have: it refuses to run without `-n`."""


@dataclass
class Sshd:
    """A running sshd. `target` is how its own user logs in with the key `client` of `folder`."""

    process: asyncio.subprocess.Process
    target: Target
    folder: Path

    def sessions(self) -> list[int]:
        """Processes that serve a connection."""
        pid = str(self.process.pid)
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", pid], check=False, capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]

    def kill_sessions(self) -> None:
        """Every connection dies without a word."""
        for pid in self.sessions():
            os.kill(pid, signal.SIGKILL)

    def logins(self) -> int:
        """How many clients got as far as naming a user."""
        return len(_TRIES_TO_LOG_IN.findall((self.folder / "log").read_text()))

    def authorise(self, line: str) -> None:
        """One more line of the authorised keys."""
        with (self.folder / "authorised").open("a") as file:
            file.write(f"{line}\n")

    async def stop(self) -> None:
        """No new connection is accepted; those that are open stay."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()


def _configuration(folder: Path, port: int) -> str:
    return "\n".join(
        [
            f"ListenAddress 127.0.0.1:{port}", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorised",
            f"PidFile {folder}/pid", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PermitRootLogin yes", "AllowTcpForwarding yes", "LogLevel VERBOSE",
            f"SetEnv HOME={folder} PATH={folder}/bin:{os.environ['PATH']}", "",
        ]
    )  # fmt: skip


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _make_privilege_separation_directory() -> None:
    """As root sshd wants this directory, which its service file makes otherwise."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)


@asynccontextmanager
async def running_sshd(folder: Path) -> AsyncIterator[Sshd]:
    """A server with a host key and one authorised client key of its own in `folder`."""
    assert SSHD
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/sudo").write_text(_SUDO)
    (folder / "bin/sudo").chmod(0o755)
    host_key, client_key, port = key_pair(folder / "host"), key_pair(folder / "client"), _free_port()
    (folder / "authorised").write_text(f"{public_line(client_key)}\n")
    (folder / "config").write_text(_configuration(folder, port))
    _make_privilege_separation_directory()
    process = await asyncio.create_subprocess_exec(
        SSHD, "-D", "-E", str(folder / "log"), "-f", str(folder / "config"), stdin=asyncio.subprocess.DEVNULL
    )
    target = Target(
        host="dns01", address="127.0.0.1", port=port, user=pwd.getpwuid(os.geteuid()).pw_name,
        host_key=public_line(host_key), key_file=str(folder / "client"),
    )  # fmt: skip
    try:
        await _listening(port)
        yield Sshd(process, target, folder)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return


def another_key() -> str:
    """The public line of a key that nobody has."""
    return public_line(asyncssh.generate_private_key("ssh-ed25519"))

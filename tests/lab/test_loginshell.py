"""The login shell of a simulated guest over real SSH: what a person sees who presses `S`, and what a script on stdin gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from tests.lab.guest_support import Prepared
from tests.lab.ssh_support import Net, network

PROMPT = "tappaas@dns01:~]$ "


@pytest.fixture
async def net(tmp_path: Path, prepared: Prepared) -> AsyncIterator[Net]:
    async with network(tmp_path, prepared) as found:
        yield found


@pytest.fixture
async def conn(net: Net) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with net.through_the_jump() as connection:
        yield connection


async def shell(conn: asyncssh.SSHClientConnection) -> asyncssh.SSHClientProcess[str]:
    process = await conn.create_process(term_type="xterm", term_size=(80, 24))
    await process.stdout.readuntil(PROMPT)
    return process


async def test_lines_run_and_leaving_ends_with_the_last_status(conn: asyncssh.SSHClientConnection) -> None:
    process = await shell(conn)
    process.stdin.write("hostname\r")
    assert "hostname\r\ndns01\r\n" in await process.stdout.readuntil(PROMPT)
    process.stdin.write("nope\r")
    assert "bash: line 1: nope: command not found\r\n" in await process.stdout.readuntil(PROMPT)
    process.stdin.write("\x04")
    assert "logout" in await process.stdout.read()
    await process.wait_closed()
    assert process.exit_status == 127


async def test_what_was_typed_can_be_taken_back(conn: asyncssh.SSHClientConnection) -> None:
    process = await shell(conn)
    process.stdin.write("wrong\x15hostnam\x7f\x1b[A\x1bOPme\r")
    assert "\r\ndns01\r\n" in await process.stdout.readuntil(PROMPT)
    process.stdin.write("nope --really\x03hostname\r")
    assert "^C" in await process.stdout.readuntil(PROMPT)
    assert "\r\ndns01\r\n" in await process.stdout.readuntil(PROMPT)
    process.change_terminal_size(120, 40)
    process.stdin.write("exit 3\r")
    await process.wait_closed()
    assert process.exit_status == 3


async def test_ctrl_c_ends_a_program_and_not_the_shell(conn: asyncssh.SSHClientConnection) -> None:
    process = await shell(conn)
    process.stdin.write("sleep 3600\r")
    await process.stdout.readuntil("sleep 3600\r\n")
    process.stdin.write("\x03")
    assert "^C" in await process.stdout.readuntil(PROMPT)
    process.stdin.write("exit\r")
    await process.wait_closed()
    assert process.exit_status == 130


async def test_what_needs_a_shell_is_refused_in_words(conn: asyncssh.SSHClientConnection) -> None:
    process = await shell(conn)
    process.stdin.write("true | true\r")
    assert "'|' outside quotes is refused\r\n" in await process.stdout.readuntil(PROMPT)


async def test_without_a_terminal_the_lines_are_a_script(conn: asyncssh.SSHClientConnection) -> None:
    done = await conn.run(input="hostname\nnope\nhostname\n")
    assert done.stdout == "dns01\ndns01\n"
    assert done.stderr == "bash: line 1: nope: command not found\n"
    assert done.exit_status == 0


async def test_the_user_git_has_no_shell(net: Net) -> None:
    async with asyncssh.connect(
        "127.0.0.1", net.face.jump_port, username="git", client_keys=[str(net.key)], known_hosts=None, config=None
    ) as conn:
        process = await conn.create_process(term_type="xterm")
        text = await process.stdout.read()
        assert PROMPT not in text
        await process.wait_closed()
        assert process.exit_status

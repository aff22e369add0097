"""A child whose starter is cancelled ends, and asyncio gets its exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import pytest

from pvenix.adapters.child import ended, started
from pvenix.adapters.git.runner import Git
from pvenix.model.errors import LocalResource


async def cancelled(git: Git, after: int) -> None:
    """Begin a command of git, and take it back after so many turns of the loop."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(git.run("--version"))
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()


async def test_a_command_of_git_that_is_taken_back_at_any_moment_leaves_no_unknown_child(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    git = Git(tmp_path, dict(os.environ))
    with caplog.at_level(logging.WARNING, logger="asyncio"):
        for after in range(60):
            await cancelled(git, after)
    assert [record.getMessage() for record in caplog.records if "child process" in record.getMessage()] == []


async def test_a_child_is_killed_when_its_start_is_cancelled() -> None:
    killed: list[int] = []

    def kill(pid: int) -> None:
        killed.append(pid)
        os.kill(pid, 9)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(started(asyncio.create_subprocess_exec("sleep", "1000"), kill))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
    assert len(killed) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(killed[0], 0)


async def test_a_start_that_is_cancelled_again_is_not_cut_off_and_the_child_is_killed() -> None:
    killed: list[int] = []

    def kill(pid: int) -> None:
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(started(asyncio.create_subprocess_exec("sleep", "1000"), kill))
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
    assert task.cancelled()
    assert len(killed) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(killed[0], 0)


async def test_who_is_cancelled_while_a_killed_child_ends_leaves_with_its_exit_status() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ended(process, lambda pid: os.kill(pid, signal.SIGKILL)))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert process.returncode == -signal.SIGKILL


async def test_a_program_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalResource, match="git cannot be started"):
        await Git(tmp_path, {"PATH": str(tmp_path)}).run("--version")

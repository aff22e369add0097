"""The real git, run on a guest's tree: fixed environment, no configuration, hooks or transport from outside the tree."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.dialling import Dialler
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pvenix_lab.site.guest.dialling import Dial
    from pvenix_lab.site.guest.streams import ByteReader, ByteWriter
    from pvenix_lab.site.guest.vfs import VirtualRoot

_CHUNK = 64 * 1024
_CONFIG = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "credential.helper": "",
    "diff.external": "",
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "protocol.file.allow": "always",
    "safe.directory": "*",
    "user.useConfigOnly": "true",
}


def environment(home: Path, *, hooks: bool = False) -> dict[str, str]:
    """The whole environment of a git process. `hooks` lets a repository's own hooks run (the bare repository's)."""
    config = {key: value for key, value in _CONFIG.items() if not (hooks and key == "core.hooksPath")}
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": str(len(config)),
    }
    for index, (key, value) in enumerate(sorted(config.items())):
        env |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return env


def empty_home(tree: VirtualRoot) -> Path:
    """A directory of the guest without any git configuration."""
    tree.mkdir("/var/empty")
    return tree.real("/var/empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a git process printed and how it ended."""

    status: int
    stdout: bytes
    stderr: bytes


async def capture(tree: VirtualRoot, *arguments: str, stdin: bytes = b"", cwd: str = "/etc/nixos") -> Output:
    """Run git in a directory of the guest and keep its output."""
    out, err = BytesWriter(), BytesWriter()
    status = await stream(tree, arguments, (BytesReader(stdin), out, err), cwd=cwd)
    return Output(status=status, stdout=bytes(out.data), stderr=bytes(err.data))


async def stream(
    tree: VirtualRoot,
    arguments: tuple[str, ...],
    streams: tuple[ByteReader, ByteWriter, ByteWriter],
    *,
    cwd: str = "/etc/nixos",
    extra: Mapping[str, str] | None = None,
    hooks: bool = False,
    dial: Dial | None = None,
) -> int:
    """Run git in a directory of the guest, its streams joined to ours, and return its exit status.

    `dial` is how it reaches other hosts by SSH; without it git can reach none. The process gets SIGTERM when the caller is cancelled, so that git takes its lock files away. Paths of the lab's own directory are taken out of what git prints.
    """
    stderr = streams[2]
    git = shutil.which("git")
    if git is None:
        stderr.write(b"git: command not found\n")
        return 127
    env = environment(empty_home(tree), hooks=hooks) | _ends_at(tree) | dict(extra or {})
    command = (git, *arguments)
    prefix = b"" if hooks else str(tree.root).encode()  # packs are no text: nothing is replaced in them
    if dial is None:
        return await _run(tree, (command, cwd, env), streams, prefix)
    dialler = Dialler(dial)
    try:
        async with asyncio.TaskGroup() as group:
            server = group.create_task(dialler.serve())
            env |= dialler.environment(env.get("GIT_SSH_COMMAND", "ssh")) | {"GIT_ALLOW_PROTOCOL": "file:ssh"}
            status = await _run(tree, (command, cwd, env), streams, prefix, pass_fd=dialler.theirs.fileno())
            server.cancel()
    finally:
        dialler.close()
    return status


async def _run(
    tree: VirtualRoot,
    what: tuple[tuple[str, ...], str, dict[str, str]],
    streams: tuple[ByteReader, ByteWriter, ByteWriter],
    prefix: bytes,
    *,
    pass_fd: int | None = None,
) -> int:
    command, cwd, env = what
    stdin, stdout, stderr = streams
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=tree.real(cwd),
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        pass_fds=() if pass_fd is None else (pass_fd,),
    )
    try:
        async with asyncio.TaskGroup() as pumps:
            feeder = pumps.create_task(_feed(stdin, process.stdin))
            pumps.create_task(_copy(process.stderr, stderr, str(tree.root).encode()))
            copied = pumps.create_task(_copy(process.stdout, stdout, prefix))
            await process.wait()
            await asyncio.wait((copied,))
            feeder.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return process.returncode or 0


def _ends_at(tree: VirtualRoot) -> dict[str, str]:
    """A repository is looked for in the guest's directories, not above its root."""
    return {"GIT_CEILING_DIRECTORIES": str(tree.root.parent)}


async def _feed(source: ByteReader, target: asyncio.StreamWriter | None) -> None:
    if target is None:
        return
    try:
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # git ended before it read everything: its exit status says why
    finally:
        target.close()


async def _copy(source: asyncio.StreamReader | None, target: ByteWriter, prefix: bytes) -> None:
    while source is not None and (data := await source.read(_CHUNK)):
        target.write(data.replace(prefix, b"") if prefix else data)
        await target.drain()

"""Runs git with fixed arguments in an environment of our own.

Nothing of the person's or the machine's Git settings gets in: no hooks, no file system monitor, no credential helper, no
pager, no other transport than the one that the URL names, no replaced objects. Text of others (branch names, paths) is
given as whole references or behind `--`, so it cannot be an option.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pvenix.adapters.child import ended, started
from pvenix.adapters.text import sanitise
from pvenix.engine.calls import CALLS, Channel
from pvenix.model.errors import LocalResource, RemoteFailure, UsageError

_OVERRIDES: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.logAllRefUpdates": "false",
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "transfer.fsckObjects": "true",
    "advice.pushUpdateRejected": "false",
}
HOST_ALIAS: Final = "pvenix-git"
"""What ssh calls the repository's host, whatever its address."""
_LOCAL_TIMEOUT_S: Final = 60.0
_USER: Final = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?"
_SCP_LIKE: Final = re.compile(_USER + r"[A-Za-z0-9][A-Za-z0-9.-]*:[^:].*")
_SSH_URL: Final = re.compile(r"ssh://" + _USER + r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?/.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A git command that ended by itself."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output as text without the last newline."""
        return self.stdout.decode("utf-8", "replace").removesuffix("\n")


def transport_of(url: str) -> str:
    """The one Git protocol that `url` needs: `ssh` or `file`.

    Raises: UsageError for every other one (`ext::` runs commands, `git://` and `http://` prove nothing).
    """
    if url.startswith(("file:///", "/")):
        return "file"
    if _SSH_URL.fullmatch(url) or ("://" not in url and _SCP_LIKE.fullmatch(url)):
        return "ssh"
    raise UsageError(
        f"{url[:120]!r} is not a repository that pvenix reaches",
        hint="write ssh://user@host:port/path, or the absolute path of a bare repository on this machine",
    )


def ssh_command(key_file: Path | None, known_hosts: Path) -> str:
    """The ssh command line for git: one key, one pinned host, nothing of the person's settings, no questions."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "15",
        "ControlPath": "none",
        "ForwardAgent": "no",
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": HOST_ALIAS,
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "KexAlgorithms": "^curve25519-sha256",  # OpenSSH 9's own first choice costs 64 ms more CPU per connection
        "LogLevel": "ERROR",
        "ServerAliveCountMax": "3",
        "ServerAliveInterval": "5",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "UserKnownHostsFile": str(known_hosts),
    }
    argv = ["ssh", "-F", "/dev/null", *(f"-o{name}={value}" for name, value in options.items())]
    return shlex.join([*argv, *(["-i", str(key_file)] if key_file else [])])


def environment(*, protocol: str, ssh: str, home: Path) -> dict[str, str]:
    """Everything that git sees of our environment."""
    settings = _OVERRIDES | {f"protocol.{protocol}.allow": "always"}
    fixed = {
        "GIT_ALLOW_PROTOCOL": protocol,
        "GIT_ASKPASS": "false",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": ssh,
        "GIT_SSH_VARIANT": "ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": str(home),
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", os.defpath),
        "SSH_ASKPASS": "false",
        "TZ": "UTC",
    }
    for number, (key, value) in enumerate(settings.items()):
        fixed[f"GIT_CONFIG_KEY_{number}"] = key
        fixed[f"GIT_CONFIG_VALUE_{number}"] = value
    return fixed


def _kill_all(pid: int) -> None:
    """End git and what it has started, which is in a session of its own."""
    os.killpg(pid, signal.SIGKILL)


class Git:
    """Git commands on one repository directory: a bare one of ours, or with `worktree` a person's."""

    def __init__(self, directory: Path, env: Mapping[str, str], *, worktree: Path | None = None) -> None:
        self.directory = directory
        self.env = dict(env) | ({"GIT_WORK_TREE": str(worktree)} if worktree else {})
        self._worktree = worktree

    async def run(
        self, *args: str, stdin: bytes = b"", timeout_s: float = _LOCAL_TIMEOUT_S, env: Mapping[str, str] | None = None
    ) -> Done:
        """One command to its end, whatever its exit status; killed with its children on timeout and cancellation.

        Raises: TimeoutError, LocalResource when git cannot be started.
        """
        try:
            starting = asyncio.create_subprocess_exec(
                "git",
                f"--git-dir={self.directory}",
                *args,
                stdin=PIPE if stdin else DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env=self.env | dict(env or {}),
                cwd=self._worktree or (self.directory if self.directory.is_dir() else "/"),
                start_new_session=True,
            )
            process = await started(starting, _kill_all)
        except OSError as error:
            raise LocalResource("git cannot be started", why=str(error), hint="install git 2.39 or later") from error
        with CALLS.call(Channel.GIT, "", shlex.join(("git", *args))) as call:
            try:
                async with asyncio.timeout(timeout_s):
                    stdout, stderr = await process.communicate(stdin or None)
            finally:
                await ended(process, _kill_all)
            call.ended(f"exit {process.returncode}" if process.returncode else "ok", bad=bool(process.returncode))
        return Done(status=process.returncode or 0, stdout=stdout, stderr=sanitise(stderr.decode("utf-8", "replace")))

    async def ask(
        self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, accept: tuple[int, ...] = (0,)
    ) -> Done:
        """A command on this machine that must succeed.

        Raises: RemoteFailure with git's words when its exit status is not accepted, or it takes too long.
        """
        try:
            done = await self.run(*args, stdin=stdin, env=env)
        except TimeoutError as error:
            raise RemoteFailure(f"git {args[0]} did not end in {_LOCAL_TIMEOUT_S:g} s", code="PVX0715") from error
        if done.status not in accept:
            raise RemoteFailure(
                f"git {args[0]} failed in {self._worktree or f'the mirror {self.directory}'}",
                why=" / ".join(done.stderr.split("\n")[-4:]).strip(" /"),
                hint="" if self._worktree else "the mirror is a copy: it may be deleted and will be made anew",
                code="PVX0715",
            )
        return done

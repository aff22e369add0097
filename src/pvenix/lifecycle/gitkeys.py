"""The keys that open the fleet's repository: each has a line in the keys of the user that serves it, for git only.

Every change is one command under the lock of the folder that the keys are in, so that operators who let keys in and
shut keys out at the same time take nobody's line away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.engine.step import Commands, Step
from pvenix.fleet.load import Fleet
from pvenix.lifecycle import argv
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import Remote, as_text, text_of
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, RemoteFailure, UsageError
from pvenix.model.git_url import GitUrl

DEFAULT_PATH: Final = "/srv/git/tappaas-nixos-config.git"
"""The repository that nix/files/fleet-git-serve serves when its line names none."""
SERVE: Final = "/run/current-system/sw/bin/fleet-git-serve"
"""Where nix/modules/role-cicd.nix puts the forced command of every key."""
_PUBLIC_KEY: Final = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{60,80}={0,2}")
Sending = tuple[argv.Argv, bytes]
"""A command that changes the repository's host, with its standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """The keys of the user that serves the repository."""

    owner: str
    home: str

    @property
    def folder(self) -> str:
        """Where sshd looks for them."""
        return f"{self.home}/.ssh"

    @property
    def path(self) -> str:
        """The file."""
        return f"{self.folder}/authorized_keys"

    @property
    def own_serve(self) -> str:
        """The forced command on a host whose system does not bring it."""
        return f"{self.home}/fleet-git-serve"


async def key_file(remote: Remote, user: str) -> KeyFile:
    """The keys of `user` on the repository's host.

    Raises: RemoteFailure when there is no such user, OutcomeUnknown when the connection is lost.
    """
    entry = await remote.try_read(("getent", "passwd", user))
    fields = entry.stdout.strip().split(":")
    if entry.ok and len(fields) == 7 and fields[5].startswith("/"):
        return KeyFile(owner=user, home=fields[5].rstrip("/"))
    raise RemoteFailure(
        f"the host has no user {user}",
        why="the repository belongs to the user that its URL names",
        hint="deploy nix/modules/role-cicd.nix there, or, for now: "
        f"sudo useradd --system --home-dir /srv/git --create-home --shell /bin/sh {user}",
        code="PVX0720",
    )


def key_line(serve: str, who: str, key: str, *, repository: str) -> str:
    """The line of a key that may do what the update hook lets `who` (`operator`, `guest:<host>`) do, and nothing else."""
    command = f"{serve} {who}" + ("" if repository == DEFAULT_PATH else f" {repository}")
    return f'restrict,command="{command}" {" ".join(key.split()[:2])} {who.removeprefix("guest:")}'


def letting_in(keys: KeyFile, who: str, line: str, *, present: str) -> list[Sending]:
    """What makes `line` the only one of `who` in the keys, which are `present` now; nothing when it is.

    Each command changes the file under the lock of its folder, so that nobody's line is lost to somebody else's.
    """
    own = lines_of(who, present)
    if own == [line]:
        return []
    made: list[Sending] = []
    if not present:
        made = [(("touch", keys.path), b""), (("chmod", "600", keys.path), b"")]
        made += [(("chown", f"{keys.owner}:", keys.path), b"")]
    gap = "" if not present or present.endswith("\n") else "\n"
    adding = (argv.locked(keys.folder, argv.append_to_file(keys.path)), f"{gap}{line}\n".encode())
    return [*made, *(shutting_out(keys, who) if own else ()), adding]


def lines_of(who: str, present: str) -> list[str]:
    """The lines of `who` in the text of the keys."""
    return [line for line in present.splitlines() if line[:1] != "#" and re.search(rf'.{re.escape(who)}[ "]', line)]


def shutting_out(keys: KeyFile, who: str) -> list[Sending]:
    """What takes every line of `who` out of the keys."""
    return [(argv.locked(keys.folder, argv.take_lines_out(keys.path, f'^[^#].*{who}[ "]')), b"")]


def putting(path: str, text: str, *, mode: str, owner: str) -> list[Sending]:
    """Write a file in one step: it is never there with another mode or owner, or by half."""
    return [
        (argv.write_file(f"{path}.new"), text.encode()),
        (("chmod", mode, f"{path}.new"), b""),
        (("chown", f"{owner}:", f"{path}.new"), b""),
        (("mv", "-T", f"{path}.new", path), b""),
    ]


async def send(remote: Remote, commands: Iterable[Sending]) -> None:
    """Run commands one after the other.

    Raises: RemoteFailure for the first that fails, OutcomeUnknown when the connection is lost.
    """
    for command, stdin in commands:
        await remote.write(command, stdin=stdin)


def host_at(fleet: Fleet, address: str) -> str:
    """The host of the inventory that has this address or name, else the one that keeps the repository; empty if none."""
    hosts = fleet.hosts.values()
    here = [host for host in hosts if address in (host.name, host.machine.network.ip)]
    here += [host for host in hosts if address.endswith(fleet.site.domain) and address.startswith(f"{host.name}.")]
    return next((host.name for host in [*here, *(host for host in hosts if host.machine.controller)]), "")


# --- a guest's own key -----------------------------------------------------------------------------------------------


async def let_in(world: World, step: Step, found: Found) -> str:
    """Let the guest's own key push its own registration branch; why that is not possible, empty when it is done.

    Raises: RemoteFailure, Unreachable, Refused, OutcomeUnknown of the host that keeps the repository.
    """
    step.asks("agent", f"file-read {argv.GIT_KEY}")
    key = await world.pve.agent_read_file(found.node, found.vmid, argv.GIT_KEY) or ""
    if trouble := _trouble(world) or ("" if _PUBLIC_KEY.match(key) else f"there is none in {argv.GIT_KEY}"):
        return trouble
    remote = await _server_of(world, step)
    await send(remote, await _own_line(world, remote, key))
    return ""


async def let_in_commands(world: World, step: Step, found: Found) -> Commands:
    """What `let_in` would change now."""
    key = await world.pve.agent_read_file(found.node, found.vmid, argv.GIT_KEY) or ""
    if _trouble(world) or not _PUBLIC_KEY.match(key):
        return ()
    remote = await _server_of(world, step)
    return _shown(await _own_line(world, remote, key))


async def shut_out(world: World, step: Step) -> str:
    """Take the key of the step's host out of those that open the repository; why it is still there, empty when done."""
    try:
        remote = await _keeper(world, step)
        if remote is not None:
            await send(remote, await _no_line(world, remote))
    except PvenixError as error:
        return str(error)
    return ""


async def shut_out_commands(world: World, step: Step) -> Commands:
    """What `shut_out` would change now, as far as can be seen."""
    try:
        remote = await _keeper(world, step)
        return () if remote is None else _shown(await _no_line(world, remote))
    except PvenixError:
        return ()


async def _keeper(world: World, step: Step) -> Remote | None:
    """The host with the repository's keys; None when none of ours is, or it is the very host that goes."""
    return None if _trouble(world) or _server(world) == step.host else await _server_of(world, step)


async def _own_line(world: World, remote: Remote, key: str) -> list[Sending]:
    """What gives the guest's key, and no earlier one of the guest, its line on the repository's host."""
    place, who = GitUrl.parse(_url(world)), f"guest:{remote.step.host}"
    keys = await key_file(remote, place.user)
    serve = SERVE if (await remote.try_read(("test", "-e", SERVE), sudo=True)).ok else keys.own_serve
    line = key_line(serve, who, key, repository=place.path)
    return letting_in(keys, who, line, present=await text_of(remote, keys.path))


async def _no_line(world: World, remote: Remote) -> list[Sending]:
    """What takes the guest's lines out; nothing when it has none."""
    keys, who = await key_file(remote, GitUrl.parse(_url(world)).user), f"guest:{remote.step.host}"
    return shutting_out(keys, who) if lines_of(who, await text_of(remote, keys.path)) else []


def _trouble(world: World) -> str:
    """Why the keys that open the repository are not ours to change."""
    server = _server(world)
    if not server:
        return f"no host of the inventory keeps {_url(world) or 'a repository'}"
    if world.trust.get(server) is None:
        return f"no host key is pinned for {server} (pvenix boot {server})"
    return ""


async def _server_of(world: World, step: Step) -> Remote:
    """The host that keeps the repository, for this step."""
    return Remote(session=await world.ways.session(_server(world), tell=step.tell), step=step)


def _server(world: World) -> str:
    """The host that keeps the repository; empty when its URL names none, or one that the inventory does not have."""
    try:
        return host_at(world.fleet, GitUrl.parse(_url(world)).address)
    except UsageError:
        return ""


def _url(world: World) -> str:
    repository = world.fleet.site.repository
    return repository.url if repository else ""


def _shown(commands: Iterable[Sending]) -> Commands:
    return tuple(("ssh", as_text(command, sudo=True)) for command, _ in commands)

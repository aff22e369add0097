"""The keys that open the fleet's repository: each has a line in the keys of the user that serves it, for git only.

A line is appended in one write, so that operators who let keys in at the same time take nobody's line away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pvenix.fleet.load import Fleet
from pvenix.lifecycle import argv
from pvenix.lifecycle.remote import Remote
from pvenix.model.errors import RemoteFailure

DEFAULT_PATH: Final = "/srv/git/tappaas-nixos-config.git"
"""The repository that nix/files/fleet-git-serve serves when its line names none."""
SERVE: Final = "/run/current-system/sw/bin/fleet-git-serve"
"""Where nix/modules/role-cicd.nix puts the forced command of every key."""
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

    It is appended, unless an earlier key of `who` has to go.
    """
    others = [
        known for known in present.splitlines() if known[:1] == "#" or not re.search(rf'{re.escape(who)}[ "]', known)
    ]
    own = [known for known in present.splitlines() if known not in others]
    if own == [line]:
        return []
    if not present or own:
        return putting(keys.path, "".join(f"{known}\n" for known in [*others, line]), mode="600", owner=keys.owner)
    gap = "" if present.endswith("\n") else "\n"
    return [(argv.append_to_file(keys.path), f"{gap}{line}\n".encode())]


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

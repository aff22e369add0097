"""Make the fleet's bare repository on a host, and take over an /etc/nixos that is already there, with its history.

Step 1 of the first seed. Everything is looked at before anything is written, so that what is there stays: a repository
with a main branch keeps it, a foreign hook or key line is refused, and of /etc/nixos nothing changes but that plain files
become its first commit. The branch is set when the repository is complete and the operator's key is let in last, so an
interrupted founding is repeated from where it stood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pvenix.lifecycle import argv
from pvenix.lifecycle.gitkeys import DEFAULT_PATH, SERVE, KeyFile, key_file, key_line, letting_in, putting, send
from pvenix.lifecycle.remote import Remote, must, text_of
from pvenix.model.errors import Refused, RemoteFailure

__all__ = ["DEFAULT_PATH", "SERVE", "Founded", "Founding", "found"]

_NO_COMMIT: Final = "0" * 40
_FORCED: Final = re.compile(r'command="([^"]*)"')


class _History(Enum):
    """What /etc/nixos holds."""

    NONE = auto()
    FILES = auto()
    COMMITS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What the repository is to be."""

    path: str
    """Of the bare repository on the host, absolute, without characters that a shell or sshd would read."""
    branch: str
    hook: str
    """Text of the `update` hook, nix/files/fleet-update-hook."""
    serve: str
    """Text of the forced command, nix/files/fleet-git-serve, for a host that does not have it yet."""
    operator_key: str
    """The operator's public key line."""
    owner: str = "git"
    """The user that serves the repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """The repository as it is now."""

    tip: str
    """The commit of the main branch, empty while there is none."""
    changed: bool


async def found(remote: Remote, wanted: Founding) -> Founded:
    """Make what is missing of the repository and of the operator's way in.

    Raises: Refused when a hook or a key line of somebody else is in the way, RemoteFailure when the user is missing,
    /etc/nixos has edits that are in no commit, or a command fails; OutcomeUnknown when the connection is lost.
    """
    keys = await key_file(remote, wanted.owner)
    authorised = _opens(await text_of(remote, keys.path), wanted)
    hook = await _hook_fits(remote, wanted)
    tip = await _tip(remote, wanted)
    if not tip:
        history = await _look(remote)
        await _make(remote, wanted, history)
        tip = await _tip(remote, wanted)
        hook = True
        changed = True
    else:
        changed = not (hook and authorised)
    if not hook:
        await _put_hook(remote, wanted)
    if not authorised:
        await _authorise(remote, wanted, keys)
    return Founded(tip=tip, changed=changed)


async def _there(remote: Remote, path: str) -> bool:
    return (await remote.try_read(("test", "-e", path), sudo=True)).ok


def _opens(authorized_keys: str, wanted: Founding) -> bool:
    """True when the operator's key opens this repository, False when it opens nothing.

    Raises: Refused when it opens something else: sshd goes by the first line of a key.
    """
    key = " ".join(wanted.operator_key.split()[:2])
    for line in authorized_keys.splitlines():
        if line.startswith("#") or f" {key} " not in f" {line} ":
            continue
        forced = _FORCED.search(line)
        command = str(forced[1]) if forced else ""
        program, who, path, *_ = (*command.split(), "", "", "")
        if program.endswith("/fleet-git-serve") and who == "operator" and (path or DEFAULT_PATH) == wanted.path:
            return True
        raise Refused(
            f"the key of the operator is set up for something else in the keys of user {wanted.owner}",
            why=command or "its line has no forced command",
            hint="give this repository a key of its own (ssh-keygen -t ed25519) and name it in repository.key",
            code="PVX0722",
        )
    return False


async def _hook_fits(remote: Remote, wanted: Founding) -> bool:
    """True when the hook is the fleet's, False when it is missing or an older one.

    Raises: Refused when it is somebody else's.
    """
    present = await text_of(remote, f"{wanted.path}/hooks/update")
    if present and present.splitlines()[:2] != wanted.hook.splitlines()[:2]:
        raise Refused(
            f"{wanted.path} has an update hook of its own",
            why="the fleet's hook decides who may push what, and there can be one only",
            hint=f"compare {wanted.path}/hooks/update with nix/files/fleet-update-hook, move it away, then init again",
            code="PVX0723",
        )
    return present == wanted.hook


async def _tip(remote: Remote, wanted: Founding) -> str:
    result = await remote.try_read(
        ("git", f"--git-dir={wanted.path}", "rev-parse", "--verify", "--quiet", f"refs/heads/{wanted.branch}"),
        sudo=True,
    )
    return result.stdout.strip() if result.ok else ""


async def _look(remote: Remote) -> _History:
    """What there is to take over.

    Raises: RemoteFailure when edits would be left behind, or Git cannot read what is there.
    """
    listed = await remote.try_read(("ls", "-1", "-A", argv.CONFIGURATION), sudo=True)
    names = set(listed.stdout.splitlines()) if listed.ok else set[str]()
    if ".git" not in names:
        return _History.FILES if names else _History.NONE
    head = await remote.try_read(
        ("git", "-C", argv.CONFIGURATION, "rev-parse", "--verify", "--quiet", "HEAD"), sudo=True
    )
    if not head.ok and head.exit_status == 1:  # a repository without a commit
        return _History.FILES if names > {".git"} else _History.NONE
    must(head)
    edits = (await remote.read(argv.EDITS, sudo=True)).strip()
    if edits:
        raise RemoteFailure(
            f"{argv.CONFIGURATION} has edits that are in no commit",
            why=", ".join(edits.splitlines()[:5]),
            hint="commit them there, or put them aside with git stash, then init again",
            code="PVX0721",
        )
    return _History.COMMITS


async def _make(remote: Remote, wanted: Founding, history: _History) -> None:
    """The repository with its hook and, when there is one, the history of /etc/nixos on its main branch."""
    repository = ("git", f"--git-dir={wanted.path}")
    await remote.write(("git", "init", "--quiet", "--bare", f"--initial-branch={wanted.branch}", wanted.path))
    await remote.write((*repository, "config", "receive.fsckObjects", "true"))
    commit = ""
    if history is _History.FILES:
        await _commit_plain_files(remote, wanted)
    if history is not _History.NONE:
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", argv.CONFIGURATION, "HEAD")
        await remote.write((*repository, *fetch))
        commit = (await remote.read(("git", "-C", argv.CONFIGURATION, "rev-parse", "HEAD"), sudo=True)).strip()
    await _put_hook(remote, wanted)
    hand_over = ("chown", "-R", f"{wanted.owner}:", wanted.path)
    await remote.write(hand_over)
    if commit:
        await remote.write((*repository, "update-ref", f"refs/heads/{wanted.branch}", commit, _NO_COMMIT))
        await remote.write(hand_over)  # the branch's own file, which git would replace anyway


async def _commit_plain_files(remote: Remote, wanted: Founding) -> None:
    repository = ("git", "-C", argv.CONFIGURATION)
    await remote.write((*repository, "init", "--quiet", f"--initial-branch={wanted.branch}"))
    await remote.write((*repository, "add", "--all"))
    author = ("-c", "user.name=pvenix", "-c", "user.email=pvenix@localhost")
    await remote.write((*repository, *author, "commit", "--quiet", "-m", "Initial commit of NixOS config"))


async def _authorise(remote: Remote, wanted: Founding, keys: KeyFile) -> None:
    """Let the operator's key in, beside every key that is there already."""
    serve = SERVE
    if not await _there(remote, SERVE):
        serve = keys.own_serve
        await send(remote, putting(serve, wanted.serve, mode="755", owner="root"))
    if not await _there(remote, keys.folder):
        await remote.write(argv.make_dir(keys.folder))
        await remote.write(("chmod", "700", keys.folder))
        await remote.write(("chown", f"{wanted.owner}:", keys.folder))
    line = key_line(serve, "operator", wanted.operator_key, repository=wanted.path)
    present = await text_of(remote, keys.path)
    await send(remote, letting_in(keys, wanted.operator_key.split()[1], line, present=present))


async def _put_hook(remote: Remote, wanted: Founding) -> None:
    await remote.write(argv.make_dir(f"{wanted.path}/hooks"))
    await send(remote, putting(f"{wanted.path}/hooks/update", wanted.hook, mode="755", owner=wanted.owner))

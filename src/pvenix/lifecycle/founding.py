"""Make the fleet's bare repository on a host, and take over an /etc/nixos that is already there, with its history.

Step 1 of the first seed. Nothing that exists is overwritten: a repository that has a main branch keeps it, and
/etc/nixos is only read from, or made a repository where it is plain files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from pvenix.engine.ports import CommandResult
from pvenix.lifecycle import argv
from pvenix.lifecycle.remote import Remote
from pvenix.model.errors import RemoteFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """What the repository is to be."""

    path: str
    """Of the bare repository on the host, absolute."""
    branch: str
    hook: str
    """Text of the `update` hook."""
    serve: str
    """The forced command of the operator's key, without its argument."""
    operator_key: str
    """The operator's public key line."""
    owner: str = "git"
    """The user that serves the repository."""


async def found(remote: Remote, wanted: Founding) -> str:
    """Make the repository; returns the tip of its main branch, empty when it has no commit yet.

    Raises: RemoteFailure when a command fails, or /etc/nixos has edits that are in no commit.
    """
    if not (await remote.try_read(("id", "-u", wanted.owner))).ok:
        raise RemoteFailure(
            f"the host has no user {wanted.owner}",
            hint="deploy nix/modules/role-cicd.nix there, or: "
            f"sudo useradd --system --home-dir {PurePosixPath(wanted.path).parent} --shell /bin/sh {wanted.owner}",
            code="PVX0650",
        )
    await remote.write(("git", "init", "--quiet", "--bare", f"--initial-branch={wanted.branch}", wanted.path))
    if not await _tip(remote, wanted):
        await _take_over(remote, wanted)
    await _put(remote, f"{wanted.path}/hooks/update", wanted.hook)
    await remote.write(("chmod", "755", f"{wanted.path}/hooks/update"))
    await _authorise(remote, wanted)
    home = str(PurePosixPath(wanted.path).parent)
    await remote.write(("chown", "-R", f"{wanted.owner}:{wanted.owner}", home))
    return await _tip(remote, wanted)


async def _tip(remote: Remote, wanted: Founding) -> str:
    result = await remote.try_read(
        ("git", f"--git-dir={wanted.path}", "rev-parse", "--verify", "--quiet", f"refs/heads/{wanted.branch}"),
        sudo=True,
    )
    return result.stdout.strip() if result.ok else ""


async def _take_over(remote: Remote, wanted: Founding) -> None:
    """Bring the history of /etc/nixos into the empty repository, if there is one."""
    if not (await remote.try_read(("test", "-e", argv.CONFIGURATION))).ok:
        return
    if not (await _in_configuration(remote, "rev-parse", "HEAD")).ok:
        if not (await remote.read(("ls", "-1", argv.CONFIGURATION), sudo=True)).strip():
            return
        await _commit_plain_files(remote, wanted)
    edits = (await remote.read(argv.EDITS, sudo=True)).strip()
    if edits:
        raise RemoteFailure(
            f"{argv.CONFIGURATION} has edits that are in no commit",
            why=", ".join(edits.splitlines()[:5]),
            hint="commit them there, or put them aside, then init again",
            code="PVX0651",
        )
    refspec = f"+HEAD:refs/heads/{wanted.branch}"
    await remote.write(("git", f"--git-dir={wanted.path}", "fetch", "--quiet", argv.CONFIGURATION, refspec))


async def _commit_plain_files(remote: Remote, wanted: Founding) -> None:
    repository = ("git", "-C", argv.CONFIGURATION)
    await remote.write((*repository, "init", "--quiet", f"--initial-branch={wanted.branch}"))
    await remote.write((*repository, "add", "--all"))
    author = ("-c", "user.name=pvenix", "-c", "user.email=pvenix@localhost")
    await remote.write((*repository, *author, "commit", "--quiet", "-m", "Initial commit of NixOS config"))


async def _in_configuration(remote: Remote, *words: str) -> CommandResult:
    return await remote.try_read(("git", "-C", argv.CONFIGURATION, *words), sudo=True)


async def _authorise(remote: Remote, wanted: Founding) -> None:
    """Let the operator's key in, beside every key that is there already."""
    folder = f"{PurePosixPath(wanted.path).parent}/.ssh"
    await remote.write(argv.make_dir(folder))
    present = (await remote.try_read(("cat", f"{folder}/authorized_keys"), sudo=True)).stdout
    key = " ".join(wanted.operator_key.split()[:2])
    if key in present:
        return
    line = f'restrict,command="{wanted.serve} operator" {key} operator'
    text = "".join(f"{known}\n" for known in [*present.splitlines(), line])
    await _put(remote, f"{folder}/authorized_keys", text)


async def _put(remote: Remote, path: str, text: str) -> None:
    await remote.write(argv.write_file(f"{path}.new"), stdin=text.encode())
    await remote.write(("mv", "-T", f"{path}.new", path))

"""Read what was edited in a guest's /etc/nixos: Git says which files, their texts are compared with the repository's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pvenix.lifecycle import argv
from pvenix.lifecycle.checks import reveal
from pvenix.lifecycle.difference import unified
from pvenix.lifecycle.ignoring import ignored_by
from pvenix.lifecycle.lineage import Repository
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.drift import DriftFile, Edit, HostDrift
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId
from pvenix.model.paths import hardware_file, host_file, not_of_edits, vars_file
from pvenix.model.secret import MASK

GIT: Final[argv.Argv] = ("git", "--no-optional-locks", "-C", argv.CONFIGURATION)
UNTRACKED: Final[argv.Argv] = (*GIT, "ls-files", "--others", "--exclude-standard", "-z")
_FILES: Final = 60
"""The most files that are read of one host."""
_SIZE: Final = 256 * 1024
"""Bytes of the largest file that is read: as large as a review takes."""
_AT_ONCE: Final = 8
_DELETED_MODE: Final = "000000"
_PLAIN_MODE: Final = "100644"
_KINDS: Final = {"d": "directory", "l": "symbolic link", "p": "pipe", "s": "socket"}
"""By the first letter of a mode, as ls(1) writes it."""


def changed(base: str) -> argv.Argv:
    """The files that are not as `base` has them: modes, letter and path of each, ended by NUL (git-diff(1), raw format)."""
    return (*GIT, "diff", "--raw", "-z", "--no-renames", "--no-abbrev", base, "--")


def merge_base(branch: str) -> argv.Argv:
    """The commit of the main branch, as it was last brought here, that HEAD comes from."""
    return (*GIT, "merge-base", "HEAD", f"refs/remotes/origin/{branch}")


def sizes(paths: Sequence[str]) -> argv.Argv:
    """Bytes, mode and name of each of these files of /etc/nixos; `%F` would name the kind in the host's own language."""
    return ("stat", "-c", "%s\t%A\t%n", *(f"{argv.CONFIGURATION}/{path}" for path in paths))


def own_files(host: str) -> frozenset[str]:
    """The files of the fleet that only this host is made of."""
    return frozenset({host_file(host), hardware_file(host), vars_file(host)})


async def read_edits(world: World, remote: Remote) -> HostDrift:
    """What was edited on the guest, against the commit of the main branch that its /etc/nixos comes from.

    Raises: RemoteFailure when that commit is not known, OutcomeUnknown.
    """
    repository = Repository(world)
    await repository.ready()
    head = await remote.try_read((*GIT, "rev-parse", "HEAD"), sudo=True)
    checkout = head.stdout.strip() if head.ok else ""  # of a repository without a commit, git prints the word HEAD
    base = await _base(world, remote, checkout, repository.expected)
    async with Together() as group:
        tracked = group.create_task(remote.read(changed(base), sudo=True))
        untracked = group.create_task(remote.read(UNTRACKED, sudo=True))
    patterns = world.host(remote.step).machine.drift.ignore
    others = (_Named(path=path, edit=Edit.ADDED, mode="") for path in untracked.result().split("\0") if path)
    edits = [*tracked_in(tracked.result()), *others]
    files = await _files(world, remote, base, edits[:_FILES])
    return HostDrift(
        host=remote.step.host,
        checkout=checkout,
        base=base,
        expected=repository.expected,
        files=tuple(replace(file, ignored=ignored_by(file.path, patterns)) for file in files),
        more=max(0, len(edits) - _FILES),
    )


async def left_main(world: World, remote: Remote, checkout: str, expected: str) -> CommitId | None:
    """The commit of the main branch that a host's checkout comes from; None when no known one is.

    `checkout` is its HEAD, `expected` what main holds, empty where that is not known.
    """
    if expected and await world.repo.contains(expected, checkout):
        return CommitId(checkout)
    found = (await remote.try_read(merge_base(world.branch), sudo=True)).stdout.strip()
    if found and expected and await world.repo.contains(expected, found):
        return CommitId(found)
    return None


async def _base(world: World, remote: Remote, checkout: str, expected: str) -> CommitId:
    """The guest's HEAD when the main branch holds it, else where it left the main branch."""
    if not checkout:
        raise RemoteFailure(
            f"{argv.CONFIGURATION} on {remote.step.host} is no Git checkout",
            why="there is no commit to compare its files with",
            hint=f"pvenix rebuild {remote.step.host} makes it one, and puts what is there aside",
            code="PVX0680",
        )
    if base := await left_main(world, remote, checkout, expected):
        return base
    raise RemoteFailure(
        f"{argv.CONFIGURATION} on {remote.step.host} is at {checkout[:10]}, which comes from no known commit of the fleet",
        why=f"{world.branch} does not hold it" if expected else f"what {world.branch} holds is not known",
        hint=f"look at it: pvenix console {remote.step.host} --open",
        code="PVX0681",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """A file that Git names."""

    path: str
    edit: Edit
    mode: str
    """Of the live file, empty for one that Git does not know."""


def tracked_in(text: str) -> list[_Named]:
    """The files in the output of `changed`."""
    words = text.split("\0")
    found = []
    for heading, path in zip(words[::2], words[1::2], strict=False):
        parts = heading.removeprefix(":").split(" ")
        if len(parts) == 5 and path:
            edit = Edit.DELETED if parts[1] == _DELETED_MODE else Edit.CHANGED
            found.append(_Named(path=path, edit=edit, mode=parts[1]))
    return found


async def _files(world: World, remote: Remote, base: CommitId, edits: Sequence[_Named]) -> tuple[DriftFile, ...]:
    named = [one.path for one in edits if one.edit is not Edit.DELETED and one.path.isprintable()]
    there = _sizes_in((await remote.try_read(sizes(named), sudo=True)).stdout) if named else {}
    slots = asyncio.Semaphore(_AT_ONCE)

    async def read(one: _Named) -> DriftFile:
        why = _unreadable(one, there)
        if why:
            return DriftFile(path=one.path, edit=one.edit, stays=why)
        async with slots:
            live = None
            if one.edit is not Edit.DELETED:
                live = await remote.read(("cat", f"{argv.CONFIGURATION}/{one.path}"), sudo=True)
            found = _compared(remote.step.host, base, one, await world.repo.read(base, one.path), live)
            return replace(found, merged=await world.repo.read(await world.repo.main(), one.path) == live)

    async with Together() as group:
        tasks = [group.create_task(read(one)) for one in edits]
    return tuple(sorted((task.result() for task in tasks), key=lambda file: file.path))


def _sizes_in(text: str) -> dict[str, tuple[int, str]]:
    found = {}
    for line in text.splitlines():
        size, _, rest = line.partition("\t")
        mode, _, path = rest.partition("\t")
        if size.isdecimal():
            found[path.removeprefix(f"{argv.CONFIGURATION}/")] = (int(size), mode[:1])
    return found


def _unreadable(named: _Named, there: dict[str, tuple[int, str]]) -> str:
    """Why a file is not read, empty when it is."""
    if not named.path.isprintable():
        return "its name has invisible characters"
    if named.edit is Edit.DELETED:
        return ""
    if named.path not in there:
        return "it was gone when it was read"
    size, kind = there[named.path]
    if kind != "-":
        return f"a {_KINDS.get(kind, 'special file')}, not a plain file"
    if size > _SIZE:
        return f"{size} bytes, more than {_SIZE}"
    return "" if named.mode in ("", _PLAIN_MODE) else f"its mode is {named.mode}, not that of a plain file"


def _compared(host: str, base: CommitId, named: _Named, before: str | None, live: str | None) -> DriftFile:
    """One file with its difference."""
    path = named.path
    if "\0" in (live or "") or "\ufffd" in (live or ""):
        return DriftFile(path=path, edit=named.edit, stays="not text")
    lines = unified(path, *(reveal(text or "") for text in (before, live)))
    lines[:2] = [f"--- {path} at {base[:10]}\n", f"+++ {path} on {host}\n"] if lines else []
    secret = MASK in (live or "") and MASK not in (before or "")
    return DriftFile(
        path=path,
        edit=Edit.ADDED if before is None and live is not None else named.edit,
        unified="".join(lines),
        added=sum(line.startswith("+") for line in lines[2:]),
        removed=sum(line.startswith("-") for line in lines[2:]),
        stays="a secret that pvenix knows stands in it" if secret else not_of_edits(host, path),
        shared=path not in own_files(host),
        live=live,
    )

"""One activation at a time on a target, whoever started it: the target itself issues the fence.

The fence is a directory that is moved into place (`mv -T -n`, atomic: the second mover does not replace the first) and
holds a file named after the attempt. The activation unit starts only while that file exists, so systemd skips the unit
of an owner whose fence was taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from pvenix.lifecycle import argv
from pvenix.lifecycle.remote import Remote, received
from pvenix.model.errors import LockHeld

_BESIDE = PurePosixPath(argv.FENCE).parent


async def take(remote: Remote, attempt: str) -> None:
    """Hold the fence for `attempt`.

    Raises: LockHeld naming the attempt that holds it.
    """
    make, write, move = taking(attempt)
    await remote.write(make)
    await remote.write(write, stdin=attempt.encode())
    # Newer versions of mv exit 1 where older ones exit 0 without moving, so only the listing counts.
    await remote.try_write(move)
    owners = await _owners(remote)
    if owners != [attempt]:
        raise held(remote.step.host, owners)


async def keep(remote: Remote, attempt: str) -> None:
    """Return while `attempt` holds the fence. Systemd forgets a unit that it skipped, so the unit itself says nothing.

    Raises: LockHeld when somebody removed it or took it over.
    """
    if await _owners(remote) != [attempt]:
        raise LockHeld(
            f"the fence of {remote.step.host} was taken over; what it runs is somebody else's doing", code="PVX0642"
        )


def held(host: str, owners: Sequence[str]) -> LockHeld:
    """The error that names the attempt which holds the fence, and the way out."""
    owner = owners[0] if len(owners) == 1 else "unknown"
    return LockHeld(
        f"{host} is being activated by attempt {owner}",
        hint=f"where that run was started: pvenix resume {owner.rsplit('-', 2)[0]}, or abandon; when it is "
        f"lost and nobody is at work on {host}: sudo rm -r {argv.FENCE} there",
        code="PVX0641",
    )


def taking(attempt: str) -> tuple[argv.Argv, argv.Argv, argv.Argv]:
    """Make the attempt's fence, name its owner in it, and move it into place."""
    folder = f"{_BESIDE}/{attempt}"  # on the same file system: only there is a move one step
    return argv.make_dir(folder), argv.write_file(f"{folder}/{attempt}"), ("mv", "-T", "-n", folder, argv.FENCE)


def giving_back(attempt: str) -> argv.Argv:
    """Move the fence out of the way, into the attempt's directory."""
    return ("mv", "-T", argv.FENCE, f"{argv.attempt_dir(attempt)}/released")


async def release(remote: Remote, attempt: str) -> None:
    """Give the fence back if `attempt` holds it; it is kept in the attempt's directory, or aside where that disk is full.

    Raises: OutcomeUnknown when the connection is lost, so that the attempt stays open until it was given back;
    RemoteFailure when the host keeps it.
    """
    if await _owners(remote) == [attempt]:
        moved = received(await remote.try_write(giving_back(attempt), show_output=False))
        if moved.exit_status:
            await remote.write(("mv", "-T", argv.FENCE, f"{_BESIDE}/{attempt}-released"))  # takes no space


async def _owners(remote: Remote) -> list[str]:
    return (await remote.try_read(argv.FENCE_OWNER, sudo=True)).stdout.split()

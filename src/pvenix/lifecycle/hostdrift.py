"""Everything that was changed on a host behind the repository's back, read anew."""

from __future__ import annotations

from dataclasses import replace

from pvenix.lifecycle import argv, hardware
from pvenix.lifecycle.difference import unified
from pvenix.lifecycle.edits import read_edits
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.lineage import Repository
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.drift import HostDrift
from pvenix.model.errors import PvenixError
from pvenix.model.generation import EDITED, drift
from pvenix.model.paths import hardware_file
from pvenix.model.status import HardwareLook


async def host_drift(world: World, host: str, *, hardware: bool) -> HostDrift:
    """The host's edits with their differences, and what else is not as the main branch says.

    Raises: Unreachable, Refused; RemoteFailure when there is nothing to compare its files with.
    """
    remote = await world.remote(looking_at(host))
    repository = Repository(world)
    await repository.ready()
    async with Together() as group:
        edits = group.create_task(read_edits(world, remote))
        facts = group.create_task(read_facts(remote))
        generated = group.create_task(_generated(remote)) if hardware else None
    lineage = await repository.lineage(facts.result())
    other = tuple(line for line in drift(facts.result(), lineage) if not line.startswith(EDITED))
    found = replace(edits.result(), other=other)
    return found if generated is None else await _with_hardware(world, found, generated.result())


async def _generated(remote: Remote) -> str | PvenixError:
    try:
        return await hardware.printed(remote, remote.step)
    except PvenixError as error:
        return error


async def _with_hardware(world: World, found: HostDrift, now: str | PvenixError) -> HostDrift:
    """With what the generator writes now against the file at the commit that the edits are compared with."""
    if isinstance(now, PvenixError):
        return replace(found, hardware=HardwareLook(problem=str(now)))
    path = hardware_file(found.host)
    committed = await world.repo.read(found.base, path)
    if committed is None:
        return replace(found, hardware=HardwareLook(problem=f"{path} is not in {found.base[:10]}"))
    return replace(found, hardware=HardwareLook(diff="".join(unified(path, committed, now))))


def overwritten(found: HostDrift) -> tuple[str, ...]:
    """What a rebuild from the main branch puts aside, a line each with where it goes; empty when there is nothing."""
    lines = [
        f"{file.path} ({file.edit.value}, +{file.added} -{file.removed}"
        f"{', main has the same' if file.merged else ''}) goes into a git stash of {argv.CONFIGURATION}"
        for file in found.counted
    ]
    lines += [f"and {found.more} more files with them"] if found.more else []
    if lines:
        lines.append("`git stash list` there finds them again, under the run's name")
    if found.checkout != found.base:
        lines.append(
            f"{found.checkout[:10]}, which was committed on the host alone, stays there as branch pvenix-<run>"
        )
    return tuple(lines)

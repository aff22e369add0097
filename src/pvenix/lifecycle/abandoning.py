"""Ends what a dead run has left open, as far as that is safe, and names the rest.

Nothing is destroyed and no activation is touched that may still go either way: its dead-man decides, or a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pvenix.engine.locks import HostLocks
from pvenix.engine.ports import Journal
from pvenix.engine.step import Step
from pvenix.lifecycle.activation import deadman, fence
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.activation.follow import judge, properties_in
from pvenix.lifecycle.argv import unit_state
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.leftovers import OpenStep
from pvenix.lifecycle.ownership import is_tagged
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError
from pvenix.model.names import node_name
from pvenix.model.names import vmid as vm_id
from pvenix.model.outcome import Status

_MAKING: Final = frozenset({"clone", "create"})
Say = Callable[[str], None]


async def give_up(
    world: World, run: str, steps: Sequence[OpenStep], *, journal: Journal, locks: HostLocks, by: str, say: Say
) -> tuple[str, ...]:
    """End what can be ended of these steps of a run that nobody executes; what stays open, a line each.

    Raises: LocalResource when the journal cannot be written.
    """
    left: dict[str, list[str]] = {step.host: [] for step in steps}

    async def of_host(host: str) -> None:
        try:
            with locks.hold(host, owner=run, since=world.clock.utc(), operator=by):
                for step in steps:
                    if step.host == host:
                        left[host] += await _end(world, run, step, journal, by=by, say=say)
        except PvenixError as error:
            left[host].append(f"{host}: not everything could be looked at: {error}")

    async with Together() as group:
        for host in left:
            group.create_task(of_host(host))
    return tuple(line for lines in left.values() for line in lines)


async def _end(world: World, run: str, step: OpenStep, journal: Journal, *, by: str, say: Say) -> list[str]:
    """What stays open of a step; when nothing of it can go on any more, its end is recorded."""
    left = []
    attempt = Attempt.from_known(step.known)
    if step.host not in world.fleet.hosts and (attempt is not None or step.verb in _MAKING):
        return [
            f"{step.host}: it is not in the inventory any more: put it back to see what {step.verb} left open there"
        ]
    if attempt is not None:
        left += await _activation(world, _as_step(run, step, journal, say), attempt, say)
    if step.lost and step.known.get("upid"):
        left += await _task(world, step, say)
    if step.verb in _MAKING:
        left += await _vm(world, step, say)
    if not left and not step.recorded:
        await journal.result(step.host, step.id, status=Status.CANCELLED.value, summary=f"abandoned by {by}")
        say(
            f"{step.host}: {step.verb} was begun and its end is not known; pvenix status {step.host} shows what is there"
        )
    return left


async def _activation(world: World, step: Step, attempt: Attempt, say: Say) -> list[str]:
    """Give the fence of an attempt back, unless one of its units may still decide what the host runs."""
    try:
        remote = await world.remote(step)
        states = {unit: await remote.read(unit_state(unit)) for unit in deadman.all_units(attempt)}
        at_work = [unit for unit, state in states.items() if judge(properties_in(state)) is None]
        if at_work:
            return [f"{step.host}: {unit} is at work on the host; look again when it has ended" for unit in at_work]
        await fence.release(remote, attempt.id)
        step.evidence(ended=attempt.id)
        say(await _runs_now(remote, attempt))
    except PvenixError as error:
        return [f"{step.host}: attempt {attempt.id} of an activation may be open there, and its fence: {error}"]
    return []


async def _runs_now(remote: Remote, attempt: Attempt) -> str:
    """What an attempt that came to nothing left a host with, in words."""
    facts, names = await read_facts(remote), {attempt.new: "the new system", attempt.old: "the one before"}
    runs = names.get(facts.current, "another system")
    starts = names.get(facts.starts or facts.profile, "another system")
    return f"{remote.step.host}: the fence is given back; it runs {runs}, and starts {starts}"


async def _task(world: World, step: OpenStep, say: Say) -> list[str]:
    """The task of a step, if it still runs."""
    upid = step.known["upid"]
    words = upid.split(":")
    try:
        of = words[6] if len(words) > 6 else ""  # UPID:node:pid:pstart:start:type:id:user: (PVE::Tools::upid_decode)
        listed = await world.pve.tasks_of(node_name(words[1]), vm_id(of)) if of.isdigit() else ()
    except PvenixError as error:
        return [f"{step.host}: task {upid} may still run: {error}"]
    found = next((task for task in listed if task.upid == upid), None)
    if found is not None and found.running:
        return [f"{step.host}: task {upid} of {step.verb} still runs at Proxmox"]
    say(f"{step.host}: task {upid} of {step.verb} {f'ended: {found.exit_text}' if found else 'is listed no more'}")
    return []


async def _vm(world: World, step: OpenStep, say: Say) -> list[str]:
    """The VM that a step was about to make, if there is anything of it and it is not marked as made."""
    vmid = step.known.get("vmid", "")
    try:
        found = await world.vms.find(step.host)
        if found is not None and is_tagged(found.config):
            say(f"{step.host}: VM {found.vmid} on {found.node} has been made, and stays")
            return []
        if found is not None:
            way = f"`pvenix {step.verb} {step.host}` goes on with it, and after that `pvenix destroy {step.host}` could end it"
            return [f"{step.host}: VM {found.vmid} on {found.node} is half made: {way}"]
        if any(str(vm.vmid) == vmid for vm in await world.survey.vms()):
            return [f"{step.host}: VM {vmid} may be half made: `pvenix orphans` shows it, and the way to remove it"]
    except PvenixError as error:
        return [f"{step.host}: VM {vmid} may be half made: {error}"]
    return []


def _as_step(run: str, step: OpenStep, journal: Journal, say: Say) -> Step:
    def show(channel: str, text: str, writes: bool) -> None:  # noqa: FBT001 - the shape of Step.show
        if writes:
            say(f"{step.host}: [{channel}] {text}")

    return Step(
        run=run,
        host=step.host,
        id=step.id,
        verb=step.verb,
        args={},
        check=False,
        facts={},
        known=dict(step.known),
        journal=journal,
        tell=lambda text: say(f"{step.host}: {text}"),
        show=show,
        output=lambda _text: None,
    )

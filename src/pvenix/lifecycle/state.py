"""The four facts of a host: booted, current, profile, and the commit that it should run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from pvenix.engine.ports import Entry
from pvenix.engine.step import Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.facts import generations_in, read_facts
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError
from pvenix.model.generation import Sync, sync_state
from pvenix.model.status import HostStatus

_AT_ONCE = 64


class _NoJournal:
    """Looking leaves no record."""

    async def intent(self, host: str, step: str, **data: str) -> None:
        """Nothing is intended."""

    def evidence(self, host: str, step: str, **data: str) -> None:
        """Nothing is under way."""

    async def result(self, host: str, step: str, **data: str) -> None:
        """Nothing ended."""

    def entries(self) -> tuple[Entry, ...]:
        """Nothing was written."""
        return ()


def looking_at(name: str) -> Step:
    """A step that only looks and tells nobody."""
    return Step(
        run="",
        host=name,
        id="0.0.status",
        verb="status",
        args={},
        check=True,
        facts={},
        journal=_NoJournal(),
        tell=lambda _text: None,
        show=lambda _channel, _text, _writes: None,
        output=lambda _text: None,
    )


async def host_statuses(world: World, names: Sequence[str]) -> AsyncIterator[HostStatus]:
    """The state of each host, in the order in which they answer."""
    slots = asyncio.Semaphore(_AT_ONCE)
    answers: asyncio.Queue[HostStatus] = asyncio.Queue()

    async def one(name: str) -> None:
        async with slots:
            await answers.put(await host_status(world, name))

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(one(name))
        for _ in names:
            yield await answers.get()


async def host_status(world: World, name: str) -> HostStatus:
    """What is known of a host now; a host that cannot be asked is a row with the reason, never an error."""
    expected, found = "", None
    try:
        expected = await world.expected()
        found = await world.vms.find(name)
        return await _status(world, name, expected, found)
    except PvenixError as error:
        return HostStatus(
            host=name,
            sync=Sync.UNREACHABLE,
            seen_at=world.clock.utc(),
            expected=expected,
            vmid=found.vmid if found else 0,
            node=found.node if found else "",
            problem=str(error),
        )


async def _status(world: World, name: str, expected: str, found: Found | None) -> HostStatus:
    absent = HostStatus(
        host=name, sync=Sync.ABSENT, seen_at=world.clock.utc(), expected=expected, problem="onboarding makes one"
    )
    if found is None:
        return absent
    power = (await world.pve.power(found.node, found.vmid)).status
    here = replace(absent, sync=Sync.UNREGISTERED, problem="", vmid=found.vmid, node=found.node, power=power)
    if not await world.registered(name):
        return here
    if power != "running":
        return replace(here, sync=Sync.UNREACHABLE, problem="the VM is stopped")
    remote = await world.remote(looking_at(name))
    facts = await read_facts(remote)
    listed = generations_in(await remote.read(argv.GENERATIONS, sudo=True))
    seen = world.ways.reached(name)
    behind = bool(facts.revision) and await world.repo.contains(expected, facts.revision)
    return replace(
        here,
        sync=sync_state(facts, expected=expected, ancestors=frozenset({facts.revision} if behind else ())),
        facts=facts,
        generation=next((one.number for one in listed if one.current), 0),
        address=seen.address,
        address_why=seen.why,
        address_at=seen.at,
    )

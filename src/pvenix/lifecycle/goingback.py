"""Where a way back leads and what it does not bring back, looked up before anybody is asked to confirm it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from pvenix.engine.journal import read_entries
from pvenix.engine.ports import Entry
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.lifecycle import argv
from pvenix.lifecycle.facts import changed_by_boot, kernels
from pvenix.lifecycle.generations import Profile, read_generations, read_profile, version_document
from pvenix.lifecycle.remote import Remote, must
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.errors import LocalResource, LockHeld, PvenixError, Refused, UsageError
from pvenix.model.generation import Generation
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Status

_AT_ONCE: Final = 64
_RUNS: Final = 200
"""How many of the newest runs are looked through for the last activation."""
_RELEASE: Final = re.compile(r"([0-9]{2})\.([0-9]{2})")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Was:
    """What a host ran before a run."""

    path: str = ""
    """The system; empty when the run did not change the host."""
    why: str = ""
    """Why there is nothing to go back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a rollback would do to one host."""

    host: str
    path: str = ""
    number: int = 0
    """The generation, 0 for a system that is none any more but is still kept."""
    now: int = 0
    limits: tuple[str, ...] = ()
    """What it would not bring back on this host, beside `NOT_UNDONE`."""
    skip: str = ""
    problem: str = ""
    """What kept it from being looked up, or from being possible."""

    @property
    def changes(self) -> bool:
        """True when there is something to confirm."""
        return not self.skip and not self.problem

    @property
    def decided(self) -> dict[str, str]:
        """What the run is bound to: the facts that the host's step begins with."""
        if self.path:
            return {"back_to": self.path}
        if self.skip:
            return {"back_skip": self.skip}
        return {"back_number": str(self.number)} if self.number else {}


def before_run(run: RunDir, hosts: Iterable[str]) -> dict[str, Was]:
    """What each host ran before the run touched it, from the run's own journal.

    Raises: LockHeld while the run goes on, LocalResource when its journal cannot be read.
    """
    if run.alive():
        raise LockHeld(f"run {run.run} is not at its end", hint=f"pvenix runs ask {run.run} cancel")
    plan = run.plan()
    if plan.check:
        raise UsageError(f"run {run.run} was a check: it changed nothing", hint="pvenix runs list", code="PVX0661")
    entries = read_entries(run.journal_path)
    return {host: was_before(run.run, entries, host) if host in plan.hosts else _not_in(run.run) for host in hosts}


def last_activation(runs: RunStore) -> RunDir:
    """The newest run that activated a system on any host.

    Raises: UsageError when there is none.
    """
    for run in runs.newest(limit=_RUNS):
        with contextlib.suppress(LocalResource):  # a damaged journal tells nothing
            if not run.plan().check and any(_begins(entry) for entry in read_entries(run.journal_path)):
                return run
    raise UsageError("no run has activated anything", hint="pvenix runs list; pvenix rollback HOST --to N")


def _begins(entry: Entry) -> bool:
    """True for the row that an activation leaves before it touches the host."""
    return entry.what == "intent" and "attempt" in entry.data


def _not_in(run: str) -> Was:
    return Was(why=f"it is not part of run {run}")


def was_before(run: str, entries: Sequence[Entry], host: str) -> Was:
    """What the journal's first activation on the host says, unless each of them went back by itself."""
    own = [entry for entry in entries if entry.host == host]
    begun = [entry for entry in own if _begins(entry)]
    results = {entry.step: entry.data for entry in own if entry.what == "result"}
    if not begun:
        last = list(results.values())[-1:]
        said = f" ({last[0].get('summary') or last[0]['status']})" if last else ""
        return Was(why=f"run {run} activated nothing on it{said}")
    if all(results.get(entry.step, {}).get("status") == Status.ROLLED_BACK for entry in begun):
        return Was(why=f"run {run} went back by itself")
    return Was(path=begun[0].data["old"])


async def prospects(
    world: World, hosts: Sequence[str], *, to: int | Mapping[str, int] = 0, run: RunDir | None = None
) -> tuple[Prospect, ...]:
    """Where each host would go, to one generation or each to its own; what cannot be read of one keeps nobody else."""
    aims = dict.fromkeys(hosts, to) if isinstance(to, int) else to
    was = before_run(run, hosts) if run is not None else {}

    async def one(host: str) -> Prospect:
        known = was.get(host, Was())
        if known.why:
            return Prospect(host=host, skip=known.why)
        return await _prospect(await world.remote(looking_at(host)), known.path, aims.get(host, 0))

    return tuple(
        Prospect(host=host, path=was.get(host, Was()).path, number=aims.get(host, 0), problem=str(each))
        if isinstance(each, PvenixError)
        else each
        for host, each in zip(hosts, await each_of(hosts, one), strict=True)
    )


async def _prospect(remote: Remote, path: str, to: int) -> Prospect:
    host, profile = remote.step.host, await read_profile(remote)
    number = profile.named(to).number if to else generation_of(profile, path)
    path = path or profile.named(number).path
    found = Prospect(host=host, path=path, number=number, now=profile.current)
    if path == profile.running and (profile.boots, profile.current) == (path, number):
        return replace(found, skip=f"it runs {shown(number, path)} already")
    await require_kept(remote, number, path)
    return replace(found, limits=await limits_of(remote, profile, path))


def generation_of(profile: Profile, path: str) -> int:
    """The newest generation with this system, the current one first; 0 when none has it any more."""
    numbers = [link.number for link in profile.links if link.path == path]
    return profile.current if profile.current in numbers else max(numbers, default=0)


async def require_kept(remote: Remote, number: int, path: str) -> None:
    """Return when the system is there and will not be collected while it is activated.

    Raises: Refused naming what is gone.
    """
    if number:
        return
    roots = await remote.try_read(("nix-store", "--query", "--roots", path), sudo=True, timeout_s=120)
    if roots.ok and roots.stdout.strip():
        return
    raise Refused(
        f"{remote.step.host} has no longer what it ran then",
        why=f"{path} is in no generation, and " + ("nothing keeps it" if roots.ok else "not in the store"),
        hint=f"pvenix generations {remote.step.host} shows what is left; pvenix rollback {remote.step.host} --to N",
        code="PVX0662",
    )


async def limits_of(remote: Remote, profile: Profile, path: str) -> tuple[str, ...]:
    """What activating a system would not bring about on the guest before it boots, or at all; a line each."""
    found = []
    if "kernel" in changed_by_boot((await remote.try_read(kernels(path))).stdout):
        found.append("its kernel is not the one that runs; modules that are not loaded yet may not fit until a reboot")
    versions = [await _nixos(remote, each) for each in (profile.running, path)]
    releases = [_RELEASE.match(version) for version in versions]
    if releases[0] and releases[1] and releases[1][0] < releases[0][0]:
        found.append(
            f"NixOS {versions[0]} goes back to {versions[1]}: data that the newer release converted stays converted"
        )
    return tuple(found)


async def _nixos(remote: Remote, path: str) -> str:
    """The version of NixOS that a system is, empty when it does not say."""
    return version_document((await remote.try_read(argv.version_of(path))).stdout).get("nixosVersion", "")


def shown(number: int, path: str) -> str:
    """A generation or a system for a person."""
    return f"generation {number}, {short_store_path(path)}" if number else short_store_path(path)


async def host_generations(world: World, name: str) -> tuple[Generation, ...]:
    """The host's generations, oldest first.

    Raises: Unreachable, Refused, RemoteFailure.
    """
    return await read_generations(await world.remote(looking_at(name)))


async def each_of(hosts: Sequence[str], one: Callable[[str], Awaitable[T]]) -> list[T | PvenixError]:
    """What `one` finds of each host, or what kept it from being read."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def held(host: str) -> T | PvenixError:
        async with slots:
            try:
                return await one(host)
            except PvenixError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(held(host)) for host in hosts]
    return [task.result() for task in tasks]


async def compared(world: World, host: str, old: int, new: int) -> tuple[str, ...]:
    """Package changes between two generations, a line each; 0 is the current one.

    Raises: UsageError when there is no such generation.
    """
    remote = await world.remote(looking_at(host))
    profile = await read_profile(remote)
    before, after = (profile.named(number or profile.current).path for number in (old, new))
    if before == after:
        return ()
    text = must(await remote.try_read(argv.closure_diff(before, after), sudo=True, timeout_s=120))
    return tuple(line.strip() for line in text.splitlines() if line.strip())

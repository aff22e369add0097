"""Reboot or reset a host's VM, and prove it by another boot id and by the system that the boot default named."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.approval import Change, gate, outside_window
from pvenix.lifecycle.asked import ask_anew, ask_once, seen_tasks
from pvenix.lifecycle.calls import Call, VmCalls, shown
from pvenix.lifecycle.facts import read_facts
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.power import grace_of
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.waiting import until
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, RemoteFailure
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip

_BOOT_ID_FILE: Final = argv.BOOT_ID[-1]
_BOOT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SPARE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What a host booted, as far as it can be seen."""

    id: str = ""
    """Empty when nobody answers."""
    booted: str = ""
    """Store path of the system that was booted; empty when only the agent answers."""
    starts: str = ""
    """Store path that the next boot leads to."""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reboot:
    """A verb that makes a VM boot anew; as good as a module with the three functions."""

    call: Callable[[VmCalls, Step], Call[str]]
    task: str
    """The kind of its Proxmox task."""

    async def probe(self, world: World, step: Step) -> Probe:
        """Done when an earlier attempt of this very step has led to another boot, or none is due and only then one is wanted."""
        if step.args.get("needed") and "boot_id" not in step.known:
            return await if_needed(world, step)
        found = await world.vms.of(step)
        if "boot_id" not in step.known and not await world.vms.running(found):
            raise RemoteFailure(
                f"VM {found.vmid} is stopped, there is nothing to boot anew",
                hint=f"pvenix start {step.host}",
                code="PVX0904",
            )
        if before := step.known.get("boot_id"):
            now = await boot_now(world, step, found)
            if now.id not in ("", before):
                return done(f"booted anew, {now.id}", boot_id=now.id)
        return needed(f"VM {found.vmid} on {found.node} will boot anew")

    async def apply(self, world: World, step: Step) -> Outcome:
        """Boot anew, when it is approved where that is asked for, and the host's turn."""
        change = None if "boot_id" in step.known else await self._change(world, step)
        if change is not None and (waits := gate(world, step, change)) is not None:
            return waits
        async with in_turn(world, step):
            if change is not None and (late := outside_window(world, step, change)) is not None:
                return late
            return await self.seen(world, step)

    async def seen(self, world: World, step: Step) -> Outcome:
        """Note the boot, ask for another one, and wait until it is seen.

        Raises: OutcomeUnknown when it is not.
        """
        found = await world.vms.of(step)
        before = await self._before(world, step, found)
        call = self.call(VmCalls.on(world.pve, found, {}), step)
        await ask_once(world, step, found, call, self.task, timeout_s=grace_of(step) + _SPARE_S)
        step.tell("waiting for another boot")
        after = await booted_anew(world, step, found, before.id, what=f"another boot of {step.host}")
        return _judged(step, before, after)

    async def commands(self, world: World, step: Step) -> Commands:
        """The one call."""
        return shown([self.call(VmCalls.on(world.pve, await world.vms.of(step), {}), step)])

    async def _change(self, world: World, step: Step) -> Change:
        now = await boot_now(world, step, await world.vms.of(step))
        subject = f"boot {now.id or 'that does not answer'}" + (f", then {now.starts}" if now.starts else "")
        return Change(subject=subject, reboots=f"{step.verb}s", named=step.named)

    async def _before(self, world: World, step: Step, found: Found) -> Boot:
        """What runs now, or ran before an interrupted attempt asked."""
        if "boot_id" in step.known:
            if (await boot_now(world, step, found)).id == step.known["boot_id"]:
                await ask_anew(world, step, found, self.task)
            return Boot(id=step.known["boot_id"], starts=step.known.get("starts", ""))
        before = await boot_now(world, step, found)
        if before.starts and before.starts != before.booted:
            step.tell(f"it was booted with {before.booted} and boots {before.starts} next")
        seen = await seen_tasks(world, found, self.task)
        await step.intend(vmid=str(found.vmid), node=found.node, boot_id=before.id, starts=before.starts, seen=seen)
        return before


async def if_needed(world: World, step: Step) -> Probe:
    """Work to do for a host that runs and would boot another kernel, initrd or modules; nothing for one that is off."""
    found = await world.vms.find(step.host, step.facts)
    if found is None:
        return skip("it has no VM")
    if not await world.vms.running(found):
        return skip(f"VM {found.vmid} is stopped: it boots what it should when it is started")
    due = (await read_facts(await world.remote(step))).reboot
    return needed(f"another {' and '.join(due)} than booted") if due else done("no reboot is needed")


@asynccontextmanager
async def in_turn(world: World, step: Step) -> AsyncIterator[None]:
    """Until the end nobody else of the host's roles boots on the host's node, wherever that is by the time of the turn.

    Raises: RemoteFailure when one of them went down before, and does not answer.
    """

    async def is_up(host: str) -> bool:
        found = await world.vms.find(host)
        return found is not None and bool((await boot_now(world, looking_at(host), found)).id)

    while True:
        node = (await world.vms.of(step)).node
        async with world.turns.hold(step.host, world.host(step).roles, node, tell=step.tell, is_up=is_up):
            if (await world.vms.of(step)).node == node:
                yield
                return


async def boot_now(world: World, step: Step, found: Found) -> Boot:
    """What the host booted: asked over a new connection, else through the agent, whose word is the boot id only."""
    with contextlib.suppress(PvenixError):  # whoever does not answer is not waited for here
        facts = await read_facts(Remote(session=await world.ways.fresh(step.host), step=step))
        address = world.ways.reached(step.host).address
        return Boot(id=facts.boot_id, booted=facts.booted, starts=facts.starts or facts.profile, address=address)
    with contextlib.suppress(PvenixError):
        text = await world.pve.agent_read_file(found.node, found.vmid, _BOOT_ID_FILE) or ""
        if _BOOT_ID.fullmatch(text.strip()):
            return Boot(id=text.strip())
    return Boot()


async def booted_anew(world: World, step: Step, found: Found, before: str, *, what: str) -> Boot:
    """The host's boot after the one with the id `before`; over SSH when the host has a pinned key.

    Raises: OutcomeUnknown with `what` when it is not seen in the time that the agent and SSH may take.
    """
    reachable = world.trust.get(step.host) is not None

    async def another() -> Boot | None:
        now = await boot_now(world, step, found)
        return now if now.id not in ("", before) and (now.booted or not reachable) else None

    bootstrap = world.host(step).machine.bootstrap
    timeout_s = bootstrap.agent_timeout_s + bootstrap.ssh_timeout_s
    return await until(another, clock=world.clock, timeout_s=timeout_s, what=what)


def _judged(step: Step, before: Boot, after: Boot) -> Outcome:
    """Raises: RemoteFailure when another system was booted than the one that was to."""
    if before.starts and after.booted and after.booted != before.starts:
        raise RemoteFailure(
            f"{step.host} booted another system than its boot default",
            why=f"{after.booted}, not {before.starts}",
            hint=f"pvenix generations {step.host}",
            code="PVX0908",
        )
    proof = (
        f"booted anew ({after.id})" if before.id else f"answers as boot {after.id}; the boot before could not be read"
    )
    system = ", the same system as its boot default" if before.starts and after.booted else ""
    facts = {"boot_id": after.id} | ({"address": after.address} if after.address else {})
    return Outcome(status=Status.CHANGED, summary=proof + system, facts=facts)


REBOOT: Final = Reboot(call=lambda vm, step: vm.reboot(timeout_s=grace_of(step)), task="qmreboot")
RESET: Final = Reboot(call=lambda vm, _step: vm.reset(), task="qmreset")

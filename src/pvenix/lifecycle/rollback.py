"""Activate an earlier generation by its number, with the same net under it as a rebuild."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import preview
from pvenix.lifecycle.activation.attempt import foreseen, unfinished
from pvenix.lifecycle.activation.transaction import activate
from pvenix.lifecycle.facts import generations_in, read_facts
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.errors import UsageError
from pvenix.model.names import short_store_path
from pvenix.model.outcome import Outcome, Probe, done, needed


async def probe(world: World, step: Step) -> Probe:
    """Done when the generation runs and is the boot default.

    Raises: UsageError when the host has no such generation, LockHeld when another run's attempt is open.
    """
    number = _number(step)
    remote = await world.remote(step)
    listed = {one.number: one for one in generations_in(await remote.read(argv.GENERATIONS, sudo=True))}
    if number not in listed:
        raise UsageError(
            f"{step.host} has no generation {number}",
            why=f"it has {', '.join(str(one) for one in sorted(listed))}",
            hint=f"pvenix generations {step.host}",
        )
    target = (await remote.read(argv.resolve(argv.generation_link(number)))).strip()
    facts = await read_facts(remote)
    if listed[number].current and facts.current == target and facts.settled:
        return unfinished(step, done(f"runs generation {number}", target=target), facts)
    return needed(f"generation {number} is {short_store_path(target)}", target=target)


async def apply(world: World, step: Step) -> Outcome:
    """Activate the generation and make it the profile's current one; files outside the store stay as they are.

    The roles' health checks describe the system of the main branch, which an earlier generation need not satisfy: it
    is asked for by number, so contact and failed units decide.
    """
    number = _number(step)
    await _name_limits(world, step)

    async def make_default(remote: Remote) -> None:
        for command in _defaulting(number, step.facts["target"]):
            await remote.write(command, timeout_s=300)

    return await activate(world, step, step.facts["target"], make_default, checks=())


async def _name_limits(world: World, step: Step) -> None:
    """Say what the generation does not bring back: data, and a kernel before the next boot."""
    step.tell("data stays as it is: /var/lib, /home and everything else outside the Nix store does not go back")
    remote = await world.remote(step)
    kernels = await remote.try_read(argv.resolve("/run/booted-system/kernel", f"{step.facts['target']}/kernel"))
    booted, wanted = (*kernels.stdout.splitlines(), "", "")[:2]
    if kernels.ok and booted != wanted:
        step.tell("its kernel is not the one that runs; modules that are not loaded yet may not fit until a reboot")


async def commands(world: World, step: Step) -> Commands:
    """The commands that `apply` would send."""
    target = step.facts["target"]
    running, profile = (await (await world.remote(step)).read(argv.SYSTEMS)).splitlines()[1:]
    confirm_s = world.host(step).machine.update.confirm_timeout_s
    attempt = foreseen(step, new=target, old=running, profile=profile, confirm_s=confirm_s)
    return preview.activation(attempt, (), _defaulting(_number(step), target))


def _defaulting(number: int, target: str) -> tuple[argv.Argv, argv.Argv]:
    return argv.switch_generation(number), argv.switch_to(target, "boot")


def _number(step: Step) -> int:
    number = step.args.get("to")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UsageError(
            "rollback needs the number of a generation", hint=f"--to N (or -e to=N); pvenix generations {step.host}"
        )
    return number

"""The branch that pvenix sits on: what it does not do to the host that it runs on itself.

A host is that one when the inventory says so (`self: true`), or when this machine shows the host's pinned key as its own.
"""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.lifecycle.world import World
from pvenix.model.cutting import CUTS, cuts, cutting_options
from pvenix.model.errors import Refused


def is_self(world: World, host: str) -> bool:
    """True for the host that pvenix runs on."""
    return runs_pvenix(world.fleet, world.trust, world.own_keys, host)


def runs_pvenix(fleet: Fleet, trust: TrustStore, own_keys: frozenset[str], host: str) -> bool:
    """As `is_self`, for whoever has not opened the site."""
    known = fleet.hosts.get(host)
    if known is None:
        return False
    pin = trust.get(host) if own_keys else None
    return known.machine.controller or (pin is not None and pin.key in own_keys)


def refuse(world: World, step: Step) -> None:
    """Return unless the step would cut the branch that pvenix sits on.

    Raises: Refused.
    """
    if cuts(step.verb, step.args):
        refuse_self(world, step, cutting_options(step.verb, step.args))


def refuse_self(world: World, step: Step, options: str = "") -> None:
    """Return unless the host runs pvenix.

    Raises: Refused for one that does.
    """
    if is_self(world, step.host):
        raise Refused(
            f"{step.host} runs pvenix; {step.verb}{options} would cut the branch it sits on",
            why="it would end, or freeze, before it is done" if step.verb in CUTS else "it would be switched off",
            hint="run it from another machine, or do it in Proxmox; rebuild and rollback are safe from inside",
            code="PVX0900",
        )

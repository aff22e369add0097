"""The branch that pvenix sits on: what it does not do to the host that it runs on itself.

A host is that one when the inventory says so (`self: true`), or when this machine shows the host's pinned key as its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pvenix.engine.step import Step
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused

CUTS: Final = frozenset(
    {
        *("shutdown", "stop", "reboot", "reset"),
        *("snapshot", "restore"),  # while it is frozen nobody is there to thaw it
        *("destroy", "retire", "template-build"),
    }
)
"""Verbs that end pvenix, or freeze it, before they are done."""
CUTS_WITH: Final[Mapping[str, frozenset[str]]] = {
    "migrate": frozenset({"offline"}),
}
"""Verbs that do so with one of these arguments."""
SAFE: Final = frozenset(
    {
        *("place", "clone", "create", "cloudinit", "boot", "start"),
        *("hardware", "register", "review"),
        *("preflight", "build", "rebuild", "rollback"),  # the dead-man on the host works alone
        *("pin-generation", "unpin-generation", "prune-generations", "collect-garbage"),
        *("template-canary", "template-publish"),
        *("adopt", "remove-orphan", "delete-snapshot"),
        "backup",  # refuses by itself when it would freeze the host
        "configure",  # writes what a running VM takes; leaves its own reboot to others, and refuses to switch itself off
    }
)
"""Verbs that leave the host up."""


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


def cuts(verb: str, args: Mapping[str, object]) -> str:
    """The options of a verb, as typed, with which it would cut the branch; ` ` when it does so anyway, else empty."""
    with_it = sorted(CUTS_WITH.get(verb, frozenset()) & {name for name, value in args.items() if value})
    return "".join(f" --{name}" for name in with_it) or (" " if verb in CUTS else "")


def refuse(world: World, step: Step) -> None:
    """Return unless the step would cut the branch that pvenix sits on.

    Raises: Refused.
    """
    if options := cuts(step.verb, step.args):
        refuse_self(world, step, options.rstrip())


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

"""Which functions a verb consists of, bound to a site."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast

from pvenix.engine.step import Commands, Step, Verb
from pvenix.lifecycle import (
    adopt,
    adoptedits,
    backup,
    boot,
    build,
    clone,
    cloudinit,
    collect,
    configure,
    create,
    delete_snapshot,
    destroy,
    hardware,
    migrate,
    pins,
    place,
    power,
    preflight,
    prune,
    reboot,
    rebuild,
    register,
    remove_orphan,
    restore,
    retire,
    review,
    rollback,
    selfguard,
    snapshot,
    unregister,
)
from pvenix.lifecycle.template import build as template_build
from pvenix.lifecycle.template import canary as template_canary
from pvenix.lifecycle.template import publish as template_publish
from pvenix.lifecycle.world import World
from pvenix.model.errors import UsageError
from pvenix.model.outcome import Outcome, Probe
from pvenix.model.verbs import VERBS, Danger, Kind

_WITHOUT_A_HOST: Final = frozenset({"remove-orphan"})
"""Verbs for what no host of the inventory has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A verb's functions with the site they work on."""

    world: World
    probe_in: Callable[[World, Step], Awaitable[Probe]]
    apply_in: Callable[[World, Step], Awaitable[Outcome]]
    commands_in: Callable[[World, Step], Awaitable[Commands]]
    needs_quorum: bool = False
    """Whether it writes to Proxmox."""

    async def probe(self, step: Step) -> Probe:
        """Look, without changing anything.

        Raises: UsageError for a host that the inventory has no more, as of an earlier run; Refused for what would cut the
        branch that pvenix sits on.
        """
        if step.host not in self.world.fleet.hosts and step.verb not in _WITHOUT_A_HOST:
            raise UsageError(
                f"{step.host} is not in the inventory any more",
                hint=f"put it back and `pvenix resume {step.run}`, or give the run up: pvenix abandon {step.run}",
                code="PVX0670",
            )
        selfguard.refuse(self.world, step)
        return await self.probe_in(self.world, step)

    async def apply(self, step: Step) -> Outcome:
        """Bring it about.

        Raises: Refused, before anything was intended, when the cluster takes no writes.
        """
        if self.needs_quorum:
            await self.world.quorum.require(step)
        return await self.apply_in(self.world, step)

    async def commands(self, step: Step) -> Commands:
        """What `apply` would send."""
        return await self.commands_in(self.world, step)


class Parts(Protocol):
    """A module of a verb, or an object with the same three functions."""

    async def probe(self, world: World, step: Step) -> Probe:
        """Look, without changing anything."""
        ...

    async def apply(self, world: World, step: Step) -> Outcome:
        """Bring it about."""
        ...

    async def commands(self, world: World, step: Step) -> Commands:
        """What `apply` would send."""
        ...


_MODULES: Mapping[str, Parts] = {
    "place": place,
    "clone": clone,
    "create": create,
    "cloudinit": cloudinit,
    "configure": configure,
    "boot": boot,
    "hardware": hardware,
    "register": register,
    "unregister": unregister,
    "review": review,
    "preflight": preflight,
    "build": build,
    "rebuild": rebuild,
    "rollback": rollback,
    "adopt-edits": adoptedits,
    "pin-generation": pins.PIN,
    "unpin-generation": pins.UNPIN,
    "prune-generations": prune,
    "collect-garbage": collect,
    "template-build": template_build,
    "template-canary": template_canary,
    "template-publish": template_publish,
    "destroy": destroy,
    "start": power.START,
    "shutdown": power.SHUTDOWN,
    "stop": power.STOP,
    "reboot": reboot.REBOOT,
    "reset": reboot.RESET,
    "snapshot": snapshot,
    "restore": restore,
    "delete-snapshot": delete_snapshot,
    "migrate": migrate,
    "adopt": adopt,
    "remove-orphan": remove_orphan,
    "backup": backup,
    "retire": retire,
}


def verbs(world: World) -> Mapping[str, Verb]:
    """Every verb of `pvenix.model.verbs.VERBS`, bound to `world`."""
    return {
        name: cast(
            "Verb",
            Bound(
                world=world,
                probe_in=module.probe,
                apply_in=module.apply,
                commands_in=module.commands,
                needs_quorum=VERBS[name].kind in (Kind.PVE, Kind.CLONE) and VERBS[name].danger is not Danger.READ,
            ),
        )
        for name, module in _MODULES.items()
    }

"""Which functions a verb consists of, bound to a site."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

from pvenix.engine.step import Commands, Step, Verb
from pvenix.lifecycle import (
    backup,
    boot,
    build,
    clone,
    cloudinit,
    destroy,
    hardware,
    place,
    rebuild,
    register,
    retire,
    review,
    rollback,
)
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A verb's functions with the site they work on."""

    world: World
    probe_in: Callable[[World, Step], Awaitable[Probe]]
    apply_in: Callable[[World, Step], Awaitable[Outcome]]
    commands_in: Callable[[World, Step], Awaitable[Commands]]

    async def probe(self, step: Step) -> Probe:
        """Look, without changing anything."""
        return await self.probe_in(self.world, step)

    async def apply(self, step: Step) -> Outcome:
        """Bring it about."""
        return await self.apply_in(self.world, step)

    async def commands(self, step: Step) -> Commands:
        """What `apply` would send."""
        return await self.commands_in(self.world, step)


_MODULES = {
    "place": place,
    "clone": clone,
    "cloudinit": cloudinit,
    "boot": boot,
    "hardware": hardware,
    "register": register,
    "review": review,
    "build": build,
    "rebuild": rebuild,
    "rollback": rollback,
    "destroy": destroy,
    "backup": backup,
    "retire": retire,
}


def verbs(world: World) -> Mapping[str, Verb]:
    """Every verb of `pvenix.model.verbs.VERBS`, bound to `world`."""
    return {
        name: cast(
            "Verb",
            Bound(world=world, probe_in=module.probe, apply_in=module.apply, commands_in=module.commands),
        )
        for name, module in _MODULES.items()
    }

"""pvenix with one verb that claims success and does nothing: `python liar.py VERB ARGUMENTS…`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, cast

from pvenix.engine.step import Commands, Step
from pvenix.entry import main
from pvenix.lifecycle import table
from pvenix.lifecycle.world import World
from pvenix.model.outcome import Outcome, Probe, Status


@dataclass(frozen=True)
class Lying:
    """A verb whose work is left out."""

    verb: table.Parts

    async def probe(self, world: World, step: Step) -> Probe:
        """Look, as the verb does."""
        return await self.verb.probe(world, step)

    async def apply(self, _world: World, _step: Step) -> Outcome:
        """A result that nothing stands behind."""
        return Outcome(status=Status.CHANGED, summary="done")

    async def commands(self, world: World, step: Step) -> Commands:
        """What the verb would send."""
        return await self.verb.commands(world, step)


if __name__ == "__main__":
    name = sys.argv.pop(1)
    verbs = cast("dict[str, Any]", table._MODULES)
    verbs[name] = Lying(verbs[name])
    sys.exit(main())

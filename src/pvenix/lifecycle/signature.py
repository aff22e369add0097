"""How pvenix signs the snapshots and backups that it makes, so that it deletes no others and finds its own again."""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError


def whose(world: World, host: str) -> str:
    """How the first line of everything that this fleet made of the host begins."""
    return f"pvenix {world.fleet.site.name}/{host} "


def of_step(world: World, step: Step) -> str:
    """How the line begins of what this very step made."""
    return f"{whose(world, step.host)}run {step.run} step {step.id} "


async def signed(world: World, step: Step) -> str:
    """The whole line: whose it is, the step that made it, and the commit that hosts should run at the time."""
    try:
        commit = (await world.expected())[:12]
    except PvenixError:
        commit = "unknown"  # neither a snapshot nor a backup waits for the repository
    return f"{of_step(world, step)}commit {commit}"

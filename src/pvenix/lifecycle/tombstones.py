"""The tombstone of a retired host: its entry in the inventory says `state: absent`, on a branch until a person merges it."""

from __future__ import annotations

from pvenix.engine.step import Step
from pvenix.fleet.edit import set_machine
from pvenix.lifecycle.calls import Call, git_call
from pvenix.lifecycle.world import World
from pvenix.model.names import CommitId
from pvenix.model.paths import vars_file


def branch_of(host: str) -> str:
    """The topic branch that carries the tombstone."""
    return f"retire/{host}"


def merging(host: str) -> str:
    """What a person types, so that the tombstone counts."""
    return f"pvenix review approve {branch_of(host)} --merge"


async def entombed(world: World, host: str, main: CommitId) -> bool:
    """True when `main`, or the host's topic branch that is not merged into it, says that the host is absent."""
    tip, path = await _proposed(world, host, main), vars_file(host)
    texts = [await world.repo.read(rev, path) or "" for rev in (main, tip) if rev is not None]
    return any(text == _tombstone(text) for text in texts if text)


async def _proposed(world: World, host: str, main: CommitId) -> CommitId | None:
    """The tip of the topic branch; None too for one that was merged, after which the host may be present again."""
    tip = await world.repo.tip(branch_of(host))
    return None if tip is None or await world.repo.contains(main, tip) else tip


async def entombing(world: World, step: Step) -> Call[CommitId]:
    """Propose the tombstone on the host's topic branch."""
    main, branch, path = await world.repo.fetch(), branch_of(step.host), vars_file(step.host)
    text = _tombstone(await world.repo.read(main, path) or "")
    base = await world.repo.tip(branch) or main
    message = f"Retire {step.host}\n\nIts VM was destroyed.\nRun: {step.run}\n"
    return git_call(
        f"push origin {branch}: {path} machine.state: absent",
        lambda: world.repo.commit(branch, base, {path: text}, message=message),
    )


def _tombstone(text: str) -> str:
    return set_machine(text, ("state",), "absent")

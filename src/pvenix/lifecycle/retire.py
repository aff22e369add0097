"""Destroy a host's VM, and propose its tombstone in the inventory."""

from __future__ import annotations

from pvenix.engine.step import Commands, Step
from pvenix.fleet.edit import set_machine
from pvenix.lifecycle import destroy, gitkeys
from pvenix.lifecycle.calls import Call, git_call, shown
from pvenix.lifecycle.world import World
from pvenix.model.names import CommitId
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.paths import vars_file


def branch_of(host: str) -> str:
    """The topic branch that carries the tombstone."""
    return f"retire/{host}"


async def probe(world: World, step: Step) -> Probe:
    """Done when there is no VM and the inventory, or a branch, says that the host is absent."""
    found = await destroy.look(world, step)
    if found is not None:
        return needed(f"VM {found.vmid} on {found.node} will be destroyed", vmid=str(found.vmid), node=found.node)
    if "volumes" in step.known:
        return needed("an interrupted attempt may not have seen its volumes go")
    return done("no VM, and the tombstone is proposed") if await _entombed(world, step) else needed("no tombstone yet")


async def apply(world: World, step: Step) -> Outcome:
    """Destroy the VM, forget its key, push the tombstone."""
    found = await destroy.present(world, step)
    if found is not None:
        await destroy.demolish(world, step, found)
    elif "uuid" not in step.known:  # another run destroyed it
        await step.intend(branch=branch_of(step.host))
    destroy.forget(world, step.host)
    summary, evidence = await destroy.told(world, step, found)
    if left := await gitkeys.shut_out(world, step):
        summary += f"; its Git key still opens the repository ({left})"
    commit = "" if await _entombed(world, step) else await (await _entombing(world, step)).send(step)
    step.tell(f"next, in your checkout of the fleet: git fetch && git merge origin/{branch_of(step.host)} && git push")
    return Outcome(
        status=Status.CHANGED,
        summary=f"{summary}; tombstone on {branch_of(step.host)}",
        evidence=evidence,
        facts={"commit": commit} if commit else {},
    )


async def commands(world: World, step: Step) -> Commands:
    """The calls that `apply` would send."""
    found = await destroy.present(world, step)
    removal = await destroy.demolition(world, step, found) if found is not None else ()
    removal = (*removal, *await gitkeys.shut_out_commands(world, step))
    return removal if await _entombed(world, step) else (*removal, *shown([await _entombing(world, step)]))


async def _entombed(world: World, step: Step) -> bool:
    main = await world.repo.fetch()
    tip = await world.repo.tip(branch_of(step.host))
    path = vars_file(step.host)
    texts = [await world.repo.read(rev, path) or "" for rev in (main, tip) if rev is not None]
    return any(text == _tombstone(text) for text in texts if text)


async def _entombing(world: World, step: Step) -> Call[CommitId]:
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

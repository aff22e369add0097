"""Propose the proven template to the fleet: a commit that names its VM id, on a branch for review."""

from __future__ import annotations

from typing import Final

from pvenix.engine.step import Commands, Step
from pvenix.fleet.splice import remove_value, set_value
from pvenix.fleet.yaml import parse
from pvenix.lifecycle.calls import Call, git_call, shown
from pvenix.lifecycle.template.candidate import Candidate, refuse_real_hosts, template_of, to_come
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId
from pvenix.model.outcome import Outcome, Probe, Status, done, needed

SITE: Final = "inventory/site.yaml"


async def probe(world: World, step: Step) -> Probe:
    """Done when the main branch, or the template's branch, names the new template."""
    host = world.host(step)
    await refuse_real_hosts(world, host)
    branch = _branch(world, step)
    if to_come(step):
        return needed(f"{branch} will name the new template")
    candidate = Candidate.of(step.facts)
    if step.facts.get("proven_template") != str(candidate.vmid):
        raise UsageError(
            f"template {candidate.vmid} was not proven in this run",
            hint="template-canary comes before template-publish",
        )
    for rev in (await world.repo.fetch(), await world.repo.tip(branch)):
        text = await world.repo.read(rev, SITE) if rev is not None else None
        if text is not None and text == _edited(world, step, text):
            return done(f"{SITE} names template {candidate.vmid}")
    return needed(f"{branch} will name template {candidate.vmid}")


async def apply(world: World, step: Step) -> Outcome:
    """Push the branch."""
    call, branch, candidate = await _push(world, step), _branch(world, step), Candidate.of(step.facts)
    await step.intend(branch=branch)
    commit = await call.send(step)
    old = template_of(world, world.host(step)).vmid
    step.tell(f"next: pvenix review approve {branch} --merge, and in your checkout of the fleet git pull")
    step.tell(
        f"template {old} stays as long as a linked clone of it is there: until then Proxmox refuses `qm destroy {old}` "
        "(base volume … is still in use by linked cloned)"
    )
    return Outcome(
        status=Status.CHANGED,
        summary=f"{branch} names template {candidate.vmid} in place of {old}",
        facts={"commit": commit},
    )


async def commands(world: World, step: Step) -> Commands:
    """The push; none while there is no new template."""
    if to_come(step):
        return ()
    return shown([await _push(world, step)])


def _branch(world: World, step: Step) -> str:
    return f"template/{template_of(world, world.host(step)).name}"


async def _push(world: World, step: Step) -> Call[CommitId]:
    candidate, branch, main = Candidate.of(step.facts), _branch(world, step), await world.repo.fetch()
    name = template_of(world, world.host(step)).name
    base = await world.repo.tip(branch) or main
    text = await world.repo.read(base, SITE)
    if text is None:
        raise RemoteFailure(f"{branch} has no {SITE}", hint="look at the branch", code="PVX0745")
    edited = _edited(world, step, text)
    message = f"Clone {name} from template {candidate.vmid}\n\nTwo clones of it came up.\nRun: {step.run}\n"
    return git_call(
        f"push origin {branch}: {SITE} templates.{name}.vmid: {candidate.vmid}",
        lambda: world.repo.commit(branch, base, {SITE: edited}, message=message),
    )


def _edited(world: World, step: Step, text: str) -> str:
    """The site with the new template; replicas of the old one are no replicas of it."""
    name, candidate = template_of(world, world.host(step)).name, Candidate.of(step.facts)
    edited = set_value(text, ("templates", name, "vmid"), int(candidate.vmid))
    tree = parse(edited, SITE)
    place = tree.plain()["templates"][name] if tree is not None else {}
    return remove_value(edited, ("templates", name, "replicas")) if "replicas" in place else edited

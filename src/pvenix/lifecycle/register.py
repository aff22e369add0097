"""Write a host's files and push them as `registration/<host>`; authorise the guest's own Git key."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Any

from pvenix.engine.step import Commands, Step
from pvenix.fleet.edit import add_host, set_machine
from pvenix.lifecycle import gitkeys, hardware
from pvenix.lifecycle.calls import Call, git_call, shown
from pvenix.lifecycle.hostfile import host_file_text
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.world import World
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId, registration_branch
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.paths import HOSTS, TRUST, hardware_file, host_file, is_claim, trust_file, vars_file


async def probe(world: World, step: Step) -> Probe:
    """Done when the main branch or the registration branch holds exactly these files."""
    found = await world.vms.find(step.host, step.facts)
    if found is None or (step.check and world.trust.get(step.host) is None):
        return needed(f"{step.host} is not booted yet")
    main = await world.repo.fetch()
    files = await _files(world, step, found, main)
    if "branch" in step.known:
        return needed("an interrupted attempt may not have let the guest's own key in")
    if await _holds(world, main, files):
        return done("the main branch holds its files")
    tip = await world.repo.tip(registration_branch(step.host))
    if tip is not None and await _holds(world, tip, files):
        return done(f"{registration_branch(step.host)} is at {tip[:10]}", registered=tip)
    return needed("its files are not in the fleet")


async def apply(world: World, step: Step) -> Outcome:
    """Commit on top of main, push, and let the guest push to its own branch from now on."""
    found = await world.vms.of(step)
    branch, main = registration_branch(step.host), await world.repo.fetch()
    base = await world.repo.tip(branch) or main
    push = await _push(world, step, found, main=main, base=base)
    await step.intend(branch=branch, base=base)
    commit = await push.send(step) if push else base
    step.evidence(commit=commit)
    trouble = await gitkeys.let_in(world, step, found)
    return Outcome(
        status=Status.CHANGED,
        summary=f"{branch} is at {commit[:10]}" + (f"; its own Git key is not let in: {trouble}" if trouble else ""),
        facts={"registered": commit},
    )


async def commands(world: World, step: Step) -> Commands:
    """What `apply` would push; of a host that is not booted yet the files that it will have."""
    found, main = await world.vms.find(step.host, step.facts), await world.repo.fetch()
    if found is None or world.trust.get(step.host) is None:
        files = (host_file(step.host), hardware_file(step.host), vars_file(step.host), trust_file(step.host))
        return (("git", _words(step, files)),)
    base = await world.repo.tip(registration_branch(step.host)) or main
    push = await _push(world, step, found, main=main, base=base)
    return (*shown([push] if push else []), *await gitkeys.let_in_commands(world, step, found))


async def _push(world: World, step: Step, found: Found, *, main: CommitId, base: CommitId) -> Call[CommitId] | None:
    """The push of what `base` lacks; None when it has everything."""
    files = await _files(world, step, found, main)
    changed = {path: text for path, text in files.items() if await world.repo.read(base, path) != text}
    message, branch = _message(world, step, found), registration_branch(step.host)
    commit = functools.partial(world.repo.commit, branch, base, changed, message=message)
    return git_call(_words(step, changed), commit) if changed else None


def _words(step: Step, paths: Iterable[str]) -> str:
    return f"push origin {registration_branch(step.host)}: {', '.join(sorted(paths))}"


async def _files(world: World, step: Step, found: Found, main: str) -> dict[str, str]:
    """Path to text of everything that registration puts into the fleet."""
    host = world.host(step)
    pin = world.trust.get(step.host)
    if pin is None:
        raise RemoteFailure(f"{step.host} has no pinned host key", hint=f"pvenix boot {step.host}", code="PVX0519")
    variables = set_machine(
        await world.repo.read(main, vars_file(step.host)) or "", ("proxmox", "vmid"), int(found.vmid)
    )
    files = {
        hardware_file(step.host): step.facts.get("hardware") or await hardware.read(world, step),
        vars_file(step.host): variables,
        trust_file(step.host): pin.line(step.host),
    }
    if await world.repo.read(main, host_file(step.host)) is None:
        files[host_file(step.host)] = host_file_text(host, world.fleet.site)
    if is_claim(host.file):
        if await world.repo.read(main, host.file) is None:
            raise RemoteFailure(
                f"the claim of {step.host} is not on {world.branch}",
                why=f"{host.file} is in this checkout only, and registration commits no claims",
                hint="commit and push it, then run this again",
                code="PVX0596",
            )
        return files
    hosts = await world.repo.read(main, HOSTS) or ""
    if not re.search(rf"^\s+{re.escape(step.host)}:", hosts, re.MULTILINE):
        group = next((name for name in reversed(host.groups) if not name.startswith("role_")), "all")
        files[HOSTS] = add_host(hosts, group, step.host, _authored(world, step.host))
    return files


def _authored(world: World, name: str) -> dict[str, Any]:
    """What hosts.yaml says of the host itself, here."""
    return next((layer.node.plain() for layer in world.fleet.layers(name) if layer.name == "host"), {})


async def _holds(world: World, rev: str, files: dict[str, str]) -> bool:
    for path, text in files.items():
        present = await world.repo.read(rev, path)
        if path.startswith(f"{TRUST}/") and present is not None:
            if present.split()[:2] != text.split()[:2]:
                return False
        elif present != text:
            return False
    return True


def _message(world: World, step: Step, found: Found) -> str:
    roles = ", ".join(world.host(step).roles) or "none"
    return f"Register {step.host}\n\nVM {found.vmid} on {found.node}, roles: {roles}.\nRun: {step.run}\n"

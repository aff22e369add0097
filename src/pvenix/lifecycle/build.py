"""Bring the commit to the guest and build the host's system there; nothing is activated."""

from __future__ import annotations

import json

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import preflight
from pvenix.lifecycle.facts import read_facts, revision_in
from pvenix.lifecycle.ignoring import counted, left_alone, without_ignored
from pvenix.lifecycle.remote import Remote, as_text, must, received
from pvenix.lifecycle.world import World
from pvenix.model.errors import LockHeld, RemoteFailure, UsageError
from pvenix.model.generation import HostFacts
from pvenix.model.names import CommitId, StorePath, short_store_path, store_path
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip
from pvenix.model.update import Reboot, Strategy

_BUILD_TIMEOUT_S = 6900.0
_GIT_PATIENCE_S = 30.0
"""How long another git may be at work in /etc/nixos."""


async def probe(world: World, step: Step) -> Probe:
    """Done when the guest runs the main branch's commit, boots it next time, and nobody edited /etc/nixos."""
    return (await look(world, step))[0]


async def look(world: World, step: Step) -> tuple[Probe, HostFacts | None]:
    """`probe`, and the facts that it rests on; None when the host was not asked."""
    host = world.host(step)
    if not host.machine.state.managed:
        return skip(f"the inventory says {host.machine.state}"), None
    if not await world.registered(step.host):
        return skip(f"not registered yet: pvenix run playbooks/onboard.yaml -l {step.host}"), None
    expected = await world.expected()
    facts = without_ignored(await read_facts(await world.remote(step)), host.machine.drift.ignore)
    reason = difference(facts, expected)
    known = {"commit": expected, "old": facts.current, "profile": facts.profile}
    if reason and await _staged(world, step, facts, expected):
        return done(f"boots {expected[:10]} next time: pvenix reboot {step.host}", **known), facts
    return needed(reason, **known) if reason else done(f"runs {expected[:10]}", **known), facts


async def _staged(world: World, step: Step, facts: HostFacts, expected: str) -> bool:
    """True when all is done but the reboot, which somebody else is to make."""
    update = world.host(step).machine.update
    waits = update.strategy is Strategy.BOOT and update.reboot is not Reboot.AUTO
    if not waits or facts.current == facts.profile or facts.starts not in ("", facts.profile):
        return False
    if facts.edits or facts.checkout != expected:
        return False
    version = await (await world.remote(step)).try_read(argv.version_of(facts.profile))
    return revision_in(version.stdout) == expected


def difference(facts: HostFacts, expected: str) -> str:
    """Why a host does not run `expected` in every respect; empty when it does."""
    if facts.revision != expected:
        return f"runs {facts.revision[:10] or 'a system of no commit'}, main is at {expected[:10]}"
    if not facts.settled:
        return "what runs is not what it boots next time"
    if facts.edits:
        return f"/etc/nixos was edited: {', '.join(edit.strip() for edit in facts.edits[:3])}"
    if facts.checkout != expected:
        return f"/etc/nixos is at {facts.checkout[:10] or 'no commit'}, main is at {expected[:10]}"
    return ""


async def apply(world: World, step: Step) -> Outcome:
    """Build, root and compare; the new system's path is in the facts."""
    remote = await world.remote(step)
    commit = await world.expected()
    old = (await remote.read(argv.SYSTEMS)).splitlines()[1]
    await step.intend(commit=commit)
    new = await build_on(world, remote, commit, attempt=step.run)
    changes = await closure_changes(remote, old, new)
    built = "the running system" if new == old else short_store_path(new)
    return Outcome(
        status=Status.OK if new == old else Status.CHANGED,
        summary=f"built {built}, {len(changes)} package changes",
        evidence=changes[:20],
        facts={"new": new, "old": old, "built": commit},
    )


async def commands(world: World, step: Step) -> Commands:
    """The commands that `apply` would send, with the dry build that shows what would be built."""
    commit, attempt, remote = await world.expected(), step.run, await world.remote(step)
    ignored = world.host(step).machine.drift.ignore
    edits = (await remote.try_read(argv.EDITS, sudo=True)).stdout.splitlines()
    present = await head_of(remote)
    alone = bool(present) and not await world.repo.contains(commit, present)
    texts = [
        *([as_text((*argv.stash_edits(attempt), *left_alone(ignored)), sudo=True)] if counted(edits, ignored) else []),
        as_text(argv.make_dir(argv.attempt_dir(attempt)), sudo=True),
        *([as_text(argv.keep_commit(attempt, present), sudo=True)] if alone else []),
        as_text(argv.write_file(f"{argv.attempt_dir(attempt)}/fleet.bundle"), sudo=True),
        as_text(argv.fetch_bundle(attempt, world.branch), sudo=True),
        as_text(argv.checkout(commit), sudo=True),
        as_text(argv.dry_build(step.host, commit), sudo=True),
        as_text(argv.build(step.host, commit, f"{argv.attempt_dir(attempt)}/new"), sudo=True),
    ]
    return tuple(("ssh", text) for text in texts)


async def build_on(world: World, remote: Remote, commit: CommitId, *, attempt: str) -> StorePath:
    """The host's system at `commit`, built on the guest and rooted under the attempt's directory."""
    step = remote.step
    step.tell(f"preflight: {preflight.row(await preflight.require(world, remote))}")
    await deliver(world, remote, commit, attempt=attempt)
    step.tell("building")
    link = f"{argv.attempt_dir(attempt)}/new"
    try:
        return out_path(await remote.write(argv.build(step.host, commit, link), timeout_s=_BUILD_TIMEOUT_S))
    except RemoteFailure as error:
        if not error.evidence:
            raise
        # Newer versions of Nix begin with a bare `error:` and say what it was at the end.
        cause = next((line for line in error.evidence if line.partition("error:")[2].strip()), error.evidence[-1])
        ended = error.why.rpartition("(")[2]  # `exit status 1)`
        raise RemoteFailure(
            "the build failed",
            why=f"{cause.strip()} ({ended}",
            evidence=error.evidence,
            hint=error.hint,
            code="PVX0632",
        ) from error


async def deliver(world: World, remote: Remote, commit: CommitId, *, attempt: str) -> None:
    """Move the guest's /etc/nixos to `commit`, which travels over our connection; local edits are put aside first."""
    await _have_repository(remote, attempt)
    present = await head_of(remote)
    ignored = world.host(remote.step).machine.drift.ignore
    edits = (await remote.read(argv.EDITS, sudo=True)).splitlines()
    if counted(edits, ignored):
        remote.step.tell("putting local edits of /etc/nixos aside (git stash)")
        await _git(world, remote, (*argv.stash_edits(attempt), *left_alone(ignored)))
    if present == commit:
        return
    await remote.write(argv.make_dir(argv.attempt_dir(attempt)))
    have = CommitId(present) if present and await world.repo.contains(commit, present) else None
    if present and have is None:
        remote.step.tell(f"keeping {present[:10]}, which is on this host alone, as branch pvenix-{attempt}")
        await _git(world, remote, argv.keep_commit(attempt, present))
    bundle = await world.repo.bundle(commit, have=have)
    target = f"{argv.attempt_dir(attempt)}/fleet.bundle"
    await remote.write(argv.write_file(target), stdin=bundle, timeout_s=300)
    await remote.write(argv.fetch_bundle(attempt, world.branch))
    await _git(world, remote, argv.checkout(commit))


async def head_of(remote: Remote) -> str:
    """The commit that /etc/nixos is at; empty where it is at none, of which git prints the word `HEAD` and fails."""
    result = await remote.try_read(argv.CHECKOUT, sudo=True)
    return result.stdout.strip() if result.ok else ""


async def _git(world: World, remote: Remote, command: argv.Argv) -> None:
    """Change /etc/nixos by git, once no other git does: one whose connection died may still be at it.

    Raises: LockHeld when another one stays at work there, RemoteFailure.
    """
    deadline = world.clock.monotonic() + _GIT_PATIENCE_S
    while True:
        result = received(await remote.try_write(command))
        if result.ok or argv.GIT_LOCK.rpartition("/")[2] not in result.stderr:
            must(result)
            return
        at_work = await remote.try_read(argv.GIT_AT_WORK)
        if world.clock.monotonic() > deadline:
            raise LockHeld(
                f"somebody else's git is at work in {argv.CONFIGURATION} on {remote.step.host}",
                why=f"{argv.GIT_LOCK} is there, processes {' '.join(at_work.stdout.split()) or 'not known'}",
                hint="try again when it has ended",
                code="PVX0644",
            )
        if at_work.exit_status == 1:
            remote.step.tell("a git that was killed left its lock; taking it away")
            await remote.write(("rm", "-f", "--", argv.GIT_LOCK))
        await world.clock.sleep(1)


async def _have_repository(remote: Remote, attempt: str) -> None:
    """Make /etc/nixos a repository where it is none; plain files there are kept in the attempt's directory."""
    listed = await remote.try_read(("ls", "-1", "-A", argv.CONFIGURATION), sudo=True)
    names = listed.stdout.split("\n") if listed.ok else []
    if ".git" in names:
        return
    if any(names):
        remote.step.tell(f"putting the files of {argv.CONFIGURATION} aside in {argv.attempt_dir(attempt)}")
        await remote.write(argv.make_dir(argv.attempt_dir(attempt)))
        await remote.write(argv.set_aside(attempt))
    await remote.write(argv.MAKE_REPOSITORY)


async def closure_changes(remote: Remote, old: str, new: str) -> tuple[str, ...]:
    """Package changes between two systems, a line each."""
    if old == new:
        return ()
    result = await remote.try_read(argv.closure_diff(old, new), sudo=True, timeout_s=120)
    return tuple(line.strip() for line in must(result).splitlines() if line.strip())


def out_path(output: str) -> StorePath:
    """The path in the output of `nix build --json`, whose shape is the same in Nix 2.8 and 2.26.

    Raises: RemoteFailure when there is none.
    """
    try:
        return store_path(json.loads(output)[0]["outputs"]["out"])
    except (ValueError, LookupError, TypeError, UsageError) as error:
        raise RemoteFailure("nix build named no result", why=repr(output[:120]), code="PVX0631") from error

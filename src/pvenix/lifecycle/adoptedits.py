"""Take what somebody edited on a host into a branch, to be reviewed and merged like any other change; the host stays as it is."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import hardware
from pvenix.lifecycle.calls import Call, git_call, shown
from pvenix.lifecycle.edits import read_edits
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World
from pvenix.model.drift import DriftFile, Edit, HostDrift
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import CommitId
from pvenix.model.outcome import Outcome, Probe, Status, done, needed
from pvenix.model.paths import hardware_file

Texts = Mapping[str, str | None]


def branch_of(host: str) -> str:
    """The branch that carries what was edited on a host."""
    return f"edits/{host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    """What goes where."""

    branch: str
    tip: CommitId | None
    """Where the branch is now."""
    base: CommitId
    """What the commit is made on top of: the branch while it waits for its review, else the main branch."""
    texts: Texts
    left: tuple[str, ...]
    """Files that are not taken, each with the reason."""


async def probe(world: World, step: Step) -> Probe:
    """Done when nothing was edited, or the branch or the main branch holds all that can be taken."""
    look, taking = await _look(world, step)
    if not look.counted and not taking.texts:
        return done(f"nobody edited /etc/nixos on {step.host}")
    if taking.texts and await _holds(world, taking.base, taking.texts):
        where = world.branch if taking.base == await world.repo.main() else taking.branch
        return done(f"{where} holds {_files(len(taking.texts))} at {taking.base[:10]}", adopted=taking.base)
    edited = len(look.counted) + look.more
    return needed(f"{_files(edited)} edited in /etc/nixos" if edited else "its hardware file is another one now")


async def apply(world: World, step: Step) -> Outcome:
    """Commit the live texts and read them back.

    Raises: RemoteFailure when none of the files can be taken.
    """
    _, taking = await _look(world, step)
    if not taking.texts:
        raise RemoteFailure(
            f"no edit of {step.host} can be taken into a branch",
            why="; ".join(taking.left) or "nothing is edited any more",
            hint=f"pvenix drift show {step.host}",
            code="PVX0682",
        )
    await step.intend(branch=taking.branch, base=taking.base)
    commit = CommitId("")
    for call in _calls(world, step, taking):
        commit = await call.send(step) or commit
    step.evidence(commit=commit)
    if not await _holds(world, commit, taking.texts):
        raise RemoteFailure(
            f"{taking.branch} at {commit[:10]} does not hold what was taken", hint="repeat", code="PVX0683"
        )
    return Outcome(
        status=Status.CHANGED,
        summary=f"{taking.branch} is at {commit[:10]} with {_files(len(taking.texts))}; review and merge it",
        hint=f"pvenix review show {taking.branch}",
        evidence=taking.left,
        facts={"adopted": commit},
    )


async def commands(world: World, step: Step) -> Commands:
    """The pushes that `apply` would make."""
    _, taking = await _look(world, step)
    return shown(_calls(world, step, taking) if taking.texts else ())


async def _look(world: World, step: Step) -> tuple[HostDrift, _Taking]:
    remote = await world.remote(step)
    look = await read_edits(world, remote)
    files = {file.path: file for file in look.adoptable}
    left = [f"{file.path}: {file.stays}" for file in look.counted if file.stays]
    left += [f"{_files(look.more)} beyond the first {len(look.files)}"] if look.more else []
    if step.args.get("hardware") and hardware_file(step.host) not in files:
        files |= await _generated(world, remote, look)
    branch, main = branch_of(step.host), await world.repo.fetch()
    tip = await world.repo.tip(branch)
    waits = tip is not None and not await world.repo.contains(main, tip)
    taking = _Taking(branch=branch, tip=tip, base=tip if tip and waits else main, texts={}, left=tuple(left))
    return look, await _sorted(world, look, taking, files)


async def _generated(world: World, remote: Remote, look: HostDrift) -> dict[str, DriftFile]:
    """What the hardware generator writes on the host now, where that is not what was committed."""
    path = hardware_file(look.host)
    now, before = await hardware.printed(remote, remote.step), await world.repo.read(look.base, path)
    return {} if now == before else {path: DriftFile(path=path, edit=Edit.CHANGED, live=now)}


async def _sorted(world: World, look: HostDrift, taking: _Taking, files: Mapping[str, DriftFile]) -> _Taking:
    """With the files that were edited from the very text that they would replace; what others changed is theirs."""
    texts: dict[str, str | None] = {}
    left = list(taking.left)
    for path, file in files.items():
        there = await world.repo.read(taking.base, path)
        if there in (file.live, await world.repo.read(look.base, path)):
            texts[path] = file.live
        else:
            left.append(f"{path}: changed since {look.base[:10]} by a commit that {look.host} does not have")
    return replace(taking, texts=texts, left=tuple(left))


def _calls(world: World, step: Step, taking: _Taking) -> list[Call[CommitId | None]]:
    """The pushes: a branch whose review is over starts again from the main branch."""
    calls: list[Call[CommitId | None]] = []
    if taking.tip is not None and taking.tip != taking.base:
        move = functools.partial(_moved, world, taking)
        calls.append(git_call(f"push origin {taking.base[:10]}:{taking.branch}", move))
    paths = ", ".join(sorted(taking.texts))
    lines = "\n".join(f"- {path}" for path in sorted(taking.texts))
    message = f"Adopt what was edited on {step.host}\n\nEdited in /etc/nixos:\n{lines}\nRun: {step.run}\n"
    commit = functools.partial(_committed, world, taking, message)
    return [*calls, git_call(f"push origin {taking.branch}: {paths}", commit)]


async def _moved(world: World, taking: _Taking) -> None:
    await world.repo.push_ref(f"refs/heads/{taking.branch}", taking.base, expect=taking.tip)


async def _committed(world: World, taking: _Taking, message: str) -> CommitId:
    return await world.repo.commit(taking.branch, taking.base, taking.texts, message=message)


async def _holds(world: World, rev: str, texts: Texts) -> bool:
    for path, text in texts.items():
        if await world.repo.read(rev, path) != text:
            return False
    return True


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"

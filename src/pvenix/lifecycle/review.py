"""Check a branch that waits for a person; merge exactly the commit that somebody approved.

Approval and rejection are notes on a commit (`refs/notes/reviews`), so they say what was looked at, and a branch that
moves afterwards is not approved any more. A review is called by the host whose registration it is, or by its branch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pvenix.engine.ports import Branch, FileChange
from pvenix.engine.step import Commands, Step
from pvenix.lifecycle import threads
from pvenix.lifecycle.calls import Call, git_call, shown
from pvenix.lifecycle.checks import file_diff, run_checks
from pvenix.lifecycle.world import World
from pvenix.model.ages import decided_words
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId, commit_id, is_branch_name, registration_branch, review_name
from pvenix.model.outcome import Outcome, Probe, Status, done, needed, skip
from pvenix.model.review import Check, Kind, Review, Verdict, kind_of

PREFIX = "registration/"
NOTES = "reviews"
_MOVED = "PVX0703"
_OF_A_HOST = (Kind.REGISTRATION, Kind.RETIRE, Kind.DRIFT, Kind.EDITS)
T = TypeVar("T")
Elsewhere = Callable[[Callable[[], T]], Awaitable[T]]
"""Does work that takes a processor's time and touches nothing: here, or in a thread of the caller's."""


async def here(work: Callable[[], T]) -> T:
    """Do it at once."""
    return work()


async def probe(world: World, step: Step) -> Probe:
    """Done when the main branch contains the registration branch."""
    main = await world.repo.fetch()
    tip = await world.repo.tip(registration_branch(step.host))
    if tip is None:
        if await world.registered(step.host):
            return done("registered on the main branch", commit=main)
        return needed("nothing is registered yet") if step.check else skip("there is no registration branch to review")
    if await world.repo.contains(main, tip):
        return done(f"{tip[:10]} is merged", commit=main)
    return needed(f"{registration_branch(step.host)} is at {tip[:10]}", reviewed=tip)


async def apply(world: World, step: Step) -> Outcome:
    """Merge the branch's tip if it is the approved commit; else wait for a person."""
    review = await read(world, step.host)
    for check in review.checks:
        step.tell(f"{check.verdict}: {check.name}" + (f": {check.detail}" if check.detail else ""))
    if review.state == "rejected":
        return Outcome(status=Status.FAILED, summary=f"{review.commit[:10]} was rejected", evidence=_told(review))
    if review.state == "open" and not _is_ours(step, review):
        return _waiting(step.host, review)
    await step.intend(commit=review.commit)
    if review.state == "open":
        await approve(world, step.host, review.commit, comment=str(step.args.get("comment", "")), by=f"run {step.run}")
    tip = await _merging(world, review).send(step)
    return Outcome(status=Status.CHANGED, summary=f"merged {review.commit[:10]}", facts={"commit": tip})


def _told(review: Review) -> tuple[str, ...]:
    return tuple(decided_words(line) for line in review.comments)


def _waiting(host: str, review: Review) -> Outcome:
    """What a person does next: nobody can approve a commit that fails a check."""
    wrong = [f"{check.name}: {check.detail}" for check in review.checks if check.verdict is Verdict.FAIL]
    verb = "show" if wrong else "approve"
    return Outcome(
        status=Status.WAITING,
        summary=f"{review.branch} at {review.commit[:10]} "
        + ("cannot be approved: a check fails" if wrong else "waits for review"),
        hint=f"pvenix review {verb} {host}" + ("" if wrong else f" {review.commit[:10]}"),
        evidence=(*wrong, *_told(review)),
    )


async def commands(world: World, step: Step) -> Commands:
    """The merge, if `apply` would come to it and not wait for a person."""
    if await world.repo.tip(registration_branch(step.host)) is None:
        return ()
    review = await read(world, step.host)
    goes_on = review.state == "approved" or (review.state == "open" and _is_ours(step, review))
    return shown([_merging(world, review)] if goes_on else [])


def _is_ours(step: Step, review: Review) -> bool:
    """True when the run may approve by itself: what it registered itself, when every check passes.

    What somebody pushed since, or what a check wants looked at, has been seen by nobody.
    """
    clean = all(check.verdict is Verdict.PASS for check in review.checks)
    return bool(step.args.get("approve")) and clean and review.commit == step.facts.get("registered")


def _merging(world: World, review: Review) -> Call[CommitId]:
    return git_call(
        f"push origin {review.commit[:10]}:{world.branch} (merge of {review.branch})",
        lambda: merge(world, review.name, review.commit),
    )


def branch_of(name: str) -> str:
    """The branch of a review: a host's registration branch, or the branch itself, which there need not be.

    Raises: UsageError for what is neither a host's name nor a branch's.
    """
    return review_name(name).removeprefix("refs/heads/") if "/" in name else registration_branch(name)


async def open_reviews(world: World) -> tuple[Review, ...]:
    """Every branch that main does not contain, without files, checks and comments."""
    main = await world.repo.fetch()
    notes = await world.repo.notes(NOTES)
    return tuple(
        _listed(branch, main, notes.get(branch.tip.id, "")) for branch in await world.repo.branches() if branch.ahead
    )


async def details(world: World, names: Sequence[str], *, elsewhere: Elsewhere[Review] = here) -> AsyncIterator[Review]:
    """These reviews with files, checks and comments, one after the other; a branch that is gone by now is left out."""
    main = await world.repo.fetch()
    notes, comments = await world.repo.notes(NOTES), await world.repo.notes(threads.NOTES)
    every = [_listed(branch, main, notes.get(branch.tip.id, "")) for branch in await world.repo.branches()]
    found = {each.branch: each for each in every} | {each.name: each for each in every}
    for name in names:  # as they are listed: Git allows names of branches that pvenix would never give one
        if name in found:
            yield await _read(world, found[name], comments, elsewhere)


async def read(world: World, name: str, *, elsewhere: Elsewhere[Review] = here) -> Review:
    """A review with its files, checks and comments.

    Raises: UsageError when there is no such branch.
    """
    main, wanted = await world.repo.fetch(), branch_of(name)
    branch = next((branch for branch in await world.repo.branches(wanted) if branch.name == wanted), None)
    if branch is None:
        raise UsageError(f"there is no branch {wanted}", hint="pvenix review list")
    listed = _listed(branch, main, (await world.repo.notes(NOTES)).get(branch.tip.id, ""))
    return await _read(world, listed, await world.repo.notes(threads.NOTES), elsewhere)


async def _read(world: World, listed: Review, comments: Mapping[CommitId, str], elsewhere: Elsewhere[Review]) -> Review:
    changes = await world.repo.diff(listed.base, listed.commit)
    said = await threads.relevant(world, comments, listed.branch, listed.base)
    merged = await world.repo.contains(listed.base, listed.commit)
    return await elsewhere(lambda: _examined(world, listed, changes, said, merged=merged))


def _examined(
    world: World, listed: Review, changes: Sequence[FileChange], said: Mapping[CommitId, str], *, merged: bool
) -> Review:
    return replace(
        listed,
        files=tuple(file_diff(listed.host, change) for change in changes),
        checks=(*_nameless(listed), *run_checks(world.fleet, listed.host, changes, kind=listed.kind)),
        state="merged" if merged else listed.state,
        threads=threads.threads_of(said, listed.branch, {each.path: each.new or "" for each in changes}),
    )


def _nameless(listed: Review) -> tuple[Check, ...]:
    """That a branch has a name which pvenix gives none and hands to no program: it is read, and goes no further."""
    if is_branch_name(listed.branch):
        return ()
    why = (
        "letters, digits and _ . + - / are all that one may have; give it another name, and review that one: "
        f"git fetch && git push origin {listed.commit}:refs/heads/topic/NAME"
    )
    return (Check(name="a name for a branch", verdict=Verdict.FAIL, detail=why),)


async def approve(
    world: World, name: str, commit: str, *, comment: str, by: str, acknowledged: Sequence[str] = ()
) -> Review:
    """Approve exactly `commit`, which must be the branch's tip and pass every check; kept with what was acknowledged.

    Raises: RemoteFailure when the branch is elsewhere or a check failed.
    """
    review = await at(world, name, commit)
    failed = [check for check in review.checks if check.verdict == "fail"]
    if failed:
        raise RemoteFailure(
            f"{review.branch} cannot be approved",
            why="; ".join(f"{check.name}: {check.detail}" for check in failed),
            hint=f"pvenix review show {review.name}",
            code="PVX0704",
        )
    words = "; ".join([*([comment] if comment else []), *(f"acknowledged {each}" for each in acknowledged)])
    await world.repo.add_note(NOTES, commit_id(review.commit), _note("approved", world, by, words))
    return review


async def reject(world: World, name: str, commit: str, *, comment: str, by: str) -> Review:
    """Reject exactly `commit`.

    Raises: RemoteFailure when the branch is elsewhere.
    """
    review = await at(world, name, commit)
    await world.repo.add_note(NOTES, commit_id(review.commit), _note("rejected", world, by, comment))
    return review


async def merge(world: World, name: str, commit: str) -> CommitId:
    """Merge exactly the approved `commit` into main; returns the new tip. One that main has already is done.

    Raises: RemoteFailure when the branch has moved since, or the commit is not approved.
    """
    review = await at(world, name, commit)
    if review.state == "merged":
        return await world.repo.main()
    if review.state != "approved":
        raise RemoteFailure(
            f"{review.commit[:10]} is {review.state}, not approved",
            hint=f"pvenix review approve {review.name}",
            code="PVX0705",
        )
    message = f"Merge {review.branch}\n\n" + "\n".join(review.comments) + "\n"
    return await world.repo.merge(commit_id(review.commit), into=world.branch, message=message)


async def at(world: World, name: str, commit: str) -> Review:
    """The review when its branch is at `commit`, an id or its first seven digits or more.

    Raises: RemoteFailure when it is elsewhere.
    """
    review = await read(world, name)
    if len(commit) < 7 or not review.commit.startswith(commit):
        raise RemoteFailure(
            f"{review.branch} is at {review.commit[:10]}, not at {commit[:10]}",
            why="a new commit arrived after it was looked at",
            hint=f"pvenix review show {review.name}, then decide on {review.commit[:10]}",
            code=_MOVED,
        )
    return review


def _note(decision: str, world: World, by: str, comment: str) -> str:
    words = " ".join(comment.split())
    return f"{decision} by {by} at {world.clock.utc()}" + (f": {words}" if words else "")


def _listed(branch: Branch, main: str, note: str) -> Review:
    lines = tuple(line for line in note.splitlines() if line.strip())
    decisions = [line.split(" ", 1)[0] for line in lines if line.startswith(("approved by ", "rejected by "))]
    return Review(
        host=branch.name.partition("/")[2] if kind_of(branch.name) in _OF_A_HOST else "",
        branch=branch.name,
        commit=branch.tip.id,
        base=main,
        author=branch.tip.author,
        at=branch.tip.at,
        subject=branch.tip.subject,
        files=(),
        checks=(),
        state=decisions[-1] if decisions else "open",
        comments=lines,
        ahead=branch.ahead,
        behind=branch.behind,
        mergeable=branch.mergeable,
    )

"""`pvenix review`: branches that wait for a person, each pinned to one commit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pvenix.cli.commands import amend
from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import clean, one_line, style, table
from pvenix.model.ages import decided_words
from pvenix.model.errors import UsageError
from pvenix.model.names import review_name
from pvenix.model.paths import quoted

if TYPE_CHECKING:
    from pvenix.model.review import FileDiff, Review, Thread
    from pvenix.wiring import Workspace

T = TypeVar("T")


@click.group(
    "review",
    cls=Group,
    examples=("pvenix review list", "pvenix review show dns02", "pvenix review approve dns02 -m 'looks right'"),
)
def command() -> None:
    """Look at branches that wait for a person, approve or reject one commit of each, and merge what was approved.

    They are called by the host whose registration they are, or by their name: retire/dns02, drift/dns02, template/nixos,
    revert/4b825dc642.
    """


for _other in (amend.comment, amend.edit, amend.update, amend.conflicts):
    command.add_command(_other)


@command.command("list", examples=("pvenix review list", "pvenix review list -o json"))
@click.pass_obj
def list_reviews(settings: Settings) -> None:
    """List the branches that are not merged."""

    async def action(workspace: Workspace) -> tuple[Review, ...]:
        return await workspace.reviews()

    reviews = settings.run_async(action)
    rows = [
        (each.name, each.state, each.commit[:12], _base(each), each.author, each.at, each.subject) for each in reviews
    ]
    header = ("NAME", "STATE", "COMMIT", "BASE", "AUTHOR", "AT", "SUBJECT")
    show_rows(settings, "reviews", [_document(each) for each in reviews], header, rows, status=1)


def _base(review: Review) -> str:
    """How the branch stands to main."""
    if not review.mergeable:
        return "conflict"
    return f"{review.behind} behind" if review.behind else "current"


def _document(review: Review) -> dict[str, Any]:
    return {**dataclasses.asdict(review), "name": review.name, "kind": review.kind.value}


@command.command("show", examples=("pvenix review show dns02", "pvenix review show dns02 -o json"))
@click.argument("host", metavar="HOST|BRANCH", help=amend.BRANCH)
@click.pass_obj
def show(settings: Settings, host: str) -> None:
    """Show the checks, the comments and the diff of a branch."""
    review = _ask(settings, lambda workspace: workspace.review(review_name(host)))
    show_document(settings, "review", {**_document(review), "approvable": review.approvable}, _text(review))


@command.command(
    "approve",
    examples=("pvenix review approve dns02", "pvenix review approve dns02 COMMIT -m 'checked the disk ids' --merge"),
)
@click.argument("host", metavar="HOST|BRANCH", help=amend.BRANCH)
@click.argument("commit", required=False, help="The commit that you looked at; else the branch's tip.")
@click.option("-m", "--comment", default="", help="Kept with the approval.")
@click.option("--merge", "merge_too", is_flag=True, help="Merge it at once.")
@click.pass_obj
def approve(settings: Settings, /, *, host: str, commit: str | None, comment: str, merge_too: bool) -> None:
    """Approve one commit of a branch; a later commit is not approved by it."""

    async def action(workspace: Workspace) -> tuple[str, str]:
        review = await amend.pinned(workspace, host, commit)
        if not review.approvable and review.state == "open":
            raise _not_approvable(review)
        for warning in warnings_of(review):
            talk(f"warning: {one_line(warning)}")
        await workspace.approve(host, review.commit, comment)
        return review.commit, await workspace.merge(host, review.commit) if merge_too else ""

    approved, tip = settings.run_async(action)
    item = {"host": host, "commit": approved, "state": "merged" if tip else "approved", "main": tip}
    text = f"approved {host} at {approved[:12]}" + (f", main is at {tip[:12]}" if tip else "")
    show_document(settings, "review-result", item, text)
    if not tip:
        talk(f"next: pvenix review merge {host} {approved}")


@command.command("reject", examples=("pvenix review reject dns02 -m 'wrong zone'",))
@click.argument("host", metavar="HOST|BRANCH", help=amend.BRANCH)
@click.argument("commit", required=False, help="The commit that you looked at; else the branch's tip.")
@click.option("-m", "--comment", required=True, help="Why, for whoever registered the host.")
@click.pass_obj
def reject(settings: Settings, /, *, host: str, commit: str | None, comment: str) -> None:
    """Reject one commit of a branch, with the reason."""

    async def action(workspace: Workspace) -> str:
        review = await amend.pinned(workspace, host, commit)
        await workspace.reject(host, review.commit, comment)
        return review.commit

    rejected = settings.run_async(action)
    item = {"host": host, "commit": rejected, "state": "rejected", "main": ""}
    show_document(settings, "review-result", item, f"rejected {host} at {rejected[:12]}")


@command.command("merge", examples=("pvenix review merge dns02 4b825dc642cb6eb9a060e54bf8d69288fbee4904",))
@click.argument("host", metavar="HOST|BRANCH", help=amend.BRANCH)
@click.argument("commit", help="The approved commit.")
@click.pass_obj
def merge(settings: Settings, /, *, host: str, commit: str) -> None:
    """Merge exactly the approved commit into the main branch."""

    async def action(workspace: Workspace) -> tuple[str, str]:
        review = await amend.pinned(workspace, host, commit)
        return review.commit, await workspace.merge(host, review.commit)

    merged, tip = settings.run_async(action)
    item = {"host": host, "commit": merged, "state": "merged", "main": tip}
    show_document(settings, "review-result", item, f"merged {host} at {merged[:12]}, main is at {tip[:12]}")
    if "/" not in host:
        talk(f"next: pvenix rebuild {host}")


def _ask(settings: Settings, question: Callable[[Workspace], Coroutine[Any, Any, T]]) -> T:
    async def action(workspace: Workspace) -> T:
        return await question(workspace)

    return settings.run_async(action)


def warnings_of(review: Review) -> list[str]:
    """What whoever approves should have looked at, a line each."""
    found = [f"{check.name}: {check.detail}" for check in review.checks if check.verdict == "warn"]
    found += [f"comment {each.id} on {each.place} is not resolved" for each in review.unresolved]
    return found + ([f"it is {review.behind} behind main"] if review.behind else [])


def _not_approvable(review: Review) -> UsageError:
    if not review.mergeable:
        return UsageError(
            f"{review.name} cannot be approved: it does not merge into main",
            why="both changed the same lines",
            hint=f"pvenix review conflicts {review.name}",
        )
    failing = [f"{check.name}: {check.detail}" for check in review.checks if check.verdict == "fail"]
    return UsageError(
        f"{review.name} cannot be approved: a check fails", evidence=failing, hint=f"pvenix review show {review.name}"
    )


def _text(review: Review) -> str:
    state = style(review.state, review.state)
    lines = [
        f"{style(review.name, 'strong')}  {review.branch}  {state}",
        f"commit {review.commit}",
        f"against {review.base}  ({_base(review)})",
        one_line(f"{review.author}, {review.at}: {review.subject}"),
        *(f"comment: {one_line(decided_words(comment))}" for comment in review.comments),
        "",
        table(
            ("CHECK", "VERDICT", "DETAIL"),
            [(check.name, check.verdict, check.detail) for check in review.checks],
            status=1,
        ),
    ]
    return "\n".join([*lines, *_threads(review.threads), *(_file(each) for each in review.files)])


def _threads(threads: Sequence[Thread]) -> list[str]:
    lines = []
    for thread in threads:
        settled = f"  resolved by {thread.resolved_by}" if thread.resolved_by else ""
        lines.append("\n" + style(one_line(f"comment {thread.id} on {thread.place}{settled}"), "strong"))
        if thread.quote:
            lines.append(one_line(f"  > {thread.quote}"))
        lines += [one_line(f"  {said.by}, {said.at}: {said.text}") for said in thread.messages]
    return lines


def _file(diff: FileDiff) -> str:
    head = style(f"{clean(quoted(diff.path))}  ({diff.kind}, +{diff.added} -{diff.removed})", "strong")
    return f"\n{head}\n" + "\n".join(_painted(line) for line in clean(diff.unified).splitlines())


def _painted(line: str) -> str:
    color = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=color) if color else line

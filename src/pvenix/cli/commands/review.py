"""`pvenix review`: registration branches under review, each pinned to one commit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.selection import host_argument
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import clean, one_line, style, table
from pvenix.model.errors import UsageError
from pvenix.model.names import commit_id, host_name

if TYPE_CHECKING:
    from pvenix.model.review import FileDiff, Review
    from pvenix.wiring import Workspace

T = TypeVar("T")


@click.group(
    "review",
    cls=Group,
    examples=("pvenix review list", "pvenix review show dns02", "pvenix review approve dns02 -m 'looks right'"),
)
def command() -> None:
    """Look at registration branches, approve or reject one commit of each, and merge what was approved."""


@command.command("list", examples=("pvenix review list", "pvenix review list -o json"))
@click.pass_obj
def list_reviews(settings: Settings) -> None:
    """List the open registration branches."""

    async def action(workspace: Workspace) -> tuple[Review, ...]:
        return await workspace.reviews()

    reviews = settings.run_async(action)
    rows = [(each.host, each.state, each.commit[:12], each.author, each.at, each.subject) for each in reviews]
    header = ("HOST", "STATE", "COMMIT", "AUTHOR", "AT", "SUBJECT")
    show_rows(settings, "reviews", [dataclasses.asdict(each) for each in reviews], header, rows, status=1)


@command.command("show", examples=("pvenix review show dns02", "pvenix review show dns02 -o json"))
@host_argument(many=False)
@click.pass_obj
def show(settings: Settings, host: str) -> None:
    """Show the checks and the diff of a registration branch."""
    review = _ask(settings, lambda workspace: workspace.review(host_name(host)))
    show_document(settings, "review", {**dataclasses.asdict(review), "approvable": review.approvable}, _text(review))


@command.command(
    "approve",
    examples=("pvenix review approve dns02", "pvenix review approve dns02 COMMIT -m 'checked the disk ids' --merge"),
)
@host_argument(many=False)
@click.argument("commit", required=False, help="The commit that you looked at; else the branch's tip.")
@click.option("-m", "--comment", default="", help="Kept with the approval.")
@click.option("--merge", "merge_too", is_flag=True, help="Merge it at once.")
@click.pass_obj
def approve(settings: Settings, /, *, host: str, commit: str | None, comment: str, merge_too: bool) -> None:
    """Approve one commit of a registration branch; a later commit is not approved by it."""

    async def action(workspace: Workspace) -> tuple[str, str]:
        review = await _pinned(workspace, host, commit)
        if not review.approvable and review.state == "open":
            failing = [f"{check.name}: {check.detail}" for check in review.checks if check.verdict == "fail"]
            raise UsageError(
                f"{host} cannot be approved: a check fails", evidence=failing, hint=f"pvenix review show {host}"
            )
        await workspace.approve(host, review.commit, comment)
        return review.commit, await workspace.merge(host, review.commit) if merge_too else ""

    approved, tip = settings.run_async(action)
    item = {"host": host, "commit": approved, "state": "merged" if tip else "approved", "main": tip}
    text = f"approved {host} at {approved[:12]}" + (f", main is at {tip[:12]}" if tip else "")
    show_document(settings, "review-result", item, text)
    if not tip:
        talk(f"next: pvenix review merge {host} {approved}")


@command.command("reject", examples=("pvenix review reject dns02 -m 'wrong zone'",))
@host_argument(many=False)
@click.argument("commit", required=False, help="The commit that you looked at; else the branch's tip.")
@click.option("-m", "--comment", required=True, help="Why, for whoever registered the host.")
@click.pass_obj
def reject(settings: Settings, /, *, host: str, commit: str | None, comment: str) -> None:
    """Reject one commit of a registration branch, with the reason."""

    async def action(workspace: Workspace) -> str:
        review = await _pinned(workspace, host, commit)
        await workspace.reject(host, review.commit, comment)
        return review.commit

    rejected = settings.run_async(action)
    item = {"host": host, "commit": rejected, "state": "rejected", "main": ""}
    show_document(settings, "review-result", item, f"rejected {host} at {rejected[:12]}")


@command.command("merge", examples=("pvenix review merge dns02 4b825dc642cb6eb9a060e54bf8d69288fbee4904",))
@host_argument(many=False)
@click.argument("commit", help="The approved commit.")
@click.pass_obj
def merge(settings: Settings, /, *, host: str, commit: str) -> None:
    """Merge exactly the approved commit into the main branch."""

    async def action(workspace: Workspace) -> tuple[str, str]:
        review = await _pinned(workspace, host, commit)
        return review.commit, await workspace.merge(host, review.commit)

    merged, tip = settings.run_async(action)
    item = {"host": host, "commit": merged, "state": "merged", "main": tip}
    show_document(settings, "review-result", item, f"merged {host} at {merged[:12]}, main is at {tip[:12]}")
    talk(f"next: pvenix rebuild {host}")


def _ask(settings: Settings, question: Callable[[Workspace], Coroutine[Any, Any, T]]) -> T:
    async def action(workspace: Workspace) -> T:
        return await question(workspace)

    return settings.run_async(action)


async def _pinned(workspace: Workspace, host: str, commit: str | None) -> Review:
    """The review of `host`, when its tip is the commit that the person named.

    Raises: UsageError when the branch is at another commit.
    """
    review = await workspace.review(host_name(host))
    if commit is None or (len(commit) >= 7 and review.commit.startswith(commit)):
        return review
    if len(commit) >= 40:
        commit_id(commit)
    raise UsageError(
        f"{review.branch} is at {review.commit[:12]}, not at {commit[:40]}",
        why="it got another commit, or the one named is not its tip; nothing was changed",
        hint=f"pvenix review show {host}",
    )


def _text(review: Review) -> str:
    state = style(review.state, review.state)
    lines = [
        f"{style(review.host, 'strong')}  {review.branch}  {state}",
        f"commit {review.commit}",
        f"against {review.base}",
        one_line(f"{review.author}, {review.at}: {review.subject}"),
        *(f"comment: {one_line(comment)}" for comment in review.comments),
        "",
        table(
            ("CHECK", "VERDICT", "DETAIL"),
            [(check.name, check.verdict, check.detail) for check in review.checks],
            status=1,
        ),
    ]
    return "\n".join([*lines, *(_file(each) for each in review.files)])


def _file(diff: FileDiff) -> str:
    head = style(f"{clean(diff.path)}  ({diff.kind}, +{diff.added} -{diff.removed})", "strong")
    return f"\n{head}\n" + "\n".join(_painted(line) for line in clean(diff.unified).splitlines())


def _painted(line: str) -> str:
    color = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=color) if color else line

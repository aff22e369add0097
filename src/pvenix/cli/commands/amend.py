"""`pvenix review comment|edit|update|conflicts`: what people do to a branch under review beside deciding on it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Command
from pvenix.cli.prompts import confirm
from pvenix.cli.settings import Settings, talk
from pvenix.cli.text import clean, one_line, style
from pvenix.model.errors import UsageError
from pvenix.model.names import commit_id, review_name

if TYPE_CHECKING:
    from pvenix.model.review import Conflict, FileDiff, Review
    from pvenix.wiring import Workspace

BRANCH = "The host of a registration, or a branch such as retire/dns02."
_THREAD = "ID"


async def pinned(workspace: Workspace, host: str, commit: str | None) -> Review:
    """The review of `host`, when its tip is the commit that the person named.

    Raises: UsageError when the branch is at another commit.
    """
    review = await workspace.review(review_name(host))
    if commit is None or (len(commit) >= 7 and review.commit.startswith(commit)):
        return review
    if len(commit) >= 40:
        commit_id(commit)
    raise UsageError(
        f"{review.branch} is at {review.commit[:12]}, not at {commit[:40]}",
        why="it got another commit, or the one named is not its tip; nothing was changed",
        hint=f"pvenix review show {host}",
    )


@click.command(
    "comment",
    cls=Command,
    examples=(
        "pvenix review comment dns02 4b825dc642 'why two disks?' --file nix/hosts/dns02.nix --line 12",
        "pvenix review comment dns02 4b825dc642 'one is for logs' --reply 1f0c55aa",
        "pvenix review comment dns02 4b825dc642 --resolve 1f0c55aa",
    ),
)
@click.argument("branch", metavar="HOST|BRANCH", help=BRANCH)
@click.argument("commit", help="The commit that you looked at.")
@click.argument("text", required=False, help="What you say; not with --resolve and --reopen.")
@click.option("--file", default="", help="A file that the branch changes; else it is about the whole.")
@click.option("--line", type=click.IntRange(min=1), default=None, help="A line of that file, as the branch has it.")
@click.option("--reply", metavar=_THREAD, help="Answer this comment.")
@click.option("--resolve", metavar=_THREAD, help="Say that this comment is settled.")
@click.option("--reopen", metavar=_THREAD, help="Say that it is not.")
@click.pass_obj
def comment(
    settings: Settings,
    /,
    *,
    branch: str,
    commit: str,
    text: str | None,
    file: str,
    line: int | None,
    **thread: str | None,
) -> None:
    """Say something about a branch under review; everybody who reviews it sees that, and an approval has to acknowledge it."""
    reply, resolve, reopen = thread["reply"], thread["resolve"], thread["reopen"]
    if (
        bool(text) == bool(resolve or reopen)
        or sum(map(bool, (reply, resolve, reopen, file))) > 1
        or (line and not file)
    ):
        raise UsageError(
            "a comment is a text about the whole, a --file or a --line of it; or one of --reply, --resolve, --reopen",
            hint="pvenix review comment --help",
        )

    async def action(workspace: Workspace) -> str:
        settings.refuse_change("comment on a branch")
        if reply or resolve or reopen:
            await pinned(workspace, branch, commit)
        if reply:
            await workspace.reply(branch, reply, text or "")
        elif resolve or reopen:
            await workspace.resolve_thread(branch, resolve or reopen or "", resolved=bool(resolve))
        else:
            return (await workspace.comment(branch, commit, text or "", file=file, line=line or 0)).id
        return reply or resolve or reopen or ""

    found = settings.run_async(action)
    done = "replied to" if reply else "resolved" if resolve else "reopened" if reopen else "commented:"
    show_document(settings, "review-comment", {"branch": branch, "thread": found}, f"{done} {found}")


@click.command("edit", cls=Command, examples=("pvenix review edit dns02 nix/hosts/dns02.nix",))
@click.argument("branch", metavar="HOST|BRANCH", help=BRANCH)
@click.argument("file", help="A file of the branch.")
@click.option("-m", "--message", default="", help="The commit's message.")
@click.pass_obj
def edit(settings: Settings, /, *, branch: str, file: str, message: str) -> None:
    """Edit a file of a branch in $EDITOR, and push it as a commit of yours; an approval of the older commit ends with that."""

    async def action(workspace: Workspace) -> str:
        settings.refuse_change("change a branch")  # before anybody types into an editor
        review = await workspace.review(branch)
        before = await workspace.review_text(branch, review.commit, file)
        after = _in_editor(before, file)
        if after == before:
            return ""
        talk(_shown(await workspace.review_edited(branch, review.commit, file, after)))
        confirm(settings, f"commit this to {review.branch}?")
        return await workspace.edit_review(branch, review.commit, file, after, message)

    tip = settings.run_async(action)
    text = f"{branch} is at {tip[:12]}" if tip else "nothing was changed"
    show_document(settings, "review-edit", {"branch": branch, "commit": tip, "changed": bool(tip)}, text)
    if tip:
        talk(f"next: pvenix review show {branch}")


def _in_editor(text: str, file: str) -> str:
    """The text as the person left it.

    Raises: UsageError when the editor did not end well, or left what is no text.
    """
    with TemporaryDirectory(prefix="pvenix-edit-") as folder:
        path = Path(folder) / Path(file).name
        path.write_text(text, encoding="utf-8")
        try:
            click.edit(filename=str(path))
            return path.read_text(encoding="utf-8")
        except (click.ClickException, OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} was not edited", why=str(error), hint="set EDITOR; nothing was pushed") from error


@click.command("update", cls=Command, examples=("pvenix review update dns02",))
@click.argument("branch", metavar="HOST|BRANCH", help=BRANCH)
@click.argument("commit", required=False, help="The commit that you looked at; else the branch's tip.")
@click.pass_obj
def update(settings: Settings, /, *, branch: str, commit: str | None) -> None:
    """Bring main into a branch that is behind it; its commits stay, and the new tip wants a review of its own."""

    async def action(workspace: Workspace) -> str:
        review = await pinned(workspace, branch, commit)
        return await workspace.freshen_review(branch, review.commit) if review.behind else review.commit

    tip = settings.run_async(action)
    show_document(settings, "review-update", {"branch": branch, "commit": tip}, f"{branch} is at {tip[:12]}")


@click.command("conflicts", cls=Command, examples=("pvenix review conflicts dns02",))
@click.argument("branch", metavar="HOST|BRANCH", help=BRANCH)
@click.pass_obj
def conflicts(settings: Settings, /, *, branch: str) -> None:
    """Show why a branch does not merge into main: each file, both sides, who changed it and when."""

    async def action(workspace: Workspace) -> tuple[Conflict, ...]:
        return await workspace.review_conflicts(branch)

    found = settings.run_async(action)
    rows = [
        (each.path, each.why, f"{each.branch.author} {each.branch.at}", f"{each.main.author} {each.main.at}")
        for each in found
    ]
    header = ("FILE", "WHY", "BRANCH", "MAIN")
    show_rows(settings, "conflicts", [dataclasses.asdict(each) for each in found], header, rows)
    for each in found:
        talk(f"\n{style(one_line(each.path), 'strong')}\n{clean(each.marked)}")
    if found:
        talk("next: resolve them in a checkout (git switch, git merge origin/main, push), or in pvenix-tui: 3, w, E")


def _shown(diff: FileDiff) -> str:
    return clean(diff.unified).rstrip("\n")

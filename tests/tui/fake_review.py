"""The fake backend's repository, as far as people do more to it than decide: comments, edits, conflicts, commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pvenix.engine.ports import Commit
from pvenix.lifecycle.difference import unified
from pvenix.lifecycle.history import CommitPage
from pvenix.model.errors import RemoteFailure, UsageError
from pvenix.model.names import CommitId
from pvenix.model.review import Conflict, FileDiff, Message, Review, Side, Thread

CONFLICT = Conflict(
    path="nix/hosts/tappaas-litellm.nix",
    why="both changed the same lines",
    marked="{\n<<<<<<< registration/tappaas-litellm\n  ports = [ 4000 ];\n=======\n  ports = [ 8000 ];\n>>>>>>> main\n}\n",
    main=Side(commit="3f2c1a9b77d0", author="ana", at="2026-11-20T08:19:48.000Z", subject="Open port 8000"),
    branch=Side(commit="b771e02c9d04", author="bo", at="2026-11-19T10:19:48.000Z", subject="Register"),
)


def changed(path: str, old: str, new: str) -> FileDiff:
    """A file that differs."""
    lines = unified(path, old, new)
    added = sum(line.startswith("+") for line in lines[2:])
    return FileDiff(path=path, kind="host", added=added, removed=len(lines) - added, unified="".join(lines))


class _Backend(Protocol):
    """What this part needs of the whole."""

    calls: list[tuple[Any, ...]]
    reviews_now: dict[str, Review]

    def _reach(self) -> None: ...
    async def history(self, *, limit: int = 50) -> tuple[Commit, ...]: ...
    async def review(self, host: str) -> Review: ...


class FakeReviewing:
    """Branches and commits in memory."""

    acknowledged_now: tuple[str, ...] = ()
    """What came with the last approval."""
    conflicts_now: tuple[Conflict, ...] = (CONFLICT,)
    commit_files: tuple[FileDiff, ...] = (
        changed("nix/common.nix", "{\n  ports = [ 80 ];\n}\n", "{\n  ports = [ 80 8000 ];\n}\n"),
        changed("docs/ports.md", "", "8000 is vllm\n"),
    )
    text_now: str = '{\n  networking.hostName = "tappaas-litellm";\n}\n'

    async def review_details(self: _Backend, names: Sequence[str]) -> AsyncIterator[Review]:
        self._reach()
        for name in names:
            if name in self.reviews_now:
                yield self.reviews_now[name]

    async def comment(self: _Backend, name: str, commit: str, text: str, *, file: str = "", line: int = 0) -> Thread:
        self._reach()
        self.calls.append(("comment", name, commit, text, file, line))
        review = self.reviews_now[name]
        said = Message(by="story", at="2026-11-20T10:19:50.000Z", text=text)
        thread = Thread(
            id=f"c{len(review.threads) + 1}", commit=commit, file=file, line=line, quote="", messages=(said,)
        )
        self.reviews_now[name] = replace(review, threads=(*review.threads, thread))
        return thread

    async def reply(self: _Backend, name: str, thread: str, text: str) -> None:
        self.calls.append(("reply", name, thread, text))
        said = Message(by="story", at="2026-11-20T10:19:52.000Z", text=text)
        review = self.reviews_now[name]
        threads = tuple(
            replace(each, messages=(*each.messages, said)) if each.id == thread else each for each in review.threads
        )
        self.reviews_now[name] = replace(review, threads=threads)

    async def resolve_thread(self: _Backend, name: str, thread: str, *, resolved: bool = True) -> None:
        self.calls.append(("resolve", name, thread, resolved))
        review, by = self.reviews_now[name], "story" if resolved else ""
        threads = tuple(replace(each, resolved_by=by) if each.id == thread else each for each in review.threads)
        self.reviews_now[name] = replace(review, threads=threads)

    async def review_text(self, name: str, commit: str, path: str) -> str:
        return self.text_now

    async def review_edited(self, name: str, commit: str, path: str, text: str) -> FileDiff:
        return changed(path, self.text_now, text)

    async def edit_review(self: _Backend, name: str, commit: str, path: str, text: str, message: str = "") -> str:
        review = self.reviews_now[name]
        if review.commit != commit:
            raise RemoteFailure(f"{review.branch} is at {review.commit[:10]}, not at {commit[:10]}", hint="look again")
        self.calls.append(("edit", name, commit, path, text, message))
        tip = "e" * 40
        files = tuple(changed(path, "", text) if file.path == path else file for file in review.files)
        self.reviews_now[name] = replace(review, commit=tip, files=files, state="open", author="story")
        return tip

    async def review_conflicts(self, name: str) -> tuple[Conflict, ...]:
        return self.conflicts_now

    async def review_since(self: _Backend, name: str, seen: str) -> tuple[FileDiff, ...]:
        self._reach()
        return (changed("nix/hosts/tappaas-litellm.nix", "{\n}\n", "{\n  evil = true;\n}\n"),)

    async def freshen_review(self: _Backend, name: str, commit: str) -> str:
        self.calls.append(("freshen", name, commit))
        self.reviews_now[name] = replace(self.reviews_now[name], commit="f" * 40, behind=0)
        return "f" * 40

    async def resolve_review(self: _Backend, name: str, commit: str, files: Mapping[str, str | None]) -> str:
        self.calls.append(("resolved", name, commit, dict(files)))
        self.reviews_now[name] = replace(self.reviews_now[name], commit="d" * 40, mergeable=True)
        return "d" * 40

    async def commit(self, commit: str) -> CommitPage:
        found = [each for each in await self.history() if each.id == commit]  # type: ignore[attr-defined] # of the whole
        if not found:
            raise UsageError(f"there is no commit {commit}")
        return CommitPage(commit=found[0], files=self.commit_files, hosts=("dns01", "tappaas-vllm"))

    async def commit_hosts(self, commits: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        every = ("dns01", "docker01", "nix-cache01", "tappaas-cicd", "tappaas-litellm", "tappaas-vllm")
        return {CommitId(commit): every if at else ("tappaas-vllm",) for at, commit in enumerate(commits)}

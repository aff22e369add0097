"""What people do to a branch under review beside deciding on it: comments, edits, conflicts."""

from __future__ import annotations

from collections.abc import Mapping

from pvenix.model.act import Act
from pvenix.model.review import Conflict, FileDiff, Thread
from pvenix.operator import author, operator
from pvenix.wiring.noting import Noting


class Reviewing(Noting):
    """Each of these names the commit that the person looked at, and does nothing to a newer one."""

    async def comment(self, name: str, commit: str, text: str, *, file: str = "", line: int = 0) -> Thread:
        """Say something about the branch's tip: a line of a file, a file, or the whole."""
        self.refuse_change("comment on a branch")
        from pvenix.lifecycle import review, threads

        world = await self._site()
        return await threads.comment(
            world, await review.at(world, name, commit), text=text, by=operator(), file=file, line=line
        )

    async def reply(self, name: str, thread: str, text: str) -> None:
        """Answer a comment."""
        await self._go_on(name, thread, "reply", text)

    async def resolve_thread(self, name: str, thread: str, *, resolved: bool = True) -> None:
        """Say that a comment is settled, or that it is not."""
        await self._go_on(name, thread, "resolve" if resolved else "reopen", "")

    async def _go_on(self, name: str, thread: str, does: str, text: str) -> None:
        self.refuse_change("comment on a branch")
        from pvenix.lifecycle import review, threads

        world = await self._site()
        found = await review.read(world, name)
        await threads.go_on(world, found, thread, threads.Does(does), by=operator(), text=text)

    async def review_text(self, name: str, commit: str, path: str) -> str:
        """A file as the branch has it at `commit`, its tip."""
        from pvenix.lifecycle.amending import text_of

        return await text_of(await self._site(), name, commit, path)

    async def review_edited(self, name: str, commit: str, path: str, text: str) -> FileDiff:
        """What an edit of a file would change; nothing is pushed."""
        from pvenix.lifecycle.amending import edited

        return await edited(await self._site(), name, commit, path, text)

    async def edit_review(self, name: str, commit: str, path: str, text: str, message: str = "") -> str:
        """Commit an edited file on top of `commit`, in the operator's name; returns the branch's tip."""
        self.refuse_change("change a branch")
        from pvenix.lifecycle.amending import edit
        from pvenix.lifecycle.review import branch_of

        with self._acting(Act.EDIT_BRANCH, before=commit, about=branch_of(name)) as act:
            act.commit = await edit(await self._site(), name, commit, path, text, message=message, author=author())
            return act.commit

    async def review_conflicts(self, name: str) -> tuple[Conflict, ...]:
        """Why the branch does not merge into main, file by file."""
        from pvenix.lifecycle.amending import conflicts

        return await conflicts(await self._site(), name)

    async def review_since(self, name: str, seen: str) -> tuple[FileDiff, ...]:
        """What of the branch is not as it was at the commit `seen`."""
        from pvenix.lifecycle.amending import since

        return await since(await self._site(), name, seen)

    async def freshen_review(self, name: str, commit: str) -> str:
        """Bring main into the branch; returns its tip."""
        self.refuse_change("change a branch")
        from pvenix.lifecycle.amending import freshen
        from pvenix.lifecycle.review import branch_of

        with self._acting(Act.EDIT_BRANCH, before=commit, about=branch_of(name)) as act:
            act.commit = await freshen(await self._site(), name, commit, author=author())
            return act.commit

    async def resolve_review(self, name: str, commit: str, files: Mapping[str, str | None]) -> str:
        """Bring main into the branch with the files in conflict as given (None deletes); returns its tip."""
        self.refuse_change("change a branch")
        from pvenix.lifecycle.amending import resolve
        from pvenix.lifecycle.review import branch_of

        with self._acting(Act.EDIT_BRANCH, before=commit, about=branch_of(name)) as act:
            act.commit = await resolve(await self._site(), name, commit, files, author=author())
            return act.commit

"""One commit of the main branch: its files and what it changed in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.model.review import FileDiff
from pvenix_tui.actions import Context
from pvenix_tui.backend.repository import CommitLike
from pvenix_tui.models.lines import Line, Tone, text_line
from pvenix_tui.models.reviewrows import Entry, EntryKind, heading, note_entry
from pvenix_tui.models.states import age
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.differences import DiffScreen
from pvenix_tui.session import Session
from pvenix_tui.widgets.painted import Bar


class CommitScreen(DiffScreen[None]):
    """A commit against its first parent."""

    scope = "commit"
    BINDINGS: ClassVar[list[BindingType]] = bindings("commit")

    def __init__(self, session: Session, commit: str, *, area: str) -> None:
        super().__init__(session, area=area, note="reading the commit")
        self._commit = commit
        self._page: CommitLike | None = None

    @override
    async def read(self) -> None:
        self._page = await self.session.backend.commit(self._commit)

    @override
    def files(self) -> Sequence[FileDiff]:
        return self._page.files if self._page else ()

    @override
    def entries(self) -> Sequence[Entry]:
        if self._page is None:
            return [note_entry(self.note)]
        hosts = self._page.hosts
        found = [heading("files", f"Files  {len(self._page.files)}"), *super().entries()]
        found.append(heading("hosts", f"Concerns  {count_hosts(len(hosts))}"))
        runs = {status.host for status in self.session.fleet.statuses.values() if self._runs(status.host)}
        return [
            *found,
            *(
                Entry(
                    kind=EntryKind.CHECK,
                    name=host,
                    line=(*text_line(f"  {host}"), ("  runs it" if host in runs else "", Tone.OK)),
                )
                for host in hosts
            ),
        ]

    def _runs(self, host: str) -> bool:
        status = self.session.fleet.statuses.get(host)
        return bool(status and status.facts and status.facts.revision == self._commit)

    @override
    def show_bars(self) -> None:
        self.query_one("#status", Bar).show(self._status())
        self.query_one("#note", Bar).display = False

    def _status(self) -> Line:
        line = text_line(f" {self._commit[:10]}", Tone.ACCENT)
        if self._page is None:
            return line
        commit = self._page.commit
        when = age(commit.at, self.session.clock())
        on = sum(1 for host in self.session.fleet.statuses if self._runs(host))
        return (
            *line,
            *text_line(f"  {commit.author} {when} ago", Tone.DIM),
            *text_line(f"  runs on {count_hosts(on)}", Tone.OK if on else Tone.DIM),
            *text_line(f"  {commit.subject}", Tone.STRONG),
        )

    @override
    def context(self) -> Context:
        file = self.file.path if self.file else ""
        return Context(scope=self.scope, commit=self._commit, review_file=file, reasons=self.reasons())

    @override
    def where(self) -> str:
        return "commit"

    def do_history_revert(self) -> None:
        """Plan the commit that takes this one back."""
        from pvenix_tui.screens.history import plan_revert

        plan_revert(self, self._commit)


def count_hosts(number: int) -> str:
    """A number of hosts in words."""
    return f"{number} host{'' if number == 1 else 's'}" if number else "no host"

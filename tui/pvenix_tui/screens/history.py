"""The commits of the main branch: whom each concerns, which hosts run it, what it changed, and a way to take it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from typing_extensions import override

from pvenix.engine.ports import Commit
from pvenix_tui.actions import Context
from pvenix_tui.intents.undoing import TakeBack
from pvenix_tui.models.lines import Column, Line, Span, Tone, text_line
from pvenix_tui.models.states import age
from pvenix_tui.screens.base import PvenixScreen, bindings
from pvenix_tui.screens.commit import CommitScreen, count_hosts
from pvenix_tui.screens.filtered import FilteredScreen
from pvenix_tui.screens.plan import PlanScreen
from pvenix_tui.session import Session
from pvenix_tui.working import in_background


class HistoryScreen(FilteredScreen[Commit]):
    """The main branch, newest commit first."""

    scope = "history"
    area = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = bindings("history")
    memory_name = "history.filter"
    columns = (
        Column(title="COMMIT", width=10),
        Column(title="AGE", width=4),
        Column(title="RUNS ON", width=10),
        Column(title="SUBJECT", width=24, grow=2),
        Column(title="AUTHOR", width=12, keep=1),
        Column(title="CONCERNS", width=14, grow=1),
    )

    def __init__(self, session: Session, *, area: str = "") -> None:
        super().__init__(session, area=area)
        self._hosts: Mapping[str, tuple[str, ...]] = {}
        self._asked: tuple[str, ...] = ()

    @override
    def redraw(self) -> None:
        super().redraw()
        self._read_hosts()

    @override
    def reread(self) -> None:
        self._asked = ()
        self._read_hosts()

    def _read_hosts(self) -> None:
        """Read whom the commits concern, once for the commits that there are."""
        wanted = tuple(commit.id for commit in self.session.commits)
        if wanted and wanted != self._asked:
            self._asked = wanted
            in_background(self, partial(self._concerned, wanted), group="concerned")

    async def _concerned(self, commits: Sequence[str]) -> None:
        async def work() -> None:
            self._hosts = await self.session.backend.commit_hosts(commits)

        await self.session.guarded("history", work)
        self.refresh_list()

    @override
    def all_items(self) -> Sequence[Commit]:
        return self.session.commits

    @override
    def cells(self, item: Commit) -> Sequence[Span]:
        on = running(self.session)[item.id]
        return (
            (item.id[:10], Tone.ACCENT),
            (age(item.at, self.session.clock()), Tone.DIM),
            (count_hosts(on) if on else "", Tone.OK),
            (item.subject, Tone.PLAIN),
            (item.author, Tone.DIM),
            (concerns(self._hosts.get(item.id), len(self.session.fleet.hosts)), Tone.DIM),
        )

    @override
    def item_key(self, item: Commit) -> str:
        return item.id

    @override
    def why_empty(self) -> str:
        return "not read yet"

    @override
    def preview(self, item: Commit) -> Line:
        on = running(self.session)[item.id]
        hosts = ", ".join(self._hosts.get(item.id, ())) or "no host"
        return (
            *text_line(f" {item.id[:10]}", Tone.ACCENT),
            *text_line(f"  runs on {count_hosts(on)}  ", Tone.OK if on else Tone.DIM),
            *text_line(f"concerns {hosts}", Tone.DIM),
        )

    @override
    def where(self) -> str:
        return "history of main"

    @override
    def context(self) -> Context:
        return Context(scope=self.scope, commit=self.at_cursor)

    def do_history_open(self) -> None:
        """Open the commit at the cursor."""
        self.app.push_screen(CommitScreen(self.session, self.at_cursor, area=self.area))

    def do_history_filter(self) -> None:
        """Type a filter."""
        self.start_filter()

    def do_history_revert(self) -> None:
        """Plan the commit that takes this one back."""
        plan_revert(self, self.at_cursor)


def running(session: Session) -> Counter[str]:
    """How many hosts run each commit, as far as they were read."""
    statuses = session.fleet.statuses.values()
    return Counter(status.facts.revision for status in statuses if status.facts and status.facts.revision)


def concerns(hosts: Sequence[str] | None, of: int) -> str:
    """Whom a commit concerns, in few words."""
    if hosts is None:
        return ""
    if len(hosts) >= of > 1:
        return "every host"
    return ", ".join(hosts) if len(hosts) < 3 else f"{len(hosts)} hosts"


def plan_revert(screen: PvenixScreen[None], commit: str) -> None:
    """Work out what taking a commit back would change, and show it as a plan; a conflict is told at once."""
    session = screen.session

    def done(result: object) -> None:
        if isinstance(result, str):
            session.say(result)
            session.outdated()

    async def read() -> None:
        async def work() -> None:
            found = await session.backend.reverting(commit)
            screen.app.push_screen(PlanScreen(session, TakeBack(session.backend, found), area=screen.area), done)

        if not await session.guarded("revert", work):
            session.say(session.problems.pop("revert"), bad=True)

    in_background(screen, read, group="revert")

"""Going back: where each host goes, what that changes, and how."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget
from typing_extensions import override

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import PvenixError
from pvenix_tui.actions import Context
from pvenix_tui.intents.goingback import read_effect
from pvenix_tui.models.effects import METHODS, checks_line, effect_lines
from pvenix_tui.models.lines import Line, Tone, text_line, wrap
from pvenix_tui.models.rollback import (
    COLUMNS,
    Choosing,
    RollbackModel,
    aim_numbers,
    generation_lines,
)
from pvenix_tui.models.table import Table
from pvenix_tui.screens.base import bindings
from pvenix_tui.screens.rollbackplan import RollbackPlans
from pvenix_tui.session import Session, describe
from pvenix_tui.text import foreign
from pvenix_tui.widgets.painted import Bar
from pvenix_tui.widgets.rows import Document, Rows
from pvenix_tui.working import in_background

_AT_ONCE: Final = 32
"""Hosts whose generations are read side by side."""
_PAUSE_S: Final = 0.1
"""How long the cursor rests on a host before what changes is read: it is moved over many."""


class RollbackScreen(RollbackPlans):
    """The hosts with their targets, and what changes on the one at the cursor."""

    scope = "rollback"
    area = "fleet"
    BINDINGS: ClassVar[list[BindingType]] = bindings("rollback")

    def __init__(
        self, session: Session, hosts: Iterable[str], *, to: int = 0, before: RunDir | None = None, area: str = ""
    ) -> None:
        """`to` is the generation that is chosen already; with `before` hosts go to what they ran before that run."""
        super().__init__(session, area=area)
        self.model = RollbackModel.of(hosts)
        self._to, self._before = to, before
        self._fresh = False
        """Whether hosts have answered that are not drawn yet: hundreds answer within a second."""
        self._reading: tuple[str, int] | None = None
        """The host and generation whose effects are being read."""

    @override
    def body(self) -> Iterable[Widget]:
        yield Bar(id="status")
        table = Table(
            COLUMNS,
            lambda: tuple(self.model.hosts.values()),
            lambda one: self.model.cells(one, self.session.clock()),
            lambda one: one.host,
        )
        with Container(id="rollback"):
            hosts = Rows(table, id="rollback-hosts")
            hosts.border_title = foreign("hosts")
            yield hosts
            yield Rows(Document(self._effects), cursor=False, id="rollback-effects")

    @override
    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#rollback-hosts").focus()
        self.session.ticker.add(self)
        self.reread()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self.session.ticker.remove(self)

    def ticking(self) -> bool:
        """True when there are answers to draw."""
        return self._fresh and self.is_current

    def tick(self) -> None:
        """Draw them."""
        self.changed()

    @override
    def reread(self) -> None:
        self.model.effects.clear()
        self.model.failed.clear()
        in_background(self, self._read_all, group="rollback-generations")

    async def _read_all(self) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(host: str) -> None:
            async with slots:
                await self._read_host(host)

        async with asyncio.TaskGroup() as group:
            for host in self.model.hosts:
                group.create_task(one(host))
        if self._before is not None:
            await self._aim_before(self._before)
        self.changed()

    async def _read_host(self, host: str) -> None:
        try:
            found = await self.session.backend.generations(host)
        except PvenixError as error:
            self.model.fail(host, describe(error))
        else:
            self.model.load(host, found, to=self._to)
        self._fresh = True

    async def _aim_before(self, run: RunDir) -> None:
        """Hosts go to what they ran before the run, as far as that is known and they still have it."""
        hosts = [host for host, one in self.model.hosts.items() if one.generations]
        try:
            found = await self.session.backend.prospects(hosts, run=run)
        except PvenixError as error:
            self.session.say(f"what they ran before the run is not known: {describe(error)}", bad=True)
            return
        for each in found:
            if each.number:
                self.model.before_run(each.host, each.number, "ran before that run")

    @override
    def changed(self) -> None:
        """The table and what it is about have changed."""
        self._fresh = False
        if self.is_mounted:
            self.query_one("#rollback-hosts", Rows).reload()
            self._read_effects()
            self.query_one("#rollback-effects", Rows).reload()
            self.refresh_bars()

    @override
    def on_rows_moved(self, event: Rows.Moved) -> None:
        if event.rows.id == "rollback-hosts":
            self._read_effects()
            self.query_one("#rollback-effects", Rows).reload()
        self.refresh_bars()

    def _read_effects(self) -> None:
        """Read what the host at the cursor would change, unless that is known or being read."""
        one = self._at_cursor()
        aim = one.aim if one else None
        if one is None or aim is None:
            return
        wanted = (one.host, aim.number)
        if wanted in (self._reading, *self.model.effects, *self.model.failed):
            return
        self._reading = wanted
        in_background(self, partial(self._read_effect, *wanted), group="rollback-effects")

    async def _read_effect(self, host: str, number: int) -> None:
        await asyncio.sleep(_PAUSE_S)
        await read_effect(self.session.backend, self.model, host, number)
        if self._reading == (host, number):
            self._reading = None
        if self.is_mounted:
            self.query_one("#rollback-effects", Rows).reload()

    def _at_cursor(self) -> Choosing | None:
        key = self.query_one("#rollback-hosts", Rows).key if self.is_mounted else ""
        return self.model.hosts.get(key)

    def _effects(self, width: int) -> list[Line]:
        one = self._at_cursor()
        if one is None:
            return []
        lines = [*self._effects_of(one), (), *generation_lines(one, self.session.clock())]
        return [piece for line in lines for piece in wrap(line, width, indent=9)]

    def _effects_of(self, one: Choosing) -> list[Line]:
        aim = one.aim
        if aim is None:
            told = one.problem or ("reading its generations" if not one.read else one.why or "it stays as it is")
            return [text_line("it is left out; space takes it in again" if one.left_out else told, Tone.WARN)]
        if found := self.model.effects.get((one.host, aim.number)):
            return [*effect_lines(found, method=self.model.method), checks_line(self.model.method)]
        problem = self.model.failed.get((one.host, aim.number))
        return (
            [text_line(f"what changes is not known: {problem}", Tone.BAD)]
            if problem
            else [text_line("reading what changes", Tone.DIM)]
        )

    @override
    def where(self) -> str:
        return "rollback"

    @override
    def context(self) -> Context:
        one = self._at_cursor()
        return Context(scope=self.scope, hosts=(one.host,) if one else (), aims=aim_numbers(self.model.aims))

    @override
    def show_bars(self) -> None:
        one = self._at_cursor()
        pane = self.query_one("#rollback-effects", Rows)
        now = one.now if one else None
        aim = one.aim if one else None
        numbers = f"  {now.number if now else '?'} to {aim.number}" if aim else ""
        pane.border_title = foreign(f"{one.host}{numbers}" if one else "")
        count, waiting = len(self.model.aims), self.model.waiting
        going = f" {count} of {len(self.model.hosts)} go back" + (f", {waiting} being read" if waiting else "")
        method = METHODS[self.model.method].partition(":")[0]
        spans = ((going, Tone.STRONG), ("   method ", Tone.DIM), (method, Tone.ACCENT), (" (m)", Tone.DIM))
        self.query_one("#status", Bar).show(spans)

    # --- what a person does ---

    def _do(self, why_not: str) -> None:
        if why_not:
            self.session.refuse(why_not)
        self.changed()

    def do_rollback_older(self) -> None:
        """An older generation for the host at the cursor."""
        self._do(self.model.change(self.context().hosts[0], older=True))

    def do_rollback_newer(self) -> None:
        """A newer one."""
        self._do(self.model.change(self.context().hosts[0], older=False))

    def do_rollback_same(self) -> None:
        """All hosts to this host's commit."""
        self._do(self.model.same_commit(self.context().hosts[0]))

    def do_rollback_previous(self) -> None:
        """All hosts to their previous generation."""
        self.model.previous()
        self.changed()

    def do_rollback_leave(self) -> None:
        """Leave the host at the cursor out, or take it in."""
        self.model.leave(self.context().hosts[0])
        self.changed()

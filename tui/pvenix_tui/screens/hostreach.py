"""From a screen of hosts to one of them: its drift, a shell on it, its file of the inventory."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from pvenix.model.errors import PvenixError, UsageError
from pvenix_tui.screens.planning import PlanningScreen
from pvenix_tui.session import describe
from pvenix_tui.working import in_background

_NO_CONNECTION: Final = 255
"""What ssh(1) ends with for an error of its own; anything else is what the shell there ended with."""


class HostReach(PlanningScreen):
    """What can be done to reach the one host of the context."""

    def do_host_drift(self) -> None:
        """The host's screen on the tab of its drift."""
        from pvenix_tui.models.hosttabs import Tab
        from pvenix_tui.screens.host import HostScreen

        self.app.push_screen(HostScreen(self.session, self.context().hosts[0], tab=Tab.DRIFT))

    def do_host_ssh(self) -> None:
        """A shell on the host, over the connection that pvenix itself would use."""
        host = self.context().hosts[0]
        self.session.say(f"asking how {host} is reached")
        in_background(self, partial(self._ssh, host), group="outside")

    async def _ssh(self, host: str) -> None:
        try:
            ways = (await self.session.backend.console(host)).ways
            way = next(way for way in ways if way.kind == "ssh")
            if way.problem:
                raise UsageError(f"no shell on {host}", why=way.problem, hint=way.hint)
            if self.app.screen is not self:  # what is typed now is meant for what is in front
                raise UsageError(f"no shell on {host} was opened", why="you went on meanwhile", hint="press S again")
            code = await self.session.run_outside(way.argv)
        except PvenixError as error:
            self.session.say(f"ssh: {describe(error)}", bad=True)
            return
        if code == _NO_CONNECTION:
            self.session.say(
                f"ssh to {host} found no connection, or lost it; pvenix console {host} shows every way", bad=True
            )
        else:
            self.session.say(f"back from {host}")

    def do_host_edit(self) -> None:
        """The host's own file of the inventory in the person's editor."""
        host = self.context().hosts[0]
        in_background(self, partial(self._edit, host), group="outside")

    async def _edit(self, host: str) -> None:
        from pvenix_tui.outside import editor

        try:
            card = await asyncio.to_thread(self.session.backend.host_card, host)
            path = self.session.backend.root / card.own_file
            before = path.read_bytes()
            code = await self.session.run_outside((*editor(), str(path)), cwd=self.session.backend.root)
            changed = path.read_bytes() != before
        except (PvenixError, OSError) as error:
            self.session.say(f"edit: {describe(error) if isinstance(error, PvenixError) else error}", bad=True)
            return
        if code:
            self.session.say(f"the editor ended with {code}", bad=True)
        elif changed:
            self.session.say(f"{card.own_file} was changed; commit and push it for it to count elsewhere")
            self.session.outdated()
        else:
            self.session.say(f"{card.own_file} is as it was")

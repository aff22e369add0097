"""What the site has, host by host and as a whole; nothing here changes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pvenix.engine.readings import Readings
from pvenix.model.errors import InvalidInput, PvenixError
from pvenix.model.status import Console, HostStatus
from pvenix.wiring.opened import OpenFleet
from pvenix.wiring.remembered import READINGS, last_readings, remember

if TYPE_CHECKING:
    from pvenix.lifecycle.daytwo import DayTwo
    from pvenix.lifecycle.placement import Decision
    from pvenix.model.doctor import Report
    from pvenix.model.privileges import Level
    from pvenix.model.template import TemplateHealth


class SiteState(OpenFleet):
    """Readings, and what must hold before anything is changed."""

    async def status(self, hosts: Sequence[str], *, hardware: bool = False) -> AsyncIterator[HostStatus]:
        """The state of each host, in the order in which they answer; with `hardware` each generates its hardware file."""
        from pvenix.lifecycle.state import host_statuses

        readings = Readings(self.state_dir / READINGS)
        async for status in host_statuses(await self._site(fresh=True), hosts, readings=readings, hardware=hardware):
            yield self._held(status)

    def remember(self) -> None:
        """Keep the names of the inventory for `remembered`, which shows them before the inventory is parsed again.

        Raises: InvalidInput with every finding.
        """
        fleet = self.fleet()
        if not self._extra:
            remember(fleet, self.state_dir, self._fleet_seen, self._inventory)

    def last_readings(self) -> dict[str, HostStatus]:
        """The last reading in which each host answered, as earlier looks left it on this machine.

        Raises: InvalidInput with every finding.
        """
        return last_readings(self.state_dir, tuple(self.fleet().hosts))

    def _held(self, status: HostStatus) -> HostStatus:
        """With the run whose attempt holds the host, as far as this machine knows it."""
        if status.facts is None or not status.facts.fence:
            return status
        run = status.facts.fence[0].rsplit("-", 2)[0]
        try:
            found = self.runs.open(run)
            known = f"run {run} of {found.plan().operator or 'somebody'}, {found.summary().state} on this machine"
        except PvenixError:
            known = f"run {run}, which was not started on this machine"
        return replace(status, held_by=known)

    async def place(self, hosts: Sequence[str]) -> dict[str, Decision | PvenixError]:
        """Where hosts are or would go, or why there is no place; changes nothing."""
        from pvenix.lifecycle.placement import look_up

        world = await self._site(fresh=True)
        return await look_up(world, [world.fleet.host(name) for name in hosts])

    async def console(self, host: str) -> Console:
        """The ways to the host's console; its SSH command reads a file of pinned keys that is written here."""
        from pvenix.lifecycle.consoles import console, write_known

        world = await self._site()
        return await console(world, host, known_hosts=write_known(world, host, self.state_dir / "console"))

    async def consequences(self, host: str) -> tuple[str, ...]:
        """What the destruction of the host's VM changes beside it, a line each."""
        from pvenix.lifecycle.removal import consequences_of

        return await consequences_of(await self._site(), host)

    async def refuse_unmakeable(self, host: str) -> None:
        """Return when the site has everything that a new VM of the host would ask for.

        Raises: InvalidInput with what it has not.
        """
        from pvenix.lifecycle.planning.problems import problems

        world = await self._site()
        wrong = [one for one in await problems(world, world.fleet.host(host), None) if not one.warning]
        if wrong:
            raise InvalidInput(wrong)

    async def day_two(self) -> DayTwo:
        """Snapshots, orphans and adoption, on the site as it is now."""
        from pvenix.lifecycle.daytwo import DayTwo

        return DayTwo(await self._site(fresh=True), self.runs)

    async def template_healths(self, names: Sequence[str] = ()) -> tuple[TemplateHealth, ...]:
        """Whether clones of these templates, or of all, will be what they should."""
        from pvenix.lifecycle.template import template_healths

        return await template_healths(await self._site(), names)

    async def examine(self, level: Level) -> Report:
        """What is wrong with the site, if anything."""
        from pvenix.checkup import examine

        return await examine(self.fleet(), level, self._site)

    def pveum_lines(self, level: Level, release: int) -> tuple[str, ...]:
        """The lines that make a login and all that it needs on a site of this major release."""
        from pvenix.checkup import pveum_lines

        return pveum_lines(self.fleet(), level, release)

"""The way to each host: which of its addresses answers from here, proved by the pinned key and remembered.

The same host may be reached by another address from another place, as over a VPN, so what is known is tried and never
believed: fixed addresses and the one that worked last come first, what the guest agent knows comes when they fail.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pvenix.engine.ports import KEY_REFUSED, Guest, GuestSession, Target
from pvenix.engine.sightings import Sighting, Sightings
from pvenix.lifecycle.addresses import AGENT, INVENTORY, Candidate, candidates, choose_addresses, fixed_addresses
from pvenix.lifecycle.race import Attempt, first_of
from pvenix.model.errors import PvenixError, Refused, Unreachable

if TYPE_CHECKING:
    from pvenix.lifecycle.world import World

HEAD_START_S: Final = 0.25
"""What a better address is given before the next one is tried: the Connection Attempt Delay of RFC 8305."""
FAMILY_HEAD_START_S: Final = 1.0
"""What the family that `network.prefer` asks for is given, so that a busy moment does not decide against it."""
AGENT_AFTER_S: Final = 3.0
"""When the guest agent is asked although a known address may still answer."""
PROBE_S: Final = 3.0
"""How long an address may take to greet when there are several."""
MEMORY_S: Final = 3600.0
"""How long an address that worked is tried first; after that all are tried anew."""
Won = tuple[Candidate, GuestSession]
Failed = Mapping[str, PvenixError]
"""Addresses that are known not to answer now."""


class Ways:
    """Finds, holds and forgets the address of each host."""

    def __init__(self, world: World, guest: Guest, sightings: Sightings) -> None:
        self._world = world
        self._guest = guest
        self._sightings = sightings
        self._chosen: dict[str, Candidate] = {}
        self._won: dict[str, Candidate] = {}
        """What worked last in this run: all that is known of a silent host without a fixed address whose agent is deaf."""
        self._facts: dict[str, Mapping[str, str]] = {}
        self._logins: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def session(
        self,
        name: str,
        *,
        facts: Mapping[str, str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
        probing: bool = False,
    ) -> GuestSession:
        """The run's session to the host, at the address that answers; `tell` hears of one that was not expected.

        `facts` may say where its VM is. `probing` gives no address the full time of a login, as for a host that is still coming up.
        Raises: Unreachable, Refused when no address is the host's, with what each of them said.
        """
        self._facts[name] = facts or self._facts.get(name, {})
        failed: dict[str, PvenixError] = {}
        held = self._chosen.get(name)
        if held is not None:
            try:
                return await self._guest.session(self._target(name, held))
            except (Unreachable, Refused) as error:
                if error.code == KEY_REFUSED:
                    raise
                failed[held.address] = error
                self._chosen.pop(name)
                if isinstance(error, Refused):  # somebody else answers there
                    self.forget(name)
        try:
            won, session = await first_of(await self._attempts(name, failed, probing=probing))
        except PvenixError:
            self._sightings.lost(name)
            raise
        self._remember(name, won, tell)
        return session

    async def fresh(self, name: str) -> GuestSession:
        """A new connection, whatever is open; a host that has left its address is looked for at the next call.

        Raises: Unreachable, Refused.
        """
        if name not in self._chosen:
            await self.session(name, probing=True)
        try:
            return await self._guest.fresh_session(self._target(name, self._chosen[name]))
        except (Unreachable, Refused):
            self._chosen.pop(name, None)
            raise

    async def address(self, name: str) -> str:
        """Where the host is as far as is known without connecting: chosen, reached lately, fixed, or as the agent says.

        Raises: Unreachable when neither is known.
        """
        if name in self._chosen:
            return self._chosen[name].address
        return self._last(name).address or (self._fixed(name) or await self.of_agent(name))[0].address

    def reached(self, name: str) -> Sighting:
        """Where the host proved to be itself, when that was and why there."""
        return self._sightings.get(name)

    def forget(self, name: str) -> None:
        """Drop what was chosen, as when the host boots anew."""
        self._chosen.pop(name, None)
        self._won.pop(name, None)
        self._sightings.lost(name)

    async def of_agent(self, name: str, facts: Mapping[str, str] | None = None) -> tuple[Candidate, ...]:
        """The addresses that the guest agent reports on the VM's own cards, the best first.

        Raises: Unreachable when there is no VM or no such address, RemoteFailure when the agent does not answer.
        """
        found = await self._world.vms.find(name, facts or self._facts.get(name))
        if found is None:
            raise Unreachable(f"{name} has no VM, so no address", code="PVX0403")
        interfaces = await self._world.pve.agent_interfaces(found.node, found.vmid)
        addresses = choose_addresses(interfaces, found.config)
        if not addresses:
            raise Unreachable(
                f"the guest agent of {name} reports no usable address",
                why="loopback, link-local and those of cards that the VM does not have do not count",
                hint="is its card on the right bridge and VLAN, and does DHCP answer there?",
                code="PVX0404",
            )
        return tuple(sorted(self._candidates(name, addresses, AGENT), key=lambda each: each.rank))

    # --- which attempts ----------------------------------------------------------------------------------------------

    async def _attempts(self, name: str, failed: Failed, *, probing: bool) -> list[Attempt[Won]]:
        """The known addresses and then the agent's; all together where none is of the family that is asked for."""
        known = self._known(name)
        if any(each.family for each in known):
            in_turn = self._in_turn(name, known, failed, probing=probing or len(known) > 1)
            return [*in_turn, self._by_agent(name, known, failed)]
        others = await self._besides(name, known)
        return self._in_turn(name, [*known, *others], failed, probing=probing or len(known) + len(others) > 1)

    async def _besides(self, name: str, known: Sequence[Candidate]) -> Sequence[Candidate]:
        """What the agent says; nothing when it says nothing and something else is known."""
        try:
            found = await self.of_agent(name)
        except PvenixError:
            if not known:
                raise
            return ()
        return [each for each in found if each.address not in {one.address for one in known}]

    def _known(self, name: str) -> list[Candidate]:
        """The fixed addresses, and the one that worked last unless the inventory would have another one."""
        fixed, last = list(self._fixed(name)), self._last(name)
        if not last.address and name in self._won:
            return [
                *fixed,
                *(each for each in (self._won[name],) if each.address not in {one.address for one in fixed}),
            ]
        if not last.address or last.address in {each.address for each in fixed}:
            return fixed
        again = self._candidates(name, (last.address,), last.why.partition(",")[0])
        return [*fixed, *(each for each in again if each.rank == (False, False))]

    def _in_turn(self, name: str, found: Sequence[Candidate], failed: Failed, *, probing: bool) -> list[Attempt[Won]]:
        """An attempt for each, the best first; equals begin together, but what worked last goes ahead of them."""
        last = self._last(name).address

        def order(each: Candidate) -> tuple[object, ...]:
            return (*each.rank, each.address != last)

        ranked = sorted(found, key=order)
        starts = [0.0]
        for one, two in pairwise(ranked):
            starts.append(
                FAMILY_HEAD_START_S if one.family != two.family else HEAD_START_S * (order(one) != order(two))
            )
        return [
            Attempt(run=self._connecting(name, each, failed.get(each.address), probing=probing), after_s=start)
            for each, start in zip(ranked, starts, strict=False)
        ]

    def _by_agent(self, name: str, known: Sequence[Candidate], failed: Failed) -> Attempt[Won]:
        async def run() -> Won:
            try:
                found, why = await self.of_agent(name), "the guest agent knows none"
            except PvenixError as error:
                found, why = (), str(error)
            others = [each for each in found if each.address not in {one.address for one in known}]
            if not others:
                raise Unreachable(f"no other address of {name} is known", why=why, code="PVX0405")
            return await first_of(self._in_turn(name, others, failed, probing=True))

        return Attempt(run=run, after_s=AGENT_AFTER_S)

    def _connecting(
        self, name: str, each: Candidate, failed: PvenixError | None, *, probing: bool
    ) -> Callable[[], Awaitable[Won]]:
        """Log in; with `probing` only once the address has greeted. The pinned key decides who it is."""

        async def run() -> Won:
            if failed is not None:
                raise failed
            target = self._target(name, each)
            if probing and await self._guest.reachable(target, timeout_s=PROBE_S) is None:
                raise Unreachable(
                    f"{name} does not answer at {each.address} port {target.port} ({each.why})",
                    hint=f"is the VM running and its SSH port open? `pvenix console {name}`",
                    code="PVX0406",
                )
            if not probing:
                return each, await self._guest.session(target)
            async with self._logins[name]:  # whoever greeted first is not overtaken while it logs us in
                return each, await self._guest.session(target)

        return run

    # --- what is known -----------------------------------------------------------------------------------------------

    def _fixed(self, name: str) -> tuple[Candidate, ...]:
        return self._candidates(name, fixed_addresses(self._world.fleet.hosts[name]), INVENTORY)

    def _candidates(self, name: str, addresses: Sequence[str], source: str) -> tuple[Candidate, ...]:
        host = self._world.fleet.hosts[name]
        return candidates(host, self._world.fleet.site.zones.get(host.machine.network.zone), addresses, source=source)

    def _last(self, name: str) -> Sighting:
        """Where the host was last, unless that is too long ago to be tried first."""
        known = self._sightings.get(name)
        return known if known.address and age_s(known, self._world.clock.utc()) < MEMORY_S else Sighting()

    def _remember(self, name: str, won: Candidate, tell: Callable[[str], None]) -> None:
        fixed = [each.address for each in self._fixed(name)]
        if fixed and won.address not in fixed:
            tell(f"{' and '.join(fixed)} of the inventory did not answer; using {won.address} ({won.why})")
        self._chosen[name] = self._won[name] = won
        last = self._last(name)
        if (last.address, last.why) != (won.address, won.why):
            self._sightings.reached(name, address=won.address, at=self._world.clock.utc(), why=won.why)

    def _target(self, name: str, each: Candidate) -> Target:
        return self._world.target_at(name, each.address)


def age_s(sighting: Sighting, now: str) -> float:
    """Seconds since an address was chosen; without end when that cannot be told."""
    try:
        return (datetime.fromisoformat(now) - datetime.fromisoformat(sighting.at)).total_seconds()
    except (ValueError, TypeError):
        return float("inf")

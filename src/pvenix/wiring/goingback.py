"""What hosts ran and may run again: their generations, and the ways back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pvenix.model.act import Act
from pvenix.model.errors import PvenixError
from pvenix.model.generation import Generation
from pvenix.wiring.noting import Noting

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.lifecycle.effects import Effects
    from pvenix.lifecycle.goingback import Prospect
    from pvenix.lifecycle.revert import Reverting


class GoingBack(Noting):
    """Readings of system profiles; nothing here changes a host."""

    async def generations(self, host: str) -> tuple[Generation, ...]:
        """The host's generations, oldest first."""
        from pvenix.lifecycle.goingback import host_generations

        return await host_generations(await self._site(), host)

    async def all_generations(
        self, hosts: Sequence[str]
    ) -> AsyncIterator[tuple[str, tuple[Generation, ...] | PvenixError]]:
        """Each host with its generations, or with what kept them from being read, in the order asked for.

        A host that is not registered yet has none of ours: of several it is left out.
        """
        from pvenix.lifecycle.generations import without_system
        from pvenix.lifecycle.goingback import each_of, host_generations

        world = await self._site(fresh=True)
        known = [host for host in hosts if len(hosts) == 1 or not await without_system(world, host)]
        for host, found in zip(known, await each_of(known, lambda host: host_generations(world, host)), strict=True):
            yield host, found

    async def prunable(
        self, hosts: Sequence[str], *, keep: int | None, older_than: str | None
    ) -> AsyncIterator[tuple[str, tuple[int, ...] | PvenixError]]:
        """Each host with the generations that its policy, or what is given instead, lets go."""
        from pvenix.lifecycle.goingback import each_of
        from pvenix.lifecycle.prune import foreseen

        world = await self._site(fresh=True)
        found = await each_of(hosts, lambda host: foreseen(world, host, keep=keep, older_than=older_than))
        for host, each in zip(hosts, found, strict=True):
            yield host, each

    async def compared(self, host: str, old: int, new: int) -> tuple[str, ...]:
        """Package changes from one generation of the host to another, a line each; 0 is the current one."""
        from pvenix.lifecycle.goingback import compared

        return await compared(await self._site(), host, old, new)

    def run_to_undo(self, run: str) -> RunDir:
        """The run with this id; `last` is the newest one that activated anything.

        Raises: UsageError when there is none.
        """
        from pvenix.lifecycle.goingback import last_activation

        return last_activation(self.runs) if run == "last" else self.runs.open(run)

    async def prospects(
        self, hosts: Sequence[str], *, to: int | Mapping[str, int] = 0, run: RunDir | None = None
    ) -> tuple[Prospect, ...]:
        """Where a rollback of each host would lead and what it would not undo: to a generation, or before a run."""
        from pvenix.lifecycle.goingback import prospects

        return await prospects(await self._site(fresh=True), hosts, to=to, run=run)

    def decided(self, found: Sequence[Prospect]) -> dict[str, dict[str, str]]:
        """What the run of a rollback is bound to, by host."""
        return {each.host: each.decided for each in found if each.decided}

    async def effects(self, host: str, number: int) -> Effects:
        """What going to a generation would change on the host: commits, packages, units, what only a boot brings."""
        from pvenix.lifecycle.effects import effects

        return await effects(await self._site(), host, number)

    async def reverting(self, commit: str) -> Reverting:
        """What taking a commit of the main branch back would change, or all of `A..B`; nothing is pushed."""
        from pvenix.lifecycle.revert import prepare

        return await prepare(await self._site(), commit)

    async def propose_revert(self, found: Reverting) -> str:
        """Push it to its branch; returns the branch's tip."""
        self.refuse_change("push a branch")
        from pvenix.lifecycle.revert import propose

        with self._acting(Act.PROPOSE_REVERT, commit=found.tip, about=f"{found.branch} {found.revision}"):
            return await propose(await self._site(), found)

    async def merge_revert(self, found: Reverting) -> str:
        """Move main forward to it; returns the new tip."""
        self.refuse_change("move the main branch")
        from pvenix.lifecycle.revert import merge

        with self._acting(Act.REVERT, commit=found.tip, before=found.base, about=found.revision):
            return await merge(await self._site(), found)

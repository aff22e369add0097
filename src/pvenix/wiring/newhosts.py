"""Hosts that are about to be added: tried on the fleet, placed on the site, written into the inventory."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pvenix.model.act import Act
from pvenix.model.errors import LocalResource, PvenixError, UsageError
from pvenix.model.newhost import Added, NewHost, Option, Placing, Trial
from pvenix.model.sofar import SoFar
from pvenix.wiring.repository import Repository

if TYPE_CHECKING:
    from pvenix.engine.runfiles import RunDir
    from pvenix.fleet.newhost import Tried
    from pvenix.lifecycle.placement import Decision


_LATER: Final = 50
"""How many of the newest runs may have taken an onboarding back."""


class NewHosts(Repository):
    """From what a person asks for to a line in the inventory."""

    def try_host(self, new: NewHost) -> Trial:
        """What would be wrong with a new host, what the layers below give it, and what may be chosen; writes nothing.

        Raises: InvalidInput when the fleet is not valid as it is.
        """
        return self._tried(new).trial

    async def place_host(self, new: NewHost) -> Placing:
        """Where a new host would go, by the same rules as a host of the inventory.

        Raises: Unreachable when the cluster does not answer.
        """
        from pvenix.lifecycle.placement import look_up
        from pvenix.lifecycle.world import World

        tried = await asyncio.to_thread(self._tried, new)
        if tried.fleet is None:
            return Placing(words="not asked: " + next(iter(tried.trial.problems.values()), "it would not be valid"))
        site = await self._site(fresh=True)
        world = World(
            fleet=tried.fleet, trust=site.trust, sightings=site.sightings, own_keys=site.own_keys,
            pve=site.pve, guest=site.guest, repo=site.repo, clock=site.clock,
        )  # fmt: skip
        return _placing((await look_up(world, [tried.fleet.host(new.name)]))[new.name])

    async def add_host(self, new: NewHost) -> Added:
        """List a new host in the inventory of this checkout, and stage the file where Git tracks it; commits nothing.

        Registration commits the line, and a pull that brings it goes on over the staged text.
        Raises: UsageError when it is in the inventory already, InvalidInput with every finding, LocalResource.
        """
        from pvenix.fleet.editing import apply_edits
        from pvenix.fleet.newhost import hosts_file, listed_text

        self.refuse_change("add a host")
        fleet = await asyncio.to_thread(self.fleet)
        if new.name in fleet.hosts:
            raise UsageError(
                f"`{new.name}` is in the inventory already", hint=f"pvenix host edit {new.name} FIELD=VALUE"
            )
        path = hosts_file(fleet)
        text = listed_text(path.read_text(encoding="utf-8"), new)
        diff = await asyncio.to_thread(apply_edits, fleet.root, {path: text}, inventory=self._inventory)
        file = path.relative_to(fleet.root).as_posix()
        self.note(Act.ADD_HOST, host=new.name, about=file)
        staged = (fleet.root / ".git").exists() and await self.stage(path)
        return Added(file=file, diff=diff, staged=staged)

    def so_far(self, run: RunDir, host: str) -> SoFar:
        """What a run has made of `host` so far, and the verbs that take it back; nothing where a later run has done so.

        Raises: LocalResource when its journal cannot be read.
        """
        from pvenix.engine.journalfile import read_entries
        from pvenix.lifecycle.sofar import so_far, taken_back

        for later in self.runs.newest(limit=_LATER):
            if later.run <= run.run:
                break
            with suppress(LocalResource):  # a run that cannot be read has taken nothing back, as far as anybody knows
                if taken_back(read_entries(later.journal_path), host):
                    return SoFar(lines=(), stays=(f"taken back by run {later.run}",), taken_back=later.run)
        return so_far(read_entries(run.journal_path), host)

    def _tried(self, new: NewHost) -> Tried:
        from pvenix.fleet.newhost import try_host

        return try_host(self.fleet(), new, self._extra)


def _placing(found: Decision | PvenixError) -> Placing:
    from pvenix.lifecycle.placement import candidates_of

    candidates = candidates_of(found)
    nodes = tuple(
        Option(
            value=one.node,
            help=one.refused or f"{one.scores.total:.1f} points; {one.route.words if one.route else ''}",
        )
        for one in candidates
    )
    refused = frozenset(one.node for one in candidates if one.refused)
    if isinstance(found, PvenixError):
        return Placing(words=str(found), nodes=nodes, refused=refused)
    words = f"{found.node}, storage {found.storage}, VM id {found.vmid}; {found.route.words}"
    return Placing(node=found.node, words=words, nodes=nodes, refused=refused, warnings=found.warnings)

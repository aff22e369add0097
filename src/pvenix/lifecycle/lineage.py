"""What the repository says of all hosts of one look at the fleet: each question is asked once, however many hosts there are."""

from __future__ import annotations

import asyncio
import re

from pvenix.lifecycle.review import PREFIX
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError
from pvenix.model.generation import HostFacts, Lineage
from pvenix.model.names import registration_branch
from pvenix.model.paths import HOST_FILES, hardware_file, host_file

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Repository:
    """The fleet's repository as one look at the fleet sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read = False
        self._lock = asyncio.Lock()
        self._hosts: frozenset[str] = frozenset()
        self._branches: dict[str, str] = {}
        self._contains: dict[tuple[str, str], bool] = {}
        self.expected = ""
        """The commit that hosts should run; empty until `ready`, and when it cannot be known."""
        self.problem = ""
        """Why it is not known."""

    async def ready(self) -> None:
        """Return once the repository was asked, whatever came of it: hosts are read without it too."""
        async with self._lock:
            if self._read:
                return
            self._read = True
            try:
                expected = await self._world.expected()
                self._hosts = frozenset(await self._world.repo.files(expected, HOST_FILES))
                branches = await self._world.repo.branches(PREFIX)
            except PvenixError as error:
                self.problem = f"what hosts should run is not known: {error}"
                return
            self.expected = expected
            self._branches = {branch.name: branch.tip.id for branch in branches if branch.ahead}

    def registered(self, name: str) -> bool:
        """True when the main branch holds the host's NixOS configuration, or nobody can say."""
        return bool(self.problem) or host_file(name) in self._hosts

    def registration(self, name: str) -> str:
        """The tip of the host's registration branch while it is not merged; empty when there is none."""
        return self._branches.get(registration_branch(name), "")

    async def lineage(self, facts: HostFacts) -> Lineage:
        """How the commits on a host stand to the main branch."""
        if not self.expected:
            return Lineage(expected="")
        return Lineage(
            expected=self.expected,
            runs_ancestor=await self._holds(self.expected, facts.revision),
            checkout_newer=await self._holds(self.expected, facts.checkout)
            and await self._holds(facts.checkout, facts.revision),
        )

    async def hardware(self, name: str, commit: str) -> str | None:
        """The host's hardware file at a commit, None when there is none, or the mirror lacks the commit."""
        if not self.expected or not await self._holds(commit, commit):
            return None
        return await self._world.repo.read(commit, hardware_file(name))

    async def _holds(self, descendant: str, ancestor: str) -> bool:
        """True when `descendant` is or comes after `ancestor`; what a host names may be anything but a commit."""
        if not (_COMMIT.fullmatch(descendant) and _COMMIT.fullmatch(ancestor)):
            return False
        key = (descendant, ancestor)
        async with self._lock:
            if key not in self._contains:
                known = descendant == ancestor == self.expected
                self._contains[key] = known or await self._world.repo.contains(descendant, ancestor)
            return self._contains[key]

"""Reading a guest through its agent where SSH does not answer: the same commands, the same parsers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from pvenix.engine.ports import CommandResult, End
from pvenix.engine.step import Step
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import as_text, must, received
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable

PROGRAMS: Final = "/run/current-system/sw/bin"
"""Where NixOS keeps what a shell would find by name; the agent looks nowhere and is given no PATH of use."""
_TRIES: Final = 2


class Reader(Protocol):
    """Reads the output of commands on a guest: over SSH (`Remote`) or through the agent."""

    async def read(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60) -> str:
        """Standard output of a command that changes nothing.

        Raises: RemoteFailure when it fails, OutcomeUnknown when its end is not seen.
        """
        ...

    async def try_read(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60) -> CommandResult:
        """The end of a command that changes nothing, whatever its exit status.

        Raises: OutcomeUnknown when its end is not seen.
        """
        ...


class AgentReader:
    """Commands that only read, run by the guest agent as root."""

    def __init__(self, world: World, step: Step, found: Found, *, because: str = "") -> None:
        """`because` is what SSH said; it is shown when the agent may not be asked either."""
        self._world = world
        self._step = step
        self._found = found
        self._because = because

    async def read(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60) -> str:
        """Standard output of a command; the agent is root in any case.

        Raises: RemoteFailure, OutcomeUnknown, Refused naming the privilege that the token lacks.
        """
        return must(await self.try_read(argv, sudo=sudo, timeout_s=timeout_s))

    async def try_read(self, argv: Sequence[str], *, sudo: bool = False, timeout_s: float = 60) -> CommandResult:
        """The end of a command, asked a second time when the answer was lost: it only reads.

        Raises: RemoteFailure when there is no answer to either, OutcomeUnknown when it does not end in time, Refused.
        """
        del sudo
        words = (argv[0] if "/" in argv[0] else f"{PROGRAMS}/{argv[0]}", *argv[1:])
        began = self._world.clock.monotonic()
        lost: OutcomeUnknown | None = None
        for _ in range(_TRIES):
            self._step.asks("agent", f"exec {as_text(words)}")
            try:
                result = await self._world.pve.agent_run(self._found.node, self._found.vmid, words, timeout_s=timeout_s)
            except OutcomeUnknown as error:
                if self._world.clock.monotonic() - began >= timeout_s:
                    raise
                lost = error
                continue
            except Refused as error:
                if self._because:
                    error.evidence = (*error.evidence, f"SSH: {self._because}")
                raise
            return received(
                CommandResult(
                    argv=words,
                    end=End.EXITED,
                    exit_status=result.exit_status,
                    stdout=result.stdout,
                    stderr=result.stderr,
                    seconds=self._world.clock.monotonic() - began,
                )
            )
        raise RemoteFailure(
            f"the guest agent of {self._step.host} did not run {words[0]}",
            why=f"{lost}; Proxmox answers so for a program that the guest does not have",
            hint=f"is {words[0]} on {self._step.host}? Look at its console: pvenix console {self._step.host}",
            code="PVX0576",
        ) from lost


async def reader(world: World, step: Step, found: Found | None = None) -> Reader:
    """The host over SSH, or through its agent where SSH does not answer.

    A host that answers with another key, or takes no login, is not read in another way.
    Raises: Unreachable when neither answers, Refused.
    """
    try:
        return await world.remote(step)
    except Unreachable as error:
        found = found or await world.vms.find(step.host, step.facts)
        if found is None or not await world.pve.agent_ping(found.node, found.vmid):
            raise
        step.tell(f"SSH does not answer ({error}); reading through the guest agent")
        return AgentReader(world, step, found, because=str(error))

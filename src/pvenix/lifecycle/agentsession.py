"""A guest's commands through its agent, in the shape of an SSH session: for what must be done where SSH is dead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from pvenix.engine.ports import CommandResult, End, OutputSink
from pvenix.engine.step import Step
from pvenix.lifecycle.agentpath import PROGRAMS
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.remote import Remote
from pvenix.lifecycle.world import World


class AgentSession:
    """Runs commands as root of the guest, one call to Proxmox each."""

    alive = True

    def __init__(self, world: World, found: Found) -> None:
        self._world = world
        self._found = found

    async def run(
        self,
        argv: Sequence[str],
        *,
        sudo: bool = False,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        on_output: OutputSink | None = None,
        limit: int = 1 << 20,
    ) -> CommandResult:
        """Run one command; the agent is root in any case. Its output comes raw, and so is not shown as it comes.

        Raises: OutcomeUnknown when the answer is lost or `timeout_s` passes, RemoteFailure when the agent does not
        answer, Refused naming the privilege that the token lacks.
        """
        del sudo, on_output
        if stdin:
            raise ValueError("a command through the guest agent is given no input")
        words = (argv[0] if "/" in argv[0] else f"{PROGRAMS}/{argv[0]}", *argv[1:])
        began = self._world.clock.monotonic()
        result = await self._world.pve.agent_run(self._found.node, self._found.vmid, words, timeout_s=timeout_s)
        return CommandResult(
            argv=words,
            end=End.EXITED,
            exit_status=result.exit_status,
            stdout=result.stdout[:limit],
            stderr=result.stderr[:limit],
            seconds=self._world.clock.monotonic() - began,
        )

    def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """The agent tells a command's output at its end only."""
        raise NotImplementedError


def through_agent(world: World, step: Step, found: Found) -> Remote:
    """The step's host through the guest agent of its VM."""
    return Remote(session=AgentSession(world, found), step=step, channel="agent")

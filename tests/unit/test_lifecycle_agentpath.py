"""Reading a guest through its agent: programs by their path, lost answers asked again, and nothing read in a stranger's place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from pvenix.engine.ports import KEY_CHANGED, AgentResult
from pvenix.lifecycle import argv
from pvenix.lifecycle.agentpath import AgentReader, reader
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.state import looking_at
from pvenix.model.errors import OutcomeUnknown, PvenixError, Refused, RemoteFailure, Unreachable
from pvenix.model.names import NodeName, Vmid
from tests.sim.virtual import LoopClock
from tests.unit.lifecycle_support import config

FOUND = Found(node=NodeName("n1"), vmid=Vmid(200), config=config())
LOST = OutcomeUnknown("POST agent/exec got no answer; it may have been done", why="596 Broken pipe", code="PVX0535")


@dataclass
class Agent:
    """An agent that answers in turn, and an SSH server that refuses."""

    answers: list[AgentResult | PvenixError]
    ssh: PvenixError = field(default_factory=lambda: Unreachable("port 22 is closed"))
    pings: bool = True
    ran: list[tuple[str, ...]] = field(default_factory=list)

    async def agent_run(self, _node: str, _vmid: int, words: Sequence[str], *, timeout_s: float) -> AgentResult:
        self.ran.append(tuple(words))
        answer = self.answers.pop(0)
        if isinstance(answer, PvenixError):
            raise answer
        return answer

    async def agent_ping(self, *_: object) -> bool:
        return self.pings

    async def remote(self, _step: object) -> Any:
        raise self.ssh


def world(agent: Agent) -> Any:
    return SimpleNamespace(pve=agent, remote=agent.remote, clock=LoopClock())


def printed(text: str, status: int = 0, err: str = "") -> AgentResult:
    return AgentResult(exit_status=status, stdout=text, stderr=err)


def through(agent: Agent) -> AgentReader:
    return AgentReader(world(agent), looking_at("dns01"), FOUND)


async def test_programs_are_named_by_the_path_that_nixos_keeps_them_at() -> None:
    agent = Agent([printed("x"), printed("y")])
    assert await through(agent).read(argv.HARDWARE, sudo=True) == "x"
    assert await through(agent).read(("/bin/sh", "-c", "true")) == "y"
    assert agent.ran == [
        ("/run/current-system/sw/bin/nixos-generate-config", "--show-hardware-config"),
        ("/bin/sh", "-c", "true"),
    ]


async def test_a_lost_answer_is_asked_for_again_as_reading_changes_nothing() -> None:
    agent = Agent([LOST, printed("x")])
    assert await through(agent).read(argv.NOTHING) == "x"
    assert len(agent.ran) == 2


async def test_two_lost_answers_are_told_as_what_they_mostly_are_a_missing_program() -> None:
    with pytest.raises(RemoteFailure) as error:
        await through(Agent([LOST, LOST])).read(argv.CLOUD_INIT_DONE)
    assert error.value.code == "PVX0576"
    assert "/run/current-system/sw/bin/cloud-init" in str(error.value)


async def test_an_exit_status_is_judged_as_over_ssh() -> None:
    with pytest.raises(RemoteFailure, match="no such device"):
        await through(Agent([printed("", 1, "no such device\n")])).read(argv.HARDWARE)
    assert (await through(Agent([printed("", 2)])).try_read(argv.CLOUD_INIT_DONE)).exit_status == 2


async def test_a_missing_privilege_is_the_error_and_nothing_else_is_tried() -> None:
    denied = Refused("not permitted", why="Permission check failed (/vms/200, VM.GuestAgent.Unrestricted)")
    with pytest.raises(Refused, match=r"VM\.GuestAgent\.Unrestricted"):
        await through(Agent([denied])).read(argv.NOTHING)


@pytest.mark.parametrize("error", [Refused("another key", code=KEY_CHANGED), Refused("no login", code="PVX0612")])
async def test_a_host_that_answers_as_another_or_lets_us_not_in_is_not_read_in_another_way(error: Refused) -> None:
    with pytest.raises(Refused):
        await reader(world(Agent([printed("x")], ssh=error)), looking_at("dns01"), FOUND)


async def test_a_host_without_ssh_and_agent_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="port 22 is closed"):
        await reader(world(Agent([], pings=False)), looking_at("dns01"), FOUND)
    there = await reader(world(Agent([printed("x")])), looking_at("dns01"), FOUND)
    assert await there.read(argv.NOTHING) == "x"

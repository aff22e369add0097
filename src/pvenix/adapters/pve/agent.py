"""The typed calls that go through a VM's guest agent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pvenix.adapters.pve import agentanswers, answers
from pvenix.adapters.pve.caller import Caller, vm_path
from pvenix.engine.ports import AgentResult, Interface
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from pvenix.model.names import NodeName, Vmid

_NO_FILE: Final = re.compile(r"failed to open file|No such file or directory", re.IGNORECASE)
_POLL_S: Final = 0.3


class AgentCaller(Caller):
    """Files and commands inside of guests."""

    async def agent_ping(self, node: NodeName, vmid: Vmid) -> bool:
        """True when the guest agent answers; a silent one costs Proxmox three seconds."""
        try:
            await self._write("POST", vm_path(node, vmid, "agent", "ping"), {})
        except (RemoteFailure, OutcomeUnknown):
            return False
        return True

    async def agent_interfaces(self, node: NodeName, vmid: Vmid) -> tuple[Interface, ...]:
        """The guest's network interfaces.

        Raises: RemoteFailure when the agent does not answer.
        """
        return await self._get(vm_path(node, vmid, "agent", "network-get-interfaces"), agentanswers.interfaces)

    async def agent_read_file(self, node: NodeName, vmid: Vmid, path: str) -> str | None:
        """The file's text, None when there is no such file.

        Raises: RemoteFailure when the agent does not answer.
        """
        try:
            return await self._get(vm_path(node, vmid, "agent", "file-read"), agentanswers.file_text, {"file": path})
        except RemoteFailure as error:
            if _NO_FILE.search(error.why):
                return None
            raise

    async def agent_run(self, node: NodeName, vmid: Vmid, argv: Sequence[str], *, timeout_s: float) -> AgentResult:
        """Run a command as root and wait for its end. A program that does not exist costs five seconds and ends as 596.

        Raises: OutcomeUnknown when it does not end within `timeout_s` seconds; it goes on then. RemoteFailure when the
        agent does not answer.
        """
        path = vm_path(node, vmid, "agent", "exec")
        pid = {"pid": str(await self._ask(path, lambda found: _number(found, "pid"), {"command": list(argv)}))}
        deadline = self._clock.monotonic() + timeout_s
        while True:
            result = await self._get(vm_path(node, vmid, "agent", "exec-status"), agentanswers.agent_result, pid)
            if result is not None:
                return result
            if self._clock.monotonic() >= deadline:
                raise OutcomeUnknown(f"{argv[0]} did not end within {timeout_s:.0f} s", code="PVX0502")
            await self._clock.sleep(_POLL_S)

    async def agent_thaw(self, node: NodeName, vmid: Vmid) -> int:
        """Thaw the guest's file systems; how many were frozen.

        Raises: RemoteFailure when the agent does not answer.
        """
        path = vm_path(node, vmid, "agent", "fsfreeze-thaw")
        return await self._ask(path, lambda found: _number(found, "result"), {})


def _number(answer: object, key: str) -> int:
    return answers.number(answers.fields(answer), key)

"""The QEMU guest agent's commands, in the shapes that Proxmox VE passes on 8.4.5."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pvenix_lab.site.core import AgentError
from pvenix_lab.site.counters import Counters
from pvenix_lab.site.guest.process import Machine, Process
from pvenix_lab.site.guest.store import System
from pvenix_lab.site.guest.streams import BytesReader, BytesWriter
from pvenix_lab.site.guest.vfs import reason

_READ_LIMIT = 16 * 1024 * 1024  # PVE::QemuServer::Agent, file-read
_OUTPUT_LIMIT = 16 * 1024 * 1024  # qemu: qga/commands.c, GUEST_EXEC_MAX_OUTPUT


@dataclass(slots=True, kw_only=True)
class _Process:
    stdout: BytesWriter
    stderr: BytesWriter
    status: int | None = None


class AgentHost(Machine, Protocol):
    """What the agent asks of its guest."""

    hostname: str
    current: System
    booted: System

    @property
    def counters(self) -> Counters:
        """The site's counters."""

    def agent_interfaces(self) -> list[dict[str, object]]:
        """The network interfaces as `network-get-interfaces` lists them."""


class Agent:
    """The agent of one running guest; forgets its processes when the guest goes off."""

    def __init__(self, guest: AgentHost) -> None:
        self._guest = guest
        self._processes: dict[int, _Process] = {}
        self._next_pid = 1000
        self._table: dict[str, Callable[[Mapping[str, object]], object]] = {
            "ping": lambda _: {},
            "network-get-interfaces": lambda _: guest.agent_interfaces(),
            "get-host-name": lambda _: {"host-name": guest.hostname},
            "get-osinfo": lambda _: self._osinfo(),
            "file-read": self._file_read,
            "file-write": self._file_write,
            "exec": self._exec,
            "exec-status": self._exec_status,
        }

    def run(self, command: str, params: Mapping[str, object]) -> object:
        """The command's `return` value, file-read and exec-status already decoded.

        Raises:
            AgentError: the agent's own text.
        """
        handler = self._table.get(command)
        if handler is None:
            raise AgentError(f"The command guest-{command} has not been found")
        return handler(params)

    def forget(self) -> None:
        """The guest goes off."""
        self._processes.clear()

    def _osinfo(self) -> dict[str, str]:
        system = self._guest.current
        return {
            "id": "nixos",
            "name": "NixOS",
            "pretty-name": f"NixOS {system.nixos_version[:5]}",
            "version": system.nixos_version,
            "version-id": system.nixos_version[:5],
            "kernel-release": self._guest.booted.kernel,
            "kernel-version": "#1-NixOS SMP PREEMPT_DYNAMIC",
            "machine": "x86_64",
        }

    def _file_read(self, params: Mapping[str, object]) -> dict[str, object]:
        path = str(params.get("file", ""))
        try:
            data = self._guest.tree.read(path)
        except OSError as exc:
            raise AgentError(f"failed to open file '{path}' (mode: 'r'): {reason(exc)}") from exc
        taken = data[:_READ_LIMIT]
        answer: dict[str, object] = {"content": taken.decode("latin-1"), "bytes-read": len(taken)}
        return answer | ({"truncated": 1} if len(data) > len(taken) else {})

    def _file_write(self, params: Mapping[str, object]) -> None:
        path = str(params.get("file", ""))
        content = str(params.get("content", ""))
        data = base64.b64decode(content) if str(params.get("encode", "1")) == "0" else content.encode()
        try:
            self._guest.tree.check_write(path, 0)
            self._guest.tree.write(path, data)
        except OSError as exc:
            raise AgentError(f"failed to open file '{path}' (mode: 'w'): {reason(exc)}") from exc
        self._guest.counters.guest_mutations += 1

    def _exec(self, params: Mapping[str, object]) -> dict[str, int]:
        words = params.get("command", ())
        argv = tuple(map(str, words)) if isinstance(words, list | tuple) else (str(words),)
        process = _Process(stdout=BytesWriter(), stderr=BytesWriter())
        call = Process(
            argv=argv,
            stdin=BytesReader(str(params.get("input-data", "")).encode()),
            stdout=process.stdout,
            stderr=process.stderr,
            user="root",
            uid=0,
        )
        if not argv or not self._guest.shell.has(call):
            shown = argv[0] if argv else ""
            # typographic quotes as in GLib's text: on a real node they break the reply
            raise AgentError(f"Failed to execute child process “{shown}” (No such file or directory)")
        self._next_pid += 1
        pid = self._next_pid
        self._processes[pid] = process
        self._guest.spawn(self._run(call, process), f"agent exec {argv[0]}")
        return {"pid": pid}

    async def _run(self, call: Process, process: _Process) -> None:
        self._guest.counters.guest_commands += 1
        process.status = await self._guest.shell.execute(call)

    def _exec_status(self, params: Mapping[str, object]) -> dict[str, object]:
        number = str(params.get("pid", ""))
        process = self._processes.get(int(number)) if number.isdigit() else None
        if process is None:
            raise AgentError("Invalid parameter 'pid'")
        if process.status is None:
            return {"exited": 0}
        del self._processes[int(number)]
        answer: dict[str, object] = {"exited": 1, "exitcode": process.status}
        for key, stream in (("out", process.stdout), ("err", process.stderr)):
            if stream.data:  # nothing is said of a stream that stayed empty
                kept = stream.data[:_OUTPUT_LIMIT]
                answer[f"{key}-data"] = kept.decode("utf-8", "replace")
                answer[f"{key}-truncated"] = int(len(kept) < len(stream.data))
        return answer

"""The guest agent's commands, done by entering the container: in the shapes that the lab's own agent answers with."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from pvenix_lab.site.core import AgentError

if TYPE_CHECKING:
    from tests.real.site.container import Container

PATH: Final = "/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def entering(pid: int, *argv: str) -> list[str]:
    """The command that runs another one as root in the container of this process."""
    enter = ["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p", "-C"]
    return [*enter, "env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", *argv]


@dataclass(slots=True, kw_only=True)
class _Process:
    started: subprocess.Popen[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]


class Agent:
    """The agent of one boot."""

    def __init__(self, guest: Container) -> None:
        self._guest = guest
        self._processes: dict[int, _Process] = {}
        self._table: dict[str, Callable[[Mapping[str, object]], object]] = {
            "ping": lambda _: {},
            "network-get-interfaces": lambda _: self._interfaces(),
            "get-host-name": lambda _: {"host-name": self.text("uname", "-n")},
            "file-read": self._read,
            "file-write": self._write,
            "exec": self._exec,
            "exec-status": self._status,
        }

    def run(self, command: str, params: Mapping[str, object]) -> object:
        """The `return` value of a command. Raises AgentError."""
        handler = self._table.get(command)
        if handler is None:
            raise AgentError(f"The command guest-{command} has not been found")
        return handler(params)

    def forget(self) -> None:
        """The guest is off."""
        for process in self._processes.values():
            process.started.wait()
        self._processes.clear()

    def _console(self, *argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(entering(self._guest.pid, *argv), input=stdin, capture_output=True, check=False, cwd="/")

    def text(self, *argv: str) -> str:
        """What a program of the guest prints, as root."""
        return self._console(*argv).stdout.decode().strip()

    def _interfaces(self) -> list[dict[str, object]]:
        return [_interface(row) for row in json.loads(self.text("ip", "-j", "address"))]

    def _read(self, params: Mapping[str, object]) -> dict[str, object]:
        path = str(params.get("file", ""))
        done = self._console("cat", "--", path)
        if done.returncode:
            why = done.stderr.decode().strip().rpartition(": ")[2]
            raise AgentError(f"failed to open file '{path}' (mode: 'r'): {why}")
        return {"content": done.stdout.decode("latin-1"), "bytes-read": len(done.stdout)}

    def _write(self, params: Mapping[str, object]) -> None:
        path, content = str(params.get("file", "")), str(params.get("content", ""))
        data = base64.b64decode(content) if str(params.get("encode", "1")) == "0" else content.encode()
        done = self._console("dd", f"of={path}", "status=none", stdin=data)
        if done.returncode:
            why = done.stderr.decode().strip().rpartition(": ")[2]
            raise AgentError(f"failed to open file '{path}' (mode: 'w'): {why}")

    def _exec(self, params: Mapping[str, object]) -> dict[str, int]:
        words = params.get("command", ())
        argv = tuple(map(str, words)) if isinstance(words, list | tuple) else (str(words),)
        if self._console("sh", "-c", 'command -v -- "$0"', argv[0]).returncode:
            raise AgentError(f"Failed to execute child process “{argv[0]}” (No such file or directory)")
        files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed when its status was asked for
        files[0].write(str(params.get("input-data", "")).encode())
        files[0].seek(0)
        started = subprocess.Popen(
            entering(self._guest.pid, *argv), stdin=files[0], stdout=files[1], stderr=files[2], cwd="/"
        )
        files[0].close()
        self._processes[started.pid] = _Process(started=started, stdout=files[1], stderr=files[2])
        return {"pid": started.pid}

    def _status(self, params: Mapping[str, object]) -> dict[str, object]:
        process = self._processes.get(int(str(params.get("pid", "0"))))
        if process is None:
            raise AgentError("Invalid parameter 'pid'")
        status = process.started.poll()
        if status is None:
            return {"exited": 0}
        del self._processes[process.started.pid]
        answer: dict[str, object] = {"exited": 1, "exitcode": status}
        for key, file in (("out-data", process.stdout), ("err-data", process.stderr)):
            file.seek(0)
            text = file.read().decode(errors="replace")
            file.close()
            answer |= {key: text} if text else {}
        return answer


def _interface(row: dict[str, Any]) -> dict[str, object]:
    kinds = {"inet": "ipv4", "inet6": "ipv6"}
    addresses = [
        {"ip-address": a["local"], "ip-address-type": kinds[a["family"]], "prefix": a["prefixlen"]}
        for a in row.get("addr_info", ())
    ]
    return {"name": row["ifname"], "hardware-address": row.get("address", ""), "ip-addresses": addresses}

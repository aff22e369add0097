"""The control port: one JSON object per line over loopback TCP, with the token of lab.json. For tests and `pvenix lab`."""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.armed.spec import nearest
from pvenix_lab.site.faults import CATALOGUE, ROWS
from pvenix_lab.site.guest.firstboot import load_yaml
from pvenix_lab.site.guest.guest import Guest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pvenix_lab.site.core import Site

_LINE_LIMIT = 64 * 1024


class ControlError(Exception):
    """The request is refused; the text says why."""


class ControlFace:
    """Answers status, faults, fault, clear, reset-counters and stop. `on_stop` is called for the last one."""

    def __init__(self, site: Site, token: str, on_stop: Callable[[], None]) -> None:
        self._site = site
        self._token = token
        self._on_stop = on_stop
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._operations: dict[str, Callable[[dict[str, Any]], dict[str, object]]] = {
            "status": self._status,
            "faults": self._faults,
            "fault": self._fault,
            "clear": self._clear,
            "reset-counters": self._reset,
            "stop": self._stop,
        }

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1 and return it."""
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0, limit=_LINE_LIMIT)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close the port and every conversation."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
            await self._server.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            return  # the peer left, or sent a line without end
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = json.loads(line)
            return {"ok": True, **self._operation(request)(request)}
        except (ControlError, ValueError, TypeError) as exc:
            return {"ok": False, "error": str(exc)}

    def _operation(self, request: object) -> Callable[[dict[str, Any]], dict[str, object]]:
        if not isinstance(request, dict):
            raise ControlError("a request is a JSON object")
        if not hmac.compare_digest(str(request.get("token", "")).encode(), self._token.encode()):
            raise ControlError("wrong token; it stands in lab.json")
        operation = self._operations.get(str(request.get("op")))
        if operation is None:
            raise ControlError(f"unknown op {request.get('op')!r}; one of {', '.join(self._operations)}")
        return operation

    def _status(self, request: dict[str, Any]) -> dict[str, object]:
        del request
        return {
            "hosts": [self._host(vmid) for vmid in sorted(self._site.cluster.vms)],
            "counters": self._site.counters.as_dict(),
            "faults": self._site.faults.list(),
            "defects": [repr(defect) for defect in self._site.defects],
        }

    def _host(self, vmid: int) -> dict[str, object]:
        vm = self._site.cluster.vms[vmid]
        guest = self._site.guests.get(vmid)
        row: dict[str, object] = {"name": vm.name, "vmid": vmid, "node": vm.node, "status": vm.status}
        if isinstance(guest, Guest):
            row |= {
                "addresses": guest.addresses,
                "ssh": guest.ssh_ready,
                "hostname": guest.hostname,
                "current": guest.current_path,
                "boot_id": guest.boot_id,
            }
        return row

    def _fault(self, request: dict[str, Any]) -> dict[str, object]:
        host = request.get("host")
        arguments = request.get("args") or {}
        if not isinstance(arguments, dict):
            raise ControlError("args is an object")
        if host is not None:
            _check_host(self._site, str(host))
        fault = self._site.faults.arm(str(request.get("name")), host, **_schedule(request), **arguments)
        return {"fault": fault.as_dict()}

    def _faults(self, request: dict[str, Any]) -> dict[str, object]:
        del request
        rows = {name: {"what": row.what, "fault": row.fault, "note": row.note} for name, row in ROWS.items()}
        return {"catalogue": [spec.as_dict() for spec in CATALOGUE.values()], "rows": rows}

    def _clear(self, request: dict[str, Any]) -> dict[str, object]:
        self._site.faults.clear(request.get("name"), request.get("host"))
        return {}

    def _reset(self, request: dict[str, Any]) -> dict[str, object]:
        del request
        self._site.counters.reset()
        return {}

    def _stop(self, request: dict[str, Any]) -> dict[str, object]:
        del request
        self._on_stop()
        return {}


def _schedule(request: dict[str, Any]) -> dict[str, Any]:
    """When the fault is to strike; what was not given is left to the catalogue."""
    given: dict[str, Any] = {
        name: request[name] for name in ("times", "nth", "after_s", "for_s", "chance") if name in request
    }
    for name, value in given.items():
        whole = name in ("times", "nth")
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ControlError(f"{name} is a {'whole ' if whole else ''}number")
    return given


def _check_host(site: Site, host: str) -> None:
    """Refuse a host that neither has a VM nor stands in the fleet's inventory, where one that is to be made stands."""
    known = {vm.name for vm in site.cluster.vms.values()}
    if host in known:
        return
    inventory = site.root / "fleet/inventory/hosts.yaml"
    known |= set(_hosts(load_yaml(inventory.read_text()))) if inventory.is_file() else set()
    if host not in known:
        raise ControlError(f"unknown host {host!r}{nearest(host, known)}")


def _hosts(groups: dict[str, Any]) -> Iterator[str]:
    for name, below in groups.items():
        if name == "hosts" and isinstance(below, dict):
            yield from map(str, below)
        elif isinstance(below, dict):
            yield from _hosts(below)

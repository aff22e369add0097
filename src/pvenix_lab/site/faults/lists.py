"""Faults that change what an answer says: names that are traps, an agent that talks nonsense."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from pvenix_lab.site.armed.fault import Spec
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.faults.asked import Asked
from pvenix_lab.site.faults.corpus import NODE, TERMINAL
from pvenix_lab.site.pve.call import Response

_HUGE = 16 * 1024 * 1024
LINK_LOCAL = {"ip-address": "fe80::be24:11ff:fe00:1", "ip-address-type": "ipv6", "prefix": 64}
DOCKER = {
    "name": "docker0",
    "hardware-address": "02:42:6b:1f:5c:01",
    "ip-addresses": [{"ip-address": "172.17.0.1", "ip-address-type": "ipv4", "prefix": 16}],
}


def changed(asked: Asked, answer: Response) -> Response:
    """The answer as the armed states leave it; errors stay as they are."""
    if answer.status != 200 or answer.body is None:
        return answer
    body = copy.deepcopy(answer.body)
    for change in (_hostile, _of_agent):
        change(asked, body)
    return Response(status=200, reason=answer.reason, body=body, protected=answer.protected)


def _items(body: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    data = body.get("data")
    for item in data if isinstance(data, list) else ():
        if isinstance(item, dict) and item.get("type") == kind:
            yield item


def _hostile(asked: Asked, body: dict[str, Any]) -> None:
    fault = asked.peek("hostile-names")
    data = body.get("data")
    match fault.text("where") if fault else "":
        case "vm" if asked.path == "/cluster/resources":
            for item in _items(body, "qemu"):
                item.update({} if item.get("template") else {"name": TERMINAL, "tags": TERMINAL})
        case "node" if asked.path == "/nodes" and isinstance(data, list):
            data.append({"node": NODE, "type": "node", "id": f"node/{NODE}", "status": "online", "maxmem": 1 << 45})
        case "notes" if asked.path.endswith("/config") and isinstance(data, dict):
            data["description"] = f"{data.get('description', '')}\n{TERMINAL}"
        case "upid" if isinstance(data, str) and data.startswith("UPID:"):
            body["data"] = data.replace(f"UPID:{asked.node}:", f"UPID:{NODE}:")
        case "log" if asked.path.endswith("/log") and isinstance(data, list):
            for item in data:
                item["t"] = TERMINAL + str(item.get("t"))


def _of_agent(asked: Asked, body: dict[str, Any]) -> None:
    fault = asked.peek("agent-answers") if "/agent/" in asked.path else None
    if fault is None:
        return
    show = fault.text("show")
    if asked.path.endswith("/network-get-interfaces") and show in _INTERFACES:
        body["data"]["result"] = _INTERFACES[show](body["data"]["result"])
    elif asked.path.endswith(("/network-get-interfaces", "/file-read")) and show in _NONSENSE:
        body["data"] = _NONSENSE[show](body["data"])


def _wired(interfaces: list[dict[str, Any]], keep: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The same interfaces with only those addresses that `keep` wants; loopback is left alone."""
    return [
        item | {"ip-addresses": [a for a in item.get("ip-addresses", []) if keep(a)]} if item["name"] != "lo" else item
        for item in interfaces
    ]


_INTERFACES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "link-local": lambda found: [
        item | {"ip-addresses": [LINK_LOCAL]} if item["name"] != "lo" else item for item in found
    ],
    "docker-first": lambda found: [DOCKER, *found],
    "ipv6-only": lambda found: _wired(found, lambda address: address["ip-address-type"] == "ipv6"),
    "no-addresses": lambda found: [{k: v for k, v in item.items() if k != "ip-addresses"} for item in found],
    "hostile": lambda found: [item | {"name": TERMINAL} for item in found],
}
_NONSENSE: dict[str, Callable[[Any], Any]] = {
    "wrong-types": lambda _: [["unexpected", 1]],
    "huge": lambda _: {"result": "A" * _HUGE, "content": "A" * _HUGE},
    "hostile": lambda data: data | {"content": TERMINAL + str(data.get("content"))},
}

SPECS = (
    Spec(
        name="hostile-names",
        rows=("T3", "T4", "T5", "T6", "R8", "R9"),
        what="the API sends names or texts that are traps, until cleared",
        args=(Arg(name="where", default="vm", what="which names", choices=("vm", "node", "notes", "upid", "log")),),
        face=Face.API,
        kind=Kind.STATE,
    ),
    Spec(
        name="agent-answers",
        rows=("F17", "T3", "R4"),
        what="the guest agent answers with nonsense, until cleared",
        args=(
            Arg(
                name="show",
                default="link-local",
                what="which nonsense",
                choices=("link-local", "docker-first", "ipv6-only", "no-addresses", "wrong-types", "huge", "hostile"),
            ),
        ),
        face=Face.API,
        kind=Kind.STATE,
    ),
)

"""Answers of the API as our values. Proxmox mixes numbers, text and booleans; nothing is taken for granted here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pvenix.adapters.pve.transport import BadAnswer
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import (
    NodeState,
    Quorum,
    Resources,
    StorageState,
    VmConfig,
    VmPending,
    VmPower,
    VmState,
    Volume,
)
from pvenix.model.errors import UsageError
from pvenix.model.names import NodeName, Vmid, node_name, vmid

Fields = Mapping[str, object]

_SHARED = 1000
_URL_ENCODED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!*'()")


def fields(answer: object) -> Fields:
    """`answer` as an object of fields.

    Raises: BadAnswer when it is something else.
    """
    if not isinstance(answer, Mapping):
        raise BadAnswer(f"an object was expected, not {type(answer).__name__}")
    return answer


def rows(answer: object) -> Sequence[Fields]:
    """`answer` as a list of objects.

    Raises: BadAnswer when it is something else.
    """
    if not isinstance(answer, list):
        raise BadAnswer(f"a list was expected, not {type(answer).__name__}")
    return [fields(row) for row in answer]


def text(row: Fields, key: str, default: str | None = None) -> str:
    """The field as text; booleans are 0 and 1 as in Proxmox' own files.

    Raises: BadAnswer when it is missing without a default, or not a scalar.
    """
    value = row.get(key, default)
    if value is None and key in row and default is not None:
        return default
    return scalar(value, key)


def scalar(value: object, key: str) -> str:
    """A number, boolean or text as text.

    Raises: BadAnswer when it is none of these.
    """
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float | str):
        return str(value)
    raise BadAnswer(f"field {key!r}: text was expected, not {type(value).__name__}")


def number(row: Fields, key: str, default: int | None = None) -> int:
    """The field as a whole number.

    Raises: BadAnswer when it is not one.
    """
    value = text(row, key, None if default is None else str(default))
    try:
        return int(float(value))
    except (ValueError, OverflowError) as error:
        raise BadAnswer(f"field {key!r}: a number was expected, not {value[:40]!r}") from error


def node_state(row: Fields) -> NodeState:
    """A row of a node; without Sys.Audit the figures are missing."""
    return NodeState(
        name=known_node(text(row, "node")),
        online=text(row, "status", "unknown") == "online",
        memory_total=number(row, "maxmem", 0),
        memory_used=number(row, "mem", 0),
        cpus=number(row, "maxcpu", 0),
    )


def vm_state(row: Fields) -> VmState:
    """A row of a VM; one without fresh statistics has neither name nor memory."""
    return VmState(
        vmid=known_vmid(row),
        node=known_node(text(row, "node")),
        name=text(row, "name", ""),
        status=text(row, "status", "unknown"),
        template=text(row, "template", "0") == "1",
        tags=tuple(tag for tag in text(row, "tags", "").replace(",", ";").split(";") if tag),
        memory_max=number(row, "maxmem", 0),
        lock=text(row, "lock", ""),
        cpus=number(row, "maxcpu", 0),
        pool=text(row, "pool", ""),
        ha=text(row, "hastate", ""),
    )


def resources(answer: object) -> Resources:
    """The answer of `/cluster/resources`, without pools and network zones."""
    found = {"node": [], "qemu": [], "lxc": [], "storage": []}  # type: dict[str, list[Fields]]
    for row in rows(answer):
        found.get(str(row.get("type")), []).append(row)
    return Resources(
        nodes=tuple(node_state(row) for row in found["node"]),
        vms=tuple(vm_state(row) for row in found["qemu"]),
        storages=tuple(storage_state(row) for row in found["storage"]),
        containers=frozenset(int(known_vmid(row)) for row in found["lxc"]),
    )


def quorum(answer: object) -> Quorum:
    """The answer of `/cluster/status`: one row for the cluster, unless there is none, and one for each node."""
    listed = rows(answer)
    nodes = [row for row in listed if row.get("type") == "node"]
    clusters = [row for row in listed if row.get("type") == "cluster"]
    return Quorum(
        quorate=all(text(row, "quorate", "0") == "1" for row in clusters),
        nodes=len(nodes),
        online=sum(text(row, "online", "0") == "1" for row in nodes),
    )


def volumes(answer: object) -> tuple[Volume, ...]:
    """The answer of `/nodes/<node>/storage/<storage>/content`."""
    return tuple(
        Volume(
            id=text(row, "volid"),
            content=text(row, "content", ""),
            size=number(row, "size", 0),
            vmid=number(row, "vmid", 0),
            made_at=number(row, "ctime", 0),
            notes=sanitise(text(row, "notes", "")).partition("\n")[0],
            protected=text(row, "protected", "0") == "1",
        )
        for row in rows(answer)
    )


def names(answer: object, key: str) -> tuple[str, ...]:
    """One field of each row."""
    return tuple(sanitise(text(row, key)) for row in rows(answer))


def permissions(answer: object) -> dict[str, dict[str, int]]:
    """The answer of `/access/permissions`."""
    return {
        path: {name: number(fields(granted), name) for name in fields(granted)}
        for path, granted in fields(answer).items()
    }


def pci_mappings(answer: object) -> dict[str, dict[NodeName, int]]:
    """The answer of `/cluster/mapping/pci`: a line such as `node=pve1,path=0000:01:00.0,id=10de:2204` for each device.

    Guests share a mediated device, so one of those counts as many.
    """
    found: dict[str, dict[NodeName, int]] = {}
    for row in rows(answer):
        lines = row.get("map") or []
        parts = [part for line in lines for part in str(line).split(",")] if isinstance(lines, list) else []
        there = found.setdefault(text(row, "id"), {})
        for node in [known_node(part[5:]) for part in parts if part.startswith("node=")]:
            there[node] = there.get(node, 0) + (_SHARED if text(row, "mdev", "0") == "1" else 1)
    return found


def known_vmid(row: Fields) -> Vmid:
    """The `vmid` of a row.

    Raises: BadAnswer when it is not a VM id.
    """
    try:
        return vmid(number(row, "vmid"))
    except UsageError as error:
        raise BadAnswer(str(error)) from error


def known_node(name: str) -> NodeName:
    """`name` as a node's name.

    Raises: BadAnswer when it is not one.
    """
    try:
        return node_name(name)
    except UsageError as error:
        raise BadAnswer(str(error)) from error


def storage_state(row: Fields) -> StorageState:
    """A row of a storage on a node; one that is not available shows no figures."""
    total = number(row, "maxdisk", 0)
    return StorageState(
        name=text(row, "storage"),
        node=known_node(text(row, "node")),
        shared=text(row, "shared", "0") == "1",
        active=text(row, "status", "") == "available",
        content=tuple(text(row, "content", "").split(",")),
        available=max(0, total - number(row, "disk", 0)),
        total=total,
        kind=text(row, "plugintype", ""),
    )


def vm_config(answer: object) -> VmConfig:
    """The answer of `/nodes/<node>/qemu/<vmid>/config`."""
    values = {key: scalar(value, key) for key, value in fields(answer).items()}
    digest = values.pop("digest", "")
    return VmConfig(values=values, digest=digest)


def vm_pending(answer: object) -> VmPending:
    """The answer of `/nodes/<node>/qemu/<vmid>/pending`: what is in effect, and what waits for the next cold start."""
    values, waiting = {}, {}
    for row in rows(answer):
        key = text(row, "key")
        if "value" in row:
            values[key] = text(row, "value")
        if "pending" in row:
            waiting[key] = text(row, "pending")
        elif text(row, "delete", "0") != "0":
            waiting[key] = ""
    digest = values.pop("digest", "")
    return VmPending(config=VmConfig(values=values, digest=digest), waiting=waiting)


def vm_power(answer: object) -> VmPower:
    """The answer of `/nodes/<node>/qemu/<vmid>/status/current`."""
    row = fields(answer)
    ha = row.get("ha")
    managed = isinstance(ha, Mapping) and text(ha, "managed", "0") == "1"
    return VmPower(
        status=text(row, "status"),
        detail=sanitise(text(row, "qmpstatus", "")),
        uptime_s=number(row, "uptime", 0),
        agent=text(row, "agent", "0") == "1",
        lock=sanitise(text(row, "lock", "")),
        ha=sanitise(text(ha, "state", "managed")) if managed and isinstance(ha, Mapping) else "",
        cpu=_share(text(row, "cpu", "0")),
        cpus=number(row, "cpus", 0),
        memory=number(row, "mem", 0),
        memory_max=number(row, "maxmem", 0),
    )


def _share(value: str) -> float:
    """A share of 1; 0 for what is no number, as a figure that nobody decides by."""
    try:
        found = float(value)
    except ValueError:
        return 0.0
    return found if 0 <= found < float("inf") else 0.0


def plain_text(answer: object) -> str:
    """An answer that is one text, cleaned.

    Raises: BadAnswer when it is none.
    """
    if not isinstance(answer, str):
        raise BadAnswer(f"a text was expected, not {type(answer).__name__}")
    return sanitise(answer)


def wire_value(key: str, value: str) -> str:
    """`value` as Proxmox wants it in a form field.

    `sshkeys` is percent-encoded inside the form value, every reserved character (pve format `urlencoded`); a value
    that is encoded already stays.
    """
    if key == "sshkeys" and not set(value) <= _URL_ENCODED:
        return quote(value, safe="")
    return value

"""Answers of the API as our values. Proxmox mixes numbers, text and booleans; nothing is taken for granted here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pvenix.adapters.pve.transport import BadAnswer
from pvenix.adapters.text import sanitise
from pvenix.engine.ports import Interface, NodeState, StorageState, VmConfig, VmState
from pvenix.model.errors import UsageError
from pvenix.model.names import NodeName, Vmid, node_name, vmid

Fields = Mapping[str, object]

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
    """A row of `/nodes`; without Sys.Audit the figures are missing."""
    return NodeState(
        name=known_node(text(row, "node")),
        online=text(row, "status", "unknown") == "online",
        memory_total=number(row, "maxmem", 0),
        memory_used=number(row, "mem", 0),
        cpus=number(row, "maxcpu", 0),
    )


def vm_state(row: Fields) -> VmState:
    """A row of `/cluster/resources?type=vm`; a VM without fresh statistics has neither name nor memory."""
    return VmState(
        vmid=known_vmid(row),
        node=known_node(text(row, "node")),
        name=text(row, "name", ""),
        status=text(row, "status", "unknown"),
        template=text(row, "template", "0") == "1",
        tags=tuple(tag for tag in text(row, "tags", "").replace(",", ";").split(";") if tag),
        memory_max=number(row, "maxmem", 0),
        lock=text(row, "lock", ""),
    )


def node_states(answer: object) -> tuple[NodeState, ...]:
    """The answer of `/nodes`."""
    return tuple(node_state(row) for row in rows(answer))


def vm_states(answer: object) -> tuple[VmState, ...]:
    """The answer of `/cluster/resources?type=vm`, without containers."""
    return tuple(vm_state(row) for row in rows(answer) if row.get("type") == "qemu")


def storage_states(answer: object, node: NodeName) -> tuple[StorageState, ...]:
    """The answer of `/nodes/<node>/storage`."""
    return tuple(storage_state(row, node) for row in rows(answer))


def volume_ids(answer: object) -> tuple[str, ...]:
    """The volume ids of `/nodes/<node>/storage/<storage>/content`."""
    return tuple(text(row, "volid") for row in rows(answer))


def permissions(answer: object) -> dict[str, dict[str, int]]:
    """The answer of `/access/permissions`."""
    return {
        path: {name: number(fields(granted), name) for name in fields(granted)}
        for path, granted in fields(answer).items()
    }


def pci_mappings(answer: object) -> dict[str, frozenset[NodeName]]:
    """The answer of `/cluster/mapping/pci`: lines such as `node=pve1,path=0000:01:00.0,id=10de:2204` for each device."""
    found = {}
    for row in rows(answer):
        lines = row.get("map") or []
        parts = [part for line in lines for part in str(line).split(",")] if isinstance(lines, list) else []
        nodes = frozenset(known_node(part[5:]) for part in parts if part.startswith("node="))
        found[text(row, "id")] = nodes
    return found


def task_ids(answer: object) -> tuple[str, ...]:
    """The UPIDs of `/nodes/<node>/tasks`, newest first."""
    newest_first = sorted(rows(answer), key=lambda row: -number(row, "starttime", 0))
    return tuple(text(row, "upid") for row in newest_first)


def file_text(answer: object) -> str:
    """The answer of the guest agent's `file-read`."""
    return text(fields(answer), "content", "")


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


def storage_state(row: Fields, node: NodeName) -> StorageState:
    """A row of `/nodes/<node>/storage`."""
    return StorageState(
        name=text(row, "storage"),
        node=node,
        shared=text(row, "shared", "0") == "1",
        active=text(row, "active", "0") == "1",
        content=tuple(text(row, "content", "").split(",")),
        available=number(row, "avail", 0),
    )


def vm_config(answer: object) -> VmConfig:
    """The answer of `/nodes/<node>/qemu/<vmid>/config`."""
    values = {key: scalar(value, key) for key, value in fields(answer).items()}
    digest = values.pop("digest", "")
    return VmConfig(values=values, digest=digest)


def pending_values(answer: object) -> dict[str, str]:
    """What `/pending` says is not in effect yet; a key that will be deleted has an empty value."""
    waiting = {}
    for row in rows(answer):
        if "pending" in row:
            waiting[text(row, "key")] = text(row, "pending")
        elif text(row, "delete", "0") != "0":
            waiting[text(row, "key")] = ""
    return waiting


def interfaces(answer: object) -> tuple[Interface, ...]:
    """The answer of the guest agent's `network-get-interfaces`; some interfaces have no addresses."""
    found = []
    for row in rows(fields(answer).get("result")):
        addresses = row.get("ip-addresses") or []
        found.append(
            Interface(
                name=sanitise(text(row, "name")),
                mac=sanitise(text(row, "hardware-address", "")).lower(),
                addresses=tuple(
                    f"{sanitise(text(item, 'ip-address'))}/{number(item, 'prefix')}" for item in rows(addresses)
                ),
            )
        )
    return tuple(found)


def wire_value(key: str, value: str) -> str:
    """`value` as Proxmox wants it in a form field.

    `sshkeys` is percent-encoded inside the form value, every reserved character (pve format `urlencoded`); a value
    that is encoded already stays.
    """
    if key == "sshkeys" and not set(value) <= _URL_ENCODED:
        return quote(value, safe="")
    return value

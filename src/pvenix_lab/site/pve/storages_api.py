"""The cluster's storage configuration (source: pve-storage API2/Storage/Config.pm)."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, route
from pvenix_lab.site.pve.cluster import GIB, Storage
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.formats import split_list

_LIST = "/storage"
_ONE = _LIST + "/{storage}"
_SHARED_TYPES = frozenset({"btrfs-shared", "cephfs", "cifs", "iscsi", "nfs", "pbs", "rbd", "zfs"})
_SIZE = 100 * GIB
"""Size of a storage that is defined through the API: made up, there is nothing behind it."""
_OWN = frozenset({"content", "delete", "digest", "disable", "nodes", "shared", "storage", "type"})


@route("GET", _LIST)
async def storages(call: Call) -> list[dict[str, Any]]:
    """The storages that the caller may see, of one type if asked."""
    found = call.cluster.storages.values()
    privileges = ("Datastore.Audit", "Datastore.AllocateSpace")
    seen = [one for one in found if call.allowed(f"/storage/{one.name}", *privileges, any_of=True)]
    return [_shown(call, one) for one in seen if one.type == call.text("type", one.type)]


@route("GET", _ONE)
async def read(call: Call) -> dict[str, Any]:
    """One storage's configuration."""
    return _shown(call, _named(call))


def _shown(call: Call, storage: Storage) -> dict[str, Any]:
    result: dict[str, Any] = {"storage": storage.name, "type": storage.type, "content": ",".join(storage.content)}
    if set(storage.nodes) != set(call.cluster.nodes):
        result["nodes"] = ",".join(storage.nodes)
    result |= {"shared": 1} if storage.shared else {}
    result |= {} if storage.enabled else {"disable": 1}
    return result | storage.settings


@route("POST", _LIST)
async def create(call: Call) -> dict[str, str]:
    """A new storage, empty and reachable from its nodes."""
    name, kind = call.text("storage"), call.text("type")
    if name in call.cluster.storages:
        raise PveError(f"create storage failed: storage ID '{name}' already defined")
    storage = Storage(
        name=name,
        type=kind,
        content=tuple(split_list(call.text("content", "images"))),
        shared=call.flag("shared", default=kind in _SHARED_TYPES),
        nodes=tuple(call.cluster.nodes),
        total=_SIZE,
        base_used=0,
    )
    _change(call, storage)
    call.cluster.storages[name] = storage
    return {"storage": name, "type": kind}


@route("PUT", _ONE)
async def update(call: Call) -> dict[str, str]:
    """Other settings; the nodes and whether it is enabled take effect at once."""
    storage = _named(call)
    for option in split_list(call.text("delete")):
        if option == "nodes":
            storage.nodes = tuple(call.cluster.nodes)
        elif option == "disable":
            storage.enabled = True
        storage.settings.pop(option, None)
    _change(call, storage)
    return {"storage": storage.name, "type": storage.type}


@route("DELETE", _ONE)
async def delete(call: Call) -> None:
    """Forget a storage; what lies on it stays there."""
    del call.cluster.storages[_named(call).name]


def _named(call: Call) -> Storage:
    storage = call.cluster.storages.get(call.text("storage"))
    if storage is None:
        raise PveError(f"storage '{call.text('storage')}' does not exist")
    return storage


def _change(call: Call, storage: Storage) -> None:
    if "content" in call.params:
        storage.content = tuple(split_list(call.text("content")))
    if "nodes" in call.params:
        storage.nodes = tuple(split_list(call.text("nodes")))
    storage.shared = call.flag("shared", default=storage.shared)
    storage.enabled = not call.flag("disable", default=not storage.enabled)
    storage.settings |= {name: value for name, value in call.params.items() if name not in _OWN}

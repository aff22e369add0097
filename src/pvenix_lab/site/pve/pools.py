"""Pools: make, change, remove (source: pve-manager 8.4 API2/Pool.pm). The list of `/pools` is in the cluster's calls."""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import HANDLERS, Call, route
from pvenix_lab.site.pve.cluster import Pool
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.permissions import check_acl_change

_ONE = "/pools/{poolid}"


def _pool(call: Call) -> Pool:
    found = call.cluster.pools.get(call.text("poolid"))
    if found is None:
        raise PveError(f"pool '{call.text('poolid')}' does not exist")
    return found


@route("POST", "/pools")
async def create(call: Call) -> None:
    """Make a pool; a nested one needs its parent."""
    name = call.text("poolid")
    if name in call.cluster.pools:
        raise PveError(f"create pool failed: pool '{name}' already exists")
    parent, slash, leaf = name.rpartition("/")
    if slash and parent not in call.cluster.pools:
        raise PveError(f"create pool failed: parent '{parent}' of pool '{name}' does not exist")
    if not leaf[:1].isalpha():
        raise PveError("create pool failed: pool name must start with a letter")
    call.cluster.pools[name] = Pool(name=name, comment=call.text("comment"))


@route("PUT", "/pools")
@route("PUT", _ONE)
async def update(call: Call) -> None:
    """Change the comment, add VMs and storages, or with `delete` take them out."""
    pool = _pool(call)
    if "comment" in call.params:
        pool.comment = call.text("comment")
    try:
        for vmid in split_list(call.text("vms")):
            check_acl_change(call.caller, f"/vms/{vmid}")
            _move_vm(call, pool, int(vmid))
        for storage in split_list(call.text("storage")):
            check_acl_change(call.caller, f"/storage/{storage}")
            _move_storage(call, pool, storage)
    except PveError as error:
        if type(error) is not PveError:
            raise
        raise PveError(f"update pools failed: {error.message}") from None


def _move_vm(call: Call, pool: Pool, vmid: int) -> None:
    vm = call.cluster.vms.get(vmid)
    if vm is None:
        raise PveError(f"VM {vmid} does not exist")
    if call.flag("delete"):
        if vm.pool != pool.name:
            raise PveError(f"VM {vmid} is not a pool member")
        vm.pool = None
        return
    if vm.pool == pool.name:
        raise PveError(f"VM {vmid} is already a pool member")
    if vm.pool is not None:
        if not call.flag("allow-move"):
            raise PveError(f"VM {vmid} belongs already to pool '{vm.pool}' and 'allow-move' is not set")
        call.require(f"/pool/{vm.pool}", "Pool.Allocate")
    vm.pool = pool.name


def _move_storage(call: Call, pool: Pool, name: str) -> None:
    member = name in pool.storages
    if call.flag("delete"):
        if not member:
            raise PveError(f"Storage '{name}' is not a pool member")
        pool.storages.discard(name)
    elif member:
        raise PveError(f"Storage '{name}' is already a pool member")
    else:
        pool.storages.add(name)


@route("GET", _ONE)
async def read(call: Call) -> dict[str, Any]:
    """One pool with its members."""
    found: list[dict[str, Any]] = await HANDLERS["GET", "/pools"](call)
    return {key: value for key, value in found[0].items() if key != "poolid"} if found else {"members": []}


@route("DELETE", "/pools")
@route("DELETE", _ONE)
async def delete(call: Call) -> None:
    """Remove an empty pool."""
    pool = _pool(call)
    inside = next((f"contains pool '{name}'" for name in call.cluster.pools if name.startswith(f"{pool.name}/")), None)
    inside = inside or next(
        (f"contains VM {vm.vmid}" for vm in call.cluster.vms.values() if vm.pool == pool.name), None
    )
    inside = inside or next((f"contains storage '{name}'" for name in sorted(pool.storages)), None)
    if inside:
        raise PveError(f"delete pool failed: pool '{pool.name}' is not empty ({inside})")
    del call.cluster.pools[pool.name]
    call.cluster.rights.acl.pop(f"/pool/{pool.name}", None)

"""The way from a template to a VM on a node, resolved before anything is written (F24).

What Proxmox allows: qemu-server `clone_vm` refuses `target` while a disk of the source is on local storage, and a
`storage` that is not shared with it; `migrate` moves local disks of a stopped VM, but never a linked clone.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.lifecycle.placement.values import Route, Situation, TemplateSeen, Way, Wish
from pvenix.model.names import NodeName


def route_to(wish: Wish, node: NodeName, site: Situation) -> Route | str:
    """The way to a VM on `node`, or why there is none.

    A template on the node itself comes first, then one on shared storage, then a clone that moves.
    """
    if not wish.template:
        storage = wish.storage or wish.default_storage
        return Route(way=Way.CREATE, storage=storage, words=f"an empty VM on {storage}")
    seen = site.templates.get(wish.template, ())
    here = [one for one in seen if one.node == node]
    if len(here) > 1:
        ids = " and ".join(str(one.vmid) for one in here)
        return f"templates {ids} there are both {wish.template}: name one in templates.{wish.template}.replicas"
    if here:
        return _on_node(wish, here[0])
    return _from_afar(wish, node, seen, site)


def copied(wish: Wish, template: TemplateSeen) -> bool:
    """True when the disks have to be copied: asked for, or wanted on another storage than the template's."""
    return wish.full or bool(wish.storage and wish.storage != template.root.storage)


def _on_node(wish: Wish, template: TemplateSeen) -> Route:
    if not copied(wish, template):
        return _route(Way.LINKED, template, template.root.storage, f"linked clone of {template.vmid}")
    storage = wish.storage or wish.default_storage or template.root.storage
    return _route(Way.FULL, template, storage, f"full clone of {template.vmid} to {storage}")


def _from_afar(wish: Wish, node: NodeName, seen: Sequence[TemplateSeen], site: Situation) -> Route | str:
    reasons = []
    for template in seen:
        found = _over_network(wish, node, template, site)
        if isinstance(found, Route):
            return found
        reasons.append(found)
    return "; ".join(reasons) or f"template {wish.template} is nowhere"


def _over_network(wish: Wish, node: NodeName, template: TemplateSeen, site: Situation) -> Route | str:
    shared = all(_shared(site, node, name) for name in template.storages)
    where = f"{template.vmid} on {template.node}"
    if shared and not copied(wish, template):
        return _route(Way.LINKED, template, template.root.storage, f"linked clone of {where}, on shared storage")
    storage = _destination(wish, template, node, site)
    if shared and _shared(site, node, storage):
        return _route(Way.FULL, template, storage, f"full clone of {where} to {storage}, shared", local=False)
    missing = [one for one in (template.node, node) if (one, storage) not in site.storages]
    if missing:
        return f"template {where} would have to be copied to {storage}, which {missing[0]} does not have"
    kind = "shared" if _shared(site, node, storage) else "on both nodes"
    words = f"full clone of {where} to {storage}, {kind}, then migration"
    return _route(Way.MIGRATE, template, storage, words, local=False)


def _destination(wish: Wish, template: TemplateSeen, node: NodeName, site: Situation) -> str:
    """Where a copy goes: the declared storage, else a shared one, so that a migration moves no disk."""
    if wish.storage:
        return wish.storage
    options = (wish.default_storage, template.root.storage)
    return next((name for name in options if name and _shared(site, node, name)), template.root.storage)


def _shared(site: Situation, node: NodeName, name: str) -> bool:
    storage = site.storages.get((node, name))
    return storage is not None and storage.shared


def _route(way: Way, template: TemplateSeen, storage: str, words: str, *, local: bool = True) -> Route:
    return Route(way=way, template=template.vmid, source=template.node, storage=storage, words=words, local=local)

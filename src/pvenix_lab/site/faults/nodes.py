"""States of the nodes: gone, without a quorum, without news. They are set on the cluster, and the API shows what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec, Undo
from pvenix_lab.site.armed.spec import Arg, Face, Kind

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site


def _down(site: Site, fault: Fault) -> Undo:
    node = site.cluster.nodes.get(fault.text("node"))
    if node is None:
        raise ValueError(f"fault {fault.name!r}: there is no node {fault.text('node')!r}")
    node.online = False
    return lambda: setattr(node, "online", True)


def _no_quorum(site: Site, _fault: Fault) -> Undo:
    site.cluster.quorate = False
    return lambda: setattr(site.cluster, "quorate", True)


def _no_news(site: Site, _fault: Fault) -> Undo:
    """The statistics daemons are silent, and have been for longer than the cluster keeps what they sent."""
    silent = [node for node in site.cluster.nodes.values() if node.statistics_up]

    def forget(*, up: bool) -> None:
        for node in silent:
            node.statistics_up = up
        site.cluster.broadcast.clear()
        site.cluster.broadcast_at.clear()

    forget(up=False)
    return lambda: forget(up=True)


SPECS = (
    Spec(
        name="node-down",
        rows=("F11",),
        what="a node is gone: 595 for its calls, offline in the lists, its VMs unknown after five minutes, until cleared",
        args=(Arg(name="node", default="tappaas2", what="the node; with that of the endpoint the API is gone"),),
        face=Face.API,
        kind=Kind.STATE,
        begin=_down,
    ),
    Spec(
        name="no-quorum",
        rows=("F43",),
        what="the cluster has no quorum: what writes its files is refused, until cleared",
        face=Face.API,
        kind=Kind.STATE,
        begin=_no_quorum,
    ),
    Spec(
        name="usage-stale",
        rows=("F40",),
        what="the lists show VMs without name, memory and state, as before the first broadcast, until cleared",
        face=Face.API,
        kind=Kind.STATE,
        begin=_no_news,
    ),
)

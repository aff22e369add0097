"""The way of a call through the cluster: proxy, the other node's proxy, the daemon; and what happens when one is gone.

The statuses 595 and 596 are the event HTTP client's own, with a reason and no body (proxmox.md a1).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, Response
from pvenix_lab.site.pve.cluster import LOCAL_NODE
from pvenix_lab.site.pve.errors import PveError

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site
    from pvenix_lab.site.pve.cluster import Cluster, Node
    from pvenix_lab.site.pve.schema import Match

INACTIVITY_S = 30.0
"""How long a proxy waits for the answer of a hop (source: pve-http-server AnyEvent.pm, proxy_request); real seconds."""
SILENCE = Response(status=0, reason="", body=None)
"""What comes from an endpoint that is gone itself."""
BROKEN_PIPE = Response(status=596, reason="Broken pipe", body=None)
TIMED_OUT = Response(status=596, reason="Connection timed out", body=None)
REFUSED = Response(status=595, reason="Connection refused", body=None)
NO_ROUTE = Response(status=595, reason="No route to host", body=None)
_NEEDS_NO_QUORUM = (
    "/agent",
    "/monitor",
    "/status/reset",
    "/status/shutdown",
    "/status/stop",
    "/access/ticket",
    "/tasks/",
)


def serving_node(cluster: Cluster, match: Match) -> Node:
    """The node that does the work of a call. Raises PveError with the resolver's text for an unknown one."""
    name = match.uri_params.get("node") if match.method.proxied else None
    node = cluster.nodes.get(name or LOCAL_NODE)
    if node is None:
        raise PveError(
            f"hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known"
        )
    return node


async def obstacle(site: Site, match: Match, node: Node) -> Response | None:
    """The answer when the call cannot reach the one that does it; None when it can."""
    if node.name != LOCAL_NODE and not node.online:
        await asyncio.sleep(site.timings.no_route_s)
        return NO_ROUTE
    if match.method.protected and not node.daemon_up:
        return REFUSED
    return None


def check_quorum(call: Call, path: str) -> None:
    """Refuse a write while the cluster has no quorum: the configuration file system is read-only then (failures F43).

    The texts are those of pve-cluster; which calls check first, and which fail at the file, is a guess for the rarer ones.
    """
    if call.cluster.quorate or call.method == "GET" or any(part in path for part in _NEEDS_NO_QUORUM):
        return
    if not path.startswith("/nodes/"):
        raise PveError(f"cfs-lock 'file-{path.split('/')[1]}_cfg' error: no quorum!")
    if path.endswith("/config"):
        file = f"/etc/pve/nodes/{call.text('node')}/qemu-server/{call.vmid}.conf.tmp.1"
        raise PveError(f"unable to open file '{file}' - Permission denied")
    raise PveError("cluster not ready - no quorum?")


async def through_proxy(site: Site, work: Coroutine[object, object, Any]) -> Any:
    """The result of work behind a hop. Returns TIMED_OUT when it takes longer than the proxy waits; the work goes on."""
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    site.spawn(_into(done, work), name="a call behind a proxy")
    finished, _ = await asyncio.wait({done}, timeout=INACTIVITY_S)
    if not finished:
        done.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody reads it any more
        return TIMED_OUT
    return done.result()


async def _into(done: asyncio.Future[Any], work: Coroutine[object, object, Any]) -> None:
    try:
        result = await work
    except asyncio.CancelledError:
        done.cancel()
        raise
    except Exception as error:  # noqa: BLE001  whoever waits for the future gets it, a defect too
        done.set_exception(error)
    else:
        done.set_result(result)

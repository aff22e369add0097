"""Tasks: what a UPID stands for, its log and its end (proxmox.md a4; grammar from pve-common Tools.pm)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pvenix_lab.site.armed.table import Place
from pvenix_lab.site.pve.call import Call
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.task import Task

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

__all__ = ["AROUND_WORKER", "KILLED", "NODE_OF_TASK", "UNEXPECTED", "UPID", "Task", "Worker", "launch"]

Worker = Callable[[Task], Awaitable[None]]
UPID = re.compile(
    r"UPID:(?P<node>[a-zA-Z0-9][a-zA-Z0-9-]*):(?P<pid>[0-9A-Fa-f]{8}):(?P<pstart>[0-9A-Fa-f]{8,9}):"
    r"(?P<starttime>[0-9A-Fa-f]{8}):(?P<type>[^:\s]+):(?P<id>[^:\s]*):(?P<user>[^:\s]+):"
)
KILLED = "unable to read tail (got 0 bytes)"
"""Exit status of a task that ended without a word in its log, such as one that was stopped early (measured on 8.4.5)."""
UNEXPECTED = "unexpected status"
"""Exit status of a task whose log ends without a result (source: pve-common Tools.pm, upid_read_status)."""


NODE_OF_TASK: Place[Callable[[Call, str], str]] = Place(plain=lambda call, _kind: call.text("node"))
"""The node that the UPID of a new task of some type names."""
AROUND_WORKER: Place[Callable[[Call, str, Worker], Worker]] = Place(plain=lambda _call, _kind, worker: worker)
"""The worker that runs for a task of some type."""


def launch(call: Call, kind: str, worker: Worker, *, identity: str | None = None) -> str:
    """Start a worker as a task on the node of the path and return its UPID at once.

    `identity` is the UPID's id, by default the VM of the path (for a clone that is the source).
    """
    site = call.site
    node, name = site.faults.at(NODE_OF_TASK)(call, kind), str(call.vmid) if identity is None else identity
    pid = 1000 + len(site.cluster.tasks) * 3 + site.rng.randrange(3)
    now = int(site.wall())
    pstart = int((site.wall() - call.node().started_at) * 100) & 0xFFFFFFFF
    owner = call.caller.auth_id
    upid = f"UPID:{node}:{pid:08X}:{pstart:08X}:{now:08X}:{kind}:{name}:{owner}:"
    task = Task(upid=upid, node=node, type=kind, id=name, owner=owner, pid=pid, pstart=pstart, starttime=now)
    site.cluster.tasks[upid] = task
    site.cluster.note(site.wall(), user=owner, node=node, text=f"starting task {upid}")
    task.job = site.spawn(_run(site, task, site.faults.at(AROUND_WORKER)(call, kind, worker)), name=upid)
    return upid


async def _run(site: Site, task: Task, worker: Worker) -> None:
    try:
        await site.sleep(site.timings.fork_s)
        await worker(task)
    except PveError as error:
        text = error.message
        task.log(f"TASK ERROR: {text}")
        task.end(" ".join(text.split("\n")), at=int(site.wall()))
    else:
        result = f"WARNINGS: {task.warnings}" if task.warnings else "OK"
        task.log(f"TASK {result}")
        task.end(result, at=int(site.wall()))
    finally:
        # the first has no effect unless the worker was cancelled or died of a defect
        task.end(UNEXPECTED if task.lines else KILLED, at=int(site.wall()))
        site.cluster.note(site.wall(), user=task.owner, node=task.node, text=f"end task {task.upid} {task.exitstatus}")

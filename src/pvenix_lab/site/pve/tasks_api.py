"""Tasks over the API: list, status, log, stop (proxmox.md a4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.call import Call, Page, route
from pvenix_lab.site.pve.errors import NotImplementedHereError, ParameterError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.tasks import KILLED, UNEXPECTED, UPID, Task

if TYPE_CHECKING:
    from pvenix_lab.site.pve.permissions import Caller

_LIST = "/nodes/{node}/tasks"
_ONE = _LIST + "/{upid}"
_STATUS_TYPES = frozenset({"error", "ok", "unknown", "warning"})


def shown_user(auth_id: str) -> dict[str, str]:
    """`user` and `tokenid` as the answers split them."""
    user, found, name = auth_id.partition("!")
    return {"user": user, "tokenid": name} if found else {"user": user}


def owns(caller: Caller, task: Task) -> bool:
    """True if the task is the caller's: a token sees its own, a user also those of its tokens."""
    return caller.auth_id in {task.owner, task.owner.partition("!")[0]}


def _task(call: Call, privilege: str) -> Task:
    """The task of the path; another owner's needs `privilege` on the node."""
    upid = call.text("upid")
    if UPID.fullmatch(upid) is None:
        raise ParameterError({"upid": "unable to parse worker upid"})
    task = call.cluster.tasks.get(upid)
    if task is None or task.node != call.text("node"):
        raise ParameterError({"upid": "no such task"})
    if not owns(call.caller, task):
        call.require(f"/nodes/{task.node}", privilege)
    return task


def _entry(task: Task) -> dict[str, Any]:
    result: dict[str, Any] = {
        **{name: getattr(task, name) for name in ("upid", "node", "pid", "pstart", "starttime", "type", "id")},
        **shown_user(task.owner),
    }
    if task.endtime is not None:
        result |= {"endtime": task.endtime, "status": task.exitstatus}
    return result


@route("GET", _LIST)
async def tasks(call: Call) -> Page:
    """The node's tasks, newest first: finished ones unless `source` asks for active (`RUNNING`) or all; none with `limit=0`."""
    source, node = call.text("source", "archive"), call.text("node")
    auditor = call.allowed(f"/nodes/{node}", "Sys.Audit")
    found = [
        task
        for task in reversed(call.cluster.tasks.values())
        if task.node == node
        and (auditor or owns(call.caller, task))
        and (source == "all" or task.running == (source == "active"))
        and _wanted(call, task)
    ]
    start, limit = call.number("start"), call.number("limit", 50)
    items = [{"status": "RUNNING", **_entry(task)} for task in found[start : start + limit]]
    return Page(items=items, total=len(found))


def _wanted(call: Call, task: Task) -> bool:
    return (
        ("vmid" not in call.params or task.id == str(call.vmid))
        and ("typefilter" not in call.params or task.type == call.text("typefilter"))
        and call.text("userfilter").lower() in task.owner.partition("!")[0].lower()
        and ("since" not in call.params or task.starttime >= call.number("since"))
        and ("until" not in call.params or task.starttime <= call.number("until"))
        and _status_type(task) in _status_types(call)
    )


def _status_types(call: Call) -> set[str]:
    """Which kinds of results are listed; `errors` leaves out only what ended OK, and wins over `statusfilter`."""
    if call.flag("errors"):
        return set(_STATUS_TYPES - {"ok"})
    if "statusfilter" in call.params:
        return {kind.lower() for kind in split_list(call.text("statusfilter"))}
    return set(_STATUS_TYPES)


def _status_type(task: Task) -> str:
    if task.exitstatus in {None, UNEXPECTED}:
        return "unknown"
    if task.exitstatus == "OK":
        return "ok"
    return "warning" if str(task.exitstatus).startswith("WARNINGS: ") else "error"


@route("GET", _ONE)
async def index(call: Call) -> list[dict[str, str]]:
    """The sub-directories of a task."""
    _task(call, "Sys.Audit")
    return [{"name": "status"}, {"name": "log"}]


@route("GET", _ONE + "/status")
async def status(call: Call) -> dict[str, Any]:
    """`status` is running or stopped; `exitstatus` is there only when stopped."""
    task = _task(call, "Sys.Audit")
    result = _entry(task)
    result.pop("endtime", None)
    result["status"] = "running" if task.running else "stopped"
    if task.exitstatus is not None:
        result["exitstatus"] = task.exitstatus
    return result


@route("GET", _ONE + "/log")
async def log(call: Call) -> Page:
    """Lines from `start` (0-based), 50 unless `limit` says otherwise, all with `limit=0`; an empty log is one line `no content`."""
    lines = _task(call, "Sys.Audit").lines or ["no content"]
    if call.flag("download"):
        raise NotImplementedHereError("the download of a task's log is not simulated")
    start, limit = call.number("start"), call.number("limit", 50)
    end = len(lines) if limit == 0 else start + limit
    items = [{"n": number, "t": text} for number, text in enumerate(lines[start:end], start=start + 1)]
    return Page(items=items, total=len(lines))


@route("DELETE", _ONE)
async def stop(call: Call) -> None:
    """Kill the worker and wait for its end; what it locked stays locked. A finished task is fine."""
    task = _task(call, "Sys.Modify")
    if task.running and task.job is not None:
        task.job.cancel()
        await asyncio.wait([task.job])
        task.end(KILLED, at=int(call.site.wall()))  # a worker that was cancelled before its first step ends nothing

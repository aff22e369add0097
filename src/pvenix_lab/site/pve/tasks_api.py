"""Tasks over the API: list, status, log, stop (proxmox.md a4)."""

from __future__ import annotations

import asyncio
from typing import Any

from pvenix_lab.site.pve.call import Call, Page, route
from pvenix_lab.site.pve.errors import ParameterError
from pvenix_lab.site.pve.tasks import KILLED, UPID, Task

_LIST = "/nodes/{node}/tasks"
_ONE = _LIST + "/{upid}"


def shown_user(auth_id: str) -> dict[str, str]:
    """`user` and `tokenid` as the answers split them."""
    user, found, name = auth_id.partition("!")
    return {"user": user, "tokenid": name} if found else {"user": user}


def _task(call: Call, privilege: str) -> Task:
    """The task of the path; another owner's needs `privilege` on the node."""
    upid = call.text("upid")
    if UPID.fullmatch(upid) is None:
        raise ParameterError({"upid": "unable to parse worker upid"})
    task = call.cluster.tasks.get(upid)
    if task is None or task.node != call.text("node"):
        raise ParameterError({"upid": "no such task"})
    if task.owner != call.caller.auth_id:
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
    """The node's tasks, newest first; finished ones unless `source` asks for active or all."""
    source = call.text("source", "archive")
    found = [task for task in reversed(call.cluster.tasks.values()) if task.node == call.text("node")]
    if not call.allowed(f"/nodes/{call.text('node')}", "Sys.Audit"):
        found = [task for task in found if task.owner == call.caller.auth_id]
    found = [task for task in found if source == "all" or task.running == (source == "active")]
    found = [task for task in found if _wanted(call, task)]
    start, limit = call.number("start"), call.number("limit", 50)
    shown = found[start:] if limit == 0 else found[start : start + limit]
    return Page(items=[_entry(task) for task in shown], total=len(found))


def _wanted(call: Call, task: Task) -> bool:
    good = task.exitstatus is None or task.exitstatus == "OK" or task.exitstatus.startswith("WARNINGS: ")
    return (
        ("vmid" not in call.params or task.id == str(call.vmid))
        and ("typefilter" not in call.params or task.type == call.text("typefilter"))
        and ("userfilter" not in call.params or call.text("userfilter") in task.owner)
        and ("since" not in call.params or task.starttime >= call.number("since"))
        and ("until" not in call.params or task.starttime <= call.number("until"))
        and not (call.flag("errors") and good)
    )


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
        task.end(KILLED, at=int(call.site.wall()))

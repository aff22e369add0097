"""Replication as a node tells of it: status, log, run now (source: pve-manager 8.4 API2/Replication.pm). The jobs are the cluster's.

Only the times of the runs are kept; no data is copied, so a migration is no faster for it.
"""

from __future__ import annotations

from typing import Any

from pvenix_lab.site.pve.call import Call, Page, route
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.tasks import Task, launch

_ONE = "/nodes/{node}/replication/{id}"
_STATE = "replication/state"
_RUN_S = 0.5


def _job(call: Call) -> tuple[str, dict[str, Any]]:
    name = call.text("id")
    job = call.cluster.sections.get("replication", {}).get(name)
    if job is None:
        raise PveError(f"no such replication job '{name}'")
    vm = call.cluster.vms.get(int(job["guest"]))
    if vm is None or vm.node != call.text("node"):
        raise PveError(f"no such replication job '{name}' on node '{call.text('node')}'")
    return name, job


@route("GET", _ONE)
async def index(call: Call) -> list[dict[str, str]]:
    """The sub-directories of a job."""
    call.require(f"/vms/{call.text('id').partition('-')[0]}", "VM.Audit")
    return [{"name": name} for name in ("schedule_now", "log", "status")]


@route("GET", _ONE + "/status")
async def status(call: Call) -> dict[str, Any]:
    """A job with its last run."""
    name, job = _job(call)
    call.require(f"/vms/{job['guest']}", "VM.Audit")
    state = call.cluster.sections.get(_STATE, {}).get(name, {})
    fresh = {"last_sync": 0, "last_try": 0, "next_sync": 0, "fail_count": 0, "duration": 0}
    return {"id": name, **job, "vmtype": "qemu", "source": call.text("node"), **fresh, **state}


@route("GET", _ONE + "/log")
async def log(call: Call) -> Page:
    """The log of the last run."""
    name, job = _job(call)
    if not call.allowed(f"/nodes/{call.text('node')}", "Sys.Audit"):
        call.require(f"/vms/{job['guest']}", "VM.Audit")
    last = call.cluster.sections.get(_STATE, {}).get(name, {}).get("last_sync")
    lines = [f"{name}: start replication job", f"{name}: end replication job"] if last else ["no content"]
    start, limit = call.number("start"), call.number("limit", 50)
    items = [{"n": number, "t": text} for number, text in enumerate(lines, start=1)]
    return Page(items=items[start : start + limit] if limit else items[start:], total=len(lines))


@route("POST", _ONE + "/schedule_now")
async def schedule_now(call: Call) -> str:
    """Run a job as soon as possible, in a task."""
    name, job = _job(call)
    if call.flavour is Flavour.PVE_9_2:
        call.require(f"/vms/{job['guest']}", "VM.Replicate")
    else:
        call.require("/storage", "Datastore.Allocate")

    async def worker(task: Task) -> None:
        task.log(f"{name}: start replication job")
        target = call.cluster.nodes.get(str(job.get("target")))
        now = int(call.site.wall())
        state = call.cluster.sections.setdefault(_STATE, {}).setdefault(name, {"fail_count": 0})
        state["last_try"] = now
        if target is None or not target.online:
            state["fail_count"] += 1
            raise PveError(f"command '/usr/bin/ssh' to '{job.get('target')}' failed: exit code 255")
        await call.site.sleep(_RUN_S)
        state |= {"last_sync": now, "fail_count": 0, "duration": _RUN_S}
        task.log(f"{name}: end replication job")

    return launch(call, "replication", worker, identity=name)

"""Faults of tasks: around the worker of every task (proxmox.md a4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pvenix_lab.site.armed.fault import Fault, Spec
from pvenix_lab.site.armed.spec import Arg, Face
from pvenix_lab.site.pve.call import Call
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.task import Task
from pvenix_lab.site.pve.tasks import Worker


def _host(call: Call, kind: str) -> str | None:
    """The VM that a task is about; for a clone that is the new one."""
    if kind == "qmclone":
        return call.text("name") or None
    vm = call.cluster.vms.get(call.vmid) if "vmid" in call.params else None
    return vm.name if vm else None


def _of(kind: str) -> Callable[[Fault], bool]:
    return lambda fault: fault.text("type") in ("", kind)


def node_of(call: Call, kind: str) -> str:
    """The node that the UPID of a new task names."""
    node = call.text("node")
    if call.site.faults and call.site.faults.take("task-elsewhere", _host(call, kind), accept=_of(kind)):
        return next((other for other in call.cluster.nodes if other != node), node)
    return node


def struck(call: Call, kind: str, worker: Worker) -> Worker:
    """The worker with the faults that strike it when it runs."""
    if not call.site.faults:
        return worker
    host, faults = _host(call, kind), call.site.faults

    async def work(task: Task) -> None:
        if faults.take("task-vanishes", host, accept=_of(kind)):
            call.cluster.tasks.pop(task.upid, None)
        if slow := faults.take("task-slow", host, accept=_of(kind)):
            await faults.last(slow, slow.number("seconds"))
        if faults.take("task-hangs", host, accept=_of(kind)):
            await asyncio.Event().wait()
        if faults.take("task-ignored", host, accept=_of(kind)):
            return
        fails = faults.take("task-fails", host, accept=_of(kind))
        if fails is None or fails.flag("effect"):
            await worker(task)
        if fails is not None:
            raise PveError(fails.text("message"))
        if warns := faults.take("task-warns", host, accept=_of(kind)):
            for _ in range(int(warns.number("lines"))):
                task.warn(warns.text("message"))

    return work


_TYPE = Arg(name="type", default="", what="type of the task, such as qmclone, qmstart, resize; empty for any")

SPECS = (
    Spec(
        name="task-fails",
        rows=("F04", "F23", "R3"),
        what="the next task ends with `message`",
        args=(
            _TYPE,
            Arg(name="message", default="got timeout", what="the error"),
            Arg(name="effect", default=False, what="whether it did its work before"),
        ),
        face=Face.API,
    ),
    Spec(
        name="task-warns",
        rows=("F08",),
        what="the next task does its work and ends as `WARNINGS: n`",
        args=(
            _TYPE,
            Arg(name="lines", default=1, what="how many warnings"),
            Arg(name="message", default="the disk is nearly full", what="the warning"),
        ),
        face=Face.API,
    ),
    Spec(
        name="task-slow",
        rows=("F06",),
        what="the next task begins its work only after `seconds`",
        args=(_TYPE, Arg(name="seconds", default=5.0, what="of the site's clock, or until cleared")),
        face=Face.API,
    ),
    Spec(
        name="task-hangs",
        rows=("F35", "F41"),
        what="the next task never ends and logs nothing",
        args=(_TYPE,),
        face=Face.API,
    ),
    Spec(
        name="task-ignored",
        rows=("F23",),
        what="the next task ends well and does nothing",
        args=(_TYPE,),
        face=Face.API,
    ),
    Spec(
        name="task-vanishes",
        rows=("R3",),
        what="nobody knows the UPID of the next task any more; its work is done",
        args=(_TYPE,),
        face=Face.API,
    ),
    Spec(
        name="task-elsewhere",
        rows=("F10",),
        what="the next task runs on another node than the request named, as its UPID says",
        args=(_TYPE,),
        face=Face.API,
    ),
)

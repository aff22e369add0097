"""What a plan may have to wait for, told before it starts: approvals that a person gives, and windows that are shut now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pvenix.fleet.load import Fleet
from pvenix.lifecycle.approval import Change, marked_units, reasons
from pvenix.model.host import Host
from pvenix.model.plan import RunPlan
from pvenix.model.update import Approve, Reboot
from pvenix.model.window import closed

_ACTIVATES: Final = frozenset({"rebuild", "rollback"})
_REBOOTS: Final = frozenset({"reboot"})
_MAY_REBOOT: Final = "it reboots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Something that will, or may, hold a host of a plan back."""

    host: str
    text: str
    sure: bool
    """False for what only shows once the new system is built or looked at."""


def gates(fleet: Fleet, plan: RunPlan, now: datetime) -> tuple[Gate, ...]:
    """What may hold each host back, as far as the inventory tells; nothing is read of the hosts.

    A time zone that is not known here is told as such: the run would refuse for it.
    """
    verbs: dict[str, set[str]] = {}
    for play in plan.plays:
        for name in (name for wave in play.waves for name in wave):
            verbs.setdefault(name, set()).update(task.verb for task in play.tasks)
    found: list[Gate] = []
    for name, its in verbs.items():
        host = fleet.hosts.get(name)
        if host is not None and its & (_ACTIVATES | _REBOOTS):
            found += _of(fleet, host, its, named=plan.named, now=now)
    return tuple(found)


def _of(fleet: Fleet, host: Host, verbs: set[str], *, named: bool, now: datetime) -> Iterator[Gate]:
    roles, update = fleet.site.roles, host.machine.update
    reboots = _MAY_REBOOT if verbs & _REBOOTS else ""
    sure = reasons(host, roles, Change(subject="", reboots=reboots, units=(), named=named))
    by_itself = not reboots and "rebuild" in verbs and update.reboot is Reboot.AUTO
    marks = marked_units(host, roles)
    maybe = () if update.approve is Approve.NEVER else tuple(f"it touches {unit}" for unit in marks)
    if by_itself and update.approve is not Approve.NEVER:
        maybe = (*maybe, "its new system needs a boot (update.reboot is auto)")
    for text in sure:
        yield Gate(host=host.name, text=f"asks for an approval: {text}", sure=True)
    for text in maybe if verbs & _ACTIVATES else ():
        yield Gate(host=host.name, text=f"asks for an approval if {text}", sure=False)
    if reboots or sure or maybe:
        yield from _window(fleet, host, now, sure=bool(reboots or sure))


def _window(fleet: Fleet, host: Host, now: datetime, *, sure: bool) -> Iterator[Gate]:
    try:
        opens = closed(host.machine.update.window, now, fleet.site.timezone)
    except ValueError as error:
        yield Gate(host=host.name, text=f"refuses: whether it may be disturbed now is not known ({error})", sure=True)
        return
    if opens:
        what = "waits" if sure else "waits with what is risky"
        yield Gate(host=host.name, text=f"its window is shut now: it {what} until {opens}", sure=sure)

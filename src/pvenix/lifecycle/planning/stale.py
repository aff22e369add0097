"""What is no longer as it was when a plan was made: then the plan is not applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from pvenix.model.errors import Refused
from pvenix.model.fleetplan import FieldPlan, FleetPlan, HostPlan

_SHOWN = 6
_OF_A_HOST = ("action", "vmid", "uuid", "node", "power", "decision", "steps", "digest")
"""In the order of how much they tell; the digest last, which every change of a VM's options changes."""


def refuse_stale(planned: FleetPlan, now: FleetPlan) -> None:
    """Return when a plan that is made now says exactly what `planned` says.

    Raises: Refused with the fields that differ, the one that tells most first.
    """
    differences = list(_differences(planned, now))
    if not differences:
        return
    more = [f"and {len(differences) - _SHOWN} more"] if len(differences) > _SHOWN else []
    raise Refused(
        f"the plan of {planned.made_at} is stale: {differences[0]}",
        why="nothing was changed",
        evidence=[*differences[1:_SHOWN], *more],
        hint="make a new one and look at it: pvenix plan --out FILE",
        code="PVX0568",
    )


def _differences(planned: FleetPlan, now: FleetPlan) -> Iterator[str]:
    if planned.fleet != now.fleet:
        yield _both("fleet", planned.fleet, now.fleet)
        return
    if planned.commit != now.commit:
        yield _both("commit", planned.commit, now.commit)
    before, after = ({host.host: host for host in plan.hosts} for plan in (planned, now))
    of_hosts = [*_of_hosts(before, after)]
    yield from of_hosts
    if planned.inventory != now.inventory:
        yield _both("inventory (SHA-256 of what it says)", planned.inventory[:12], now.inventory[:12])
    for name in ("pattern", "limit"):
        if getattr(planned, name) != getattr(now, name):
            yield _both(name, getattr(planned, name), getattr(now, name))
    if dict(planned.extra) != dict(now.extra):
        yield _both("--set", dict(planned.extra), dict(now.extra))


def _of_hosts(before: dict[str, HostPlan], after: dict[str, HostPlan]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after or name not in before:
            yield f"{name} is {'planned' if name in before else 'not planned'}, and now it is the other way"
            continue
        yield from (f"{name}: {one}" for one in _of_host(before[name], after[name]))


def _of_host(before: HostPlan, after: HostPlan) -> Iterator[str]:
    old, new = ({(one.field, one.key): one for one in plan.fields} for plan in (before, after))
    for key in dict.fromkeys((*old, *new)):
        yield from _of_field(key[0], old.get(key), new.get(key))
    for name in _OF_A_HOST:
        if getattr(before, name) != getattr(after, name):
            yield _both(name, getattr(before, name), getattr(after, name))


def _of_field(name: str, before: FieldPlan | None, after: FieldPlan | None) -> Iterator[str]:
    if before is None or after is None:
        yield _both(name, _told(before), _told(after))
        return
    for part in (each.name for each in fields(FieldPlan) if each.name not in ("where", "note")):
        if getattr(before, part) != getattr(after, part):
            yield _both(f"{name}, {part}", getattr(before, part), getattr(after, part))


def _told(one: FieldPlan | None) -> str:
    return "as it should be" if one is None else f"{one.state} ({one.there or 'nothing'} at Proxmox)"


def _both(what: str, before: object, after: object) -> str:
    return f"{what} was {_text(before)} and is {_text(after)}"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in sorted(value.items())) or "nothing"
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) or "nothing"
    return "nothing" if value is None else str(value) or "nothing"

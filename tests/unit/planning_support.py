"""Plans for rules that need no site."""

from __future__ import annotations

from typing import Any

from pvenix.model.findings import Finding
from pvenix.model.fleetplan import Action, Effect, FieldPlan, FieldState, FleetPlan, HostPlan, Stray

MEMORY = FieldPlan(
    field="memory",
    key="memory",
    state=FieldState.CHANGE,
    effect=Effect.REBOOT,
    desired="8192",
    recorded="4096",
    actual="4096",
    where="inventory/host_vars/dns01.yaml:3:11",
)


def field(name: str, state: FieldState = FieldState.DRIFT, **values: Any) -> FieldPlan:
    given: dict[str, Any] = {"key": name, "effect": Effect.LIVE, "desired": "1", "actual": "2", **values}
    return FieldPlan(field=name, state=state, **given)


def host(name: str = "dns01", action: Action = Action.CHANGE, **values: Any) -> HostPlan:
    given: dict[str, Any] = {
        "vmid": 200,
        "node": "n1",
        "uuid": "0b5f",
        "digest": "d1",
        "power": "running",
        "fields": (MEMORY,) if action is Action.CHANGE else (),
        **values,
    }
    return HostPlan(host=name, action=action, **given)


def plan(*hosts: HostPlan, **values: Any) -> FleetPlan:
    given: dict[str, Any] = {
        "fleet": "lab",
        "commit": "a" * 40,
        "inventory": "b" * 64,
        "made_at": "2026-11-20T17:00:00.000Z",
        "pattern": "all",
        "limit": "",
        "extra": {"memory": "8G"},
        **values,
    }
    return FleetPlan(hosts=hosts, **given)


def finding(**values: Any) -> Finding:
    given: dict[str, Any] = {
        "file": "inventory/hosts.yaml",
        "line": 31,
        "column": 9,
        "code": "PVX0520",
        "what": "no node can take web09",
        "hint": "widen it",
        **values,
    }
    return Finding(**given)


EVERYTHING = plan(
    host(),
    host("web03", Action.ADD, power="", decision={"node": "n2", "vmid": "231"}, steps=("make VM 231 on n2",)),
    host("old01", Action.DESTROY, steps=("stop and destroy VM 240 on n1 with its disks",)),
    host("web09", Action.REFUSE, vmid=0, node="", power="", findings=(finding(),), exit_code=2),
    host("db01", Action.UNKNOWN, vmid=0, node="", power="", findings=(finding(code="PVX0560"),), exit_code=4),
    host("docker01", Action.NONE, equal=20),
    strays=(Stray(vmid=299, node="n1", host="gone01", power="running", why="the inventory has no gone01"),),
)
"""A plan with everything in it."""

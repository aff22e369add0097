"""Turns what somebody changed at Proxmox into a commit on a branch, so that drift is reviewed like any other change."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pvenix.fleet.edit import EditRefused, remove_machine, set_machine
from pvenix.fleet.yaml import parse
from pvenix.lifecycle.planning.spelling import spelt
from pvenix.lifecycle.world import World
from pvenix.model.errors import InvalidInput, UsageError
from pvenix.model.fleetplan import FieldPlan, FieldState, FleetPlan, HostPlan
from pvenix.model.names import CommitId
from pvenix.model.nearest import did_you_mean
from pvenix.model.paths import vars_file

_DRIFTED = (FieldState.DRIFT, FieldState.CONFLICT)
_SET = "--set"
_SHOWN = 60
"""Characters of a value in a commit's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What became of a host's drift."""

    host: str
    branch: str
    commit: str = ""
    """The branch's tip, empty when no field could be taken."""
    new: bool = False
    """False when the branch said all of it already."""
    taken: tuple[str, ...] = ()
    """`field value`, each."""
    left: tuple[str, ...] = ()
    """Fields that stay as they are, each with the reason."""


def branch_of(host: str) -> str:
    """The topic branch that carries a host's drift."""
    return f"drift/{host}"


async def accept_drift(world: World, plan: FleetPlan, fields: Sequence[str]) -> tuple[Accepted, ...]:
    """Push the drift of the plan's hosts, of all fields or of some, to one branch for each host.

    Raises: UsageError for a field that has not drifted anywhere; what keeps the repository from being written.
    """
    drifted = [(host, [one for one in host.fields if one.state in _DRIFTED]) for host in plan.hosts]
    known = {one.field for _, of_host in drifted for one in of_host}
    for field in fields:
        if field not in known:
            raise UsageError(f"{field[:80]} has not drifted on these hosts", hint=did_you_mean(field, known))
    wanted = frozenset(fields) or known
    main, accepted = await world.repo.fetch(), []
    for host, of_host in drifted:
        chosen = [one for one in of_host if one.field in wanted]
        if chosen:
            accepted.append(await _accept(world, host, chosen, main))
    return tuple(accepted)


async def _accept(world: World, host: HostPlan, fields: Sequence[FieldPlan], main: CommitId) -> Accepted:
    branch, path = branch_of(host.host), vars_file(host.host)
    base = await world.repo.tip(branch) or main
    before = await world.repo.read(base, path) or ""
    text, taken, left = _edited(world, host.host, before, fields)
    if not taken:
        return Accepted(host=host.host, branch=branch, left=tuple(left))
    if text == before:
        return Accepted(host=host.host, branch=branch, commit=base, taken=tuple(taken), left=tuple(left))
    lines = "\n".join(f"- {one}" for one in taken)
    message = f"Accept what {host.host} became\n\nChanged at Proxmox, VM {host.vmid} on {host.node}:\n{lines}\n"
    commit = await world.repo.commit(branch, base, {path: text}, message=message)
    return Accepted(host=host.host, branch=branch, commit=commit, new=True, taken=tuple(taken), left=tuple(left))


def _edited(world: World, host: str, text: str, fields: Sequence[FieldPlan]) -> tuple[str, list[str], list[str]]:
    """The host_vars file with the actual values, the fields that it has now, and those that it could not take."""
    taken, left, lists = [], [], dict[str, Any]()
    for one in fields:
        try:
            path, value = _edit(world, host, one, lists)
            text = set_machine(_without_appended(text, path), path, value)
        except (EditRefused, InvalidInput, _Left) as reason:
            left.append(f"{one.field} stays as it is: {reason}")
        else:
            taken.append(f"{one.field} {' '.join(one.there.split())[:_SHOWN] or 'nothing'}")
    return text, taken, left


def _without_appended(text: str, path: Sequence[str]) -> str:
    """The file without a `key+` of the field: it would be added to what the field itself says then."""
    appended = (*path[:-1], f"{path[-1]}+")
    tree = parse(text, "host_vars")
    there = tree is not None and tree.get("machine", *appended) is not None
    return remove_machine(text, appended) if there else text


class _Left(Exception):
    """Why a field is not taken over."""


def _edit(world: World, host: str, one: FieldPlan, lists: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
    """The path of the edit and the value there; an entry of a list is changed in a copy of the whole list.

    Raises: _Left when the inventory cannot say it.
    """
    if one.where.startswith(_SET):
        raise _Left(f"{_SET} decides it")
    value = spelt(one)
    if value is None:
        raise _Left(f"the inventory has no words for {one.there or 'nothing'!r} there")
    words = one.field.split(".")
    if words[:2] not in (["proxmox", "disks"], ["proxmox", "pci"]):
        return tuple(words), value
    name = ".".join(words[:2])
    if name not in lists:
        lists[name] = copy.deepcopy(world.fleet.explain(host, name)[0].value)
    entry = _entry(lists[name], words[2])
    if entry is None:
        raise _Left(f"{name} has no {words[2]}")
    entry[words[3]] = value
    return tuple(words[:2]), lists[name]


def _entry(entries: list[dict[str, Any]], key: str) -> dict[str, Any] | None:
    if key.isdecimal():
        return entries[int(key)] if int(key) < len(entries) else None
    return next((entry for entry in entries if entry.get("slot") == key), None)

"""Which hosts a plan is about: those that a pattern means, and with them the tombstones."""

from __future__ import annotations

from typing import Final

from pvenix.fleet.load import Fleet
from pvenix.model.errors import UsageError
from pvenix.model.host import State
from pvenix.model.selector import Universe, parse_selector

PLANNED: Final = frozenset({State.PRESENT, State.STOPPED, State.ABSENT})
"""The states that a plan compares; archived and external machines are let alone."""


def planned_hosts(fleet: Fleet, pattern: str, limit: str = "") -> tuple[str, ...]:
    """The hosts of `pattern` that `limit` does not leave out; elsewhere `all` has no absent hosts, here it does.

    Raises: UsageError when a name is unknown or nothing is left.
    """
    universe = _universe(fleet)
    hosts = parse_selector(pattern or "all").match(universe)
    if limit:
        kept = frozenset(parse_selector(limit).match(universe))
        hosts = tuple(host for host in hosts if host in kept)
    if not hosts and (limit or (pattern or "all") != "all"):
        raise UsageError(
            f"no host matches {pattern or 'all'}" + (f" limited to {limit}" if limit else ""),
            hint="pvenix inventory list",
        )
    return hosts


def _universe(fleet: Fleet) -> Universe:
    planned = {name: None for name, host in fleet.hosts.items() if host.machine.state in PLANNED}
    groups = {group: tuple(name for name in members if name in planned) for group, members in fleet.groups.items()}
    named = tuple(name for name in fleet.hosts if name not in planned)
    return Universe(hosts=tuple(planned), groups=groups, named=named)

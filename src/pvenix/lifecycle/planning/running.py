"""From a plan to a run: one play for newcomers, one for changes, one for each machine that goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvenix.fleet.load import Fleet
from pvenix.lifecycle.planning.building import largest_first
from pvenix.lifecycle.planning.comparing import POWER
from pvenix.model.fleetplan import Action, Effect, FleetPlan, HostPlan
from pvenix.model.host import State
from pvenix.model.plan import PlayPlan, Task
from pvenix.model.verbs import ONBOARDING


def plays_of(fleet: Fleet, plan: FleetPlan, *, reboot: bool = False, offline: bool = False) -> tuple[PlayPlan, ...]:
    """The plays that bring a fleet to its plan, in order; none when there is nothing to do.

    Newcomers go together, the largest first. Changes that are in effect at once go together, those that may take a
    reboot go one by one and end with the first that fails. What is destroyed comes last. `reboot` reboots for what waits
    for it, whatever `update.reboot` says; `offline` shuts down for what only a machine that is off takes.
    """
    args = {name: True for name, given in (("reboot", reboot), ("offline", offline)) if given}
    changes = [host for host in plan.hosts if host.action is Action.CHANGE or (reboot and _only_waits(host))]
    return (*_adds(fleet, plan), *_changes(changes, Task(verb="configure", args=dict(args))), *_removals(plan))


def decisions_of(plan: FleetPlan) -> dict[str, dict[str, str]]:
    """What the steps of each host are bound to."""
    return {host.host: dict(host.decision) for host in plan.hosts if host.decision}


def _adds(fleet: Fleet, plan: FleetPlan) -> Iterator[PlayPlan]:
    adds = largest_first(fleet, [host for host in plan.hosts if host.action is Action.ADD])
    kinds: dict[tuple[str, ...], list[str]] = {}
    for host in adds:
        kinds.setdefault(_verbs(fleet, host), []).append(host.host)
    for verbs, names in kinds.items():
        yield PlayPlan(name=_named("add", names), waves=(tuple(names),), tasks=tuple(Task(verb=verb) for verb in verbs))


def _verbs(fleet: Fleet, host: HostPlan) -> tuple[str, ...]:
    """The onboarding up to what a person decides, or to the first boot of a machine that is to be off."""
    last = "boot" if fleet.hosts[host.host].machine.state is State.STOPPED else "review"
    return ONBOARDING[: ONBOARDING.index(last)]


def _only_waits(host: HostPlan) -> bool:
    return host.action is Action.NONE and host.waiting and host.power == "running"


def _changes(hosts: Sequence[HostPlan], write: Task) -> Iterator[PlayPlan]:
    kinds: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
    tasks: dict[tuple[str, ...], tuple[Task, ...]] = {}
    for host in hosts:
        found = _tasks_of_change(host, write)
        verbs = tuple(task.verb for task in found)
        tasks[verbs] = found
        kinds.setdefault((host.waiting or host.effect is not Effect.LIVE, verbs), []).append(host.host)
    for (alone, verbs), names in sorted(kinds.items()):
        yield PlayPlan(
            name=_named("change one by one" if alone else "change", names),
            waves=tuple((name,) for name in names) if alone else (tuple(names),),
            tasks=tasks[verbs],
            any_errors_fatal=alone,
        )


def _tasks_of_change(host: HostPlan, write: Task) -> tuple[Task, ...]:
    """A machine that is to be off is off before it is written to, and one that is to run is started last."""
    differing = [one for one in host.fields if one.state.differs]
    power = next((one.desired for one in differing if one.key == POWER), "")
    writes = host.waiting or any(one.key != POWER for one in differing)
    down, up = power == "stopped", power == "running"
    return (*((Task(verb="shutdown"),) * down), *((write,) * writes), *((Task(verb="start"),) * up))


def _removals(plan: FleetPlan) -> Iterator[PlayPlan]:
    for host in plan.hosts:
        if host.action is Action.DESTROY:
            task = Task(verb="retire", args={"confirm": host.host})
            yield PlayPlan(name=_named("destroy", [host.host]), waves=((host.host,),), tasks=(task,))


def _named(what: str, hosts: list[str]) -> str:
    more = f" and {len(hosts) - 3} more" if len(hosts) > 3 else ""
    return f"{what} {', '.join(hosts[:3])}{more}"

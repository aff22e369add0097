"""What an apply would do to a host, in words and in order."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.placement import Decision
from pvenix.lifecycle.planning.comparing import POWER, wanted_power
from pvenix.model.fleetplan import Effect, HostPlan
from pvenix.model.host import Host, State
from pvenix.model.update import Reboot

_EFFECT = {
    Effect.LIVE: "write while it runs",
    Effect.REBOOT: "write, in effect after a reboot",
    Effect.OFFLINE: "with --offline: shut down, write, start",
    Effect.MOVE: "move",
}


def adding(host: Host, decision: Decision) -> tuple[str, ...]:
    """A VM that is made: where, from what, and what follows."""
    made = f"make VM {decision.vmid} on {decision.node}: {decision.route.words}"
    return (made, *_until_registered(host))


def going_on(host: Host, found: Found) -> tuple[str, ...]:
    """A VM of ours that nobody has logged in to yet, as after an interruption."""
    return (
        f"go on with VM {found.vmid} on {found.node}, which is ours and was never reached",
        *_until_registered(host),
    )


def _until_registered(host: Host) -> tuple[str, ...]:
    if host.machine.state is State.STOPPED:
        return ("write cloud-init",)
    return ("write cloud-init", "boot, pin its host key", "read its hardware", f"push registration/{host.name}")


def changing(host: Host, plan: HostPlan) -> tuple[str, ...]:
    """Fields that are written, by what it takes, the power, and a reboot that nobody has to ask for."""
    differing = [one for one in plan.fields if one.state.differs]
    off = [f"shut it down (it is {one.actual})" for one in differing if (one.key, one.desired) == (POWER, "stopped")]
    on = [f"start it (it is {one.actual})" for one in differing if (one.key, one.desired) == (POWER, "running")]
    writes = []
    for effect, words in _EFFECT.items():
        fields = [one.field for one in differing if one.effect is effect and one.key != POWER]
        if fields:
            writes.append(f"{words}: {', '.join(fields)}")
    if (plan.effect is Effect.REBOOT or plan.waiting) and reboots(host, plan):
        writes.append("reboot it once")
    return (*off, *writes, *on)


def reboots(host: Host, plan: HostPlan) -> bool:
    """True for a running machine that an apply may reboot without being told."""
    automatic = host.machine.update.reboot is Reboot.AUTO and not host.machine.controller
    return automatic and plan.power == wanted_power(host) == "running"


def destroying(found: Found, power: str, changed: Sequence[str]) -> tuple[str, ...]:
    """A VM that goes, and all that goes with it."""
    stop = "stop and destroy" if power == "running" else "destroy"
    return (f"{stop} VM {found.vmid} on {found.node} with its disks", *changed)

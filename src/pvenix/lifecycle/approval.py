"""What of a change is risky, who approved it, and whether it is the time for it: asked before anything is touched.

A change that waits ends its step: no lock, no slot and no fence is held for a person, and nothing is armed on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pvenix.engine.decisions import ASKED
from pvenix.engine.step import Step
from pvenix.lifecycle.world import World
from pvenix.model.ages import moment_words
from pvenix.model.approval import Asked, Decision, Verdict
from pvenix.model.errors import UsageError
from pvenix.model.host import Host
from pvenix.model.outcome import Outcome, Status, Waits
from pvenix.model.site import Role
from pvenix.model.update import Approve
from pvenix.model.window import closed

ALWAYS: Final = "always"
REBOOT: Final = "reboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is about to be done to a host, as far as it shows beforehand."""

    subject: str
    """The exact thing: a system's store path, or the boot that is to end."""
    commit: str = ""
    reboots: str = ""
    """That it reboots, and why, in words; empty when it does not."""
    units: tuple[str, ...] | None = ()
    """Units that it would stop, restart or reload; None when that could not be read."""
    named: bool = False
    """True when a person asked for this very thing by name."""


def risks(host: Host, roles: Mapping[str, Role], change: Change) -> tuple[str, ...]:
    """Why the change is risky, a line each: it reboots and nobody asked for that by name, or a role marks what it does."""
    found = [change.reboots] if change.reboots and not change.named else []
    for role in host.roles:
        for mark in roles[role].approve:
            if mark == ALWAYS:
                found.append(f"role {role} has every change approved")
            elif mark == REBOOT:
                found += [f"{change.reboots} (role {role})"] if change.reboots else []
            elif change.units is None:
                found.append(f"whether it touches {mark} cannot be told (role {role})")
            elif mark in change.units:
                found.append(f"touches {mark} (role {role})")
    return tuple(dict.fromkeys(found))


def reasons(host: Host, roles: Mapping[str, Role], change: Change) -> tuple[str, ...]:
    """Why a person is asked before the change, a line each; empty when it goes on by itself."""
    match host.machine.update.approve:
        case Approve.NEVER:
            return ()
        case Approve.RISKY:
            return risks(host, roles, change)
        case Approve.ALWAYS:
            return risks(host, roles, change) or ("update.approve is always",)


def marked_units(host: Host, roles: Mapping[str, Role]) -> tuple[str, ...]:
    """The units that a role of the host marks."""
    return tuple(mark for role in host.roles for mark in roles[role].approve if mark not in (ALWAYS, REBOOT))


def gate(world: World, step: Step, change: Change) -> Outcome | None:
    """None when the change may be made now; else how the step ends, and what it waits for.

    Raises: UsageError when the time zone of its window is not known here.
    """
    host = world.host(step)
    asked = Asked(
        host=step.host,
        step=step.id,
        subject=change.subject,
        commit=change.commit,
        risks=reasons(host, world.fleet.site.roles, change),
    )
    if asked.risks:
        decision = _decision(step, asked)
        if decision is None:
            return _waits(step, asked)
        if decision.verdict is Verdict.REJECTED:
            return Outcome(status=Status.CANCELLED, summary=decision.shown, evidence=asked.risks)
        step.tell(decision.shown)
    if (opens := _closed_until(world, step, change)) and (asked_by := _in_spite(step)):
        step.tell(
            f"outside its window until {opens}; all the same, as {asked_by.by} asked at {moment_words(asked_by.at)}"
        )
    return outside_window(world, step, change)


def outside_window(world: World, step: Step, change: Change) -> Outcome | None:
    """None when a risky change, or a reboot, may be made at this hour, or all the same.

    Raises: UsageError when the time zone of its window is not known here.
    """
    opens = _closed_until(world, step, change)
    if not opens or _in_spite(step):
        return None
    return Outcome(
        status=Status.WAITING,
        summary=f"outside its window until {opens}",
        hint=f"then: pvenix resume {step.run}; at once: pvenix resume {step.run} --now",
        waits=Waits.WINDOW,
    )


def _closed_until(world: World, step: Step, change: Change) -> str:
    host, site = world.host(step), world.fleet.site
    if not change.reboots and not risks(host, site.roles, change):
        return ""
    try:
        return closed(host.machine.update.window, datetime.fromisoformat(world.clock.utc()), site.timezone)
    except ValueError as error:
        raise UsageError(
            f"whether {step.host} may be disturbed now is not known", why=str(error), code="PVX0952"
        ) from error


def _in_spite(step: Step) -> Decision | None:
    said = (one for one in step.decisions() if one.verdict is Verdict.NOW and one.host in ("", step.host))
    return next(said, None)


def _decision(step: Step, asked: Asked) -> Decision | None:
    """The last word about exactly this."""
    said = (one for one in reversed(step.decisions()) if one.verdict is not Verdict.NOW)
    return next((one for one in said if one.covers(asked)), None)


def _waits(step: Step, asked: Asked) -> Outcome:
    step.evidence(**{ASKED: asked.subject, "commit": asked.commit, "risks": "\n".join(asked.risks)})
    return Outcome(
        status=Status.WAITING,
        summary=f"waits for an approval: {'; '.join(asked.risks)}",
        hint=f"pvenix approve {step.run} -l {step.host}",
        evidence=(f"for exactly {asked.subject}",),
        waits=Waits.APPROVAL,
    )

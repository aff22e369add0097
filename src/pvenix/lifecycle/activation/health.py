"""The role's health checks, run on the guest with programs that every NixOS has: before an activation and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pvenix.engine.ports import CommandResult
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.remote import Remote, as_text, received
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.site import HealthCheck, HealthKind, OnFailure

_PATIENCE_S = 30.0
"""How long one look at a check may take."""
_NO_SUCH_UNIT = 4
"""What `systemctl is-active` exits with for a unit that is not there (systemctl(1))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the checks say after an activation."""

    fatal: str = ""
    """Why to go back, empty when nothing speaks for it."""
    kept: str = ""
    """What does not hold and did not before either."""


async def failing_before(remote: Remote, checks: Sequence[HealthCheck]) -> tuple[str, ...]:
    """The titles of the checks that do not hold now, each looked at once.

    A check of a unit that is not there yet is not one of them: the new system brings it.
    """
    async with Together() as group:
        tasks = [group.create_task(_trouble(remote, check)) for check in checks]
    return tuple(
        check.title
        for check, task in zip(checks, tasks, strict=True)
        if task.result().words and not (check.kind is HealthKind.SYSTEMD and task.result().status == _NO_SUCH_UNIT)
    )


async def after(
    world: World, remote: Remote, checks: Sequence[HealthCheck], *, before: Sequence[str], policy: OnFailure
) -> Health:
    """What the checks say; each has its time to come to hold, all side by side.

    One that did not hold before is given no time unless the policy is strict, and does not decide then.
    """
    decide = [check for check in checks if policy is OnFailure.STRICT or check.title not in before]
    known = [check for check in checks if check not in decide]
    async with Together() as group:
        tasks = [group.create_task(_holds(world, remote, check)) for check in decide]
    fatal = next((f"{c.title}: {t.result()}" for c, t in zip(decide, tasks, strict=True) if t.result()), "")
    async with Together() as group:
        looks = [group.create_task(_trouble(remote, check)) for check in known]
    kept = [f"{c.title}: {t.result().words}" for c, t in zip(known, looks, strict=True) if t.result().words]
    return Health(fatal=fatal, kept=f"was already failing: {'; '.join(kept)}" if kept else "")


async def _holds(world: World, remote: Remote, check: HealthCheck) -> str:
    """Why the check does not hold, empty when it does."""
    deadline = world.clock.monotonic() + check.within_s
    pause = 0.2
    remote.step.asks("ssh", as_text(_command(check)))
    while True:
        trouble = await _trouble(remote, check)
        if not trouble.words:
            remote.step.tell(f"healthy: {check.title.replace('{address}', '127.0.0.1')}")
            return ""
        if world.clock.monotonic() + pause > deadline:
            return trouble.words
        await world.clock.sleep(pause)
        pause = min(pause * 1.5, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """One look at a check."""

    words: str = ""
    """Why it does not hold, empty when it does."""
    status: int = 0


async def _trouble(remote: Remote, check: HealthCheck) -> _Trouble:
    """Whether the check holds now.

    Raises: OutcomeUnknown when the connection is lost.
    """
    try:
        answer: CommandResult = await remote.session.run(_command(check), timeout_s=_PATIENCE_S)
    except OutcomeUnknown:  # it hangs, as a resolver without servers does: that is an answer too
        return _Trouble(words=f"no answer within {_PATIENCE_S:.0f} s", status=-1)
    result = received(answer)
    if result.ok:
        return _Trouble()
    lines = (result.stderr or result.stdout).strip().splitlines()
    return _Trouble(words=lines[-1] if lines else f"exit status {result.exit_status}", status=result.exit_status)


def _command(check: HealthCheck) -> argv.Argv:
    match check.kind:
        case HealthKind.SYSTEMD:
            return words.unit_condition(check.unit)
        case HealthKind.TCP:
            return words.port_answers(check.port)
        case HealthKind.HTTP:
            return words.url_answers(check.url.replace("{address}", "127.0.0.1"))
        case HealthKind.DNS:
            return words.name_resolves(check.name)
        case HealthKind.COMMAND:
            return check.argv

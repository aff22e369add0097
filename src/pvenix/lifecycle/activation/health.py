"""The role's health checks, run on the guest with programs that every NixOS has."""

from __future__ import annotations

from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.remote import Remote, as_text, received
from pvenix.lifecycle.together import Together
from pvenix.lifecycle.world import World
from pvenix.model.errors import OutcomeUnknown
from pvenix.model.site import HealthCheck, HealthKind

_PATIENCE_S = 30.0
"""How long one look at a check may take."""


async def first_problem(world: World, remote: Remote, checks: tuple[HealthCheck, ...]) -> str:
    """The first check that does not hold within its time, empty when all hold; they run side by side."""
    async with Together() as group:
        tasks = [group.create_task(_holds(world, remote, check)) for check in checks]
    return next(
        (f"{check.title}: {task.result()}" for check, task in zip(checks, tasks, strict=True) if task.result()), ""
    )


async def _holds(world: World, remote: Remote, check: HealthCheck) -> str:
    """Why the check does not hold, empty when it does."""
    deadline = world.clock.monotonic() + check.within_s
    pause = 0.2
    remote.step.asks("ssh", as_text(_command(check)))
    while True:
        trouble = await _trouble(remote, check)
        if not trouble:
            remote.step.tell(f"healthy: {check.title.replace('{address}', '127.0.0.1')}")
            return ""
        if world.clock.monotonic() + pause > deadline:
            return trouble
        await world.clock.sleep(pause)
        pause = min(pause * 1.5, 5.0)


async def _trouble(remote: Remote, check: HealthCheck) -> str:
    """Why the check does not hold now, empty when it does.

    Raises: OutcomeUnknown when the connection is lost.
    """
    try:
        answer = await remote.session.run(_command(check), timeout_s=_PATIENCE_S)
    except OutcomeUnknown:  # it hangs, as a resolver without servers does: that is an answer too
        return f"no answer within {_PATIENCE_S:.0f} s"
    result = received(answer)
    if result.ok:
        return ""
    lines = (result.stderr or result.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit status {result.exit_status}"


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

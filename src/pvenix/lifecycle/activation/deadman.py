"""The dead-man on the target, and the token by which it and the confirmation decide who was first.

The token is one file in the attempt's directory. The dead-man goes back only if it can move it away, a confirmation counts
only if it could: a rename is atomic, so exactly one of them does.
"""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import words
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.activation.follow import properties_in
from pvenix.lifecycle.remote import Remote, must, received
from pvenix.model.site import HealthCheck

CONTACT, HEALTH = words.CONTACT, "health"
CONFIRMED = "confirmed"
"""Where the dead-man's token is once the new system was confirmed: from then on there is no way back by itself."""
_MOVED_TO = (CONFIRMED, words.FIRED, "abandoned", "reverted")


async def disarm(remote: Remote, attempt: Attempt, into: str) -> bool:
    """Keep the dead-men from going back; False when one has begun to. Its token moves to `into`."""
    disarmed = await taken(remote, attempt, HEALTH, into) or await taken(remote, attempt, CONTACT, into)
    if disarmed:
        await stop(remote, *dead_men(attempt))
    return disarmed


def dead_men(attempt: Attempt) -> tuple[str, str]:
    """The attempt's dead-man units, for the contact and for the health."""
    return words.dead_man_unit(attempt.id, CONTACT), words.dead_man_unit(attempt.id, HEALTH)


def all_units(attempt: Attempt) -> tuple[str, ...]:
    """Every unit of the attempt."""
    return words.activation_unit(attempt.id), words.revert_unit(attempt.id), *dead_men(attempt)


def arming(attempt: Attempt, phase: str, checks: Sequence[HealthCheck] = ()) -> argv.Argv:
    """Arm the dead-man of `phase`, which leaves `checks` the time that they may take."""
    after_s = patience_s(attempt, checks)
    return words.arm_dead_man(attempt.id, phase, old=attempt.old, profile=attempt.profile, after_s=after_s)


def patience_s(attempt: Attempt, checks: Sequence[HealthCheck]) -> int:
    """How many seconds the dead-man sleeps that covers `checks`."""
    return attempt.confirm_s + max((check.within_s for check in checks), default=0)


async def taken(remote: Remote, attempt: Attempt, phase: str, into: str) -> bool:
    """True when the dead-man's token is at `into`, by this call or by that of an earlier process."""
    taken = received(await remote.try_write(words.take_token(attempt.id, phase, into), show_output=False))
    return taken.ok or await is_at(remote, attempt, into)


async def is_at(remote: Remote, attempt: Attempt, place: str) -> bool:
    """True when the token was moved to `place`."""
    return (await remote.try_read(("test", "-e", f"{argv.attempt_dir(attempt.id)}/{place}"), sudo=True)).ok


async def is_armed(remote: Remote, attempt: Attempt) -> bool:
    """True while the token is where a dead-man takes it."""
    return not {f"armed-{CONTACT}", f"armed-{HEALTH}"}.isdisjoint(await tokens(remote, attempt))


async def tokens(remote: Remote, attempt: Attempt) -> set[str]:
    """Where the token is, in the attempt's directory; empty when it was never made."""
    listed = received(await remote.try_read(("ls", "-1", argv.attempt_dir(attempt.id)), sudo=True))
    return {f"armed-{CONTACT}", f"armed-{HEALTH}", *_MOVED_TO}.intersection(listed.stdout.split())


async def start_once(remote: Remote, start: argv.Argv, unit: str) -> None:
    """Start a unit unless an earlier process of this attempt has."""
    started = received(await remote.try_write(start))
    if not started.ok and properties_in(await remote.read(argv.unit_state(unit))).get("LoadState") != "loaded":
        must(started)


async def stop(remote: Remote, *units: str) -> None:
    """Stop units that have nothing to do any more; one that failed has said all that it could."""
    for command in stopping(*units):
        received(await remote.try_write(command, show_output=False))


def stopping(*units: str) -> tuple[argv.Argv, argv.Argv]:
    """Stop units, and forget how they ended."""
    return words.stop_unit(*units), words.forget_failure(*units)

"""The commands of an activation that goes well, in order, for `--check`; tests/story holds them to what is really sent."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.engine.step import Commands
from pvenix.lifecycle import argv
from pvenix.lifecycle.activation import deadman, fence, preparing, words
from pvenix.lifecycle.activation.attempt import Attempt
from pvenix.lifecycle.activation.deadman import CONFIRMED, CONTACT, HEALTH
from pvenix.lifecycle.activation.prune import NOTHING, Prunable
from pvenix.lifecycle.remote import as_text
from pvenix.model.site import HealthCheck


def activation(
    attempt: Attempt, checks: Sequence[HealthCheck], make_default: Sequence[argv.Argv], left: Prunable = NOTHING
) -> Commands:
    """What would be sent to activate `attempt.new`, confirm it, make it the boot default by `make_default`, and prune."""
    folder, roots = preparing.rooting(attempt)
    begun = (folder, *roots, *preparing.asking(attempt), *fence.taking(attempt.id))
    armed = (argv.write_file(words.token(attempt.id, CONTACT)), deadman.arming(attempt, CONTACT))
    started = words.activate(attempt.id, attempt.new, "test")
    ended = (*deadman.stopping(*deadman.all_units(attempt)), fence.giving_back(attempt.id))
    sent = (*begun, *armed, started, *_confirming(attempt, checks), *make_default, *ended, *left.commands())
    return tuple(("ssh", as_text(command, sudo=True)) for command in sent)


def staging(attempt: Attempt, make_default: Sequence[argv.Argv], left: Prunable) -> Commands:
    """What would be sent to make `attempt.new` the boot default and nothing else."""
    folder, roots = preparing.rooting(attempt)
    ended = (*deadman.stopping(*deadman.all_units(attempt)), fence.giving_back(attempt.id))
    sent = (folder, *roots, *fence.taking(attempt.id), *make_default, *ended, *left.commands())
    return tuple(("ssh", as_text(command, sudo=True)) for command in sent)


def _confirming(attempt: Attempt, checks: Sequence[HealthCheck]) -> tuple[argv.Argv, ...]:
    stopped = deadman.stopping(*deadman.dead_men(attempt))
    taken = words.take_token(attempt.id, HEALTH, CONFIRMED)
    if not checks:
        return taken, words.take_token(attempt.id, CONTACT, CONFIRMED), *stopped
    return (
        deadman.arming(attempt, HEALTH, checks),
        words.take_token(attempt.id, CONTACT, f"armed-{HEALTH}"),
        *deadman.stopping(words.dead_man_unit(attempt.id, CONTACT)),
        taken,
        *stopped,
    )

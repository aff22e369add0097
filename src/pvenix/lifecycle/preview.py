"""The commands of an activation that goes well, in order, for `--check`; tests/story holds them to what is really sent."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.engine.step import Commands
from pvenix.lifecycle import argv, deadman, fence
from pvenix.lifecycle.attempt import Attempt
from pvenix.lifecycle.deadman import CONFIRMED, CONTACT, HEALTH
from pvenix.lifecycle.remote import as_text
from pvenix.model.site import HealthCheck


def activation(attempt: Attempt, checks: Sequence[HealthCheck], make_default: Sequence[argv.Argv]) -> Commands:
    """What would be sent to activate `attempt.new`, confirm it and make it the boot default by `make_default`."""
    sent = [*_prepare(attempt), *_launch(attempt), *_confirm(attempt, checks), *make_default, *_clean_up(attempt)]
    return tuple(("ssh", as_text(command, sudo=True)) for command in sent)


def _prepare(attempt: Attempt) -> list[argv.Argv]:
    folder = argv.attempt_dir(attempt.id)
    roots = (("old", attempt.old), ("profile", attempt.profile), ("new", attempt.new))
    return [
        argv.make_dir(folder),
        *(argv.root(path, f"{folder}/{link}") for link, path in roots),
        argv.switch_to(attempt.new, "check"),
        argv.switch_to(attempt.new, "dry-activate"),
    ]


def _launch(attempt: Attempt) -> list[argv.Argv]:
    return [
        *fence.taking(attempt.id),
        argv.write_file(argv.token(attempt.id, CONTACT)),
        _arm(attempt, CONTACT, attempt.confirm_s),
        argv.activate(attempt.id, attempt.new, "test"),
    ]


def _confirm(attempt: Attempt, checks: Sequence[HealthCheck]) -> list[argv.Argv]:
    if not checks:
        taken = [argv.take_token(attempt.id, HEALTH, CONFIRMED), argv.take_token(attempt.id, CONTACT, CONFIRMED)]
        return [*taken, *_stop(*deadman.dead_men(attempt))]
    contact = argv.dead_man_unit(attempt.id, CONTACT)
    return [
        _arm(attempt, HEALTH, max(check.within_s for check in checks) + attempt.confirm_s),
        argv.take_token(attempt.id, CONTACT, f"armed-{HEALTH}"),
        *_stop(contact),
        argv.take_token(attempt.id, HEALTH, CONFIRMED),
        *_stop(*deadman.dead_men(attempt)),
    ]


def _clean_up(attempt: Attempt) -> list[argv.Argv]:
    units = (argv.activation_unit(attempt.id), argv.revert_unit(attempt.id), *deadman.dead_men(attempt))
    return [*_stop(*units), fence.giving_back(attempt.id)]


def _arm(attempt: Attempt, phase: str, after_s: int) -> argv.Argv:
    return argv.arm_dead_man(attempt.id, phase, old=attempt.old, profile=attempt.profile, after_s=after_s)


def _stop(*units: str) -> list[argv.Argv]:
    return [argv.stop_unit(*units), argv.forget_failure(*units)]

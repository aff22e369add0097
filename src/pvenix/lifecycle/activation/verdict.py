"""What the exit status of an activation means, and what follows from it; no I/O.

Source of the statuses: nixpkgs' switch-to-configuration-ng (src/main.rs), the Perl version for 3, and systemd.exec(5)
for those of a unit that systemd could not start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pvenix.model.site import OnFailure


class Next(StrEnum):
    """What follows from the end of an activation."""

    CONFIRM = "confirm"
    POLICY = "policy"
    """Units failed: the host's policy decides."""
    GO_BACK = "go back"
    AS_IT_WAS = "as it was"
    """Nothing was activated; it has only to be seen that this is so."""
    REBOOT = "reboot"
    """Nothing was activated, and only a reboot can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an exit status says."""

    next: Next
    what: str
    advice: str = ""


_LOG = "what was in the way stands in the log"
_BY_STATUS = {
    0: Verdict(next=Next.CONFIRM, what="the activation is done"),
    1: Verdict(
        next=Next.AS_IT_WAS,
        what="the new system refused to be activated",
        advice=f"{_LOG}: one of its checks, or another activation that was at work",
    ),
    2: Verdict(
        next=Next.GO_BACK,
        what="the activation failed half-way: its script, or the new start of systemd",
        advice=f"{_LOG}; mend it in the configuration before the next rebuild",
    ),
    3: Verdict(
        next=Next.GO_BACK,
        what="the activation failed: systemd did not reload its units",
        advice="if it happens again, reboot the host",
    ),
    4: Verdict(next=Next.POLICY, what="units failed", advice="systemctl --failed on the host"),
    100: Verdict(
        next=Next.REBOOT,
        what="only a reboot can activate the new system: its init does not fit the running one",
    ),
}
_NOT_STARTED = range(200, 246)
"""What systemd reports for a program that it could not start, such as 203/EXEC and 209/STDOUT."""


def verdict(status: int | None) -> Verdict:
    """What `status` says; None is a unit that was killed, stopped, or is gone.

    A connection's own 255 never arrives here, as the status is read from the unit; a unit's 255 names no case of its own.
    """
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status in _NOT_STARTED:
        return Verdict(
            next=Next.AS_IT_WAS,
            what=f"systemd could not start the activation (status {status}, see systemd.exec(5))",
            advice="is the disk of the host full?",
        )
    ended = "it was stopped or killed" if status is None else f"it ended with status {status}"
    return Verdict(
        next=Next.GO_BACK,
        what=f"how far the activation came is not known: {ended}",
        advice="look at the host's journal",
    )


def against_units(
    policy: OnFailure, *, failed: Sequence[str], before: Sequence[str], status: int | None
) -> tuple[str, str]:
    """Why to go back for failed units, and what to tell of those that are kept; either may be empty.

    `failed` and `before` are the failed units now and before the activation. A status of 4 that no failed unit explains, as
    of one that systemd starts again and again, counts as a new failure.
    """
    new = sorted(set(failed) - set(before))
    old = sorted(set(failed) & set(before))
    if not new and status == 4 and not old:
        new = ["one that is not failed any more, or starts again and again"]
    fatal = {OnFailure.KEEP: [], OnFailure.ROLLBACK: new, OnFailure.STRICT: [*new, *old]}[policy]
    if fatal:
        return f"units failed: {', '.join(fatal)}", ""
    kept = [*([f"units failed and were kept: {', '.join(new)}"] if new else [])]
    kept += [f"had failed before and still do: {', '.join(old)}"] if old else []
    return "", "; ".join(kept)

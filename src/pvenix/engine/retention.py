"""How long runs are kept: the newest ones by number, and all by age; what has an open end stays in any case."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pvenix.engine.abandoned import abandoned
from pvenix.engine.audit import AuditLog
from pvenix.engine.audittrail import complete_run
from pvenix.engine.finishing import ends_of
from pvenix.engine.readonly import refuse
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.errors import LocalResource, LockHeld, ReadOnly, UsageError
from pvenix.model.outcome import Status

KEEP: Final = "PVENIX_RUNS_KEEP"
OLDER_THAN: Final = "PVENIX_RUNS_OLDER_THAN"
_DAYS: Final = re.compile(r"([0-9]{1,5})d?")
_OPEN: Final = (Status.UNKNOWN, Status.WAITING, Status.UNREACHABLE)
"""Ends after which something may still be found or awaited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """A run goes when it is neither among the newest nor young."""

    keep: int = 200
    """The newest runs that stay whatever their age."""
    days: int = 90
    """Runs of the last days that stay whatever their number."""


def retention(environment: Mapping[str, str], *, keep: int | None = None, older_than: str = "") -> Retention:
    """What this machine's environment says, or is said instead.

    Raises: UsageError for a value that is no number.
    """
    default = Retention()
    number = str(keep) if keep is not None else environment.get(KEEP, str(default.keep))
    age = older_than or environment.get(OLDER_THAN, f"{default.days}d")
    days = _DAYS.fullmatch(age)
    if not number.isdecimal() or days is None:
        wrong = f"{OLDER_THAN}={age}" if number.isdecimal() else f"{KEEP}={number}"
        raise UsageError(f"{wrong[:80]} is no number", hint=f"as in {KEEP}=200 {OLDER_THAN}=90d")
    return Retention(keep=int(number), days=int(days[1]))


def prunable(runs: RunStore, policy: Retention, *, now: datetime) -> tuple[RunDir, ...]:
    """The runs that the policy lets go, oldest first; never one that is at work, not finished, or has an open end."""
    everything = runs.newest(limit=1_000_000)
    limit = f"{now.astimezone(UTC) - timedelta(days=policy.days):%Y%m%d-%H%M%S}"
    old = [run for run in everything[policy.keep :] if run.run < limit]
    return tuple(run for run in reversed(old) if not _is_open(run))


def prune(runs: RunStore, policy: Retention, log: AuditLog, *, now: datetime) -> tuple[str, ...]:
    """Throw away what the policy lets go; the ids of the runs that went.

    Raises: LocalResource when a run's lines cannot be added to the audit log, ReadOnly where nothing may be changed.
    """
    if runs.read_only:
        refuse("throw runs away")
    gone = []
    for run in prunable(runs, policy, now=now):
        with contextlib.suppress(LockHeld, OSError), run.locked():
            if _is_open(run, locked=True):
                continue
            complete_run(log, run)
            hidden = run.path.with_name(f".pruned-{run.run}")
            run.path.rename(hidden)  # from now on it is no run, also when this process dies half-way
            shutil.rmtree(hidden, ignore_errors=True)
            gone.append(str(run.run))
    for path in runs.root.glob(".pruned-*"):
        shutil.rmtree(path, ignore_errors=True)
    return tuple(gone)


def prune_by_environment(runs: RunStore, log: AuditLog) -> None:
    """Prune at the start of a run, as far as that goes: a run does not fail because an old one stays."""
    with contextlib.suppress(UsageError, LocalResource, ReadOnly, OSError):
        prune(runs, retention(os.environ), log, now=datetime.now(UTC))


def _is_open(run: RunDir, *, locked: bool = False) -> bool:
    try:
        mark = abandoned(run.path)
        if mark is not None:
            return mark.open
        ends = ends_of(run)
        if run.plan().check:
            return run.alive() and not locked
    except LocalResource:
        return True  # nobody knows what it has left
    at_work = not locked and run.alive()
    return at_work or not ends.over or any(status in _OPEN for status in ends.hosts.values())

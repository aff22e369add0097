"""What the runs of this machine were about to make and did not end well with, from their journals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pvenix.engine.journal import read_entries
from pvenix.engine.runfiles import RunDir, RunStore
from pvenix.model.errors import LocalResource
from pvenix.model.outcome import Status

_MAKING: Final = frozenset({"clone", "create"})
_RUNS: Final = 200
"""How many of the newest runs are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Who was about to use a VM id."""

    run: str
    host: str


def unfinished(runs: RunStore) -> dict[int, Made]:
    """The VM ids that runs of this machine were about to use, by id, unless that run or a newer one ended well with it."""
    found: dict[int, Made] = {}
    settled: set[int] = set()
    for run in runs.newest(limit=_RUNS):
        begun, ended = _begun(run)
        settled |= ended
        for vmid, host in begun.items():
            if vmid not in settled:
                found.setdefault(vmid, Made(run=str(run.run), host=host))
    return found


def _begun(run: RunDir) -> tuple[dict[int, str], set[int]]:
    """By id the hosts that a run which nobody executes now was about to make a VM for, and the ids that it made one of."""
    begun: dict[tuple[str, str], int] = {}
    ended: set[int] = set()
    try:
        entries = () if run.alive() else read_entries(run.journal_path)
    except LocalResource:
        entries = ()  # a damaged journal tells nothing
    for entry in entries:
        if entry.step.rpartition(".")[2] not in _MAKING:
            continue
        key, vmid = (entry.host, entry.step), entry.data.get("vmid", entry.data.get("fact.vmid", ""))
        if entry.what == "intent" and vmid.isdigit():
            begun[key] = int(vmid)
        elif entry.what == "result" and Status(entry.data["status"]).goes_on:
            ended |= {begun.pop(key)} if key in begun else set()
            ended |= {int(vmid)} if vmid.isdigit() else set()
    return {vmid: host for (host, _), vmid in begun.items()}, ended

"""The five seams through which a run touches the world: Pve, Guest, Repo, Journal, Clock.

Every implementation passes the suite in tests/contract. Errors are those of `pvenix.model.errors`; an
effect whose answer was lost raises OutcomeUnknown, and its caller reads before it judges.
"""

from __future__ import annotations

from pvenix.engine.ports.guest import (
    KEY_CHANGED,
    KEY_REFUSED,
    CommandResult,
    End,
    Guest,
    GuestSession,
    Target,
    bytes_in,
)
from pvenix.engine.ports.output import OutputSink
from pvenix.engine.ports.pve import AgentPort, ClusterPort, Pve, VmPort
from pvenix.engine.ports.pve_values import (
    AgentResult,
    BackupJob,
    Interface,
    MigrationCheck,
    NewVm,
    NodeState,
    Quorum,
    ReplicationJob,
    Resources,
    StorageState,
    TaskResult,
    TaskState,
    VmConfig,
    VmPending,
    VmPower,
    VmSnapshot,
    VmState,
    Volume,
)
from pvenix.engine.ports.record import Clock, Entry, Journal
from pvenix.engine.ports.repo import Branch, Clash, Commit, FileChange, Repo

__all__ = [
    "KEY_CHANGED",
    "KEY_REFUSED",
    "AgentPort",
    "AgentResult",
    "BackupJob",
    "Branch",
    "Clash",
    "Clock",
    "ClusterPort",
    "CommandResult",
    "Commit",
    "End",
    "Entry",
    "FileChange",
    "Guest",
    "GuestSession",
    "Interface",
    "Journal",
    "MigrationCheck",
    "NewVm",
    "NodeState",
    "OutputSink",
    "Pve",
    "Quorum",
    "ReplicationJob",
    "Repo",
    "Resources",
    "StorageState",
    "Target",
    "TaskResult",
    "TaskState",
    "VmConfig",
    "VmPending",
    "VmPort",
    "VmPower",
    "VmSnapshot",
    "VmState",
    "Volume",
    "bytes_in",
]

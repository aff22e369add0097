"""What is looked at closely on one host: its units, what its cloud-init drive is told, its VM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PRIORITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""syslog's levels, worst first, as `journalctl --priority` names them (journalctl(1))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit as systemd lists it."""

    name: str
    load: str
    active: str
    """`active`, `failed`, `inactive`, `activating`, …"""
    sub: str
    """The state that its type has below that, such as `running` or `exited`."""
    description: str

    @property
    def failed(self) -> bool:
        """True when it failed."""
        return self.active == "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitList:
    """The units of a host, failed ones first."""

    units: tuple[Unit, ...]
    more: int = 0
    """How many more there are that are not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLook:
    """One unit closely."""

    name: str
    status: str
    """What `systemctl status` prints."""
    journal: str
    """Its last lines of the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudInitKey:
    """One option of the VM's cloud-init drive."""

    key: str
    value: str
    """As Proxmox has it; empty when it has none. Passwords are asterisks."""
    wanted: str = ""
    """What the inventory declares instead, empty where it declares this or nothing."""
    where: str = ""
    """`file:line:column` of what it declares, empty for nothing and for a default."""
    waiting: bool = False
    """True when the running guest has not been told this value yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudInitLook:
    """What a VM's cloud-init drive is told."""

    keys: tuple[CloudInitKey, ...]
    files: Mapping[str, str]
    """The text of `user`, `network` and `meta` as they would be generated now, passwords masked."""
    problem: str = ""
    """Why the files are not known, such as a VM without such a drive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmTask:
    """A task of Proxmox on the VM."""

    upid: str
    kind: str
    user: str
    began_at: int
    """Seconds since 1970."""
    state: str
    """`running`, or how it ended: `OK` or the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmBackup:
    """A backup of the VM."""

    id: str
    """`storage:path`."""
    made_at: int
    """Seconds since 1970."""
    size: int
    """Bytes."""
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmTaken:
    """A snapshot of the VM."""

    name: str
    parent: str
    taken_at: int
    """Seconds since 1970."""
    memory: bool
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmLook:
    """A host's VM as Proxmox has it; a part that could not be read is empty and stands in `problems`."""

    vmid: int
    """0 when the host has no VM."""
    node: str = ""
    status: str = ""
    uptime_s: int = 0
    cpu: float = 0.0
    """Of all its cores, from 0 to 1."""
    cpus: int = 0
    memory: int = 0
    """Bytes in use."""
    memory_max: int = 0
    agent: bool = False
    """Whether the VM's options say that it has a guest agent."""
    agent_answers: bool | None = None
    """Whether that answers; None when nobody could ask it."""
    lock: str = ""
    ha: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    """In effect; passwords are asterisks."""
    waiting: Mapping[str, str] = field(default_factory=dict)
    """What waits for the next cold start; an empty value will be deleted."""
    snapshots: tuple[VmTaken, ...] = ()
    backups: tuple[VmBackup, ...] = ()
    """Newest first."""
    tasks: tuple[VmTask, ...] = ()
    """Newest first."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareText:
    """A host's hardware file, committed and as its generator writes it now."""

    path: str
    commit: str
    """The commit that the first one is of."""
    committed: str = ""
    """Empty when that commit has none."""
    now: str = ""
    diff: str = ""
    """Unified; empty when both are the same."""
    odd: tuple[str, ...] = ()
    """What in the present one is not of the generator's making, a line each."""
    problem: str = ""
    """Why the present one could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The last step that changed what a host runs, by the audit log of this machine."""

    verb: str
    at: str
    """UTC, ISO 8601."""
    by: str
    outcome: str
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCard:
    """What is known of a host on this machine, without asking anybody."""

    file: str
    """Where it is listed, relative to the fleet's root."""
    line: int
    template: str
    install: str
    key: str
    """The fingerprint of the pinned host key, empty when none is pinned."""
    shared_key: bool
    """True when the fleet pins it for everybody."""
    own_file: str
    """The host's own file in this checkout to edit: its variables where there are any, else where it is listed."""
    deployed: Deployed | None = None

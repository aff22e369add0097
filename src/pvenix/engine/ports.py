"""The five seams through which a run touches the world: Pve, Guest, Repo, Journal, Clock.

Every implementation passes the suite in tests/contract. Errors are those of `pvenix.model.errors`; an
effect whose answer was lost raises OutcomeUnknown, and its caller reads before it judges.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pvenix.model.names import CommitId, NodeName, Vmid

OutputSink = Callable[[str], None]
"""Takes sanitised text of any length, not split into lines."""


# --- Proxmox ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A Proxmox server."""

    name: NodeName
    online: bool
    memory_total: int
    """Bytes."""
    memory_used: int
    cpus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VmState:
    """A VM as the cluster lists it; the list may lag by ten seconds, so decisions read `Pve.config`."""

    vmid: Vmid
    node: NodeName
    name: str
    status: str
    """`running`, `stopped` or `unknown`."""
    template: bool
    tags: tuple[str, ...]
    memory_max: int
    """Bytes."""
    lock: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageState:
    """A storage on a node."""

    name: str
    node: NodeName
    shared: bool
    active: bool
    content: tuple[str, ...]
    available: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmConfig:
    """A VM's configuration with every value as text, as Proxmox mixes types."""

    values: Mapping[str, str]
    digest: str

    @property
    def uuid(self) -> str:
        """The smbios uuid, the VM's identity; empty when there is none."""
        for part in self.values.get("smbios1", "").split(","):
            key, _, value = part.partition("=")
            if key == "uuid":
                return value.lower()
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVm:
    """What a clone of a template is to be."""

    vmid: Vmid
    name: str
    description: str
    target: NodeName | None = None
    """Another node than the template's."""
    full: bool = False
    """Copy the disks instead of linking them to the template's."""
    storage: str | None = None
    """For full clones only."""
    pool: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """A finished Proxmox task."""

    upid: str
    ok: bool
    exit_text: str
    """`OK`, `WARNINGS: n` or the error."""
    log: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface as the guest agent reports it."""

    name: str
    mac: str
    """Lower case."""
    addresses: tuple[str, ...]
    """`IP/prefix`."""


class Pve(Protocol):
    """One Proxmox cluster. Methods that return a UPID start a task; `wait` sees it end."""

    async def version(self) -> str:
        """The product version, such as `8.4.5`."""
        ...

    async def nodes(self) -> tuple[NodeState, ...]:
        """Every node of the cluster."""
        ...

    async def vms(self) -> tuple[VmState, ...]:
        """Every VM of the cluster, templates included."""
        ...

    async def storages(self, node: NodeName) -> tuple[StorageState, ...]:
        """The storages that `node` can use."""
        ...

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        """Privileges of the token by path; an empty mapping means that it has none."""
        ...

    async def pci_mappings(self) -> Mapping[str, frozenset[NodeName]]:
        """The nodes that have each mapped PCI device, as far as the token may see the mappings."""
        ...

    async def config(self, node: NodeName, vmid: Vmid) -> VmConfig | None:
        """The VM's configuration, None when there is no such VM on that node."""
        ...

    async def pending(self, node: NodeName, vmid: Vmid) -> Mapping[str, str]:
        """Values written but not yet in effect."""
        ...

    async def status(self, node: NodeName, vmid: Vmid) -> str:
        """`running` or `stopped`, read from the node itself."""
        ...

    async def clone(self, node: NodeName, template: Vmid, new: NewVm) -> str:
        """Start a clone; returns its UPID.

        Raises: RemoteFailure with code PVX0511 when the VM id is taken.
        """
        ...

    async def set_config(
        self, node: NodeName, vmid: Vmid, values: Mapping[str, str], *, delete: Sequence[str] = (), digest: str = ""
    ) -> None:
        """Write values and delete keys; `digest` refuses when somebody wrote in between."""
        ...

    async def resize(self, node: NodeName, vmid: Vmid, disk: str, gib: int) -> str:
        """Grow `disk` to `gib` GiB in all; returns a UPID."""
        ...

    async def regenerate_cloudinit(self, node: NodeName, vmid: Vmid) -> None:
        """Write the cloud-init drive anew; a start does so by itself."""
        ...

    async def start(self, node: NodeName, vmid: Vmid) -> str:
        """Start the VM; returns a UPID."""
        ...

    async def stop(self, node: NodeName, vmid: Vmid) -> str:
        """Cut the VM's power; returns a UPID."""
        ...

    async def shutdown(self, node: NodeName, vmid: Vmid) -> str:
        """Ask the guest to power off; returns a UPID."""
        ...

    async def reset(self, node: NodeName, vmid: Vmid) -> str:
        """Press the reset button; returns a UPID."""
        ...

    async def destroy(self, node: NodeName, vmid: Vmid) -> str:
        """Destroy the stopped VM with its disks; returns a UPID."""
        ...

    async def tasks_of(self, node: NodeName, vmid: Vmid) -> tuple[str, ...]:
        """UPIDs of recent tasks whose id is `vmid`, newest first."""
        ...

    async def wait(self, upid: str, *, timeout_s: float, on_line: OutputSink) -> TaskResult:
        """The end of a task; survives failed polls.

        Raises: OutcomeUnknown when `timeout_s` passes or the task can no longer be read.
        """
        ...

    async def agent_ping(self, node: NodeName, vmid: Vmid) -> bool:
        """True when the guest agent answers."""
        ...

    async def agent_interfaces(self, node: NodeName, vmid: Vmid) -> tuple[Interface, ...]:
        """The guest's network interfaces, loopback and bridges included."""
        ...

    async def agent_read_file(self, node: NodeName, vmid: Vmid, path: str) -> str | None:
        """The file's text, None when there is no such file."""
        ...

    async def close(self) -> None:
        """End every connection."""
        ...


# --- Guests ----------------------------------------------------------------------------------------------------------


class End(StrEnum):
    """How a remote command ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    LOST = "lost"
    """The connection went away first: nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """The end of a remote command; `exit_status` says something only when `end` is EXITED."""

    argv: tuple[str, ...]
    end: End
    exit_status: int
    stdout: str
    """Decoded, unsanitised, at most the limit asked for."""
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """True only for an exit status of 0 that was received."""
        return self.end is End.EXITED and self.exit_status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a guest is and who it must prove to be."""

    host: str
    address: str
    port: int
    user: str
    host_key: str
    """The pinned public key, `ssh-ed25519 AAAA…`."""
    key_file: str
    jump: Target | None = None


class GuestSession(Protocol):
    """One authenticated connection to a guest; commands on it run in parallel channels."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        sudo: bool = False,
        stdin: bytes = b"",
        timeout_s: float = 60.0,
        on_output: OutputSink | None = None,
        limit: int = 1 << 20,
    ) -> CommandResult:
        """Run one command; never raises for its exit status or a lost connection.

        `on_output` receives both streams as they come, sanitised. `limit` bounds what is kept of each stream.
        Raises: OutcomeUnknown when `timeout_s` passes.
        """
        ...

    def stream(self, argv: Sequence[str], *, sudo: bool = False) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Chunks of a command's standard output, raw; leaving the context ends the command."""
        ...

    @property
    def alive(self) -> bool:
        """False once the connection is known to be gone."""
        ...


class Guest(Protocol):
    """Connections to guests."""

    async def session(self, target: Target) -> GuestSession:
        """The run's one connection to `target`, opened at first use or after it died.

        Raises: Unreachable, Refused (host key, authentication).
        """
        ...

    async def fresh_session(self, target: Target) -> GuestSession:
        """A new connection, whatever is open; the caller's proof that the host can be reached. Replaces the held one.

        Raises: Unreachable, Refused.
        """
        ...

    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        """Seconds until `target` answered on its SSH port, None when it did not."""
        ...

    async def close(self) -> None:
        """End every connection."""
        ...


# --- The fleet's repository ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit as listings show it."""

    id: CommitId
    author: str
    at: str
    """UTC, ISO 8601."""
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch of the remote against the main branch."""

    name: str
    tip: Commit
    ahead: int
    behind: int
    paths: tuple[str, ...]
    """Paths that differ between the merge base and the tip."""
    mergeable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file of a diff; `old` or `new` is None where the file does not exist."""

    path: str
    old: str | None
    new: str | None
    mode: str = "100644"
    """Of the new side: `100644`, `100755`, `120000` (symlink), `160000` (submodule)."""
    binary: bool = False


class Repo(Protocol):
    """The fleet's repository: a mirror of the remote that pvenix owns."""

    async def fetch(self) -> CommitId:
        """Bring the mirror up to date; returns the tip of the main branch.

        Raises: Unreachable, Refused.
        """
        ...

    async def main(self) -> CommitId:
        """The tip of the main branch as last fetched; fetches when there is no mirror yet."""
        ...

    async def branches(self, prefix: str = "") -> tuple[Branch, ...]:
        """Branches of the remote whose names start with `prefix`, as last fetched."""
        ...

    async def tip(self, branch: str) -> CommitId | None:
        """The commit of a branch as last fetched, None when there is no such branch."""
        ...

    async def log(self, rev: str, *, limit: int = 50, path: str = "") -> tuple[Commit, ...]:
        """Commits up to `rev`, newest first; with `path` only those that touch it."""
        ...

    async def read(self, rev: str, path: str) -> str | None:
        """The file's text at `rev`, None when it is not there."""
        ...

    async def files(self, rev: str, path: str = "") -> tuple[str, ...]:
        """Paths of the files below `path` at `rev`."""
        ...

    async def diff(self, base: str, rev: str) -> tuple[FileChange, ...]:
        """What `rev` changes against the merge base of `base` and `rev`."""
        ...

    async def contains(self, descendant: str, ancestor: str) -> bool:
        """True when `ancestor` is `descendant` or one of its ancestors."""
        ...

    async def commit(
        self, branch: str, base: str, files: Mapping[str, str | None], *, message: str, author: str = ""
    ) -> CommitId:
        """Commit `files` (None deletes) on top of `base` and push it to `branch`; returns the pushed commit.

        Pushes only when the remote branch is still at `base`'s tip or does not exist (compare and swap); a branch
        that already has exactly this content is left alone and its tip returned.
        Raises: RemoteFailure with code PVX0701 when the branch moved, Refused when the remote forbids it.
        """
        ...

    async def merge(self, commit: CommitId, *, into: str, message: str) -> CommitId:
        """Merge exactly `commit` into `into` and push by compare and swap; returns the new tip.

        Raises: RemoteFailure with code PVX0701 when `into` moved too often, PVX0702 on a conflict; Refused.
        """
        ...

    async def push_ref(self, ref: str, commit: CommitId | None, *, expect: CommitId | None) -> None:
        """Set or delete (`commit` None) one remote ref if it still is at `expect`."""
        ...

    async def notes(self, namespace: str) -> Mapping[CommitId, str]:
        """Notes of `refs/notes/<namespace>` by commit."""
        ...

    async def add_note(self, namespace: str, commit: CommitId, text: str) -> None:
        """Append `text` to the commit's note and push it."""
        ...

    async def bundle(self, commit: CommitId, *, have: CommitId | None) -> bytes:
        """A bundle with the main branch at `commit`, without what `have` already has."""
        ...

    async def close(self) -> None:
        """End the processes that reads keep open."""
        ...


# --- Journal and clock -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a run's journal."""

    seq: int
    host: str
    step: str
    what: str
    """`intent`, `evidence` or `result`."""
    data: Mapping[str, str] = field(default_factory=dict)


class Journal(Protocol):
    """The durable record of a run: intent before an effect, evidence as soon as known, result after."""

    async def intent(self, host: str, step: str, **data: str) -> None:
        """Durable when it returns.

        Raises: LocalResource when the disk does not take it; the effect must not happen then.
        """
        ...

    def evidence(self, host: str, step: str, **data: str) -> None:
        """Recorded soon, not awaited."""
        ...

    async def result(self, host: str, step: str, **data: str) -> None:
        """Durable when it returns.

        Raises: LocalResource when the disk does not take it.
        """
        ...

    def entries(self) -> tuple[Entry, ...]:
        """Every row in the order of writing."""
        ...


class Clock(Protocol):
    """Time as the engine sees it."""

    def monotonic(self) -> float:
        """Seconds from some start; never goes back."""
        ...

    def utc(self) -> str:
        """Now, UTC, ISO 8601 with milliseconds and `Z`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

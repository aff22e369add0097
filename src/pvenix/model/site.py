"""The site: Proxmox clusters, templates, zones, classes, roles, and how guests are reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pvenix.model.secretref import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a cluster's certificate is verified; exactly one field is set, and there is no way to switch it off."""

    ca: Path | None = None
    fingerprint: str = ""
    """SHA-256, upper case, colons."""
    system: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """An API token, or a user who logs in with a password."""

    token_id: str = ""
    """`user@realm!name`; empty for a user."""
    token_secret: SecretRef | None = None
    """Set with `token_id`."""
    username: str = ""
    """`user@realm`; empty for a token."""
    password: SecretRef | None = None
    """None is asked for on the terminal, at each login."""

    @property
    def id(self) -> str:
        """Who is logged in, as Proxmox names it."""
        return self.token_id or self.username


@dataclass(frozen=True, slots=True, kw_only=True)
class VmidPolicy:
    """Which VM ids a cluster's new guests get."""

    ranges: tuple[tuple[int, int], ...] = ((200, 999),)
    """First and last id of each range; an earlier range is used up before the next one is begun."""
    step: int = 1
    """From the first id of each range."""
    reserve: tuple[int, ...] = ()
    """Ids outside the range that a host may name, and inside it that none is given."""

    def allows(self, vmid: int) -> bool:
        """True when a host of the inventory may have this id."""
        return any(first <= vmid <= last for first, last in self.ranges) or vmid in self.reserve

    def ids(self) -> Iterator[int]:
        """The ids for new guests, in the order in which they are given."""
        for first, last in self.ranges:
            yield from (vmid for vmid in range(first, last + 1, self.step) if vmid not in self.reserve)

    @property
    def shown(self) -> str:
        """The ranges in words, such as `200 to 499`."""
        return ", ".join(f"{first} to {last}" for first, last in self.ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How full nodes and storages may become."""

    memory_ratio: float = 1.0
    cpu_ratio: float = 4.0
    host_reserve_mib: int = 2048
    """Memory of each node that no guest gets."""
    storage_headroom_percent: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much work a cluster is given at once."""

    tasks_per_node: int = 4
    clones_per_storage: int = 2
    transfers_per_node: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Proxmox cluster, or a single node."""

    name: str
    endpoints: tuple[str, ...]
    """`https://host:8006`, tried in order."""
    tls: Tls
    auth: Auth
    vmid: VmidPolicy = field(default_factory=VmidPolicy)
    storage: Mapping[str, str] = field(default_factory=dict)
    """Purpose to storage name; `default` holds the root disks, `backup` the backups before something is destroyed."""
    capacity: Capacity = field(default_factory=Capacity)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A VM template that hosts are cloned from."""

    name: str
    cluster: str
    vmid: int
    storage: str = ""
    bios: str = "ovmf"
    machine: str = "q35"
    agent: bool = True
    cloudinit: bool = True
    replicas: Mapping[str, int] = field(default_factory=dict)
    """VM ids of the same template on other nodes, by node: a clone there needs no copy over the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A network segment."""

    name: str
    bridge: str
    vlan: int = 0
    """0 is untagged."""
    cidr: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    state: str = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeClass:
    """A VM size; a host may say otherwise field by field."""

    name: str
    cores: int
    memory_mib: int
    disk_mib: int
    display: str = ""


class HealthKind(StrEnum):
    """What a health check looks at."""

    SYSTEMD = "systemd"
    TCP = "tcp"
    COMMAND = "command"
    HTTP = "http"
    DNS = "dns"


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """One thing that must hold after an activation; the fields of its kind are set."""

    kind: HealthKind
    unit: str = ""
    """For systemd: the unit that must be active."""
    port: int = 0
    """For tcp: the port that must accept on the guest's address."""
    argv: tuple[str, ...] = ()
    """For command: must exit 0 on the guest."""
    url: str = ""
    """For http: must answer 2xx; `{address}` stands for the guest's address."""
    name: str = ""
    """For dns: the name that must resolve."""
    server: str = ""
    """For dns: the server asked, empty for the guest itself."""
    within_s: int = 60
    """The check is repeated until it holds, at most this long."""

    @property
    def title(self) -> str:
        """The check in a few words."""
        shown = self.unit or self.url or self.name or " ".join(self.argv) or str(self.port)
        return f"{self.kind} {shown}"


class OnFailure(StrEnum):
    """What a failed unit or health check does to an update, from the mildest to the strictest."""

    KEEP = "keep"
    """Failed units are told and kept; a check that held before and does not now still goes back."""
    ROLLBACK = "rollback"
    """What newly fails goes back; what failed before is told."""
    STRICT = "strict"
    """Whatever fails goes back, also what failed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a role asks of its host."""

    pci: int = 0
    """Number of mapped devices."""
    memory_mib: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """NixOS modules with what they need and how their health is seen."""

    name: str
    modules: tuple[str, ...] = ()
    """Files in nix/modules without `.nix`."""
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    needs: Needs = field(default_factory=Needs)
    after: tuple[str, ...] = ()
    """Roles whose hosts go first."""
    health: tuple[HealthCheck, ...] = ()
    on_failure: OnFailure | None = None
    """None has no say in it."""
    approve: tuple[str, ...] = ()
    """What a person is asked about first: units that an activation would touch, `reboot`, or `always`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """An SSH jump host."""

    host: str
    user: str
    port: int = 22
    host_key: str = ""
    """A public key line, `ssh-ed25519 AAAA…`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How guests are reached."""

    user: str = "tappaas"
    port: int = 22
    key: Path | None = None
    """The private key file."""
    jump: Jump | None = None
    """None is direct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The one true copy of the fleet."""

    url: str
    branch: str = "main"
    key: Path | None = None
    host_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What inventory/site.yaml says, paths made absolute."""

    name: str
    domain: str = "internal"
    timezone: str = "UTC"
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    zones: Mapping[str, Zone] = field(default_factory=dict)
    classes: Mapping[str, SizeClass] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    access: Access = field(default_factory=Access)
    repository: Repository | None = None

"""What may stand under `machine:`; a checked map becomes the values of `pvenix.model.host`.

Each map lists its keys by the model's field names, with the spelling in files as alias; absent keys are left to
the model's defaults. Imported only when a fleet is loaded.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required, cast

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter
from typing_extensions import TypedDict

from pvenix.fleet import fields as f
from pvenix.fleet.update_schema import NixMap, UpdateMap
from pvenix.model import host, update


class DiskMap(TypedDict, total=False):
    """One of `proxmox.disks`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    slot: Required[f.Slot]
    size_mib: Required[Annotated[f.Size, Field(alias="size")]]
    storage: f.Storage
    ssd: bool
    discard: bool
    backup: bool
    iothread: bool
    purpose: f.Text
    fs: f.Text
    keep_on_destroy: bool


def _mapped(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, dict) and "host" in value):
        raise f.refused("raw PCI addresses are refused; define a resource mapping and write {mapping: NAME}")
    return value


class PciMap(TypedDict, total=False):
    """One of `proxmox.pci`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    mapping: Required[f.Mapping]
    pcie: bool
    primary: bool


class HaMap(TypedDict, total=False):
    """`proxmox.ha`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    failover: f.NodeName
    priority: int
    max_restart: Annotated[int, Field(ge=0, le=10)]
    replicate: f.Text


Disk = Annotated[DiskMap, f.build(host.Disk)]
Pci = Annotated[PciMap, BeforeValidator(_mapped), f.build(host.Pci)]


class ProxmoxMap(TypedDict, total=False):
    """`proxmox`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    vmid: f.Vmid
    node: f.NodeName
    nodes: f.many(f.NodeName, unique=True)  # type: ignore[valid-type]
    avoid: f.many(f.NodeName, unique=True)  # type: ignore[valid-type]
    spread: f.Text
    pin: bool
    storage: f.Storage
    pool: f.Pool
    onboot: bool
    startup: f.Startup
    protect: bool
    notes: f.Notes
    disks: f.many(Disk)  # type: ignore[valid-type]
    pci: f.many(Pci)  # type: ignore[valid-type]
    full: bool
    ha: Annotated[HaMap, f.build(host.Ha)]


class HardwareMap(TypedDict, total=False):
    """`hardware`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    machine: f.Text
    bios: Literal["ovmf", "seabios"]
    cpu: f.Text
    scsihw: f.Text
    display: f.Text
    serial: bool
    tpm: bool
    secureboot: bool
    numa: bool
    hotplug: f.Text
    ostype: f.Text


def _first_card(value: Any) -> Any:
    if isinstance(value, list):
        raise ValueError("must be a map, or a list of maps without `nics` beside it")  # noqa: TRY004, pydantic wants it
    return value


class NetworkMap(TypedDict, total=False):
    """`network`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    zone: f.Key
    bridge: f.Bridge
    vlan: f.Vlan
    address: f.Address
    gateway: f.Ip
    ip6: f.Ip6
    gateway6: f.Ip
    dns: f.many(f.Ip, unique=True)  # type: ignore[valid-type]
    search: f.many(f.Domain, unique=True)  # type: ignore[valid-type]
    mac: f.Mac
    mtu: Annotated[int, Field(ge=576, le=65520)]
    firewall: bool
    trunks: f.many(f.Vlan)  # type: ignore[valid-type]
    prefer: Literal["v4", "v6", "any"]


Card = Annotated[NetworkMap, f.build(host.Network)]


class BootstrapMap(TypedDict, total=False):
    """`bootstrap`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    user: f.User
    authorized_keys: f.many(f.PublicKeyField)  # type: ignore[valid-type]
    agent_timeout_s: Annotated[f.Duration, Field(alias="agent_timeout")]
    address_timeout_s: Annotated[f.Duration, Field(alias="address_timeout")]
    ssh_timeout_s: Annotated[f.Duration, Field(alias="ssh_timeout")]
    cloudinit_timeout_s: Annotated[f.Duration, Field(alias="cloudinit_timeout")]


class SnapshotMap(TypedDict, total=False):
    """`snapshot`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    before_update: bool
    keep: Annotated[int, Field(ge=0, le=100)]
    freeze: bool


class BackupMap(TypedDict, total=False):
    """`backup`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    job: f.Text
    storage: f.Storage
    schedule: f.Text
    keep: Annotated[int, Field(ge=0)]
    before_destroy: bool


class GenerationsMap(TypedDict, total=False):
    """`generations`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    keep: Annotated[int, Field(ge=1, le=1000)]
    older_than_s: Annotated[f.Duration, Field(alias="older_than")]


class DriftMap(TypedDict, total=False):
    """`drift`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    ignore: f.many(f.TreePath, unique=True)  # type: ignore[valid-type]


class IsoMap(TypedDict, total=False):
    """`iso`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    volume: f.IsoVolume
    url: f.IsoUrl
    sha256: f.Sha256
    storage: f.Storage


def _one_source(value: dict[str, Any]) -> host.Iso:
    if set(value) not in ({"volume"}, {"url", "sha256", "storage"}):
        raise ValueError("must be {volume: STORAGE:iso/NAME.iso}, or {url, sha256, storage} for one to download")
    return host.Iso(**value)


def _built(value: host.Install) -> host.Install:
    if value in (host.Install.ANYWHERE, host.Install.IMAGE):
        raise f.planned(f"install: {value}")
    return value


class MachineMap(TypedDict, total=False):
    """`machine`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    state: Annotated[host.State, Field(strict=False)]
    size_class: Annotated[f.Key, Field(alias="class")]
    cores: Annotated[int, Field(ge=1, le=512)]
    memory_mib: Annotated[f.Size, Field(alias="memory", ge=512)]
    balloon_mib: Annotated[f.Size, Field(alias="balloon")]
    disk_mib: Annotated[f.Size, Field(alias="disk")]
    roles: f.many(f.Key, unique=True)  # type: ignore[valid-type]
    tags: f.many(f.Tag, unique=True)  # type: ignore[valid-type]
    cluster: f.Key
    proxmox: Annotated[ProxmoxMap, f.build(host.Proxmox)]
    hardware: Annotated[HardwareMap, f.build(host.Hardware)]
    template: f.Key
    install: Annotated[host.Install, Field(strict=False), AfterValidator(_built)]
    iso: Annotated[IsoMap, AfterValidator(_one_source)]
    network: Annotated[NetworkMap, BeforeValidator(_first_card), f.build(host.Network)]
    nics: Annotated[f.many(Card), Field(max_length=31)]  # type: ignore[valid-type]
    bootstrap: Annotated[BootstrapMap, f.build(host.Bootstrap)]
    nix: Annotated[NixMap, f.build(update.Nix)]
    update: Annotated[UpdateMap, f.build(update.Update)]
    snapshot: Annotated[SnapshotMap, f.build(host.Snapshot)]
    backup: Annotated[BackupMap, f.build(host.Backup)]
    generations: Annotated[GenerationsMap, f.build(host.Generations)]
    drift: Annotated[DriftMap, f.build(host.Drift)]
    secrets: dict[f.Key, f.Secret]
    controller: Annotated[bool, Field(alias="self")]
    vars: dict[str, Any]
    extra: Annotated[dict[str, Any], Field(alias="x-*")]


def _users_own(value: Any) -> Any:
    if isinstance(value, dict) and any(key.startswith("x-") for key in value):
        known = {key: item for key, item in value.items() if not key.startswith("x-")}
        return {**known, "x-*": {key: item for key, item in value.items() if key.startswith("x-")}}
    return value


MACHINE = cast(
    "TypeAdapter[host.Machine]", TypeAdapter(Annotated[MachineMap, BeforeValidator(_users_own), f.build(host.Machine)])
)
"""Checks a merged `machine:` map and makes it a `Machine`."""

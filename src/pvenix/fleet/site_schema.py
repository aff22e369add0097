"""What may stand in inventory/site.yaml; a checked document becomes a `pvenix.model.site.Site`."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal, Required, cast

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter
from typing_extensions import TypedDict

from pvenix.fleet import fields as f
from pvenix.fleet.update_schema import Health
from pvenix.model import site
from pvenix.model.window import has_zones, zone_of


def _zone(value: str) -> str:
    if has_zones():  # a machine without their database may still work on a fleet that has no windows
        zone_of(value)
    return value


class NameMap(TypedDict, total=False):
    """`site`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    name: Required[f.Key]
    domain: f.Domain
    timezone: Annotated[f.Text, AfterValidator(_zone)]


def _no_switch_off(value: Any) -> Any:
    if isinstance(value, dict) and {"insecure", "verify"} & set(value):
        raise f.refused("certificates are always verified; write one of ca, fingerprint or system: true")
    return value


class TlsMap(TypedDict, total=False):
    """`clusters.<name>.tls`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    ca: f.PathField
    fingerprint: f.Fingerprint
    system: Literal[True]


def _one_trust(value: dict[str, Any]) -> site.Tls:
    if len(value) != 1:
        raise ValueError("takes exactly one of ca, fingerprint or system: true")
    return site.Tls(**value)


class AuthMap(TypedDict, total=False):
    """`clusters.<name>.auth`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    token_id: f.TokenId
    token_secret: f.Secret
    username: f.UserId
    password: f.Secret


def _one_login(value: dict[str, Any]) -> site.Auth:
    if set(value) not in ({"token_id", "token_secret"}, {"username"}, {"username", "password"}):
        raise ValueError("takes token_id with token_secret, or username with an optional password")
    return site.Auth(**value)


def _one_range(value: Any) -> Any:
    """`[200, 499]` is the same as `[[200, 499]]`."""
    return [value] if isinstance(value, list) and value and not any(isinstance(item, list) for item in value) else value


def _span(value: list[int]) -> tuple[int, int]:
    first, last = value
    if first > last:
        raise ValueError(f"the range [{first}, {last}] is empty; write [first, last]")
    return first, last


def _apart(value: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    spans = sorted(value)
    for (_, last), (first, _) in itertools.pairwise(spans):
        if first <= last:
            raise ValueError(f"VM id {first} is in two ranges")
    return tuple(value)


Span = Annotated[list[f.Vmid], Field(min_length=2, max_length=2), AfterValidator(_span)]


class VmidMap(TypedDict, total=False):
    """`clusters.<name>.vmid`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    ranges: Annotated[
        list[Span], BeforeValidator(_one_range), Field(alias="range", min_length=1), AfterValidator(_apart)
    ]
    step: Annotated[int, Field(ge=1, le=1000)]
    reserve: f.many(f.Vmid)  # type: ignore[valid-type]


class ReserveMap(TypedDict, total=False):
    """`clusters.<name>.capacity.host_reserve`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    memory: Required[f.Size]


def _percent(value: Any) -> int:
    text = str(value).removesuffix("%")
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or int(text) > 100:
        raise ValueError("is not a percentage; write 15%")
    return int(text)


class CapacityMap(TypedDict, total=False):
    """`clusters.<name>.capacity`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    memory_ratio: Annotated[float, Field(gt=0, le=10)]
    cpu_ratio: Annotated[float, Field(gt=0, le=100)]
    host_reserve_mib: Annotated[ReserveMap, AfterValidator(lambda value: value["memory"]), Field(alias="host_reserve")]
    storage_headroom_percent: Annotated[int, BeforeValidator(_percent), Field(alias="storage_headroom")]


class LimitsMap(TypedDict, total=False):
    """`clusters.<name>.limits`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    tasks_per_node: Annotated[int, Field(ge=1)]
    clones_per_storage: Annotated[int, Field(ge=1)]
    transfers_per_node: Annotated[int, Field(ge=1)]


class ClusterMap(TypedDict, total=False):
    """`clusters.<name>`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    endpoints: Required[Annotated[f.many(f.Endpoint, unique=True), Field(min_length=1)]]  # type: ignore[valid-type]
    tls: Required[Annotated[TlsMap, BeforeValidator(_no_switch_off), AfterValidator(_one_trust)]]
    auth: Required[Annotated[AuthMap, AfterValidator(_one_login)]]
    vmid: Annotated[VmidMap, f.build(site.VmidPolicy)]
    storage: dict[f.Key, f.Storage]
    capacity: Annotated[CapacityMap, f.build(site.Capacity)]
    limits: Annotated[LimitsMap, f.build(site.Limits)]


class TemplateMap(TypedDict, total=False):
    """`templates.<name>`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    cluster: Required[f.Key]
    vmid: Required[f.Vmid]
    storage: f.Storage
    bios: Literal["ovmf", "seabios"]
    machine: f.Text
    agent: bool
    cloudinit: bool
    replicas: dict[f.NodeName, f.Vmid]


class ZoneMap(TypedDict, total=False):
    """`zones.<name>`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    bridge: Required[f.Bridge]
    vlan: f.Vlan
    cidr: f.Cidr
    gateway: f.Ip
    dns: f.many(f.Ip, unique=True)  # type: ignore[valid-type]
    state: f.Text


class ClassMap(TypedDict, total=False):
    """`classes.<name>`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    cores: Required[Annotated[int, Field(ge=1, le=512)]]
    memory_mib: Required[Annotated[f.Size, Field(alias="memory", ge=512)]]
    disk_mib: Required[Annotated[f.Size, Field(alias="disk")]]
    display: f.Text


class PortsMap(TypedDict, total=False):
    """`roles.<name>.ports`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    tcp: f.many(f.Port, unique=True)  # type: ignore[valid-type]
    udp: f.many(f.Port, unique=True)  # type: ignore[valid-type]


class NeedsMap(TypedDict, total=False):
    """`roles.<name>.needs`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    pci: Annotated[int, Field(ge=0, le=16)]
    memory_mib: Annotated[f.Size, Field(alias="memory")]


def _mark(value: str) -> str:
    if value not in ("always", "reboot") and "." not in value:
        raise ValueError(
            f"{value[:40]!r} is not to be asked about; write reboot, always, or a unit such as unbound.service"
        )
    return value


Mark = Annotated[f.Unit, AfterValidator(_mark)]


class RoleMap(TypedDict, total=False):
    """`roles.<name>`; `machine` is the role's layer of machine fields."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    modules: f.many(f.Module, unique=True)  # type: ignore[valid-type]
    ports: PortsMap
    needs: Annotated[NeedsMap, f.build(site.Needs)]
    after: f.many(f.Key, unique=True)  # type: ignore[valid-type]
    health: f.many(Health)  # type: ignore[valid-type]
    on_failure: Annotated[site.OnFailure, Field(strict=False)]
    approve: f.many(Mark, unique=True)  # type: ignore[valid-type]
    machine: dict[str, Any]


def _role(*, name: str, ports: dict[str, Any] | None = None, machine: object = None, **rest: Any) -> site.Role:
    del machine  # a layer, merged with its positions elsewhere
    return site.Role(name=name, **(ports or {}), **rest)


class JumpMap(TypedDict, total=False):
    """`access.jump`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    host: Required[f.Domain]
    user: Required[f.User]
    port: f.Port
    host_key: f.HostKey


class AccessMap(TypedDict, total=False):
    """`access`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    user: f.User
    port: f.Port
    key: f.FileRef
    jump: Annotated[JumpMap, f.build(site.Jump)]


class RepositoryMap(TypedDict, total=False):
    """`repository`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    url: Required[f.GitUrl]
    branch: Annotated[f.Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
    key: f.FileRef
    host_key: f.HostKey


class SiteMap(TypedDict, total=False):
    """The document."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    apiVersion: Required[Literal["pvenix/v1"]]
    kind: Required[Literal["Site"]]
    site: Required[NameMap]
    clusters: Required[Annotated[dict[f.Key, ClusterMap], f.named(site.Cluster)]]
    templates: Required[Annotated[dict[f.Key, TemplateMap], f.named(site.Template)]]
    zones: Annotated[dict[f.Key, ZoneMap], f.named(site.Zone)]
    classes: Annotated[dict[f.Key, ClassMap], f.named(site.SizeClass)]
    roles: Annotated[dict[f.Key, RoleMap], f.named(_role)]
    access: Annotated[AccessMap, f.build(site.Access)]
    repository: Annotated[RepositoryMap, f.build(site.Repository)]
    defaults: dict[str, Any]


def _site(value: dict[str, Any]) -> site.Site:
    rest = {key: item for key, item in value.items() if key not in ("apiVersion", "kind", "site", "defaults")}
    return site.Site(**value["site"], **rest)


SITE = cast("TypeAdapter[site.Site]", TypeAdapter(Annotated[SiteMap, AfterValidator(_site)]))
"""Checks site.yaml's document and makes it a `Site`."""

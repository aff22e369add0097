"""What may stand under `nix:` and `update:`, health checks among it; as in `pvenix.fleet.schema`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from pydantic import AfterValidator, BeforeValidator, Field
from typing_extensions import TypedDict

from pvenix.fleet import fields as f
from pvenix.model import site, update, window


class DnsMap(TypedDict, total=False):
    """`{dns: {name, server}}` of a health check."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    name: Required[f.Domain]
    server: f.Ip
    within: f.Duration


class HealthMap(TypedDict, total=False):
    """One health check."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    systemd: f.Unit
    tcp: f.Port
    command: Annotated[f.many(f.Text), Field(min_length=1)]  # type: ignore[valid-type]
    http: f.HttpUrl
    dns: DnsMap
    within: f.Duration


def _health(value: dict[str, Any]) -> site.HealthCheck:
    within = value.pop("within", None)
    if len(value) != 1:
        raise ValueError(f"a health check is exactly one of {', '.join(site.HealthKind)}, with an optional `within`")
    ((kind, what),) = value.items()
    check: dict[str, Any] = {"kind": site.HealthKind(kind)}
    if kind == "dns":
        within = what.pop("within", within)
        check.update(what)
    else:
        check[{"systemd": "unit", "tcp": "port", "command": "argv", "http": "url"}[kind]] = what
    if within is not None:
        check["within_s"] = within
    return site.HealthCheck(**check)


Health = Annotated[HealthMap, AfterValidator(_health)]


def _built_here(value: str) -> str:
    if value != "self":
        raise f.planned(f"building on {value[:40]!r} instead of `self`")
    return value


class NixMap(TypedDict, total=False):
    """`nix`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    flake: f.Text
    channel: f.Text
    build: Annotated[f.Text, AfterValidator(_built_here)]
    hardware: f.Text
    substituters: f.many(f.Text)  # type: ignore[valid-type]
    converge: Literal["push", "pull"]


def _share(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Share = Annotated[str, BeforeValidator(_share), Field(pattern=r"^[1-9][0-9]{0,4}%?$")]


def _in_order(value: tuple[update.SecondNet, ...]) -> tuple[update.SecondNet, ...]:
    return tuple(rung for rung in update.SecondNet if rung in value)


def _one(value: Any) -> Any:
    """`Sat 02:00-05:00` is the same as `[Sat 02:00-05:00]`."""
    return [value] if isinstance(value, str) else value


Rungs = f.many(Annotated[update.SecondNet, Field(strict=False)], unique=True)


class UpdateMap(TypedDict, total=False):
    """`update`."""

    __pydantic_config__ = f.STRICT  # type: ignore[misc]
    strategy: Annotated[update.Strategy, Field(strict=False)]
    reboot: Annotated[update.Reboot, Field(strict=False)]
    serial: Share
    canary: bool
    approve: Annotated[update.Approve, Field(strict=False)]
    window: Annotated[f.many(Annotated[f.Text, AfterValidator(window.parse)]), BeforeValidator(_one)]  # type: ignore[valid-type]
    health: f.many(Health)  # type: ignore[valid-type]
    on_failure: Annotated[site.OnFailure, Field(strict=False)]
    second_net: Annotated[Rungs, AfterValidator(_in_order)]  # type: ignore[valid-type]
    confirm_timeout_s: Annotated[f.Duration, Field(alias="confirm_timeout", ge=10)]

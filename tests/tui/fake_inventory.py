"""The fleet of the tests: a few hosts with their readings, and where their settings come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pvenix.model.generation import HostFacts, Sync
from pvenix.model.selector import Universe, parse_selector
from pvenix.model.status import HostStatus

STAMP: Final = "2026-11-20T10:19:48.000Z"
MAIN: Final = "3f2c1a9b77d04c55a1e2f3049586776655443322"
OLD: Final = "9be0142aa77d04c55a1e2f304958677665544332"


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeHost:
    name: str
    roles: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeOrigin:
    layer: str
    file: str
    line: int
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeField:
    field: str
    value: object
    origins: tuple[FakeOrigin, ...]
    beaten: tuple[FakeOrigin, ...] = ()


@dataclass(slots=True, kw_only=True)
class FakeFleet:
    hosts: dict[str, FakeHost]

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        names = dict.fromkeys(group for host in self.hosts.values() for group in host.groups)
        return {name: tuple(host.name for host in self.hosts.values() if name in host.groups) for name in names}

    def select(self, expr: str, facts: Mapping[str, Mapping[str, str]] | None = None) -> tuple[str, ...]:
        return parse_selector(expr).match(Universe(hosts=tuple(self.hosts), groups=self.groups), facts)

    def explain(self, host: str, field: str | None = None) -> Sequence[FakeField]:
        return (
            FakeField(
                field="network.zone",
                value="srvHome",
                origins=(FakeOrigin(layer="host", file="inventory/hosts.yaml", line=41, value="srvHome"),),
                beaten=(FakeOrigin(layer="group ai", file="inventory/group_vars/ai.yaml", line=3, value="srvWork"),),
            ),
            FakeField(
                field="cores",
                value=2,
                origins=(FakeOrigin(layer="class small", file="inventory/site.yaml", line=44, value=2),),
            ),
        )


def fake_host(name: str, group: str, *roles: str) -> FakeHost:
    return FakeHost(name=name, roles=("base", *roles), groups=(group, *(f"role_{role}" for role in ("base", *roles))))


def fake_status(name: str, index: int, sync: Sync) -> HostStatus:
    if sync is Sync.ABSENT:
        return HostStatus(host=name, sync=sync, seen_at=STAMP, expected=MAIN)
    if sync is Sync.UNREACHABLE:
        return HostStatus(
            host=name, sync=sync, seen_at=STAMP, expected=MAIN, vmid=200 + 10 * index, node="tappaas1",
            power="stopped", problem="no answer from 10.2.10.23 on port 22",
        )  # fmt: skip
    revision = OLD if sync is Sync.BEHIND else MAIN
    path = f"/nix/store/{'0' * 31}{index}-nixos-system-{name}-25.05"
    return HostStatus(
        host=name, sync=sync, seen_at=STAMP, expected=MAIN, vmid=200 + 10 * index, node=f"tappaas{1 + index % 2}",
        power="running", generation=40 + index, address=f"10.69.13.{5 + index}",
        facts=HostFacts(
            booted=path, current=path, profile=path, revision=revision, boot_id="b", checkout=revision,
            edits=(" M configuration.nix",) if sync is Sync.DRIFTED else (),
            failed_units=("vllm.service",) if sync is Sync.DRIFTED else (),
        ),
    )  # fmt: skip

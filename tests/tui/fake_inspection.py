"""One host closely, from memory: what a test puts there is what the screen shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from pvenix.model.drift import DriftFile, Edit, HostDrift
from pvenix.model.errors import RemoteFailure
from pvenix.model.inspection import (
    CloudInitKey,
    CloudInitLook,
    Deployed,
    HardwareText,
    HostCard,
    Unit,
    UnitList,
    UnitLook,
    VmBackup,
    VmLook,
    VmTaken,
    VmTask,
)
from pvenix.model.status import Console, HardwareLook, Way

BASE = "3f2c1a9b77d04c55a1e2f3049586776655443322"


def edited(path: str, *lines: str, shared: bool = False, stays: str = "", ignored: str = "") -> DriftFile:
    """A file with lines that somebody added on the host."""
    body = "".join(f"+{line}\n" for line in lines)
    unified = f"--- {path} at {BASE[:10]}\n+++ {path} on the host\n@@ -1,2 +1,{2 + len(lines)} @@\n {{\n{body} }}\n"
    return DriftFile(
        path=path, edit=Edit.CHANGED, unified=unified, added=len(lines), stays=stays, shared=shared, ignored=ignored,
        live="",
    )  # fmt: skip


def fake_drift(*files: DriftFile, hardware: str = "", other: tuple[str, ...] = ()) -> HostDrift:
    """A host's edits."""
    return HostDrift(
        host="tappaas-vllm", checkout=BASE, base=BASE, expected=BASE, files=files, other=other,
        hardware=HardwareLook(diff=hardware),
    )  # fmt: skip


def fake_unit(name: str, active: str = "active", sub: str = "running", text: str = "") -> Unit:
    """A unit as systemd lists it."""
    return Unit(name=name, load="loaded", active=active, sub=sub, description=text or f"The {name.partition('.')[0]}")


@dataclass
class FakeInspection:
    """The part of the backend that looks closely; `mute` is what a host that does not answer says."""

    mute: str = ""
    stamp_now: str = ""
    """When hosts are read from now on; the tests' own moment unless said otherwise."""
    drift_now: HostDrift = field(
        default_factory=lambda: fake_drift(
            edited("nix/hosts/tappaas-vllm.nix", "services.vllm.maxModelLen = 8192;"),
            edited("nix/common.nix", "networking.firewall.enable = false;", shared=True),
        )
    )
    ignored: list[str] = field(default_factory=list)
    units_now: UnitList = field(
        default_factory=lambda: UnitList(
            units=(
                fake_unit("vllm.service", "failed", "failed", "vLLM OpenAI server"),
                fake_unit("nginx.service"),
                fake_unit("sshd.service"),
            )
        )
    )
    journal_now: list[str] = field(
        default_factory=lambda: [f"2026-11-20T10:19:{n:02}+00:00 vllm app[7]: line {n}" for n in range(40)]
    )
    journal_comes: list[str] = field(default_factory=list)
    """What is told to who follows; the connection ends behind it."""
    hardware_now: HardwareText = field(
        default_factory=lambda: HardwareText(
            path="nix/hardware/tappaas-vllm-hw.nix", commit=BASE, committed="{ ... }:\n{\n}\n", now="{ ... }:\n{\n}\n"
        )
    )
    cloud_now: CloudInitLook = field(
        default_factory=lambda: CloudInitLook(
            keys=(
                CloudInitKey(key="ciuser", value="tappaas"),
                CloudInitKey(key="cipassword", value="**********"),
                CloudInitKey(key="nameserver", value="10.0.0.1", wanted="10.0.0.53", where="inventory/site.yaml:9:5"),
            ),
            files={"user": "#cloud-config\nhostname: vllm\n", "network": "version: 1\n", "meta": "instance-id: 1\n"},
        )
    )
    vm_now: VmLook = field(
        default_factory=lambda: VmLook(
            vmid=230,
            node="tappaas2",
            status="running",
            uptime_s=12 * 86400,
            cpu=0.61,
            cpus=8,
            memory=22 << 30,
            memory_max=32 << 30,
            agent=True,
            agent_answers=True,
            config={"cores": "8", "name": "tappaas-vllm"},
            waiting={"memory": "65536"},
            snapshots=(VmTaken(name="before-42", parent="", taken_at=1795083600, memory=False, description="ours"),),
            backups=(VmBackup(id="pbs:vm-230", made_at=1795083600, size=3 << 30, notes="nightly"),),
            tasks=(VmTask(upid="UPID", kind="qmstart", user="root@pam", began_at=1795083600, state="OK"),),
        )
    )
    deployed: Deployed | None = field(
        default_factory=lambda: Deployed(
            verb="rebuild", at="2026-11-19T10:20:00Z", by="ana", outcome="changed", run="20261119-102000-0001"
        )
    )

    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def _answer(self, what: str, host: str) -> None:
        self.calls.append((what, host))
        if self.mute:
            raise RemoteFailure(self.mute, hint="is it on?")

    def host_card(self, host: str) -> HostCard:
        return HostCard(
            file="inventory/hosts.yaml", line=41, template="nixos", install="clone", key="SHA256:abc", shared_key=True,
            own_file=f"inventory/host_vars/{host}.yaml", deployed=self.deployed,
        )  # fmt: skip

    async def host_drift(self, host: str, *, hardware: bool = False) -> HostDrift:
        self._answer("drift", host)
        return self.drift_now

    async def overwritten(self, host: str) -> tuple[str, ...]:
        self._answer("overwritten", host)
        return tuple(f"{file.path} goes into a git stash of /etc/nixos" for file in self.drift_now.counted)

    def ignore_drift(self, host: str, path: str) -> str:
        self.ignored.append(path)
        return f"+    ignore+: [{path}]\n"

    async def hardware_text(self, host: str) -> HardwareText:
        self._answer("hardware", host)
        return self.hardware_now

    async def cloud_init(self, host: str) -> CloudInitLook:
        self._answer("cloud_init", host)
        return self.cloud_now

    async def units(self, host: str) -> UnitList:
        self._answer("units", host)
        return self.units_now

    async def unit(self, host: str, name: str) -> UnitLook:
        self._answer("unit", host)
        return UnitLook(name=name, status=f"x {name} - failed (exit-code)\n", journal="Nov 20 vllm: CUDA is too old\n")

    async def journal(
        self, host: str, *, unit: str = "", priority: str = "", lines: int = 500, follow: bool = False
    ) -> AsyncIterator[tuple[str, ...]]:
        self._answer("journal", host)
        self.calls.append(("journal of", unit, priority))
        yield tuple(self.journal_now)
        if follow:
            yield tuple(self.journal_comes)

    async def vm(self, host: str) -> VmLook:
        self._answer("vm", host)
        return self.vm_now

    async def console(self, host: str) -> Console:
        way = Way(kind="ssh", argv=("ssh", "-t", host))
        return Console(host=host, vmid=230, node="tappaas2", power="running", problem="", ways=(way,))

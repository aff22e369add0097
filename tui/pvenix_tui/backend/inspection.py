"""One host closely; nothing here changes a host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from pvenix.model.drift import HostDrift
from pvenix.model.inspection import CloudInitLook, HardwareText, HostCard, UnitList, UnitLook, VmLook
from pvenix.model.status import Console


class InspectionPart(Protocol):
    """What the detail screen of a host reads; a file of `pvenix.wiring.inspection.Inspection`."""

    def host_card(self, host: str) -> HostCard:
        """What this machine knows of the host without asking anybody."""

    async def host_drift(self, host: str, *, hardware: bool = False) -> HostDrift:
        """What was edited in its /etc/nixos; with `hardware` its generator is asked too."""

    async def overwritten(self, host: str) -> tuple[str, ...]:
        """What a rebuild puts aside on the host, a line each."""

    def ignore_drift(self, host: str, path: str) -> str:
        """Add a path to `machine.drift.ignore` in this checkout; the diff, empty when it was there already."""

    async def hardware_text(self, host: str) -> HardwareText:
        """Its hardware file as committed, and as its generator writes it now."""

    async def cloud_init(self, host: str) -> CloudInitLook:
        """What its VM's cloud-init drive is told."""

    async def units(self, host: str) -> UnitList:
        """Its units, failed ones first."""

    async def unit(self, host: str, name: str) -> UnitLook:
        """One unit with its last lines of the journal."""

    def journal(
        self, host: str, *, unit: str = "", priority: str = "", lines: int = 500, follow: bool = False
    ) -> AsyncIterator[tuple[str, ...]]:
        """Whole lines of its journal as they come."""

    async def vm(self, host: str) -> VmLook:
        """Its VM as Proxmox has it, the id 0 when there is none."""

    async def console(self, host: str) -> Console:
        """The ways to its console."""

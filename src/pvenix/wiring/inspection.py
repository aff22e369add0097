"""One host closely: its edits, hardware file, units, journal, VM and cloud-init drive; nothing here changes anything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from pvenix.model.inspection import Deployed, HostCard
from pvenix.model.paths import vars_file
from pvenix.wiring.opened import OpenFleet

if TYPE_CHECKING:
    from pvenix.model.drift import HostDrift
    from pvenix.model.inspection import CloudInitLook, HardwareText, UnitList, UnitLook, VmLook

_DEPLOYING: Final = frozenset({"rebuild", "rollback"})


class Inspection(OpenFleet):
    """What a person looks at on one host."""

    async def host_drift(self, host: str, *, hardware: bool = False) -> HostDrift:
        """What was edited in the host's /etc/nixos; with `hardware` its generator is asked too, which takes seconds.

        Raises: Unreachable, Refused; RemoteFailure when there is nothing to compare it with.
        """
        from pvenix.lifecycle.hostdrift import host_drift

        return await host_drift(await self._site(fresh=True), host, hardware=hardware)

    async def overwritten(self, host: str) -> tuple[str, ...]:
        """What a rebuild puts aside on the host, a line each; empty when nobody edited anything."""
        from pvenix.lifecycle.hostdrift import host_drift, overwritten

        return overwritten(await host_drift(await self._site(), host, hardware=False))

    async def hardware_text(self, host: str) -> HardwareText:
        """The host's hardware file as committed, and as its generator writes it now."""
        from pvenix.lifecycle.inspecting import hardware_text

        return await hardware_text(await self._site(fresh=True), host)

    async def cloud_init(self, host: str) -> CloudInitLook:
        """What the cloud-init drive of the host's VM is told. Raises: UsageError when it has no VM."""
        from pvenix.lifecycle.inspecting import cloud_init

        return await cloud_init(await self._site(fresh=True), host)

    async def units(self, host: str) -> UnitList:
        """The host's units, failed ones first."""
        from pvenix.lifecycle.inspecting import units

        return await units(await self._site(), host)

    async def unit(self, host: str, name: str) -> UnitLook:
        """One unit with its last lines of the journal. Raises: UsageError for what is no unit's name."""
        from pvenix.lifecycle.inspecting import unit

        return await unit(await self._site(), host, name)

    async def vm(self, host: str) -> VmLook:
        """The host's VM as Proxmox has it, its id 0 when there is none."""
        from pvenix.lifecycle.inspecting import vm

        return await vm(await self._site(fresh=True), host)

    async def journal(
        self, host: str, *, unit: str = "", priority: str = "", lines: int = 500, follow: bool = False
    ) -> AsyncIterator[tuple[str, ...]]:
        """Whole lines of the host's journal, sanitised and cut where they are huge, as they come.

        Raises: UsageError for what is no unit or no priority; Unreachable, Refused.
        """
        from pvenix.adapters.text import Sanitiser
        from pvenix.lifecycle.inspecting import follow_journal

        cleaner, rest = Sanitiser(), ""
        chunks = follow_journal(await self._site(), host, unit=unit, priority=priority, lines=lines, follow=follow)
        async for chunk in chunks:
            *whole, rest = (rest + cleaner.feed(chunk.encode("utf-8", "surrogateescape"))).split("\n")
            if whole:
                yield tuple(whole)
        rest += cleaner.finish()
        if rest:
            yield (rest,)

    def host_card(self, host: str) -> HostCard:
        """What this machine knows of a host without asking anybody.

        Raises: UsageError for an unknown host, InvalidInput when the inventory is wrong.
        """
        found = self.fleet().host(host)
        pin = self.trust.get(found.name)
        own = vars_file(found.name)
        return HostCard(
            file=found.file,
            line=found.line,
            template=found.machine.template,
            install=found.machine.install.value,
            key=pin.fingerprint if pin else "",
            shared_key=self.trust.shared(found.name),
            own_file=own if (self.root / own).is_file() else found.file,
            deployed=self._deployed(found.name),
        )

    def _deployed(self, host: str) -> Deployed | None:
        """The last rebuild or rollback of a host that is in the audit log of this machine."""
        from pvenix.engine.audit import AuditLog, record_in

        name = json.dumps(host).encode()
        lines = [line for line in AuditLog(self.state_dir).lines() if name in line]
        for line in reversed(lines):  # parsed from the newest on: the log has a line for every step ever taken
            record = record_in(line)
            if record.get("host") == host and record.get("verb") in _DEPLOYING:
                words = {key: str(record.get(key, "")) for key in ("verb", "at", "operator", "outcome", "run")}
                return Deployed(
                    verb=words["verb"], at=words["at"], by=words["operator"], outcome=words["outcome"], run=words["run"]
                )
        return None

"""Guests of the lab's site behind the in-memory Guest port."""

from __future__ import annotations

from collections.abc import Sequence

from pvenix.engine.ports import Target
from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.guest import Guest as LabGuest
from tests.contract.machine import ByteReader, ByteWriter, Machine

HOST_KEY_FILE = "/etc/ssh/ssh_host_ed25519_key.pub"


class LabMachine:
    """One guest of the site as a Machine; its connections die when the site cuts them or it goes off."""

    def __init__(self, guest: LabGuest) -> None:
        self._guest = guest
        self.epoch = 0
        guest.fabric.observers.append(self._observe)

    def _observe(self, guest: LabGuest, what: str) -> None:
        if guest is self._guest and what in ("cut", "off"):
            self.epoch += 1

    @property
    def ssh_ready(self) -> bool:
        return self._guest.ssh_ready

    @property
    def host_key(self) -> str:
        return self._guest.tree.read_text(HOST_KEY_FILE).strip()

    async def run(
        self, argv: Sequence[str], stdin: ByteReader, stdout: ByteWriter, stderr: ByteWriter, *, user: str
    ) -> int:
        return await self._guest.run(list(argv), stdin, stdout, stderr, user=user)


class LabMachines:
    """Finds the guest of a site by the target's address, as the network would."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[int, LabMachine] = {}

    def __call__(self, target: Target) -> Machine | None:
        for vmid, guest in self._site.guests.items():
            if isinstance(guest, LabGuest) and target.address in [a.partition("/")[0] for a in guest.addresses]:
                known = self._known.get(vmid)
                if known is None or known._guest is not guest:
                    known = self._known[vmid] = LabMachine(guest)
                return known
        return None

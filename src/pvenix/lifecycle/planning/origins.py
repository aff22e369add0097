"""Where the inventory says what a plan compares, and what a plan's inventory is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from pvenix.fleet.load import Fleet
from pvenix.model.errors import PvenixError
from pvenix.model.findings import Finding
from pvenix.model.host import Host


def finding(fleet: Fleet, host: Host, error: PvenixError, *, field: str = "", warning: bool = False) -> Finding:
    """An error about a host as a finding at the field that it is about, or where the host is listed."""
    what = error.what if not error.why else f"{error.what}: {error.why}"
    if field:
        return fleet.place(host.name, *_path(host, field)).finding(error.code, what, error.hint, warning=warning)
    return Finding(
        file=host.file, line=host.line, column=1, code=error.code, what=what, hint=error.hint, warning=warning
    )


def fingerprint(fleet: Fleet, hosts: Sequence[str]) -> str:
    """SHA-256 of what the inventory says of these hosts and of the site, wherever the checkout is."""
    text = "\n".join([repr(fleet.site), *(repr(fleet.hosts[name].machine) for name in hosts)])
    return hashlib.sha256(text.replace(str(fleet.root), ".").encode()).hexdigest()


def _path(host: Host, field: str) -> Iterator[str | int]:
    """The keys and indexes of a field: `proxmox.disks.scsi1.size` names a disk by its slot."""
    slots = [disk.slot for disk in host.machine.proxmox.disks]
    for word in field.split("."):
        yield slots.index(word) if word in slots else int(word) if word.isdecimal() else word

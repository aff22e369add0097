"""Where the inventory says what a plan compares, and what a plan's inventory is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pvenix.fleet.load import Fleet
from pvenix.model.errors import PvenixError
from pvenix.model.findings import Finding
from pvenix.model.fleetplan import FieldPlan
from pvenix.model.host import Host


def placed(fleet: Fleet, host: Host, fields: Sequence[FieldPlan]) -> tuple[FieldPlan, ...]:
    """The fields, each with the place of the layer that decides it; without one for a built-in value."""
    return tuple(replace(one, where=one.where or _where(fleet, host, one.field)) for one in fields)


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


def _where(fleet: Fleet, host: Host, field: str) -> str:
    node = fleet.place(host.name, *_path(host, field))
    if (node.file, node.line) == (host.file, host.line) and field not in host.declared:
        return ""
    return node.finding("", "").place


def _path(host: Host, field: str) -> Iterator[str | int]:
    """The keys and indexes of a field: `proxmox.disks.scsi1.size` names a disk by its slot."""
    slots = [disk.slot for disk in host.machine.proxmox.disks]
    for word in field.split("."):
        yield slots.index(word) if word in slots else int(word) if word.isdecimal() else word

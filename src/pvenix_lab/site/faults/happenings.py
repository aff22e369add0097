"""What happens to a guest by itself: connections cut, a reboot, another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec, Undo
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.guest.guest import Guest

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site


def guests_of(site: Site, fault: Fault) -> list[Guest]:
    """The guests that the fault is for."""
    return [g for g in site.guests.values() if isinstance(g, Guest) and fault.host in (None, g.name)]


def _drop(site: Site, fault: Fault) -> None:
    for guest in guests_of(site, fault):
        guest.cut_connections()


def _reboot(site: Site, fault: Fault) -> None:
    for guest in guests_of(site, fault):
        if guest.running:
            guest.reboot()


def _misnamed(site: Site, fault: Fault) -> Undo:
    found = [(guest, guest.hostname) for guest in guests_of(site, fault)]

    def call(guest: Guest, name: str) -> None:
        guest.hostname = name
        guest.tree.put("/proc/sys/kernel/hostname", f"{name}\n")

    def undo() -> None:
        for guest, name in found:
            call(guest, name)

    for guest, _ in found:
        call(guest, fault.text("hostname"))
    return undo


SPECS = (
    Spec(
        name="ssh-drop",
        rows=("T1", "R2"),
        what="every SSH connection of the host is cut now",
        face=Face.SSH,
        kind=Kind.EVENT,
        begin=_drop,
    ),
    Spec(
        name="guest-reboots",
        rows=("F18",),
        what="the guest reboots by itself",
        face=Face.GUEST,
        kind=Kind.EVENT,
        begin=_reboot,
        needs_host=True,
    ),
    Spec(
        name="hostname-wrong",
        rows=("F42",),
        what="the running guest has another name than it should, until cleared",
        args=(Arg(name="hostname", default="localhost", what="the name"),),
        face=Face.GUEST,
        kind=Kind.STATE,
        begin=_misnamed,
        needs_host=True,
    ),
)

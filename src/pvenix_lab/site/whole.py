"""The composition of a whole site: the cluster, guests that have every program of the table, and every fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pvenix_lab.site.core import CloneDisk, GuestFactory, Site, Timings
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.faults import Faults
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.programs import PROGRAMS
from pvenix_lab.site.guest.shell import LoginShell
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.vm import Vm


def new_guest(site: Site, vm: Vm, root: Path, *, tree: VirtualRoot | None = None) -> Guest:
    """The guest of `vm`, off; its disk is the directory `root`, or another kind of `tree`."""
    return Guest(site, vm, tree or VirtualRoot(root), programs=lambda guest: LoginShell(guest, PROGRAMS))


def whole_site(
    *,
    root: Path,
    seed: int = 1,
    time_scale: float = 1.0,
    timings: Timings | None = None,
    wall: Callable[[], float] = time.time,
    guest_factory: GuestFactory = new_guest,
    clone_disk: CloneDisk = clone_disk,
    pve: Flavour = Flavour.PVE_8_4,
) -> Site:
    """A site with guests in it, not started; the arguments are those of `Site`."""
    return Site(
        root=root,
        seed=seed,
        time_scale=time_scale,
        timings=timings,
        wall=wall,
        guest_factory=guest_factory,
        clone_disk=clone_disk,
        pve=pve,
        faults=Faults,
    )

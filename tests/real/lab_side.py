"""The simulated dns01 of the lab in the same state as a real one, so that both can be asked the same things."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pvenix.engine.ports import Target
from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.firstboot import HOST_KEY
from pvenix_lab.site.guest.flake import FlakeTree, evaluate
from pvenix_lab.site.guest.install import install
from pvenix_lab.site.guest.vfs import VirtualRoot
from pvenix_lab.site.whole import new_guest, whole_site
from tests.contract.memory_guest import MemoryGuest
from tests.lab.guest_support import build, edit, make_fleet, vm_of
from tests.real.side import CHANGES, Side
from tests.sim.ports import Machines


@asynccontextmanager
async def lab_side(folder: Path) -> AsyncIterator[Side]:
    """dns01 of the lab: generation 1 is at the first commit, runs and boots; two more systems are built."""
    (folder / "fleet").mkdir(parents=True)
    commits = [make_fleet(folder / "fleet")]
    async with whole_site(root=folder / "site", time_scale=0) as site:
        _install(site, folder / "fleet", folder / "disk", commits[0])
        clone_disk(site, folder / "disk", site.guest_root(200))
        guest = new_guest(site, vm_of("dns01"), site.guest_root(200))
        site.guests[200] = guest
        guest.boot_now()
        shutil.copytree(folder / "fleet", guest.root / "etc/nixos", symlinks=True)
        systems = [guest.tree.resolve("/run/current-system")]
        for path, text in CHANGES:
            commits.append(edit(guest, path, text))
            systems.append(await build(guest, commits[-1]))
        target = Target(
            host="dns01", address="10.69.13.5", port=22, user="tappaas", key_file="unused",
            host_key=guest.tree.read_text(f"{HOST_KEY}.pub"),
        )  # fmt: skip
        session = await MemoryGuest(Machines(site).find).session(target)
        yield Side(session=session, commits=tuple(commits), systems=tuple(systems))
    assert site.defects == []


def _install(site: Site, fleet: Path, disk: Path, commit: str) -> None:
    """A disk whose system was built from the fleet's commit, as after a first rebuild."""
    nix = fleet / "nix"
    files = {str(path.relative_to(nix)): path.read_bytes() for path in nix.rglob("*") if path.is_file()}
    found = evaluate(FlakeTree(files=files, revision=commit, modified_at=0, directory="nix"), "dns01")
    install(VirtualRoot(disk), found.path, found.system, now=site.wall())

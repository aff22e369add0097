"""One prepared disk for all tests of the guests; each test gets a copy."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pvenix_lab.site.core import Site
from pvenix_lab.site.disk import clone_disk
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.whole import new_guest, whole_site
from tests.lab.guest_support import Prepared, make_disk, make_fleet, vm_of


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The fleet's repository and the template's disk."""
    base = tmp_path_factory.mktemp("prepared")
    fleet = base / "fleet"
    fleet.mkdir()
    commit = make_fleet(fleet)
    make_disk(whole_site(root=base / "site"), fleet, base / "disk")
    return Prepared(fleet=fleet, disk=base / "disk", commit=commit)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose simulated work takes no time; a defect in one of its jobs fails the test."""
    async with whole_site(root=tmp_path / "lab", time_scale=0) as site:
        yield site
    assert site.defects == []


@pytest.fixture
def guest(site: Site, prepared: Prepared) -> Guest:
    """dns01, a clone of the template with a static address, up and never rebuilt, without the fleet's files."""
    root = site.guest_root(200)
    clone_disk(site, prepared.disk, root)
    guest = new_guest(site, vm_of("dns01"), root)
    site.guests[200] = guest
    guest.boot_now()
    return guest


@pytest.fixture
def builder(guest: Guest, prepared: Prepared) -> Guest:
    """The same guest with the fleet checked out at /etc/nixos."""
    shutil.copytree(prepared.fleet, guest.root / "etc/nixos", symlinks=True)
    return guest

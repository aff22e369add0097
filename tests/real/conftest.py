"""Sites of containers, and for cheap comparisons of programs the image of an installed host and copies of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.real.lane import CICD, HOST, Image, Lane
from tests.real.machine import scratch
from tests.real.reason import why_not
from tests.real.site.world import RealSite

WEB = 7
"""Hosts web-01 … of the shared site, beside those of the starter fleet."""


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSite]:
    """The site of all tests that leave each host as it was: in order, and running what it boots."""
    if why_not():
        pytest.skip(why_not())
    site = RealSite(tmp_path_factory.mktemp("real").resolve(), web=WEB)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def site(shared_site: RealSite) -> Iterator[RealSite]:
    """The shared site, with this thread and its programs in the site's network."""
    with shared_site.network():
        yield shared_site


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """dns01 as it is after its first rebuild; skips with the reason where it cannot be made."""
    if why_not():
        pytest.skip(why_not())
    folder = Path(tempfile.mkdtemp(prefix="pvenix-real-", dir=scratch()))
    try:
        yield Image.make(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def lane(image: Image) -> AsyncIterator[Lane]:
    """A site without a guest that runs; what a test starts is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="site-", dir=image.folder))
    lane = Lane(image=image, folder=folder)
    yield lane
    await lane.close()
    shutil.rmtree(folder)


@pytest.fixture
async def built(lane: Lane) -> Lane:
    """dns01 runs, and the repository is on this machine."""
    lane.keep_repository_here()
    lane.start(HOST)
    return lane


@pytest.fixture
async def both(lane: Lane) -> Lane:
    """dns01 and the CI/CD host run."""
    lane.start(CICD, HOST)
    return lane


@pytest.fixture
async def cicd(lane: Lane) -> Lane:
    """The CI/CD host runs, without a repository."""
    lane.start(CICD)
    return lane

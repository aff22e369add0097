"""The image of an installed host, made once, and a real site of copies of it for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.real.lane import CICD, HOST, Image, Lane
from tests.real.machine import missing, scratch


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """dns01 as it is after its first rebuild; skips with the reason where it cannot be made."""
    if missing():
        pytest.skip(missing())
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

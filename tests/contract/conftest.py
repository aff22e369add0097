"""The implementations of each port as fixtures: a rule that asks for one runs over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pvenix_lab.site.whole import whole_site
from tests.contract.guest_worlds import MEMORY, WIRE, GuestWorld, MakePrepared, Needs, params
from tests.contract.pve_worlds import EVERY_RELEASE, EVERY_WAY, PveWorld, pve_params
from tests.contract.repo_worlds import NEAR, OVER_SSH, RepoWorld, repo_params
from tests.contract.repo_worlds import Needs as RepoNeeds
from tests.lab.guest_support import Prepared, make_disk, make_fleet


@pytest.fixture(scope="session")
def prepared_lab(tmp_path_factory: pytest.TempPathFactory) -> MakePrepared:
    """The fleet's repository and the template's disk of a lab, made when somebody wants them."""
    made: list[Prepared] = []

    def make() -> Prepared:
        if not made:
            base = tmp_path_factory.mktemp("prepared")
            (base / "fleet").mkdir()
            commit = make_fleet(base / "fleet")
            make_disk(whole_site(root=base / "site"), base / "fleet", base / "disk")
            made.append(Prepared(fleet=base / "fleet", disk=base / "disk", commit=commit))
        return made[0]

    return make


@pytest.fixture
def guest_needs(tmp_path: Path, prepared_lab: MakePrepared, monkeypatch: pytest.MonkeyPatch) -> Needs:
    """What a guest world is made from."""
    return Needs(folder=tmp_path, prepared=prepared_lab, patch=monkeypatch)


@pytest.fixture(params=params(MEMORY | WIRE))
async def guest_world(request: pytest.FixtureRequest, guest_needs: Needs) -> AsyncIterator[GuestWorld]:
    """Every Guest."""
    async with request.param(guest_needs) as world:
        yield world
        await world.guest.close()


@pytest.fixture(params=params(WIRE))
async def wire_world(request: pytest.FixtureRequest, guest_needs: Needs) -> AsyncIterator[GuestWorld]:
    """Every Guest whose connections are of a network."""
    async with request.param(guest_needs) as world:
        yield world
        await world.guest.close()


@pytest.fixture(params=params({name: make for name, make in (MEMORY | WIRE).items() if not name.startswith("lab")}))
async def signalling_world(request: pytest.FixtureRequest, guest_needs: Needs) -> AsyncIterator[GuestWorld]:
    """Every Guest with a program that ends by a signal, which the lab's guests have not."""
    async with request.param(guest_needs) as world:
        yield world
        await world.guest.close()


@pytest.fixture(params=pve_params(*EVERY_WAY))
async def pve_world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PveWorld]:
    """Every Pve, over each release."""
    make, flavour = request.param
    async with make(tmp_path, flavour) as world:
        yield world
        assert world.site.defects == []


@pytest.fixture(params=pve_params(*EVERY_RELEASE))
async def pve_call_world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PveWorld]:
    """Every Pve and each release, for the many rules about single calls."""
    make, flavour = request.param
    async with make(tmp_path, flavour) as world:
        yield world
        assert world.site.defects == []


@pytest.fixture(params=repo_params(NEAR | OVER_SSH, quick=False))
async def repo_world(
    request: pytest.FixtureRequest, tmp_path: Path, prepared_lab: MakePrepared
) -> AsyncIterator[RepoWorld]:
    """Every Repo, over SSH in the long lane only: a login costs more than everything else."""
    async with request.param(RepoNeeds(folder=tmp_path, prepared=prepared_lab)) as world:
        yield world


@pytest.fixture(params=repo_params(NEAR | OVER_SSH, quick=True))
async def any_repo_world(
    request: pytest.FixtureRequest, tmp_path: Path, prepared_lab: MakePrepared
) -> AsyncIterator[RepoWorld]:
    """Every Repo, for the few rules that the way to the remote matters most to."""
    async with request.param(RepoNeeds(folder=tmp_path, prepared=prepared_lab)) as world:
        yield world

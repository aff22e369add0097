"""One lab per module on real HTTPS; a module names its release in FLAVOUR and its protocol times in TIMINGS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pvenix_lab.site.pve.flavour import Flavour
from tests.lab.wire.support import QUICK, Client, WireLab


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireLab]:
    """The module's lab."""
    flavour = getattr(request.module, "FLAVOUR", Flavour.PVE_8_4)
    timings = getattr(request.module, "TIMINGS", QUICK)
    with WireLab(tmp_path_factory.mktemp("wire"), flavour=flavour, timings=timings) as lab:
        yield lab


@pytest.fixture(scope="module")
def operator(lab: WireLab) -> Client:
    """A session with the token that may do the work."""
    return lab.token()


@pytest.fixture(scope="module")
def root(lab: WireLab) -> Client:
    """A session with a ticket of root@pam."""
    return lab.ticket()

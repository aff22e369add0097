"""One seeded site for all simulations of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sim.golden import Golden


@pytest.fixture(scope="session")
def golden() -> Iterator[Golden]:
    """The site that every seed starts from a copy of."""
    made = Golden.make()
    yield made
    made.remove()

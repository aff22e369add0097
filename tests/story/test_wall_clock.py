"""Somebody sets the wall clock while a host activates: time-outs do not notice, and nobody is locked out or believed too early."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pvenix.model.errors import ExitCode
from pvenix_lab.site.guest.generations import boot_default
from tests.sim.golden import Golden
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import OLD, Scene, scene

pytestmark = pytest.mark.sim


def rebuilt(golden: Golden, jump: Callable[[], object]) -> float:
    """How many seconds a rebuild took whose activation is begun just after `jump`."""
    took = []

    async def act(site: Scene) -> None:
        commit = site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        done = await site.run("rebuild", hosts=(OLD,), due={"systemd-run --unit=pvenix-activate": [jump]})
        guest = site.guest(OLD)
        assert done.code is ExitCode.OK, done.why
        assert (guest.current.revision, boot_default(guest.tree)) == (commit, guest.current_path)
        took.append(done.seconds)

    scene(golden, act)
    return took[0]


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 8 * 3600.0])
def test_a_rebuild_takes_as_long_as_ever_and_ends_as_ever(
    golden: Golden, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    undisturbed = rebuilt(golden, lambda: None)
    assert rebuilt(golden, lambda: monkeypatch.setattr(LoopClock, "set_by_s", seconds)) == pytest.approx(undisturbed)
    assert LoopClock.set_by_s == seconds

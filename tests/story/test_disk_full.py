"""No space left on the far side: a run says where, changes nothing more there, and goes on once there is room."""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix_lab.site.guest.generations import boot_default
from tests.sim.golden import Golden
from tests.sim.kill_scenes import changed
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OLD, Scene, scene

pytestmark = pytest.mark.sim
BEFORE = ("place", "clone", "cloudinit", "boot", "hardware")


def test_a_full_repository_takes_no_branch_and_the_run_goes_on_when_it_has_room(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run(*BEFORE)).code is ExitCode.OK
        refs = dict(site.sim.remote.refs)
        site.sim.remote.refuse = lambda _ref: "unable to write file: No space left on device"
        done = await site.run(*BEFORE, "register", "review")
        assert done.code is ExitCode.REFUSED, done.why
        assert "No space left on device" in done.why
        assert "repository" in done.why
        assert (done.last.verb, site.sim.remote.refs) == ("register", refs)
        site.sim.remote.calm()
        assert (await site.resume()).code in (ExitCode.OK, ExitCode.CHANGES)
        assert f"refs/heads/registration/{NEW}" in site.sim.remote.refs
        assert site.vms() == 1

    scene(golden, act)


def test_a_full_store_on_the_target_activates_nothing_and_the_run_goes_on_when_it_has_room(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = site.guest(OLD).current_path
        await changed(site, OLD)
        site.arm("disk-full", OLD)
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.FAILED, done.why
        assert "No space left on device" in done.why + done.output
        guest = site.guest(OLD)
        assert (guest.current_path, boot_default(guest.tree), done.sent("systemd-run")) == (old, old, 0)
        site.clear()
        assert (await site.resume()).code is ExitCode.OK
        guest = site.guest(OLD)
        assert guest.current.revision == site.sim.main()
        assert boot_default(guest.tree) == guest.current_path != old

    scene(golden, act)


@pytest.mark.parametrize("command", ["nix build", "dd of=/var/lib/pvenix", "mkdir -p /var/lib/pvenix"])
def test_a_store_that_runs_full_on_the_way_activates_nothing(golden: Golden, command: str) -> None:
    """The disk is full from that command of a rebuild on, whichever it is."""

    async def act(site: Scene) -> None:
        old = site.guest(OLD).current_path
        await changed(site, OLD)
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        full = Calls(due={f"$ {command}": [lambda: site.arm("disk-full", OLD)]})
        code = await site.sim.run(run, full)
        assert code is ExitCode.FAILED, "\n".join(site.sim.log[-4:])
        assert "No space left on device" in "\n".join(site.sim.log[-8:])
        assert (site.guest(OLD).current_path, boot_default(site.guest(OLD).tree)) == (old, old)
        site.clear()
        assert await site.sim.run(run, Calls(), resume=True) is ExitCode.OK
        assert site.guest(OLD).current.revision == site.sim.main()
        site.rules.clean(site.sim, (OLD,))

    scene(golden, act)

"""The snapshot before an update: when it is taken, kept and let go, and what happens where none can be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.events import Command
from pvenix.model.host import Snapshot
from pvenix.model.plan import Task
from pvenix.model.update import SecondNet, Update
from tests.sim.golden import CONTROLLER, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import OLD, Scene, scene

FILE = "nix/modules/role-base.nix"
killed = pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])


def asking(golden: Golden, host: str = OLD, *, net: tuple[SecondNet, ...] = (), **snapshot: object) -> Golden:
    """The same site, whose inventory asks for a snapshot before each update of the host."""
    was = golden.fleet.hosts[host]
    kept = replace(Snapshot(before_update=True), **snapshot)  # type: ignore[arg-type]
    wanted = replace(was.machine, snapshot=kept, update=Update(second_net=net))
    return replace(
        golden, fleet=replace(golden.fleet, hosts={**golden.fleet.hosts, host: replace(was, machine=wanted)})
    )


def changed(site: Scene, words: str = "new") -> None:
    """Something to rebuild for."""
    site.sim.change_main(FILE, f"{{ }}\n# {words}\n")


def test_one_is_taken_between_build_and_activation_and_a_host_that_is_done_takes_none(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        done = await site.run("rebuild", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        [name] = site.vm(OLD).snapshots
        assert name == f"pvenix-{site.run_id}"
        sent = [event.text for event in done.events if isinstance(event, Command)]
        order = [next(at for at, text in enumerate(sent) if word in text) for word in ("nix build", "snapname", "dead")]
        assert order == sorted(order)
        writes = site.writes
        again = await site.run("rebuild", hosts=(OLD,))
        assert (again.code, site.writes) == (ExitCode.OK, writes), again.why

    scene(asking(golden), act)


def test_the_oldest_of_ours_go_and_a_snapshot_that_is_not_asked_for_is_not_taken(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        for number in range(3):
            changed(site, str(number))
            done = await site.run("rebuild", hosts=(OLD, "docker01"))
            assert done.code is ExitCode.OK, done.why
            await site.later(2)
        assert len(site.vm(OLD).snapshots) == 2
        assert site.vm("docker01").snapshots == {}

    scene(asking(golden, keep=2), act)


def test_the_host_that_runs_pvenix_is_updated_without_one(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        done = await site.run("rebuild", hosts=(CONTROLLER,))
        assert (done.code, site.vm(CONTROLLER).snapshots) == (ExitCode.OK, {}), done.why

    scene(asking(golden, CONTROLLER), act)


@pytest.mark.parametrize("relied_on", [False, True], ids=["goes on", "is refused"])
def test_where_none_can_be_taken_the_update_goes_on_and_says_so_unless_the_second_net_relies_on_it(
    golden: Golden, *, relied_on: bool
) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        old = site.guest(OLD).current_path
        site.arm("pve-500", method="POST", path="/snapshot", message="snapshot feature is not available")
        done = await site.run("rebuild", hosts=(OLD,))
        if relied_on:
            assert (done.code, site.guest(OLD).current_path) == (ExitCode.REFUSED, old), done.why
            assert "no snapshot of it could be taken" in done.why
        else:
            assert done.code is ExitCode.OK, done.why
            assert site.guest(OLD).current_path != old
            assert "no snapshot before the update: " in done.text
        assert site.vm(OLD).snapshots == {}

    scene(asking(golden, net=(SecondNet.SNAPSHOT,) if relied_on else ()), act)


@pytest.mark.slow
@killed
def test_killed_anywhere_one_snapshot_is_taken_for_one_update(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        changed(site)
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        code, deaths = None, 0
        while code is None:
            code = await site.sim.run(run, Calls(die_at=deaths + 1, before=before), resume=deaths > 0)
            deaths += code is None
        assert code is ExitCode.OK, "\n".join(site.sim.log[-5:])
        taken = [task for task in site.site.cluster.tasks.values() if task.type == "qmsnapshot"]
        assert (len(taken), len(site.vm(OLD).snapshots)) == (1, 1)

    scene(asking(golden), act)

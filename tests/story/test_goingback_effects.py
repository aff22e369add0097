"""What a way back changes is told before it is gone; and one that only boots touches nothing that runs."""

from __future__ import annotations

import json
from dataclasses import replace

from pvenix.lifecycle.effects import effects
from pvenix.lifecycle.goingback import prospects
from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from pvenix_lab.site.guest import generations
from tests.sim.golden import RESIDENTS, Golden
from tests.story.fault_scene import OLD, Scene, scene
from tests.story.plan_scene import world_of
from tests.story.test_goingback import KERNEL, killed, rebuilt, runs, through, went


def test_commits_packages_and_the_kernel_are_told_and_nothing_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        was, ran = generations.current_number(guest.tree), runs(guest)
        site.sim.change_main("nix/modules/role-base.nix", KERNEL)
        assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK
        assert (await site.run("reboot", hosts=(OLD,))).code is ExitCode.OK
        writes, now = site.writes, runs(guest)
        world = world_of(site)
        found = await effects(world, OLD, was)
        assert (found.old, found.new, found.forward) == (now, ran, False)
        assert len(found.commits) == 1
        assert "kernel" in found.boots
        assert found.packages
        same = await effects(world, OLD, generations.current_number(guest.tree))
        assert (same.commits, same.packages, same.boots) == ((), (), "")
        assert site.writes == writes

    scene(golden, act)


def test_each_host_goes_to_the_generation_that_was_said_for_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        first = {
            host: (generations.current_number(site.guest(host).tree), runs(site.guest(host))) for host in RESIDENTS
        }
        await rebuilt(site, "one", hosts=RESIDENTS)
        second = {
            host: (generations.current_number(site.guest(host).tree), runs(site.guest(host))) for host in RESIDENTS
        }
        await rebuilt(site, "two", hosts=RESIDENTS)
        aims = {RESIDENTS[0]: first[RESIDENTS[0]], RESIDENTS[1]: second[RESIDENTS[1]]}
        found = await prospects(world_of(site), RESIDENTS, to={host: aim[0] for host, aim in aims.items()})
        made = site.sim.plan("rollback", RESIDENTS, Task(verb="rollback"))
        site.rules.aims |= {(made.run, host): aim[1] for host, aim in aims.items()}
        plan = replace(made.plan(), decisions={each.host: each.decided for each in found})
        (made.path / "plan.json").write_text(json.dumps(plan.to_json()))
        assert (await went(site, made)).code is ExitCode.OK
        assert {host: runs(site.guest(host)) for host in RESIDENTS} == {host: aim[1] for host, aim in aims.items()}

    scene(golden, act)


@killed
def test_a_way_back_that_only_boots_leaves_what_runs_alone(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        guest = site.guest(OLD)
        was, path = generations.current_number(guest.tree), runs(guest)
        await rebuilt(site, "one")
        now = runs(guest)
        made = site.sim.plan("rollback", (OLD,), Task(verb="rollback", args={"to": was, "boot": True}))
        site.rules.asked[made.run] = was
        site.rules.only_boot.add(made.run)
        assert await through(site, made, before=before) > 5
        assert guest.tree.resolve("/run/current-system") == now
        assert generations.boot_default(guest.tree) == path
        assert guest.tree.resolve("/nix/var/nix/profiles/system") == path
        again = site.sim.plan("rollback", (OLD,), Task(verb="rollback", args={"to": was, "boot": True}))
        site.rules.asked[again.run] = was
        site.rules.only_boot.add(again.run)
        assert (await went(site, again)).last.status == "ok"

    scene(golden, act)


def test_a_number_that_was_given_to_another_system_since_it_was_shown_is_refused(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        was = generations.current_number(site.guest(OLD).tree)
        await rebuilt(site, "one")
        now, writes = runs(site.guest(OLD)), site.writes
        made = site.sim.plan("rollback", (OLD,), Task(verb="rollback", args={"to": was}))
        plan = replace(made.plan(), decisions={OLD: {"back_to": f"/nix/store/{'0' * 32}-nixos-system-shown"}})
        (made.path / "plan.json").write_text(json.dumps(plan.to_json()))
        done = await went(site, made)
        assert done.last.status == "refused"
        assert "another system than the one that was shown" in done.why
        assert (runs(site.guest(OLD)), site.writes) == (now, writes)

    scene(golden, act)

"""The reboot that a new system needs: in the run, by a person or not at all, in turn with its like, and never twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.events import StepEnded
from pvenix.model.plan import Task
from pvenix.model.update import Approve, Reboot, Strategy
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OLD, Scene, scene

pytestmark = pytest.mark.sim

OTHER = "docker01"
KERNEL = "{ pkgs, ... }:\n{\n  boot.kernelPackages = pkgs.linuxPackages_6_6;\n}\n"
NEEDED = Task(verb="reboot", args={"needed": True})


def update(site: Scene, host: str = OLD, **fields: Any) -> None:
    site.sim.change_host(host, update=replace(site.sim.fleet.hosts[host].machine.update, **fields))


def new_kernel(site: Scene) -> None:
    site.sim.change_main("nix/modules/role-base.nix", KERNEL)


def reboots(site: Scene) -> int:
    return Counter(task.type for task in site.site.cluster.tasks.values())["qmreboot"]


def test_by_hand_is_told_and_left_to_a_person(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        new_kernel(site)
        boot = site.guest(OLD).boot_id
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, site.guest(OLD).boot_id) == (ExitCode.OK, boot), done.why
        assert "reboot needed: kernel 6.12" in done.why
        assert f"pvenix reboot {OLD}" in done.why
        assert (await site.run(NEEDED, hosts=(OLD,))).code is ExitCode.OK
        assert site.guest(OLD).booted.kernel.startswith("6.6")
        before = site.writes
        again = await site.run(NEEDED, hosts=(OLD,))
        assert (again.code, site.writes, "no reboot is needed" in again.why) == (ExitCode.OK, before, True)

    scene(golden, act)


def test_a_machine_without_a_kernel_of_its_own_has_nothing_to_boot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.AUTO)
        new_kernel(site)
        guest = site.guest(OLD)
        guest.tree.remove(f"{guest.current_path}/kernel")
        done = await site.run("rebuild", hosts=(OLD,), named=False)
        assert (done.code, reboots(site)) == (ExitCode.OK, 0), done.why
        assert "reboot" not in done.why

    scene(golden, act)


def test_where_no_reboot_can_be_needed_none_is_made(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("shutdown", hosts=(OTHER,))).code is ExitCode.OK
        before = site.writes
        done = await site.run(NEEDED, hosts=(OLD, OTHER, NEW))
        ends = {event.host: event.status for event in done.events if isinstance(event, StepEnded)}
        assert ends == {OLD: "ok", OTHER: "skipped", NEW: "skipped"}
        assert (done.code, site.writes) == (ExitCode.OK, before)

    scene(golden, act)


def test_never_is_said_and_nothing_more(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.NEVER)
        new_kernel(site)
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, reboots(site)) == (ExitCode.OK, 0)
        assert "update.reboot is never" in done.why

    scene(golden, act)


def test_the_same_kernel_needs_no_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.AUTO)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, reboots(site)) == (ExitCode.OK, 0), done.why
        assert "reboot" not in done.why

    scene(golden, act)


def test_a_system_that_is_only_staged_is_booted_in_the_same_run(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.AUTO, approve=Approve.NEVER, strategy=Strategy.BOOT)
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# one\n")
        done = await site.run("rebuild", hosts=(OLD,))
        assert (done.code, reboots(site)) == (ExitCode.OK, 1), done.why
        assert site.guest(OLD).current.revision == site.sim.main()

    scene(golden, act)


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_killed_at_any_call_the_update_ends_booted_once(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.AUTO, approve=Approve.NEVER)
        new_kernel(site)
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        deaths = 0
        code: ExitCode | None = None
        while code is None:
            code = await site.sim.run(run, Calls(die_at=1 + 2 * deaths, before=before), resume=deaths > 0)
            deaths += code is None
            assert deaths < 200
        assert (code, reboots(site)) == (ExitCode.OK, 1), "\n".join(site.sim.log[-9:])
        guest = site.guest(OLD)
        assert guest.booted.kernel.startswith("6.6")
        assert guest.booted.revision == site.sim.main()
        site.rules.always(site.sim)

    scene(golden, act)


def test_a_host_that_does_not_come_back_is_unknown_with_the_way_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        update(site, reboot=Reboot.AUTO, approve=Approve.NEVER)
        new_kernel(site)

        def break_boot() -> None:
            site.guest(OLD).unbootable.add(site.guest(OLD).current_path)

        done = await site.run("rebuild", hosts=(OLD,), due={"/status/reboot": [break_boot]})
        assert done.code is ExitCode.UNKNOWN, done.why
        assert f"{OLD} did not come back from the reboot into its new system" in done.why
        assert f"pvenix console {OLD}: the boot menu has the earlier generations" in done.why

    scene(golden, act)


async def beside_each_other(site: Scene) -> None:
    """Both hosts, which have the role base, are on one node."""
    task = Task(verb="migrate", args={"to": site.vm(OLD).node})
    assert (await site.run(task, hosts=(OTHER,))).code is ExitCode.OK
    assert site.vm(OLD).node == site.vm(OTHER).node


def test_two_of_one_role_on_one_node_are_never_down_together(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await beside_each_other(site)
        together = 0

        async def watch() -> None:
            nonlocal together
            while True:
                together = max(together, sum(not site.guest(host).running for host in (OLD, OTHER)))
                await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch())
            done = await site.run("reboot", hosts=(OLD, OTHER))
            watching.cancel()
        assert done.code is ExitCode.OK, done.why
        assert reboots(site) == 2
        assert together == 1
        assert "another host of role base" in done.text

    scene(golden, act)


def test_while_one_is_away_the_next_of_its_role_is_not_rebooted(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await beside_each_other(site)
        site.guest(OLD).unbootable.add(site.guest(OLD).current_path)
        done = await site.run("reboot", hosts=(OLD, OTHER))
        ends = {event.host: (event.status, event.summary) for event in done.events if isinstance(event, StepEnded)}
        assert ends[OLD][0] == "unknown"
        assert ends[OTHER][0] == "failed"
        assert f"{OTHER} is not rebooted while {OLD} is away" in ends[OTHER][1]
        assert (reboots(site), site.vm(OTHER).running) == (1, True)

    scene(golden, act)

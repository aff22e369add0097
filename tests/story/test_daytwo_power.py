"""Power: seen at the VM's node before it is said, whoever keeps the VM."""

from __future__ import annotations

import asyncio

from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from tests.sim.golden import CONTROLLER, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import OLD, Scene, row, scene


def test_power_goes_down_and_up_and_what_is_so_already_is_left_alone(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("shutdown", hosts=(OLD,))).code is ExitCode.OK
        assert not site.vm(OLD).running
        before = site.writes
        again = await site.run("shutdown", "stop", hosts=(OLD,))
        assert (again.code, site.writes) == (ExitCode.OK, before), again.why
        assert (await site.run("start", hosts=(OLD,))).code is ExitCode.OK
        assert site.vm(OLD).running
        before = site.writes
        assert (await site.run("start", hosts=(OLD,))).code is ExitCode.OK
        assert site.writes == before

    scene(golden, act)


def test_a_guest_that_does_not_go_down_keeps_its_power_unless_forced(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).wedged = True
        done = await site.run(Task(verb="shutdown", args={"grace": 20}), hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.FAILED, True), done.why
        assert "--force" in done.why
        done = await site.run(Task(verb="shutdown", args={"grace": 20, "force": True}), hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.OK, False), done.why

    scene(golden, act)


def test_a_lost_answer_is_looked_at_and_nothing_is_sent_twice(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        for verb, word in (("stop", "stop"), ("start", "start")):
            site.arm("pve-596", method="POST", path=f"/status/{word}", effect=True)
            done = await site.run(verb, hosts=(OLD,))
            assert (done.code, done.sent(f"/status/{word}")) == (ExitCode.OK, 1), done.why

    scene(golden, act)


def test_a_lost_answer_without_effect_is_unknown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("pve-596", method="POST", path="/status/stop", effect=False)
        done = await site.run("stop", hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.UNKNOWN, True), done.why
        assert (await site.resume()).code is ExitCode.OK
        assert not site.vm(OLD).running

    scene(golden, act)


@row("F27")
def test_a_vm_that_the_ha_manager_keeps_is_off_when_it_is_off_and_not_when_the_request_ends(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F27", OLD)
        done = await site.run("stop", hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.OK, False), done.why
        assert "HA manager" in done.text
        done = await site.run("start", hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.OK, True), done.why

    scene(golden, act)


@row("F27")
def test_a_vm_that_the_ha_manager_does_not_stop_is_not_said_to_be_off(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("F27", OLD)
        site.arm("task-ignored", type="hastop")
        done = await site.run("stop", hosts=(OLD,))
        assert (done.code, site.vm(OLD).running) == (ExitCode.FAILED, True), done.why
        assert "ha-manager status" in done.why

    scene(golden, act)


def test_the_host_that_runs_pvenix_takes_its_own_power_never(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = site.writes
        for verb in ("shutdown", "stop", "reboot", "reset"):
            done = await site.run(verb, hosts=(CONTROLLER,))
            assert done.code is ExitCode.REFUSED, (verb, done.why)
        assert site.writes == before

    scene(golden, act)


def test_a_reboot_is_another_boot_of_the_system_that_was_to_boot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        first = site.guest(OLD).boot_id
        done = await site.run("reboot", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert site.guest(OLD).boot_id not in ("", first)
        assert site.guest(OLD).boot_id in done.last.summary
        assert "same system" in done.last.summary

    scene(golden, act)


def test_a_reboot_that_does_nothing_is_not_said_to_be_one(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("task-ignored", type="qmreboot")
        done = await site.run("reboot", hosts=(OLD,))
        assert done.code is ExitCode.UNKNOWN, done.why
        assert "another boot" in done.why

    scene(golden, act)


def test_a_reboot_whose_answer_is_lost_is_asked_once(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("pve-596", method="POST", path="/status/reboot", effect=True)
        first = site.guest(OLD).boot_id
        done = await site.run("reboot", hosts=(OLD,))
        assert (done.code, done.sent("/status/reboot")) == (ExitCode.OK, 1), done.why
        assert site.guest(OLD).boot_id != first

    scene(golden, act)


def test_a_reboot_that_is_gone_on_with_while_the_guest_is_down_is_seen_through(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        first = site.guest(OLD).boot_id
        site.arm("task-slow", type="qmreboot", seconds=20)
        run = site.sim.plan("reboot", (OLD,), Task(verb="reboot"))
        sent = 0
        while sent == 0:  # the process dies once Proxmox has the request
            assert await site.sim.run(run, Calls(die_at=site.sim.calls.count + 1), resume=True) is None
            sent = sum(task.type == "qmreboot" for task in site.site.cluster.tasks.values())
        site.vm(OLD).status = "stopped"
        asyncio.get_running_loop().call_later(10, lambda: setattr(site.vm(OLD), "status", "running"))
        assert await site.sim.run(run, Calls(), resume=True) is ExitCode.OK
        assert site.guest(OLD).boot_id not in ("", first)
        assert sum(task.type == "qmreboot" for task in site.site.cluster.tasks.values()) == 1

    scene(golden, act)


def test_a_reset_boots_a_guest_anew_that_nobody_can_ask(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("agent-absent", OLD)
        first = site.guest(OLD).boot_id
        done = await site.run("reset", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert site.guest(OLD).boot_id not in ("", first)

    scene(golden, act)

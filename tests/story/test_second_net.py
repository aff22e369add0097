"""SSH stays dead after an activation and nobody goes back on the host: Proxmox is the second net, as far as policy goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.host import Snapshot
from pvenix.model.plan import Task
from pvenix.model.update import SecondNet, Update
from tests.sim.golden import CONTROLLER, Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import OLD, Done, Scene, scene

LEASED = "docker01"
"""Its address is a lease."""
ALL = tuple(SecondNet)
STARTED = "--unit=pvenix-activate-"
killed = pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])


def wanting(golden: Golden, *net: SecondNet, host: str = OLD, **machine: Any) -> Golden:
    """The same site, whose inventory wants this second net for the host, and a snapshot where one belongs to it."""
    was = golden.fleet.hosts[host]
    kept = Snapshot(before_update=SecondNet.SNAPSHOT in net)
    wanted = replace(was.machine, update=Update(second_net=net, confirm_timeout_s=30), snapshot=kept, **machine)
    return replace(
        golden, fleet=replace(golden.fleet, hosts={**golden.fleet.hosts, host: replace(was, machine=wanted)})
    )


def locks_out(site: Scene, *, host: str = OLD, agent: bool = True) -> str:
    """The next activation closes port 22; without its `agent` the host is deaf. What runs before."""
    site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
    site.arm("port-closed-by-new-system", host)
    if not agent:
        site.arm("agent-absent", host)
    return site.guest(host).current_path


def kill_dead_man(site: Scene, host: str = OLD) -> Callable[[], object]:
    """Somebody ends the dead-man of the host with a signal."""

    def now() -> None:
        guest = site.guest(host)
        for name in [name for name in guest.units.units if name.startswith("pvenix-deadman-")]:
            unit = guest.units.units.pop(name)
            if unit.job is not None:
                unit.job.cancel()

    return now


async def rebuilt(site: Scene, host: str = OLD, task: str | Task = "rebuild") -> Done:
    """A rebuild whose dead-man is ended as soon as the activation is asked for."""
    return await site.run(task, hosts=(host,), due={STARTED: [kill_dead_man(site, host)]})


def tasks(site: Scene) -> Counter[str]:
    """Proxmox tasks that ended well, by kind."""
    return Counter(task.type for task in site.site.cluster.tasks.values() if task.exitstatus == "OK")


def is_back(site: Scene, old: str, host: str = OLD) -> None:
    """The old system runs and boots, over SSH, and nothing of the attempt is in the way of the next one."""
    guest = site.guest(host)
    assert (guest.current_path, guest.ssh_ready) == (old, True)
    assert not [name for name in guest.units.units if name.startswith("pvenix-")]
    assert not guest.tree.exists("/run/pvenix/fence")


def test_a_host_is_asked_through_its_agent_to_go_back(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = locks_out(site)
        done = await rebuilt(site)
        assert done.code is ExitCode.ROLLED_BACK, done.why
        assert "as asked through the guest agent: the old system runs, SSH answers again" in done.last.summary
        assert (done.sent("--unit=pvenix-revert-"), tasks(site)["qmreset"]) == (1, 0)
        assert "no contact for 90 s; looking through the guest agent" in done.text
        is_back(site, old)

    scene(wanting(golden, SecondNet.AGENT, SecondNet.RESET), act)


def test_a_host_whose_agent_is_deaf_too_is_reset_into_its_boot_default(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old, boot = locks_out(site, agent=False), site.guest(OLD).boot_id
        done = await rebuilt(site)
        assert done.code is ExitCode.ROLLED_BACK, done.why
        assert "a reset booted it: the old system runs, SSH answers again" in done.last.summary
        assert "no contact for 90 s; resetting the VM: its boot default is the old system" in done.text
        assert tasks(site)["qmreset"] == 1
        assert site.guest(OLD).boot_id not in ("", boot)
        is_back(site, old)
        site.clear()
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# mended\n")
        again = await site.run("rebuild", hosts=(OLD,))
        assert again.code is ExitCode.OK, again.why

    scene(wanting(golden, SecondNet.AGENT, SecondNet.RESET), act)


def test_a_snapshot_is_gone_back_to_only_where_the_policy_names_it_and_the_loss_is_said(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = locks_out(site, agent=False)
        done = await rebuilt(site)
        assert done.code is ExitCode.ROLLED_BACK, done.why
        assert "it was put back to snapshot pvenix-" in done.last.summary
        assert "all data written since is lost" in done.text
        assert (tasks(site)["qmrollback"], tasks(site)["qmreset"]) == (1, 0)
        is_back(site, old)

    scene(wanting(golden, SecondNet.SNAPSHOT), act)


def test_a_host_that_its_dead_man_brought_back_is_not_reset_because_ssh_is_dead(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = locks_out(site)
        boot = site.guest(OLD).boot_id
        done = await site.run("rebuild", hosts=(OLD,), due={STARTED: [lambda: site.arm("ssh-refused", OLD)]})
        assert done.code is ExitCode.ROLLED_BACK, done.why
        assert "its dead-man went back: the old system runs, SSH does not answer all the same" in done.last.summary
        assert (site.guest(OLD).current_path, site.guest(OLD).boot_id) == (old, boot)
        assert (done.sent("--unit=pvenix-revert-"), tasks(site)["qmreset"]) == (0, 0)

    scene(wanting(golden, SecondNet.AGENT, SecondNet.RESET), act)


@pytest.mark.parametrize("net", [(), (SecondNet.AGENT,)], ids=["nothing", "the agent"])
def test_where_the_policy_ends_a_person_is_asked_for_and_nothing_more_is_done(
    golden: Golden, net: tuple[SecondNet, ...]
) -> None:
    async def act(site: Scene) -> None:
        locks_out(site, agent=False)
        done = await rebuilt(site)
        assert done.code is ExitCode.UNKNOWN, done.why
        assert "needs a person at its console" in done.last.summary
        assert f"pvenix console {OLD}" in done.last.hint
        assert f"pvenix resume {site.run_id}" in done.last.hint
        assert (tasks(site)["qmreset"], tasks(site)["qmrollback"]) == (0, 0)

    scene(wanting(golden, *net), act)


def test_a_rung_that_did_not_help_is_not_tried_again_and_a_person_s_work_is_seen(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = locks_out(site, agent=False)
        site.guest(OLD).unbootable.add(old)
        done = await rebuilt(site)
        assert (done.code, tasks(site)["qmreset"]) == (ExitCode.UNKNOWN, 1), done.why
        again = await site.resume()
        assert (again.code, tasks(site)["qmreset"]) == (ExitCode.UNKNOWN, 1), again.why
        site.guest(OLD).unbootable.clear()
        site.guest(OLD).boot_now()  # somebody at the console
        site.clear()
        seen = await site.resume()
        assert seen.code is ExitCode.ROLLED_BACK, seen.why
        assert site.guest(OLD).current_path == old

    scene(wanting(golden, SecondNet.AGENT, SecondNet.RESET), act)


def test_a_vm_that_may_be_somebody_else_s_is_not_touched(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        locks_out(site)
        vm = site.vm(OLD)

        def taken_over() -> None:
            kill_dead_man(site)()
            vm.config |= {"description": "", "smbios1": "uuid=00000000-0000-4000-8000-000000000000"}

        done = await site.run("rebuild", hosts=(OLD,), due={STARTED: [taken_over]})
        assert done.code is ExitCode.UNKNOWN, done.why
        assert "needs a person at its console" in done.last.summary
        assert (done.sent("/status/reset"), done.sent("--unit=pvenix-revert-")) == (0, 0)

    scene(wanting(golden, *ALL), act)


def test_the_host_that_runs_pvenix_is_asked_through_its_agent_and_never_reset(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        locks_out(site, host=CONTROLLER, agent=False)
        done = await rebuilt(site, CONTROLLER)
        assert done.code is ExitCode.UNKNOWN, done.why
        assert (tasks(site)["qmreset"], tasks(site)["qmsnapshot"]) == (0, 0)

    scene(wanting(golden, *ALL, host=CONTROLLER), act)


@killed
def test_killed_at_the_reset_nobody_presses_it_again(golden: Golden, *, before: bool) -> None:
    async def act(site: Scene) -> None:
        old, sim = locks_out(site, agent=False), site.sim
        run = sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        calls = Calls(due={STARTED: [kill_dead_man(site)]}, die_on="/status/reset", before=before)
        assert await sim.run(run, calls) is None
        assert await sim.run(run, Calls(), resume=True) is ExitCode.ROLLED_BACK, "\n".join(sim.log[-5:])
        assert tasks(site)["qmreset"] == 1
        is_back(site, old)

    scene(wanting(golden, SecondNet.RESET), act)


_STRIDE = 7
"""Calls from one death to the next; each life begins anew, so that every call would take a square of them."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("net", "agent", "kind"),
    [
        ((SecondNet.AGENT, SecondNet.RESET), True, ""),
        ((SecondNet.AGENT, SecondNet.RESET), False, "qmreset"),
        ((SecondNet.SNAPSHOT,), False, "qmrollback"),
    ],
    ids=["agent", "reset", "snapshot"],
)
@killed
def test_killed_anywhere_the_same_end_is_reached_and_no_rung_is_done_twice(
    golden: Golden, net: tuple[SecondNet, ...], kind: str, *, agent: bool, before: bool
) -> None:
    async def act(site: Scene) -> None:
        old, sim = locks_out(site, agent=agent), site.sim
        run = sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        calls = Calls()
        calls.due = {STARTED: [kill_dead_man(site)], "show pvenix-activate-": [calls.kill]}
        assert await sim.run(run, calls) is None
        code, deaths = None, 0
        while code is None:
            code = await sim.run(run, Calls(die_at=1 + _STRIDE * deaths, before=before), resume=True)
            deaths += code is None
            assert deaths < 300
        assert code is ExitCode.ROLLED_BACK, "\n".join(sim.log[-5:])
        site.rules.always(sim)
        await site.later(30)
        assert [tasks(site)[one] for one in ("qmreset", "qmrollback")] == [
            int(kind == one) for one in ("qmreset", "qmrollback")
        ]
        is_back(site, old)

    scene(wanting(golden, *net), act)


def test_a_host_without_a_fixed_address_and_with_a_deaf_agent_is_found_again_where_it_was(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        old = locks_out(site, host=LEASED)
        deaf = [kill_dead_man(site, LEASED), lambda: site.arm("agent-absent", LEASED)]
        done = await site.run("rebuild", hosts=(LEASED,), due={STARTED: deaf})
        assert done.code is ExitCode.ROLLED_BACK, done.why
        assert "a reset booted it: the old system runs, SSH answers again" in done.last.summary
        is_back(site, old, LEASED)

    scene(wanting(golden, SecondNet.RESET, host=LEASED), act)

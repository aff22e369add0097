"""A run that is given up: wherever its process died, what is open is named and what is ours is cleaned, and no more."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.engine.locks import HostLocks
from pvenix.engine.runfiles import RunDir
from pvenix.lifecycle.abandoning import give_up
from pvenix.lifecycle.leftovers import open_steps
from pvenix.lifecycle.world import World
from pvenix.model.errors import ExitCode
from pvenix.model.plan import Task
from tests.contract.memory_repo import MemoryRepo
from tests.contract.pve_world import TOKEN
from tests.sim.golden import Golden
from tests.sim.ports import Calls, SimGuest, SimTransport
from tests.sim.records import counted_repo
from tests.sim.virtual import LoopClock
from tests.story.fault_scene import NEW, OLD, Scene, scene

FENCE = "/run/pvenix/fence"
GONE_BACK_S = 600
"""By when every dead-man of an attempt has spoken."""


def world_of(site: Scene) -> World:
    """The site as another process sees it."""
    sim, calls, clock = site.sim, Calls(), LoopClock()
    return World(
        fleet=sim.fleet,
        pve=PveCluster(SimTransport(sim.site, calls), clock=clock, cluster="lab", token=TOKEN),
        guest=SimGuest(sim.machines, calls),
        repo=counted_repo(MemoryRepo(sim.remote), calls),
        clock=clock,
        trust=sim.trust,
        sightings=sim.sightings,
    )


async def given_up(site: Scene, run: RunDir, said: list[str] | None = None) -> tuple[str, ...]:
    """What is left open of a dead run after another process gave it up."""
    journal = site.sim.journals[run.run]
    journal.opened_by(Calls())
    words: list[str] = [] if said is None else said
    left = await give_up(
        world_of(site),
        run.run,
        open_steps(journal.entries()),
        journal=journal,
        locks=HostLocks(site.sim.root / "state/locks"),
        by="ada",
        say=words.append,
    )
    await site.later(1)  # until the last evidence is written
    return left


async def died(site: Scene, at: int, task: Task, *, host: str) -> RunDir | None:
    """A run whose process died before a call; None when it came to its end before."""
    run = site.sim.plan(task.verb, (host,), task)
    return run if await site.sim.run(run, Calls(die_at=at)) is None else None


@pytest.mark.slow
def test_an_activation_that_was_given_up_anywhere_leaves_no_fence_and_the_next_run_goes_through(golden: Golden) -> None:
    at, fences, open_ends = 0, 0, 0

    def dies_at(number: int) -> bool:
        seen: list[RunDir | None] = []

        async def act(site: Scene) -> None:
            nonlocal fences, open_ends
            site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
            run = await died(site, number, Task(verb="rebuild"), host=OLD)
            seen.append(run)
            if run is None:
                return
            had = site.guest(OLD).tree.exists(FENCE)
            left = await given_up(site, run)
            if left:
                open_ends += 1
                assert any("at work on the host" in line for line in left), left
                assert site.guest(OLD).tree.exists(FENCE)
                await site.later(GONE_BACK_S)
                left = await given_up(site, run)
            assert left == ()
            fences += had
            assert not site.guest(OLD).tree.exists(FENCE)
            assert all(step.recorded for step in open_steps(site.sim.journals[run.run].entries()))
            assert (await site.run("rebuild", hosts=(OLD,))).code is ExitCode.OK

        scene(golden, act)
        return seen[0] is not None

    while dies_at(at := at + 1):
        assert at < 200
    assert at > 20
    assert fences > 5
    assert open_ends > 3


def test_an_activation_on_a_host_that_left_the_inventory_is_told_as_open(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        await site.sim.run(run, Calls(die_on="systemd-run", before=False))
        fleet = site.sim.fleet
        site.sim.fleet = replace(fleet, hosts={name: host for name, host in fleet.hosts.items() if name != OLD})
        left = await given_up(site, run)
        assert len(left) == 1
        assert left[0].startswith(f"{OLD}: it is not in the inventory any more")
        site.sim.fleet = fleet
        await site.later(GONE_BACK_S)
        assert await given_up(site, run) == ()

    scene(golden, act)


def test_an_activation_that_is_open_is_named_and_its_fence_stays(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        await site.sim.run(run, Calls(die_on="systemd-run", before=False))
        left = await given_up(site, run)
        assert any(f"{OLD}: pvenix-" in line and "at work on the host" in line for line in left), left
        assert site.guest(OLD).tree.exists(FENCE)

    scene(golden, act)


def test_a_half_made_vm_is_named_with_the_ways_on_and_not_destroyed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        run = site.sim.plan("clone", (NEW,), Task(verb="clone"))
        await site.sim.run(run, Calls(die_on="PUT ", before=True))
        [line] = await given_up(site, run)
        assert f"VM {site.vm().vmid} on {site.vm().node} is half made" in line
        assert f"`pvenix clone {NEW}` goes on with it" in line
        assert (await site.run("clone")).code is ExitCode.OK
        assert await given_up(site, run) == ()
        ended = await site.run(Task(verb="destroy", args={"confirm": NEW}))
        assert ended.code is ExitCode.OK, ended.why
        assert await given_up(site, run) == ()

    scene(golden, act)


def test_a_task_that_still_runs_is_named_and_one_that_ended_is_only_told(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        run, calls, said = site.sim.plan("clone", (NEW,), Task(verb="clone")), Calls(), list[str]()
        async with asyncio.TaskGroup() as group:
            group.create_task(site.sim.run(run, calls))
            await site.later(0.2)
            calls.kill()
        [upid] = [row.data["upid"] for row in site.sim.journals[run.run].entries() if "upid" in row.data]
        left = await given_up(site, run)
        assert f"{NEW}: task {upid} of clone still runs at Proxmox" in left
        await site.later(GONE_BACK_S)
        left = await given_up(site, run, said)
        assert [line for line in left if "task" in line] == []
        assert f"{NEW}: task {upid} of clone ended: OK" in said

    scene(golden, act)


def test_what_another_run_works_on_is_left_alone(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        await site.sim.run(run, Calls(die_on="systemd-run", before=False))
        await site.later(GONE_BACK_S)
        before = site.writes
        with HostLocks(site.sim.root / "state/locks").hold(OLD, owner="another", since=""):
            [line] = await given_up(site, run)
        assert "being worked on" in line
        assert site.writes == before

    scene(golden, act)


def test_a_host_that_does_not_answer_is_named_and_stays_open(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.sim.change_main("nix/modules/role-base.nix", "{ }\n# new\n")
        run = site.sim.plan("rebuild", (OLD,), Task(verb="rebuild"))
        await site.sim.run(run, Calls(die_on="systemd-run", before=False))
        await site.later(GONE_BACK_S)
        site.arm("ssh-refused", OLD)
        [line] = await given_up(site, run)
        assert "may be open there, and its fence" in line
        assert open_steps(site.sim.journals[run.run].entries())

    scene(golden, act)

"""The state of all hosts at one look: what each says, what was changed behind the repository's back, and who is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pvenix.engine.ports import Resources
from pvenix.engine.readings import Readings
from pvenix.lifecycle.state import host_statuses
from pvenix.model.errors import Unreachable
from pvenix.model.generation import Sync
from pvenix.model.host import State
from pvenix.model.status import HostStatus, from_json, to_json
from tests.sim.golden import CONTROLLER, RESIDENTS, Golden
from tests.story.fault_scene import NEW, OLD, Scene, scene
from tests.story.plan_scene import world_of

pytestmark = pytest.mark.sim

HOSTS = (CONTROLLER, *RESIDENTS)
OTHERS = tuple(host for host in HOSTS if host != OLD)
PROFILE = "/nix/var/nix/profiles/system"
MODULE = "nix/modules/role-base.nix"


async def looked(site: Scene, *names: str, **how: Any) -> dict[str, HostStatus]:
    """What a new process reads of these hosts, in the order in which they answer; nothing may be written."""
    writes = site.writes
    found = {each.host: each async for each in host_statuses(world_of(site), names or HOSTS, **how)}
    assert site.writes == writes
    return found


def states(found: dict[str, HostStatus]) -> dict[str, Sync]:
    return {host: status.sync for host, status in found.items()}


async def by_hand(site: Scene, *words: str) -> None:
    """A command that somebody runs as root on the host."""
    done = await (await world_of(site).ways.session(OLD)).run(words, sudo=True)
    assert done.ok, done.stderr


async def moved_on(site: Scene, *hosts: str, text: str = "{ }\n# new\n") -> None:
    """Main changes every host, and these are rebuilt."""
    site.sim.change_main(MODULE, text)
    if hosts:
        done = await site.run("rebuild", hosts=hosts)
        assert done.code == 0, done.why


def test_hosts_that_run_boot_and_hold_the_tip_of_main_are_in_sync_and_one_without_a_vm_has_none(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        found = await looked(site, *HOSTS, NEW)
        assert states(found) == {**dict.fromkeys(HOSTS, Sync.IN_SYNC), NEW: Sync.ABSENT}
        facts = found[OLD].facts
        assert facts is not None
        assert (facts.revision, facts.checkout, found[OLD].expected) == (site.sim.main(),) * 3
        assert (found[OLD].generation, found[OLD].drift, found[OLD].problem, found[OLD].hardware) == (2, (), "", None)

    scene(golden, act)


def test_a_host_costs_eight_commands_and_one_read_of_its_vm_and_one_command_more_with_its_hardware(
    golden: Golden,
) -> None:
    async def cost(site: Scene, *hosts: str, **how: Any) -> tuple[int, int]:
        counters = site.site.counters
        before = counters.guest_commands, counters.pve_reads
        await looked(site, *hosts, **how)
        return counters.guest_commands - before[0], counters.pve_reads - before[1]

    async def act(site: Scene) -> None:
        assert await cost(site, OLD) == (8, 2)  # of which the cluster's list is one for all
        assert await cost(site, OLD, CONTROLLER) == (16, 3)
        assert await cost(site, OLD, CONTROLLER, hardware=True) == (18, 3)

    scene(golden, act)


def edit(site: Scene) -> None:
    site.guest(OLD).tree.put(f"/etc/nixos/{MODULE}", "{ }\n")


def stray(site: Scene) -> None:
    site.guest(OLD).tree.put("/etc/nixos/notes", "mine\n")


def unmade(site: Scene) -> None:
    site.guest(OLD).tree.remove("/etc/nixos/.git")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (edit, f"edited in /etc/nixos: M {MODULE}"),
        (stray, "edited in /etc/nixos: ?? notes"),
        (unmade, "/etc/nixos is no Git checkout"),
    ],
)
def test_what_was_changed_by_hand_under_etc_nixos_is_drift(
    golden: Golden, change: Callable[[Scene], None], line: str
) -> None:
    async def act(site: Scene) -> None:
        change(site)
        found = await looked(site)
        assert states(found) == {**dict.fromkeys(OTHERS, Sync.IN_SYNC), OLD: Sync.DRIFTED}
        assert found[OLD].drift == (line,)

    scene(golden, act)


def test_a_checkout_at_another_commit_is_drift_only_when_it_is_not_a_newer_one_of_main(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        first = site.sim.main()
        await moved_on(site, OLD)
        checkout = ("git", "-C", "/etc/nixos", "checkout", "--quiet", "--detach")
        await by_hand(site, *checkout, first)
        [status] = (await looked(site, OLD)).values()
        assert (status.sync, len(status.drift)) == (Sync.DRIFTED, 1)
        await by_hand(site, *checkout, site.sim.main())
        await by_hand(site, "nix-env", "-p", PROFILE, "--rollback")
        await by_hand(site, f"{PROFILE}-2-link/bin/switch-to-configuration", "switch")
        [status] = (await looked(site, OLD)).values()
        assert (status.sync, status.drift) == (Sync.BEHIND, ())

    scene(golden, act)


def test_hardware_that_the_generator_would_write_otherwise_is_drift_when_it_is_looked_at(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        same = (await looked(site, OLD, hardware=True))[OLD]
        assert same.hardware is not None
        assert (same.sync, same.hardware.diff, same.hardware.problem) == (Sync.IN_SYNC, "", "")
        site.vm(OLD).config["scsihw"] = "lsi"
        assert (await looked(site, OLD))[OLD].sync is Sync.IN_SYNC
        other = (await looked(site, OLD, hardware=True))[OLD]
        assert other.hardware is not None
        assert (other.sync, other.drift) == (
            Sync.DRIFTED,
            ("hardware: 2 lines differ from what the generator writes now",),
        )
        changed = [line for line in other.hardware.diff.splitlines() if line[:1] in "+-"]
        assert f"nix/hardware/{OLD}-hw.nix at {other.expected[:10]}" in changed[0]
        assert "virtio_scsi" in changed[2]
        assert "sym53c8xx" in changed[3]
        done = await site.run("hardware", "register", hosts=(OLD,))
        assert done.code == 0, done.why
        assert (await looked(site, OLD))[OLD].registration == site.sim.remote.refs[f"refs/heads/registration/{OLD}"]

    scene(golden, act)


def test_a_generator_that_prints_something_else_is_a_note_and_no_drift(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("hostile-output", OLD, command="nixos-generate-config")
        status = (await looked(site, OLD, hardware=True))[OLD]
        assert status.hardware is not None
        assert (status.sync, status.drift, status.hardware.diff) == (Sync.IN_SYNC, (), "")
        assert "prints no hardware configuration" in status.hardware.problem

    scene(golden, act)


def test_a_host_that_a_newer_main_waits_for_is_behind(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        await moved_on(site, OLD)
        assert states(await looked(site)) == {**dict.fromkeys(OTHERS, Sync.BEHIND), OLD: Sync.IN_SYNC}

    scene(golden, act)


def test_a_new_kernel_needs_a_reboot_until_it_was_booted(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        kernel = "{ pkgs, ... }: { boot.kernelPackages = pkgs.linuxPackages_6_18; }\n"
        await moved_on(site, OLD, text=kernel)
        status = (await looked(site, OLD))[OLD]
        assert status.facts is not None
        assert status.sync is Sync.REBOOT
        assert "kernel" in status.facts.reboot
        done = await site.run("reboot", hosts=(OLD,))
        assert done.code == 0, done.why
        assert (await looked(site, OLD))[OLD].sync is Sync.IN_SYNC

    scene(golden, act)


def test_the_attempt_that_holds_a_host_is_named(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.guest(OLD).tree.put("/run/pvenix/fence/r1-0.0-1", "")
        facts = (await looked(site, OLD))[OLD].facts
        assert facts is not None
        assert facts.fence == ("r1-0.0-1",)

    scene(golden, act)


def test_a_registration_that_is_not_merged_is_named_until_it_is(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        done = await site.run("place", "clone", "cloudinit", "boot", "hardware", "register")
        assert done.code == 0, done.why
        status = (await looked(site, NEW))[NEW]
        assert (status.sync, status.facts) == (Sync.UNREGISTERED, None)
        assert len(status.registration) == 40
        done = await site.onboard()
        assert (await looked(site, NEW))[NEW].registration == ""

    scene(golden, act)


def test_a_host_that_does_not_answer_comes_with_what_was_known_of_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        known = Readings()
        before = (await looked(site, readings=known))[OLD]
        await site.later(7200)
        for fault in ("ssh-silent", "ssh-refused", "host-key-changed"):
            site.arm(fault, OLD)
            status = (await looked(site, readings=known))[OLD]
            assert (status.sync, status.facts, status.last) == (Sync.UNREACHABLE, None, before)
            assert status.problem
            assert status.seen_at > before.seen_at
            site.clear()
        assert (await looked(site, OLD, readings=known))[OLD].last is None

    scene(golden, act)


def test_a_host_whose_command_hangs_delays_nobody_and_is_unknown_within_its_own_time(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("command-hangs", OLD, command="git")
        began, times, found = asyncio.get_running_loop().time(), {}, {}
        async for status in host_statuses(world_of(site), HOSTS):
            found[status.host] = status
            times[status.host] = asyncio.get_running_loop().time() - began
        assert max(times[host] for host in OTHERS) < 5
        assert times[OLD] == pytest.approx(30, abs=2)
        assert states(found) == {**dict.fromkeys(OTHERS, Sync.IN_SYNC), OLD: Sync.UNKNOWN}
        assert "not read within 30 s" in found[OLD].problem

    scene(golden, act)


def test_without_the_repository_hosts_say_what_they_run_and_nobody_says_whether_that_is_right(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        stray(site)
        site.sim.remote.reachable = False
        found = await looked(site)
        assert states(found) == {**dict.fromkeys(OTHERS, Sync.UNKNOWN), OLD: Sync.DRIFTED}
        for status in found.values():
            assert status.facts is not None
            assert (status.facts.revision, status.expected) == (site.sim.main(), "")
            assert "what hosts should run is not known" in status.problem

    scene(golden, act)


def test_hosts_are_read_without_proxmox_which_costs_one_time_out_however_many_there_are(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        world, asked = world_of(site), []

        async def silent() -> Resources:
            asked.append(1)
            await asyncio.sleep(10)
            raise Unreachable("Proxmox does not answer")

        world.pve.resources = silent  # type: ignore[method-assign]
        fixed = (OLD, CONTROLLER)  # whose addresses are known without Proxmox
        began = asyncio.get_running_loop().time()
        found = {each.host: each async for each in host_statuses(world, (*fixed, NEW))}
        assert states(found) == {**dict.fromkeys(fixed, Sync.IN_SYNC), NEW: Sync.UNREACHABLE}
        assert all("Proxmox does not answer" in status.problem for status in found.values())
        assert (found[OLD].vmid, found[OLD].power, len(asked)) == (0, "", 1)
        assert asyncio.get_running_loop().time() - began < 15

    scene(golden, act)


def test_a_cut_in_mid_reading_is_unknown_and_never_a_state(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("ssh-cut", OLD, command="nixos-version")
        status = (await looked(site, OLD))[OLD]
        assert (status.sync, status.facts) == (Sync.UNKNOWN, None)

    scene(golden, act)


def test_a_stopped_vm_is_not_asked(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        assert (await site.run("stop", hosts=(OLD,))).code == 0
        commands = site.site.counters.guest_commands
        status = (await looked(site, OLD))[OLD]
        assert (status.sync, status.power, status.problem) == (Sync.UNREACHABLE, "stopped", "the VM is stopped")
        assert (site.site.counters.guest_commands, status.resting) == (commands, False)
        site.sim.change_host(OLD, state=State.STOPPED)
        status = (await looked(site, OLD))[OLD]
        assert (status.resting, status.problem) == (True, "the VM is stopped, as the inventory says")

    scene(golden, act)


def test_a_host_without_a_vm_is_forgotten(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        known = Readings()
        known.put(HostStatus(host=NEW, sync=Sync.IN_SYNC, seen_at="2025-01-01T00:00:00+00:00"))
        assert (await looked(site, NEW, readings=known))[NEW].last is None
        assert known.get(NEW) is None

    scene(golden, act)


def test_readings_outlive_the_process_and_bad_files_count_as_none(golden: Golden, tmp_path: Path) -> None:
    async def act(site: Scene) -> None:
        edit(site)
        file = tmp_path / "state/readings.json"
        found = await looked(site, OLD, readings=Readings(file), hardware=True)
        found |= await looked(site, *OTHERS, readings=Readings(file))
        assert {host: Readings(file).get(host) for host in HOSTS} == found
        assert from_json(to_json(found[OLD]) | {"later": [1]}) == found[OLD]
        for text in (
            "",
            "[]",
            "{}",
            f'{{"{OLD}": []}}',
            f'{{"{OLD}": {{"sync": "better"}}}}',
            f'{{"{OLD}": {{"sync": 1}}}}',
        ):
            file.write_text(text)
            assert Readings(file).get(OLD) is None

    scene(golden, act)

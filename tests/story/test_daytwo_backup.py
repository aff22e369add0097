"""Backups: made, seen, kept and let go, and never somebody else's."""

from __future__ import annotations

from dataclasses import replace

from pvenix.model.errors import ExitCode
from pvenix_lab.site.pve.volumes import Volume
from tests.sim.golden import Golden
from tests.story.fault_scene import OLD, Scene, scene


def kept(golden: Golden, host: str, **backup: object) -> Golden:
    """The same site with what the inventory says of the host's backups."""
    before = golden.fleet.hosts[host]
    wanted = replace(before.machine.backup, **backup)  # type: ignore[arg-type]
    hosts = {**golden.fleet.hosts, host: replace(before, machine=replace(before.machine, backup=wanted))}
    return replace(golden, fleet=replace(golden.fleet, hosts=hosts))


def backups(site: Scene, host: str = OLD) -> list[Volume]:
    """The host's backups, oldest first."""
    vmid = site.vm(host).vmid
    found = [
        each for each in site.site.cluster.volumes.entries.values() if (each.content, each.vmid) == ("backup", vmid)
    ]
    return sorted(found, key=lambda each: each.ctime)


def test_a_backup_is_named_in_the_end_and_says_whose_it_is_and_which_run_made_it(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        done = await site.run("backup", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        [made] = backups(site)
        assert made.volid in done.last.summary
        assert (made.notes or "").startswith(f"pvenix {golden.fleet.site.name}/{OLD} run ")
        assert site.sim.main()[:12] in (made.notes or "")

    scene(kept(golden, OLD, storage="local"), act)


def test_without_a_storage_for_backups_the_possible_ones_are_named(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = site.writes
        done = await site.run("backup", hosts=(OLD,))
        assert done.code is ExitCode.FAILED, done.why
        assert "local" in done.why
        assert site.writes == before

    scene(golden, act)


def test_a_lost_answer_is_looked_for_and_no_second_backup_is_made(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.arm("pve-596", method="POST", path="/vzdump", effect=True)
        done = await site.run("backup", hosts=(OLD,))
        assert done.code is ExitCode.OK, done.why
        assert len(backups(site)) == 1

    scene(kept(golden, OLD, storage="local"), act)


def test_only_our_oldest_backups_are_let_go(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        theirs = Volume(
            storage="local", name=f"backup/vzdump-qemu-{vm.vmid}-2020_01_01-00_00_00.vma.zst", size=1, content="backup",
            vmid=vm.vmid, node=vm.node, ctime=1, notes="theirs",
        )  # fmt: skip
        site.site.cluster.volumes.entries[theirs.node, theirs.volid] = theirs
        for _ in range(4):
            assert (await site.run("backup", hosts=(OLD,))).code is ExitCode.OK
            await site.later(5)
        left = backups(site)
        assert left[0] is theirs
        assert len(left) == 3

    scene(kept(golden, OLD, storage="local", keep=2), act)

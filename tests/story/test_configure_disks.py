"""Disks are added, grown, moved and detached; none shrinks and none is freed."""

from __future__ import annotations

import re

import pytest

from pvenix.model.errors import ExitCode
from tests.sim.golden import Golden
from tests.story.configure_scene import configure, disk, recorded, says
from tests.story.fault_scene import OLD, Scene, row, scene

pytestmark = pytest.mark.sim


@row("F23")
def test_a_disk_is_added_grown_moved_and_detached_and_never_freed(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        says(site, proxmox__disks=disk())
        assert (await configure(site)).code is ExitCode.OK
        assert str(vm.config["scsi1"]).startswith("tankb1:")
        assert recorded(site)["scsi1.size"] == "10G"
        says(site, proxmox__disks=disk("20G"))
        grown = await configure(site)
        assert (grown.sent("/resize"), "size=20G" in str(vm.config["scsi1"])) == (1, True), grown.why
        says(site, proxmox__disks=disk("20G", "tanka1"))
        assert ((await configure(site)).code, str(vm.config["scsi1"])[:7]) == (ExitCode.OK, "tanka1:")
        volumes = {
            str(value).partition(",")[0] for key, value in vm.config.items() if re.fullmatch(r"(scsi|unused)\d+", key)
        }
        says(site, proxmox__disks=[])
        kept = await configure(site)
        assert (kept.code, "scsi1" in vm.config, "protected VM" in kept.why) == (ExitCode.REFUSED, True, True), kept.why
        says(site, proxmox__disks=[], proxmox__protect=False)
        gone = await configure(site)
        assert (gone.code, "scsi1" in vm.config) == (ExitCode.OK, False), gone.why
        assert {str(value) for key, value in vm.config.items() if key.startswith("unused")} == volumes - {
            str(vm.config["scsi0"]).partition(",")[0]
        }
        assert volumes <= {volume for _, volume in site.site.cluster.volumes.entries}
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)

    scene(golden, act)


def test_a_disk_that_somebody_else_added_stays(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.vm(OLD).config["scsi5"] = "tankb1:vm-200-disk-9,size=4G"
        says(site, cores=6)
        assert (await configure(site)).code is ExitCode.OK
        assert site.vm(OLD).config["scsi5"] == "tankb1:vm-200-disk-9,size=4G"

    scene(golden, act)


def test_no_empty_disk_takes_the_place_of_one_that_somebody_detached(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        says(site, proxmox__disks=disk())
        assert (await configure(site)).code is ExitCode.OK
        vm.config["unused0"] = str(vm.config.pop("scsi1")).partition(",")[0]
        writes, done = site.writes, await configure(site)
        assert (done.code, site.writes, "attach it again (unused0 tankb1:" in done.why) == (
            ExitCode.REFUSED, writes, True,
        ), done.why  # fmt: skip

    scene(golden, act)


@row("F23")
def test_a_disk_with_a_change_that_waits_is_not_grown_before_the_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        vm = site.vm(OLD)
        vm.pending["scsi0"] = f"{vm.config['scsi0']},ssd=1"
        says(site, disk="64G")
        done = await configure(site)
        assert (done.sent("/resize"), done.code) == (0, ExitCode.FAILED), done.why
        assert "a change of it waits for a cold start" in done.why
        assert (await site.run("reboot", hosts=(OLD,))).code is ExitCode.OK
        assert ((await configure(site)).code, "size=64G" in str(vm.config["scsi0"])) == (ExitCode.OK, True)

    scene(golden, act)


@row("F23")
def test_a_disk_that_did_not_grow_is_not_taken_for_grown(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, disk="64G")
        site.arm("F23", OLD)
        done = await configure(site)
        assert (done.code, "did not keep scsi0" in done.why) == (ExitCode.FAILED, True), done.why
        assert (await configure(site)).code is ExitCode.OK
        assert "size=64G" in str(site.vm(OLD).config["scsi0"])

    scene(golden, act)


@row("F22")
def test_no_disk_shrinks_and_nothing_else_is_written(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, disk="8G", cores=6)
        writes, done = site.writes, await configure(site)
        assert (done.code, site.writes) == (ExitCode.REFUSED, writes)
        assert "disk of dns01 cannot go from 32G to 8G" in done.why
        assert "ask for 32G or more" in done.why

    scene(golden, act)

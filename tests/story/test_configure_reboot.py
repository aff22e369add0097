"""What waits for a reboot: memory and cores, cloud-init, and what needs none."""

from __future__ import annotations

import pytest

from pvenix.model.errors import ExitCode
from tests.sim.golden import Golden
from tests.story.configure_scene import boots, configure, says
from tests.story.fault_scene import OLD, Scene, row, scene

pytestmark = pytest.mark.sim


@row("F39")
def test_memory_and_cores_wait_for_a_reboot_and_are_not_written_again(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6, memory="6G")
        boot, done = boots(site), await configure(site)
        assert (done.code, done.sent("PUT")) == (ExitCode.OK, 1), done.why
        assert "reboot to apply cores, memory" in done.why
        assert (site.vm(OLD).config["cores"], site.vm(OLD).pending["cores"]) == (2, 6)
        writes = site.writes
        again = await configure(site)
        assert (again.code, site.writes, "reboot to apply cores, memory" in again.why) == (ExitCode.OK, writes, True)
        assert boots(site) == boot

    scene(golden, act)


@row("F39")
def test_one_reboot_applies_everything_that_waits(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6, memory="6G", hardware__numa=True, update__reboot="auto")
        boot, done = boots(site), await configure(site)
        assert (done.code, done.sent("/status/reboot")) == (ExitCode.OK, 1), done.why
        assert (site.vm(OLD).config["cores"], site.vm(OLD).config["memory"], site.vm(OLD).pending) == (6, "6144", {})
        assert boots(site) != boot
        writes = site.writes
        assert ((await configure(site)).code, site.writes) == (ExitCode.OK, writes)

    scene(golden, act)


@row("F39")
def test_a_reboot_that_is_asked_for_later_is_all_that_is_done(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, cores=6)
        assert (await configure(site)).code is ExitCode.OK
        done = await configure(site, reboot=True)
        assert (done.code, done.sent("PUT"), done.sent("/status/reboot")) == (ExitCode.OK, 0, 1), done.why
        assert site.vm(OLD).config["cores"] == 6

    scene(golden, act)


@row("F39")
def test_what_a_running_vm_takes_needs_no_reboot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, network__vlan=99, proxmox__onboot=False, update__reboot="auto")
        done = await configure(site)
        assert (done.code, done.sent("PUT"), done.sent("/status/reboot")) == (ExitCode.OK, 1, 0), done.why
        assert "tag=99" in str(site.vm(OLD).config["net0"])
        assert str(site.vm(OLD).config.get("onboot", 0)) == "0"

    scene(golden, act)


@row("F19")
def test_cloud_init_is_written_to_the_drive_and_reaches_the_guest_with_its_next_boot(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, network__address="10.69.13.77/24")
        done = await configure(site)
        assert (done.code, done.sent("/cloudinit")) == (ExitCode.OK, 1), done.why
        assert "reboot to apply network.address" in done.why
        writes = site.writes
        told = await configure(site)
        assert (site.writes, "reboot to apply network.address" in told.why) == (writes, True), told.why
        assert "10.69.13.5" in str(site.guest(OLD).addresses)
        assert (await configure(site, reboot=True)).code is ExitCode.OK
        assert "10.69.13.77" in str(site.guest(OLD).addresses)
        writes = site.writes
        quiet = await configure(site)
        assert (quiet.code, site.writes, "reboot" in quiet.why) == (ExitCode.OK, writes, False), quiet.why

    scene(golden, act)


@row("F19")
def test_a_reboot_by_somebody_else_ends_the_wait_too(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        says(site, network__address="10.69.13.77/24")
        assert (await configure(site)).code is ExitCode.OK
        assert (await site.run("reboot", hosts=(OLD,))).code is ExitCode.OK
        writes = site.writes
        done = await configure(site)
        assert (done.code, site.writes, "reboot" in done.why) == (ExitCode.OK, writes, False), done.why

    scene(golden, act)


@row("F19")
def test_a_guest_that_booted_without_taking_its_address_is_told_as_such(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        del site.vm(OLD).config["ide2"]
        site.vm(OLD).cloudinit.clear()
        says(site, network__address="10.69.13.77/24")
        done = await configure(site, reboot=True)
        assert (done.code, "did not take what cloud-init was told" in done.why) == (ExitCode.FAILED, True), done.why
        assert "and not 10.69.13.77/24" in done.why

    scene(golden, act)

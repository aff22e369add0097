"""Power, resize, destroy: which errors are in the call and which only in the task (proxmox.md a4, a7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.flavour import Flavour
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
ABSENT = "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"


def test_start_stop_and_status_follow_each_other(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        stopped = await lab.get(f"{VM}/status/current")
        assert (stopped["status"], stopped["qmpstatus"], "pid" in stopped) == ("stopped", "stopped", False)
        assert await lab.done("POST", f"{VM}/status/start") == "OK"
        running = await lab.get(f"{VM}/status/current")
        assert (running["status"], running["qmpstatus"], running["agent"]) == ("running", "running", 1)
        assert running["pid"] > 0
        assert lab.guest(250).boots == 1
        assert await lab.done("POST", f"{VM}/status/stop") == "OK"
        assert (await lab.get(f"{VM}/status/current"))["status"] == "stopped"

    in_lab(tmp_path, story)


@pytest.mark.parametrize("action", ["start", "stop", "shutdown"])
def test_a_missing_or_locked_vm_shows_only_in_the_task(tmp_path: Path, action: str) -> None:
    async def story(lab: PveLab) -> None:
        assert await lab.done("POST", f"{NODE}/qemu/311/status/{action}") == ABSENT
        await lab.clone()
        if action != "start":
            assert await lab.done("POST", f"{VM}/status/{action}") == "OK"
            await lab.done("POST", f"{VM}/status/start")
        lab.site.cluster.vms[250].lock = "backup"
        assert await lab.done("POST", f"{VM}/status/{action}") == "VM is locked (backup)"

    in_lab(tmp_path, story)


@pytest.mark.parametrize("action", ["reboot", "reset", "suspend", "resume"])
def test_what_needs_a_running_vm_is_refused_at_once(tmp_path: Path, action: str) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        response = await lab.ask("POST", f"{VM}/status/{action}")
        assert (response.status, response.reason) == (500, "VM 250 not running")
        assert (await lab.ask("POST", f"{NODE}/qemu/311/status/{action}")).reason == ABSENT

    in_lab(tmp_path, story)


def test_a_second_start_and_the_start_of_a_template_fail_in_the_task(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        assert await lab.done("POST", f"{VM}/status/start") == "VM 250 already running"
        assert await lab.done("POST", f"{TEMPLATE}/status/start") == "you can't start a vm if it's a template"

    in_lab(tmp_path, story)


def test_stopping_what_is_stopped_is_fine(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        assert await lab.done("POST", f"{VM}/status/stop") == "OK"
        assert await lab.done("POST", f"{VM}/status/shutdown") == "OK"

    in_lab(tmp_path, story)


def test_a_guest_that_ignores_a_shutdown_is_killed_only_when_forced(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        lab.guest(250).hangs = True
        assert await lab.done("POST", f"{VM}/status/shutdown") == "VM quit/powerdown failed - got timeout"
        assert lab.site.cluster.vms[250].running
        assert await lab.done("POST", f"{VM}/status/shutdown", timeout="5", forceStop="1") == "OK"
        assert not lab.site.cluster.vms[250].running

    in_lab(tmp_path, story)


def test_a_paused_vm_runs_on_paper_and_cannot_shut_down(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        await lab.done("POST", f"{VM}/status/suspend")
        status = await lab.get(f"{VM}/status/current")
        assert (status["status"], status["qmpstatus"]) == ("running", "paused")
        assert (await lab.ask("POST", f"{VM}/status/shutdown")).reason == "VM is paused - cannot shutdown"
        await lab.done("POST", f"{VM}/status/resume")
        assert (await lab.get(f"{VM}/status/current"))["qmpstatus"] == "running"

    in_lab(tmp_path, story)


def test_a_reboot_applies_pending_changes_and_a_reset_does_not(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        await lab.ask("PUT", f"{VM}/config", cores="4")
        await lab.done("POST", f"{VM}/status/reset")
        assert (await lab.get(f"{VM}/config", current="1"))["cores"] == 2
        await lab.done("POST", f"{VM}/status/reboot")
        assert (await lab.get(f"{VM}/config", current="1"))["cores"] == 4
        assert lab.guest(250).boots == 3

    in_lab(tmp_path, story)


def test_a_mapped_device_is_on_one_node_and_for_one_vm(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        for vmid in (250, 251):
            await lab.clone(vmid, f"g{vmid}")
            await lab.ask("PUT", f"{NODE}/qemu/{vmid}/config", hostpci0="mapping=gpu0")
        await lab.clone(252, "other", target="tappaas2")
        await lab.ask("PUT", "/nodes/tappaas2/qemu/252/config", hostpci0="mapping=gpu0")
        assert await lab.done("POST", f"{VM}/status/start") == "OK"
        taken = await lab.done("POST", f"{NODE}/qemu/251/status/start")
        assert taken == "PCI device '0000:01:00.0' already in use by VMID '250'"
        absent = await lab.done("POST", "/nodes/tappaas2/qemu/252/status/start")
        assert absent == "no PCI device of 'gpu0' on node 'tappaas2'"

    in_lab(tmp_path, story)


def test_a_disk_grows_by_or_to_a_size_and_never_shrinks(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        upid = str((await lab.ask("PUT", f"{VM}/resize", disk="scsi0", size="+8G")).data)
        assert upid.split(":")[5] == "resize"
        assert await lab.finished(upid) == "OK"
        assert (await lab.get(f"{VM}/config"))["scsi0"].endswith(",size=40G")
        assert await lab.done("PUT", f"{VM}/resize", disk="scsi0", size="64G") == "OK"
        assert (await lab.get(f"{VM}/status/current"))["maxdisk"] == 64 * 1024**3
        assert await lab.done("PUT", f"{VM}/resize", disk="scsi0", size="1G") == "shrinking disks is not supported"
        assert await lab.done("PUT", f"{VM}/resize", disk="scsi9", size="+1G") == "disk 'scsi9' does not exist"
        assert await lab.done("PUT", f"{NODE}/qemu/311/resize", disk="scsi0", size="+1G") == ABSENT
        assert (await lab.ask("PUT", f"{VM}/resize", disk="scsi0", size="big")).status == 400

    in_lab(tmp_path, story)


def test_a_running_protected_or_missing_vm_is_not_destroyed(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        running = await lab.ask("DELETE", VM)
        assert (running.status, running.reason) == (500, "VM 250 is running - destroy failed")
        await lab.done("POST", f"{VM}/status/stop")
        await lab.ask("PUT", f"{VM}/config", protection="1")
        assert (await lab.ask("DELETE", VM)).reason == "can't remove VM 250 - protection mode enabled"
        assert (await lab.ask("DELETE", f"{NODE}/qemu/311")).reason == ABSENT

    in_lab(tmp_path, story)


def test_a_template_with_linked_clones_is_not_destroyed(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        text = await lab.done("DELETE", TEMPLATE)
        assert text == "base volume 'tanka1:base-8100-disk-0' is still in use by linked cloned"
        assert await lab.done("DELETE", VM, purge="1", destroy_unreferenced_disks="1") == "OK"
        assert await lab.done("DELETE", TEMPLATE) == "OK"

    in_lab(tmp_path, story)


def test_a_destroyed_vm_is_listed_until_the_task_ends_and_its_disk_goes(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        await lab.done("POST", f"{VM}/status/stop")
        assert lab.site.guest_root(250).is_dir()
        upid = str((await lab.ask("DELETE", VM, purge="1")).data)
        assert 250 in {vm["vmid"] for vm in await lab.get(f"{NODE}/qemu")}
        assert await lab.finished(upid) == "OK"
        assert 250 not in {vm["vmid"] for vm in await lab.get(f"{NODE}/qemu")}
        assert not lab.site.guest_root(250).exists()
        assert 250 not in lab.site.guests
        log = await lab.get(f"{NODE}/tasks/{upid}/log")
        assert log[0]["t"] == "purging VM 250 from related configurations.."

    in_lab(tmp_path, story)


def test_a_vm_moves_to_the_other_node_only_as_its_state_allows(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        same = await lab.ask("POST", f"{VM}/migrate", target="tappaas1")
        assert same.body is not None
        assert same.body["errors"] == {"target": "target is local node."}
        await lab.done("POST", f"{VM}/status/start")
        offline = await lab.ask("POST", f"{VM}/migrate", target="tappaas2")
        assert offline.reason == "can't migrate running VM without --online"
        assert await lab.done("POST", f"{VM}/migrate", target="tappaas2", online="1") == "OK"
        assert (await lab.get("/nodes/tappaas2/qemu/250/status/current"))["status"] == "running"
        assert (await lab.ask("GET", f"{VM}/config")).status == 500

    in_lab(tmp_path, story)


def test_a_console_gets_a_ticket_and_a_port_and_its_task_ends_when_nobody_connects(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        opened = await lab.ask("POST", f"{VM}/termproxy")
        assert set(opened.data) == {"user", "ticket", "port", "upid"}
        assert opened.data["ticket"].startswith("PVEVNC:")
        second = await lab.ask("POST", f"{VM}/vncproxy")
        assert (opened.data["port"], second.data["port"]) == (5900, "5901")
        assert await lab.finished(opened.data["upid"]) == "connection timed out"
        assert (await lab.ask("PUT", f"{VM}/sendkey", key="ctrl-alt-delete")).reason == "VM 250 not running"

    in_lab(tmp_path, story)


def test_9_2_shows_memory_on_the_host_and_pressure_and_no_disk_traffic_of_a_stopped_vm(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        old = await lab.get(f"{VM}/status/current")
        assert "memhost" not in old
        assert "diskread" in old
        lab.site.cluster.flavour = Flavour.PVE_9_2
        stopped = await lab.get(f"{VM}/status/current")
        assert (stopped["memhost"], "diskread" in stopped, "pressurecpusome" in stopped) == (0, False, False)
        await lab.done("POST", f"{VM}/status/start")
        running = await lab.get(f"{VM}/status/current")
        assert running["memhost"] > 0
        assert {f"pressure{kind}{how}" for kind in ("cpu", "io", "memory") for how in ("some", "full")} <= set(running)

    in_lab(tmp_path, story)

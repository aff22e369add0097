"""Disks and pending changes: what a running VM takes, what waits, what becomes of a disk that goes (proxmox.md a7; F22, F23, F39)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.filelock import FileLock
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"


async def running(lab: PveLab) -> None:
    """A clone 250, started."""
    await lab.clone()
    await lab.done("POST", f"{VM}/status/start")


async def waiting(lab: PveLab) -> dict[str, Any]:
    """What the next start will change: the new value, or how it is deleted."""
    items = await lab.get(f"{VM}/pending")
    return {i["key"]: i.get("pending", {"delete": i.get("delete")}) for i in items if "pending" in i or "delete" in i}


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({"memory": "4096"}, {"memory": "4096"}),
        ({"cores": "8"}, {"cores": 8}),
        ({"name": "other", "description": "d", "tags": "b;A", "onboot": "1", "cpulimit": "2", "ciuser": "ops"}, {}),
        ({"net1": "virtio,bridge=lan"}, {}),
        ({"scsi1": "tanka1:4"}, {}),
        ({"machine": "pc"}, {"machine": "pc"}),
        ({"serial1": "socket"}, {"serial1": "socket"}),
        ({"hotplug": "disk"}, {}),
        ({"hotplug": "disk,memory", "numa": "1"}, {"hotplug": "disk,memory", "numa": 1}),
    ],
)
def test_a_running_vm_takes_what_can_be_plugged_and_keeps_the_rest_for_the_next_start(
    tmp_path: Path, options: dict[str, str], waits: dict[str, Any]
) -> None:
    async def story(lab: PveLab) -> None:
        await running(lab)
        assert (await lab.ask("PUT", f"{VM}/config", **options)).status == 200
        assert await waiting(lab) == waits
        await lab.done("POST", f"{VM}/status/stop")
        await lab.done("POST", f"{VM}/status/start")
        assert await waiting(lab) == {}
        config = await lab.get(f"{VM}/config", current="1")
        assert all(config[key] == value for key, value in waits.items())

    in_lab(tmp_path, story)


def test_without_hotplug_everything_waits_and_a_revert_takes_it_back(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", hotplug="0")
        await lab.done("POST", f"{VM}/status/start")
        await lab.ask("PUT", f"{VM}/config", memory="4096", scsi1="tanka1:4", cores="4")
        assert set(await waiting(lab)) == {"memory", "scsi1", "cores"}
        await lab.ask("PUT", f"{VM}/config", revert="memory,cores")
        assert set(await waiting(lab)) == {"scsi1"}
        await lab.ask("PUT", f"{VM}/config", cores="2")  # what it is already
        assert set(await waiting(lab)) == {"scsi1"}

    in_lab(tmp_path, story)


def test_deleting_a_disk_that_cannot_be_unplugged_waits_and_says_whether_it_will_be_freed(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", sata0="tanka1:4", sata1="tanka1:5")
        await lab.done("POST", f"{VM}/status/start")
        await lab.ask("PUT", f"{VM}/config", delete="sata0")
        await lab.ask("PUT", f"{VM}/config", delete="sata1", force="1")
        assert await waiting(lab) == {"sata0": {"delete": 1}, "sata1": {"delete": 2}}
        await lab.done("POST", f"{VM}/status/stop")
        await lab.done("POST", f"{VM}/status/start")
        config = await lab.get(f"{VM}/config")
        assert config["unused0"] == "tanka1:vm-250-disk-2"
        left = {volume.volid for volume in volumes.owned(lab.site.cluster, "tappaas1", 250)}
        assert "tanka1:vm-250-disk-2" in left
        assert "tanka1:vm-250-disk-3" not in left

    in_lab(tmp_path, story)


def test_a_disk_of_a_snapshot_is_not_freed(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", scsi1="tanka1:4")
        await lab.done("POST", f"{VM}/snapshot", snapname="one")
        await lab.ask("PUT", f"{VM}/config", delete="scsi1")
        refused = await lab.ask("PUT", f"{VM}/unlink", idlist="unused0", force="1")
        assert refused.reason == "unable to delete 'tanka1:vm-250-disk-2' - volume is still in use (snapshot?)"

    in_lab(tmp_path, story)


def test_a_protected_vm_keeps_its_disks_and_itself(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", protection="1")
        disk = await lab.ask("PUT", f"{VM}/config", delete="scsi0")
        assert disk.reason == "can't remove drive 'scsi0' - protection mode enabled"
        assert (await lab.ask("DELETE", VM)).reason == "can't remove VM 250 - protection mode enabled"

    in_lab(tmp_path, story)


def test_the_boot_order_names_devices_that_exist_and_follows_them(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        wrong = await lab.ask("PUT", f"{VM}/config", boot="order=scsi5")
        assert wrong.reason == "invalid bootorder: device 'scsi5' does not exist'"
        await lab.ask("PUT", f"{VM}/config", boot="order=scsi0;net0")
        await lab.ask("PUT", f"{VM}/config", ide0="none,media=cdrom")
        assert (await lab.get(f"{VM}/config"))["boot"] == "order=scsi0;net0;ide0"
        await lab.ask("PUT", f"{VM}/config", delete="net0")
        assert (await lab.get(f"{VM}/config"))["boot"] == "order=scsi0;ide0"

    in_lab(tmp_path, story)


def test_a_second_cloud_init_drive_and_a_balloon_above_the_memory_are_refused(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        drive = await lab.ask("PUT", f"{VM}/config", ide0="tanka1:cloudinit")
        assert drive.reason == "ide0 - cloud-init drive is already attached at 'ide2'"
        balloon = await lab.ask("PUT", f"{VM}/config", balloon="9999")
        assert balloon.reason == "balloon value too large (must be smaller than assigned memory)"

    in_lab(tmp_path, story)


def test_a_password_is_crypted_once_and_a_crypted_one_is_kept(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", cipassword="secret-word")
        first = str(lab.site.cluster.vms[250].config["cipassword"])
        assert first.startswith("$5$")
        await lab.ask("PUT", f"{VM}/config", cipassword=first)
        assert lab.site.cluster.vms[250].config["cipassword"] == first

    in_lab(tmp_path, story)


def test_a_write_waits_for_the_lock_file_and_gives_up_after_ten_seconds(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.locks["tappaas1", 250] = FileLock(writer=True)
        loop = asyncio.get_running_loop()
        started = loop.time()
        refused = await lab.ask("PUT", f"{VM}/config", cores="3")
        text = "can't lock file '/var/lock/qemu-server/lock-250.conf' - got timeout"
        assert (refused.status, refused.reason) == (500, text)
        assert loop.time() - started == pytest.approx(10, abs=0.2)
        started = loop.time()
        assert await lab.done("POST", f"{VM}/clone", newid="251", full="1") == text
        assert loop.time() - started < 2

    in_lab(tmp_path, story)


def test_a_stop_waits_for_a_shutdown_under_way_unless_it_overrules_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await running(lab)
        lab.guest(250).hangs = True
        await lab.ask("POST", f"{VM}/status/shutdown")
        await asyncio.sleep(1)
        assert (await lab.done("POST", f"{VM}/status/stop")).startswith("can't lock file")
        assert await lab.done("POST", f"{VM}/status/stop", overrule_shutdown="1") == "OK"
        assert (await lab.get(f"{VM}/status/current"))["status"] == "stopped"

    in_lab(tmp_path, story)


def test_a_disk_moves_to_another_storage_and_its_source_stays_unless_deleted(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone(250, full="1")
        same = await lab.ask("POST", f"{VM}/move_disk", disk="scsi0", storage="tanka1")
        assert same.reason == "you can't move to the same storage with same format"
        moved = await lab.ask("POST", f"{VM}/move_disk", disk="scsi0", storage="tankb1")
        assert str(moved.data).split(":")[5] == "qmmove"
        assert await lab.finished(str(moved.data)) == "OK"
        config = await lab.get(f"{VM}/config")
        assert (config["scsi0"], config["unused0"]) == ("tankb1:vm-250-disk-0,size=32G", "tanka1:vm-250-disk-1")
        assert await lab.done("POST", f"{VM}/move_disk", disk="scsi0", storage="local-lvm", delete="1") == "OK"
        assert volumes.find(lab.site.cluster, "tappaas1", "tankb1:vm-250-disk-0") is None
        cdrom = await lab.ask("POST", f"{VM}/move_disk", disk="none0", storage="tankb1")
        assert cdrom.status == 400
        neither = await lab.ask("POST", f"{VM}/move_disk", disk="scsi0")
        assert neither.body is not None
        assert set(neither.body["errors"]) == {"storage", "target-vmid"}

    in_lab(tmp_path, story)


def test_a_disk_goes_over_to_another_vm_of_the_node(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone(250)
        await lab.clone(251, "other")
        await lab.ask("PUT", f"{VM}/config", scsi1="tanka1:4")
        params = {"disk": "scsi1", "target_vmid": "251"}
        moved = await lab.ask("POST", f"{VM}/move_disk", **params)
        assert str(moved.data).split(":")[6] == "250-scsi1>251-scsi1"
        assert await lab.finished(str(moved.data)) == "OK"
        assert "scsi1" not in await lab.get(f"{VM}/config")
        assert (await lab.get(f"{NODE}/qemu/251/config"))["scsi1"] == "tanka1:vm-251-disk-2,size=4G"
        again = await lab.ask("POST", f"{VM}/move_disk", **params)
        assert again.reason == "Disk 'scsi1' for VM '250' does not exist"

    in_lab(tmp_path, story)


def test_the_size_that_counts_is_the_volumes_and_not_the_one_shown(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        volume = volumes.existing(lab.site.cluster, "tappaas1", "tanka1:base-8100-disk-1/vm-250-disk-1")
        volume.size = 40 << 30
        assert await lab.done("PUT", f"{VM}/resize", disk="scsi0", size="36G") == "shrinking disks is not supported"
        assert await lab.done("PUT", f"{VM}/resize", disk="scsi0", size="+1G") == "OK"
        assert (await lab.get(f"{VM}/config"))["scsi0"].endswith("size=41G")
        stale = await lab.done("PUT", f"{VM}/resize", disk="scsi0", size="+1G", digest="0" * 40)
        assert stale == "checksum mismatch (file change by other user?)"

    in_lab(tmp_path, story)


def test_a_vm_whose_volume_is_gone_does_not_start(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        volume = volumes.existing(lab.site.cluster, "tappaas1", "tanka1:base-8100-disk-1/vm-250-disk-1")
        volumes.free(lab.site.cluster, volume)
        status = await lab.done("POST", f"{VM}/status/start")
        assert status == "volume 'tanka1:base-8100-disk-1/vm-250-disk-1' does not exist"

    in_lab(tmp_path, story)


def test_a_destroy_frees_what_it_names_and_only_on_demand_what_it_does_not(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", scsi1="tanka1:4")
        del lab.site.cluster.vms[250].config["scsi1"]
        assert await lab.done("DELETE", VM) == "OK"
        assert [v.volid for v in volumes.owned(lab.site.cluster, "tappaas1", 250)] == ["tanka1:vm-250-disk-2"]
        await lab.clone()
        assert await lab.done("DELETE", VM, **{"destroy-unreferenced-disks": "1"}) == "OK"
        assert volumes.owned(lab.site.cluster, "tappaas1", 250) == []

    in_lab(tmp_path, story)


def test_a_suspended_vm_keeps_a_lock_and_its_memory_until_it_is_resumed(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await running(lab)
        suspended = await lab.ask("POST", f"{VM}/status/suspend", todisk="1")
        assert str(suspended.data).split(":")[5] == "qmsuspend"
        assert await lab.finished(str(suspended.data)) == "OK"
        config = await lab.get(f"{VM}/config")
        assert (config["lock"], config["vmstate"][:28]) == ("suspended", "tanka1:vm-250-state-suspend-")
        assert (await lab.ask("PUT", f"{VM}/config", cores="3")).reason == "VM is locked (suspended)"
        assert await lab.done("POST", f"{VM}/status/resume") == "OK"
        config = await lab.get(f"{VM}/config")
        assert "lock" not in config
        assert "vmstate" not in config

    in_lab(tmp_path, story)


def test_a_rollback_on_zfs_goes_to_the_newest_snapshot_only(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        for name in ("one", "two"):
            await lab.done("POST", f"{VM}/snapshot", snapname=name)
        status = await lab.done("POST", f"{VM}/snapshot/one/rollback")
        assert status.startswith("can't rollback, 'one' is not most recent snapshot on 'tanka1:")
        assert await lab.done("POST", f"{VM}/snapshot/two/rollback") == "OK"
        assert (await lab.ask("PUT", f"{VM}/snapshot/one/config", description="kept")).status == 200
        assert (await lab.get(f"{VM}/snapshot/one/config"))["description"] == "kept"

    in_lab(tmp_path, story)


def test_a_killed_snapshot_leaves_its_lock_and_an_unfinished_entry(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        upid = str((await lab.ask("POST", f"{VM}/snapshot", snapname="one")).data)
        await asyncio.sleep(lab.site.timings.snapshot_s / 2)
        await lab.ask("DELETE", f"{NODE}/tasks/{upid}")
        assert await lab.finished(upid) == "unable to read tail (got 0 bytes)"
        assert (await lab.get(f"{VM}/config"))["lock"] == "snapshot"
        listed = {entry["name"]: entry.get("snapstate") for entry in await lab.get(f"{VM}/snapshot")}
        assert listed == {"one": "prepare", "current": None}
        assert await lab.done("POST", f"{VM}/snapshot/one/rollback") == (
            "unable to rollback to incomplete snapshot (snapstate = prepare)"
        )
        assert await lab.done("DELETE", f"{VM}/snapshot/one", force="1") == "OK"
        assert "lock" not in await lab.get(f"{VM}/config")

    in_lab(tmp_path, story)


def test_a_wedged_monitor_costs_eight_seconds_and_the_status_is_still_answered(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await running(lab)
        lab.site.cluster.vms[250].wedged = True
        started = asyncio.get_running_loop().time()
        status = await lab.get(f"{VM}/status/current")
        assert asyncio.get_running_loop().time() - started == pytest.approx(8)
        assert (status["status"], "blockstat" in status) == ("running", False)
        late = await lab.done("POST", f"{VM}/status/shutdown", timeout="5")
        assert late == "VM quit/powerdown failed - got timeout"

    in_lab(tmp_path, story)


def test_a_template_tells_what_its_disks_can_do(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        clone = await lab.get(f"{TEMPLATE}/feature", feature="clone")
        assert clone == {"hasFeature": 1, "nodes": ["tappaas1", "tappaas2", "tappaas3"]}
        await lab.clone()
        assert (await lab.get(f"{VM}/feature", feature="clone"))["hasFeature"] == 0

    in_lab(tmp_path, story)


def test_a_cloud_init_drive_that_goes_is_freed_and_one_that_moves_keeps_its_name(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        assert await lab.done("POST", f"{VM}/move_disk", disk="ide2", storage="tankb1", delete="1") == "OK"
        assert (await lab.get(f"{VM}/config"))["ide2"].startswith("tankb1:vm-250-cloudinit,media=cdrom")
        await lab.ask("PUT", f"{VM}/config", delete="ide2")
        assert not any("cloudinit" in volume.name for volume in volumes.owned(lab.site.cluster, "tappaas1", 250))
        assert "unused0" not in await lab.get(f"{VM}/config")

    in_lab(tmp_path, story)


def test_a_pending_change_that_cannot_be_applied_goes_on_waiting_and_the_vm_starts(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", sata0="tanka1:4")
        await lab.done("POST", f"{VM}/snapshot", snapname="one")
        refused = await lab.ask("PUT", f"{VM}/config", delete="sata0", force="1")
        assert refused.body is not None
        assert refused.body["errors"]["sata0"].startswith("unable to apply pending change sata0 : unable to delete")
        assert await lab.done("POST", f"{VM}/status/start") == "OK"
        assert await waiting(lab) == {"sata0": {"delete": 2}}

    in_lab(tmp_path, story)

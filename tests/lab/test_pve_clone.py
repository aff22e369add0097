"""Cloning: what is copied, what is new, and when an error shows (proxmox.md a4, a5, section 4)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.clone import NO_CLEANUP, clone_now
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.volumes import owned
from tests.lab.pve_support import KEY_ENCODED, NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path


def test_a_clone_inherits_everything_but_gets_new_mac_uuid_and_name(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.ask(
            "PUT", f"{TEMPLATE}/config", tags="b,a", description="from the template", sshkeys=KEY_ENCODED, onboot="1"
        )
        assert await lab.clone(250, "fix") == "OK"
        before, after = await lab.get(f"{TEMPLATE}/config"), await lab.get(f"{NODE}/qemu/250/config")
        for key in ("tags", "description", "sshkeys", "onboot", "ciuser", "cores", "memory", "machine", "agent"):
            assert after[key] == before[key]
        for key in ("net0", "smbios1", "vmgenid", "digest", "scsi0"):
            assert after[key] != before[key]
        assert re.fullmatch(r"virtio=BC:24:11(:[0-9A-F]{2}){3},bridge=lan", after["net0"])
        assert after["name"] == "fix"
        assert "template" not in after
        assert "lock" not in after

    in_lab(tmp_path, story)


def test_a_clone_without_a_name_is_a_copy_of_its_source(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.done("POST", f"{TEMPLATE}/clone", newid="250", description="ours")
        config = await lab.get(f"{NODE}/qemu/250/config")
        assert (config["name"], config["description"]) == ("Copy-of-VM-tappaas-nixos", "ours")

    in_lab(tmp_path, story)


def test_the_new_vm_is_listed_and_locked_while_the_clone_runs(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250", name="fix")).data)
        assert upid.split(":")[5:7] == ["qmclone", "8100"]
        await asyncio.sleep(0.2)
        assert (await lab.get(f"{NODE}/qemu/250/config"))["lock"] == "clone"
        listed = {vm["vmid"]: vm for vm in await lab.get(f"{NODE}/qemu")}
        assert listed[250]["lock"] == "clone"
        assert (await lab.ask("PUT", f"{NODE}/qemu/250/config", cores="4")).status == 200  # it waits for the lock file
        assert not lab.site.cluster.tasks[upid].running
        assert (await lab.get(f"{NODE}/qemu/250/config"))["cores"] == 4

    in_lab(tmp_path, story)


def test_drives_of_a_linked_clone_hang_from_the_base_and_those_of_a_full_clone_do_not(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone(250)
        await lab.clone(251, full="1", storage="tankb1", target="tappaas2")
        linked = await lab.get(f"{NODE}/qemu/250/config")
        assert linked["scsi0"] == "tanka1:base-8100-disk-1/vm-250-disk-1,size=32G"
        assert linked["ide2"] == "tanka1:vm-250-cloudinit,media=cdrom,size=4M"
        full = await lab.get("/nodes/tappaas2/qemu/251/config")
        assert full["scsi0"] == "tankb1:vm-251-disk-1,size=32G"

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"newid": "8100"}, "unable to create VM 8100: config file already exists"),
        ({"newid": "250", "storage": "tankb1"}, "parameter 'storage' not allowed for linked clones"),
        ({"newid": "250", "format": "raw"}, "parameter 'format' not allowed for linked clones"),
        ({"newid": "250", "target": "nowhere"}, "no such cluster node 'nowhere'"),
        ({"newid": "250", "full": "1", "storage": "none"}, "storage 'none' does not exist"),
        ({"newid": "250", "pool": "none"}, "pool 'none' does not exist"),
    ],
)
def test_a_clone_that_cannot_work_is_refused_at_once(tmp_path: Path, params: dict[str, str], reason: str) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask("POST", f"{TEMPLATE}/clone", **params)
        assert (response.status, response.reason) == (500, reason)
        assert list(lab.site.cluster.vms) == [8100]

    in_lab(tmp_path, story)


def test_a_locked_source_is_not_cloned(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.vms[8100].lock = "backup"
        response = await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")
        assert (response.status, response.reason) == (500, "VM is locked (backup)")

    in_lab(tmp_path, story)


def test_clones_of_one_template_run_side_by_side(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        started = asyncio.get_running_loop().time()
        posts = [await lab.ask("POST", f"{TEMPLATE}/clone", newid=str(250 + n), name=f"c{n}") for n in range(10)]
        assert {await lab.finished(str(post.data)) for post in posts} == {"OK"}
        assert asyncio.get_running_loop().time() - started < 2 * lab.site.timings.clone_s
        assert len({vm.uuid for vm in lab.site.cluster.vms.values()}) == 11

    in_lab(tmp_path, story)


def test_the_next_id_is_text_and_reserves_nothing(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        assert [await lab.get("/cluster/nextid") for _ in range(2)] == ["100", "100"]
        await lab.clone(100)
        assert await lab.get("/cluster/nextid") == "101"
        taken = await lab.ask("GET", "/cluster/nextid", vmid="100")
        assert taken.body is not None
        assert taken.body["errors"] == {"vmid": "VM 100 already exists"}

    in_lab(tmp_path, story)


def test_of_two_clones_to_one_id_at_the_same_time_one_fails_inside_its_task(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        first, second = [await lab.ask("POST", f"{TEMPLATE}/clone", newid="250", name=name) for name in ("a", "b")]
        assert await lab.finished(str(second.data)) == "unable to create VM 250: config file already exists"
        assert await lab.finished(str(first.data)) == "OK"
        late = await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")
        assert (late.status, late.reason) == (500, "unable to create VM 250: config file already exists")
        assert lab.site.cluster.vms[250].name == "a"

    in_lab(tmp_path, story)


def test_a_clone_that_fails_in_its_task_answers_200_and_leaves_no_vm(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.faults.arm("clone-fails-in-task", "fix", message="no space left")
        other = await lab.clone(251, "other")
        assert other == "OK"
        assert await lab.clone(250, "fix") == "clone failed: no space left"
        assert 250 not in lab.site.cluster.vms
        assert await lab.clone(250, "fix") == "OK"

    in_lab(tmp_path, story)


def test_a_slow_clone_takes_the_seconds_that_the_fault_says(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.faults.arm("clone-slow", seconds=30)
        started = asyncio.get_running_loop().time()
        await lab.clone()
        assert asyncio.get_running_loop().time() - started > 30

    in_lab(tmp_path, story)


def test_a_stopped_clone_cleans_up_and_a_crashed_one_leaves_a_locked_stub_and_its_volumes(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")).data)
        await asyncio.sleep(0.1)
        assert (await lab.ask("DELETE", f"{NODE}/tasks/{upid}")).data is None
        assert await lab.finished(upid) == "clone failed: interrupted by signal"
        assert owned(lab.site.cluster, "tappaas1", 250) == []
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")).data)
        await asyncio.sleep(0.1)
        job = lab.site.cluster.tasks[upid].job
        assert job is not None
        job.cancel(NO_CLEANUP)
        assert await lab.finished(upid) == "unexpected status"
        assert set(await lab.get(f"{NODE}/qemu/250/config")) == {"lock", "digest"}
        assert len(owned(lab.site.cluster, "tappaas1", 250)) == 3
        locked = await lab.ask("PUT", f"{NODE}/qemu/250/config", cores="4")
        assert (locked.status, locked.reason) == (500, "VM is locked (clone)")

    in_lab(tmp_path, story)


def test_seeding_clones_at_once_and_never_over_an_existing_vm(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        template = lab.site.cluster.vms[8100]
        vm = clone_now(lab.site, template, 200, name="dns01", node="tappaas2")
        assert (vm.name, vm.node, vm.status, vm.template) == ("dns01", "tappaas2", "stopped", False)
        with pytest.raises(PveError, match="already exists"):
            clone_now(lab.site, template, 200)

    in_lab(tmp_path, story)


def test_on_9_2_the_log_of_a_clone_names_the_new_vm_and_its_volumes(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.flavour = Flavour.PVE_9_2
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250", full="1")).data)
        await lab.finished(upid)
        lines = lab.site.cluster.tasks[upid].lines
        assert lines[0] == "creating a clone of VM 8100 with ID 250"
        assert "allocated target volume 'tanka1:vm-250-disk-1'" in lines

    in_lab(tmp_path, story)

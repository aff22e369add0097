"""Creating VMs and templates: what is refused at once, what only in the task, and what the configuration holds (proxmox.md a2, a5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.sizes import GIB
from pvenix_lab.site.pve.volumes import Volume
from tests.lab.pve_support import KEY_ENCODED, NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

    from pvenix_lab.site.pve.call import Response

VM = f"{NODE}/qemu/300"
ISO = "local:iso/nixos.iso"


def put_iso(lab: PveLab) -> None:
    """An installer image in the directory storage of the first node."""
    entry = Volume(storage="local", name="iso/nixos.iso", size=GIB, content="iso", node="tappaas1")
    lab.site.cluster.volumes.entries["tappaas1", ISO] = entry


async def create(lab: PveLab, vmid: str = "300", **params: str) -> Response:
    """The answer to a creation."""
    return await lab.ask("POST", f"{NODE}/qemu", vmid=vmid, **params)


async def created(lab: PveLab, vmid: str = "300", **params: str) -> str:
    """The exit status of a creation."""
    response = await create(lab, vmid, **params)
    assert response.status == 200, response
    return await lab.finished(str(response.data))


def test_an_empty_vm_gets_an_identity_and_nothing_else(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        assert await created(lab, name="empty") == "OK"
        config = await lab.get(f"{VM}/config")
        assert set(config) == {"boot", "digest", "meta", "name", "smbios1", "vmgenid"}
        assert config["boot"] == "order="
        assert re.fullmatch(r"uuid=[0-9a-f-]{36}", config["smbios1"])

    in_lab(tmp_path, story)


def test_a_vm_for_an_install_has_disk_iso_efi_tpm_and_a_boot_order(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        put_iso(lab)
        status = await created(
            lab, scsi0="tanka1:32", ide2=f"{ISO},media=cdrom", efidisk0="tanka1:1,efitype=4m,pre-enrolled-keys=0",
            tpmstate0="tanka1:1,version=v2.0", net0="virtio,bridge=lan", scsi1="local-lvm:8", machine="q35",
        )  # fmt: skip
        assert status == "OK"
        config = await lab.get(f"{VM}/config")
        assert config["boot"] == "order=scsi0;ide2;net0"
        assert config["efidisk0"] == "tanka1:vm-300-disk-0,efitype=4m,pre-enrolled-keys=0,size=1M"
        assert config["scsi0"] == "tanka1:vm-300-disk-1,size=32G"
        assert config["tpmstate0"] == "tanka1:vm-300-disk-2,size=4M,version=v2.0"
        assert config["scsi1"] == "local-lvm:vm-300-disk-0,size=8G"
        assert config["ide2"] == f"{ISO},media=cdrom,size=1G"

    in_lab(tmp_path, story)


def test_a_disk_on_a_file_storage_is_raw_unless_a_format_is_given(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        node = "/nodes/tappaas2"
        response = await lab.ask(
            "POST", f"{node}/qemu", vmid="300", scsi0="tankc1:1", scsi1="tankc1:2,format=qcow2", ide2="tankc1:cloudinit"
        )
        assert await lab.finished(str(response.data)) == "OK"
        config = await lab.get(f"{node}/qemu/300/config")
        assert config["scsi0"] == "tankc1:300/vm-300-disk-0.raw,size=1G"
        assert config["scsi1"] == "tankc1:300/vm-300-disk-1.qcow2,size=2G"
        assert config["ide2"] == "tankc1:300/vm-300-cloudinit.qcow2,media=cdrom"

    in_lab(tmp_path, story)


def test_a_taken_id_is_refused_at_once_with_the_node_that_has_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        taken = await create(lab, "8100")
        assert (taken.status, taken.reason) == (
            500,
            "unable to create VM 8100 - VM 8100 already exists on node 'tappaas1'",
        )

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("params", "status", "text"),
    [
        ({"scsi0": "nowhere:8"}, 500, "storage 'nowhere' does not exist"),
        ({"scsi0": "local:8"}, 400, "storage 'local' does not support vm images"),
        ({"ide2": ISO}, 400, "explicit 'media=cdrom' is required for iso images"),
        ({"args": "-s"}, 500, "only root can set 'args' config"),
        ({"hostpci0": "host=01:00"}, 500, "only root can set 'hostpci0' config for non-mapped devices"),
        ({"startup": "order=1"}, 403, "Permission check failed (/, Sys.Modify)"),
        ({"sshkeys": "bogus%20key"}, 500, "SSH public key validation error"),
        ({"pool": "none"}, 500, "pool 'none' does not exist"),
        ({"scsi0": "tanka1:0,import-from=/etc/passwd"}, 500, "Only root can pass arbitrary filesystem paths."),
        ({"scsi0": "tanka1:5,import-from=local:import/a.qcow2"}, 400, "'import-from' requires special syntax"),
    ],
)
def test_a_creation_that_cannot_work_is_refused_at_once(
    tmp_path: Path, params: dict[str, str], status: int, text: str
) -> None:
    async def story(lab: PveLab) -> None:
        response = await create(lab, **params)
        assert response.status == status, response
        body: dict[str, Any] = response.body or {}
        assert text in response.reason or any(text in error for error in body.get("errors", {}).values())
        assert 300 not in lab.site.cluster.vms

    in_lab(tmp_path, story)


def test_what_the_storage_refuses_shows_in_the_task_and_leaves_neither_vm_nor_volume(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        missing = await created(lab, scsi0="tanka1:8", ide2="local:iso/none.iso,media=cdrom")
        assert missing == "unable to create VM 300 - volume 'local:iso/none.iso' does not exist"
        full = await created(lab, scsi0="local-lvm:4000")
        assert full.startswith("unable to create VM 300 - lvcreate 'local-lvm/vm-300-disk-0' error")
        assert 300 not in lab.site.cluster.vms
        assert volumes.owned(lab.site.cluster, "tappaas1", 300) == []

    in_lab(tmp_path, story)


def test_an_import_takes_the_size_of_its_source_and_needs_the_right_to_clone_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        source = Volume(storage="local", name="import/a.qcow2", size=3 * GIB, content="import", node="tappaas1")
        lab.site.cluster.volumes.entries["tappaas1", "local:import/a.qcow2"] = source
        assert await created(lab, scsi0="tanka1:0,import-from=local:import/a.qcow2") == "OK"
        assert (await lab.get(f"{VM}/config"))["scsi0"] == "tanka1:vm-300-disk-0,size=3G"
        gone = await created(lab, "301", scsi0="tanka1:0,import-from=local:import/b.qcow2")
        assert "cannot import from 'local:import/b.qcow2' - volume 'local:import/b.qcow2' does not exist" in gone

    in_lab(tmp_path, story)


def test_a_new_vm_starts_when_asked_and_takes_cloud_init_settings(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        status = await created(
            lab,
            start="1",
            scsi0="tanka1:8",
            ide2="tanka1:cloudinit",
            ciuser="ops",
            sshkeys=KEY_ENCODED,
            cipassword="x" * 9,
        )
        assert status == "OK"
        assert (await lab.get(f"{VM}/status/current"))["status"] == "running"
        assert (await lab.get(f"{VM}/config"))["cipassword"] == "*" * 10
        assert "user: ops" in lab.site.cluster.vms[300].cloudinit["user-data"]

    in_lab(tmp_path, story)


def test_a_template_has_renamed_disks_and_is_made_only_of_a_stopped_vm_without_snapshots(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await created(lab, scsi0="tanka1:8", ide2="tanka1:cloudinit")
        await lab.done("POST", f"{VM}/status/start")
        running = await lab.ask("POST", f"{VM}/template")
        assert running.reason == "you can't convert a VM to template if VM is running"
        await lab.done("POST", f"{VM}/status/stop")
        await lab.done("POST", f"{VM}/snapshot", snapname="one")
        assert (await lab.ask("POST", f"{VM}/template")).reason.endswith("because VM contains snapshots")
        await lab.done("DELETE", f"{VM}/snapshot/one")
        assert await lab.done("POST", f"{VM}/template") == "OK"
        config = await lab.get(f"{VM}/config")
        assert (config["template"], config["scsi0"]) == (1, "tanka1:base-300-disk-0,size=8G")
        assert "vm-300-cloudinit" in config["ide2"]
        assert (await lab.ask("POST", f"{VM}/template")).reason == "you can't convert a template to a template"
        assert await lab.done("POST", f"{VM}/status/start") == "you can't start a vm if it's a template"

    in_lab(tmp_path, story)


def test_a_linked_clone_on_a_file_storage_names_its_base(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        node = "/nodes/tappaas2"
        response = await lab.ask("POST", f"{node}/qemu", vmid="300", scsi0="tankc1:1,format=qcow2")
        await lab.finished(str(response.data))
        await lab.done("POST", f"{node}/qemu/300/template")
        assert await lab.done("POST", f"{node}/qemu/300/clone", newid="301") == "OK"
        config = await lab.get(f"{node}/qemu/301/config")
        assert config["scsi0"] == "tankc1:300/base-300-disk-0.qcow2/301/vm-301-disk-0.qcow2,size=1G"
        used = await lab.done("DELETE", f"{node}/qemu/300")
        assert used == "base volume 'tankc1:300/base-300-disk-0.qcow2' is still in use by linked cloned"

    in_lab(tmp_path, story)


def test_a_vm_on_local_storage_is_not_cloned_to_another_node(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await created(lab, scsi0="local-lvm:8")
        away = await lab.ask("POST", f"{VM}/clone", newid="301", full="1", target="tappaas2")
        assert away.reason == "can't clone VM to node 'tappaas2' (VM uses local storage)"
        local = await lab.ask(
            "POST", f"{TEMPLATE}/clone", newid="301", full="1", target="tappaas2", storage="local-lvm"
        )
        assert local.reason == "can't clone to non-shared storage 'local-lvm'"

    in_lab(tmp_path, story)


def test_an_orphan_volume_of_the_id_does_not_keep_a_vm_from_being_made_but_stays(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        orphan = Volume(storage="tanka1", name="vm-300-disk-0", size=GIB, vmid=300)
        lab.site.cluster.volumes.entries["", "tanka1:vm-300-disk-0"] = orphan
        assert await created(lab, scsi0="tanka1:8") == "OK"
        assert (await lab.get(f"{VM}/config"))["scsi0"] == "tanka1:vm-300-disk-1,size=8G"
        assert await lab.done("DELETE", VM) == "OK"
        left = [volume.volid for volume in volumes.owned(lab.site.cluster, "tappaas1", 300)]
        assert left == ["tanka1:vm-300-disk-0"]

    in_lab(tmp_path, story)

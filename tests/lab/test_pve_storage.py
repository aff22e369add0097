"""Volumes, files, backups and their retention (proxmox.md a1, a2, a7; F33, F38)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.prune import marks
from pvenix_lab.site.pve.sizes import GIB
from pvenix_lab.site.pve.storage_files import uploads
from pvenix_lab.site.pve.volumes import Volume
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
LOCAL = f"{NODE}/storage/local"
URL = "https://mirror.example/nixos.iso"


def grant(lab: PveLab, *privileges: str) -> None:
    """Give the operator more than a provisioner needs."""
    roles = lab.site.cluster.rights.roles
    roles["Provisioner"] |= frozenset(privileges)


def test_the_content_of_a_storage_is_its_volumes_and_can_be_filtered(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        content = await lab.get(f"{NODE}/storage/tanka1/content", vmid="250")
        assert sorted(entry["volid"] for entry in content) == [
            "tanka1:base-8100-disk-0/vm-250-disk-0", "tanka1:base-8100-disk-1/vm-250-disk-1", "tanka1:vm-250-cloudinit"
        ]  # fmt: skip
        assert {entry["parent"] for entry in content} == {None, "base-8100-disk-0", "base-8100-disk-1"}
        assert await lab.get(f"{NODE}/storage/tanka1/content", content="iso") == []

    in_lab(tmp_path, story)


def test_a_disk_is_allocated_by_name_and_deleted_only_with_the_right_to_the_storage(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        content = f"{NODE}/storage/tanka1/content"
        made = await lab.ask("POST", content, vmid="700", filename="vm-700-disk-0", size="2G")
        assert made.data == "tanka1:vm-700-disk-0"
        again = await lab.ask("POST", content, vmid="700", filename="vm-700-disk-0", size="2G")
        assert "already exists" in again.reason
        wrong = await lab.ask("POST", content, vmid="700", filename="vm-701-disk-0", size="2G")
        assert wrong.reason == "illegal name 'vm-701-disk-0' - should be 'vm-700-*'"
        refused = await lab.ask("DELETE", f"{content}/tanka1:vm-700-disk-0")
        assert refused.reason == "Permission check failed (/storage/tanka1, Datastore.Allocate)"
        grant(lab, "Datastore.Allocate")
        gone = await lab.ask("DELETE", f"{content}/tanka1:vm-700-disk-0")
        assert str(gone.data).split(":")[5:7] == ["imgdel", "700@tanka1"]
        assert await lab.finished(str(gone.data)) == "OK"
        twice = await lab.ask("DELETE", f"{content}/tanka1:vm-700-disk-0", delay="5")
        assert twice.reason == "volume 'tanka1:vm-700-disk-0' does not exist"

    in_lab(tmp_path, story)


def test_a_base_with_clones_is_not_deleted(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        grant(lab, "Datastore.Allocate")
        await lab.clone()
        status = await lab.done("DELETE", f"{NODE}/storage/tanka1/content/tanka1:base-8100-disk-1")
        assert status == "base volume 'base-8100-disk-1' is still in use by linked clones"

    in_lab(tmp_path, story)


def test_a_node_downloads_a_file_and_finds_a_wrong_checksum_only_in_the_task(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        params = {"url": URL, "content": "iso", "filename": "nixos.iso"}
        lab.site.cluster.rights.roles["Provisioner"] -= {"Sys.AccessNetwork"}
        assert (await lab.ask("POST", f"{LOCAL}/download-url", **params)).reason == "Permission check failed"
        grant(lab, "Sys.Modify")
        lab.site.cluster.sections["downloads"] = {URL: {"size": GIB, "sha256": "ab12"}}
        wrong = await lab.done("POST", f"{LOCAL}/download-url", **params, checksum="ff", checksum_algorithm="sha256")
        assert wrong == "checksum mismatch: got 'ab12' != expect 'ff'"
        good = await lab.ask("POST", f"{LOCAL}/download-url", **params, checksum="AB12", checksum_algorithm="sha256")
        assert str(good.data).split(":")[5:7] == ["download", "nixos.iso"]
        assert await lab.finished(str(good.data)) == "OK"
        entry = (await lab.get(f"{LOCAL}/content", content="iso"))[0]
        assert (entry["volid"], entry["size"]) == ("local:iso/nixos.iso", GIB)
        gone = await lab.done("POST", f"{LOCAL}/download-url", **(params | {"url": URL + "x"}))
        assert gone == "download failed: exit code 8"

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("storage", "params", "status", "text"),
    [
        ("tanka1", {}, 500, "can't upload to storage type 'zfs', not a file based storage!"),
        ("local", {"filename": "a.txt"}, 400, "wrong file extension"),
        ("local", {"content": "import", "filename": "a.iso"}, 400, "invalid filename or wrong extension"),
    ],
)
def test_a_download_that_cannot_be_kept_is_refused_at_once(
    tmp_path: Path, storage: str, params: dict[str, str], status: int, text: str
) -> None:
    async def story(lab: PveLab) -> None:
        grant(lab, "Datastore.AllocateTemplate", "Sys.Modify")
        whole = {"url": URL, "content": "iso", "filename": "a.iso"} | params
        response = await lab.ask("POST", f"{NODE}/storage/{storage}/download-url", **whole)
        errors: dict[str, Any] = (response.body or {}).get("errors", {})
        assert (response.status, text) == (status, errors.get("filename", response.reason))

    in_lab(tmp_path, story)


def test_an_upload_becomes_a_volume_of_the_size_of_its_file(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        grant(lab, "Datastore.AllocateTemplate")
        sent = uploads(lab.site) / "pveupload-0a"
        sent.parent.mkdir()
        sent.write_bytes(b"x" * 4096)
        params = {"content": "iso", "filename": "my own.iso", "checksum_algorithm": "sha256"}
        bad = await lab.done("POST", f"{LOCAL}/upload", **params, checksum="00", tmpfilename="/var/tmp/pveupload-0a")
        assert bad.startswith("checksum mismatch: got '")
        assert not sent.exists()
        sent.write_bytes(b"x" * 4096)
        good = hashlib.sha256(b"x" * 4096).hexdigest()
        upload = await lab.ask("POST", f"{LOCAL}/upload", **params, checksum=good, tmpfilename="/var/tmp/pveupload-0a")
        assert str(upload.data).split(":")[5:7] == ["imgcopy", ""]
        assert await lab.finished(str(upload.data)) == "OK"
        entry = (await lab.get(f"{LOCAL}/content", content="iso"))[0]
        assert (entry["volid"], entry["size"]) == ("local:iso/my_own.iso", 4096)

    in_lab(tmp_path, story)


def test_a_backup_is_an_archive_that_a_vm_can_be_restored_from(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        response = await lab.ask(
            "POST", f"{NODE}/vzdump", vmid="250", storage="local", compress="zstd", notes_template="{{guestname}}"
        )
        assert str(response.data).split(":")[5:7] == ["vzdump", "250"]
        assert await lab.finished(str(response.data)) == "OK"
        archive = (await lab.get(f"{LOCAL}/content", content="backup"))[0]
        assert (archive["vmid"], archive["format"], archive["notes"]) == (250, "vma.zst", "fix")
        assert "name: fix\n" in await lab.get(f"{NODE}/vzdump/extractconfig", volume=archive["volid"])
        before = await lab.get(f"{VM}/config")
        restored = await lab.ask("POST", f"{NODE}/qemu", vmid="251", archive=archive["volid"], unique="1")
        assert str(restored.data).split(":")[5] == "qmrestore"
        assert await lab.finished(str(restored.data)) == "OK"
        after = await lab.get(f"{NODE}/qemu/251/config")
        assert after["name"] == "fix"
        assert after["net0"] != before["net0"]
        assert after["scsi0"].startswith("tanka1:vm-251-disk-")
        taken = await lab.ask("POST", f"{NODE}/qemu", vmid="250", archive=archive["volid"])
        assert taken.reason == "unable to restore VM 250 - VM 250 already exists on node 'tappaas1'"

    in_lab(tmp_path, story)


def test_a_backup_of_a_locked_vm_ends_with_job_errors_and_the_lock_is_there_while_it_runs(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.vms[250].lock = "snapshot"
        assert await lab.done("POST", f"{NODE}/vzdump", vmid="250", storage="local") == "job errors"
        lab.site.cluster.vms[250].lock = None
        upid = str((await lab.ask("POST", f"{NODE}/vzdump", vmid="250", storage="local")).data)
        await lab.site.sleep(0.1)
        assert (await lab.get(f"{VM}/config"))["lock"] == "backup"
        await lab.finished(upid)
        assert "lock" not in await lab.get(f"{VM}/config")
        wrong = await lab.done("POST", f"{NODE}/vzdump", vmid="250", storage="tanka1")
        assert "can't use storage 'tanka1' for backups - wrong content type" in wrong

    in_lab(tmp_path, story)


def test_a_retention_keeps_the_last_and_one_of_each_day_and_never_removes_a_protected_one() -> None:
    day = 86400
    group = [
        Volume(storage="s", name=f"backup/{n}", size=1, content="backup", ctime=day * (n // 2) + n, protected=n == 0)
        for n in range(8)
    ]
    kept = marks(group, {"keep-last": "1", "keep-daily": "2"})
    assert [kept[f"s:backup/{n}"] for n in range(8)] == [
        "protected", "remove", "remove", "keep", "remove", "keep", "remove", "keep"
    ]  # fmt: skip
    assert set(marks(group[1:], {}).values()) == {"keep"}


def test_pruning_shows_what_it_would_do_and_then_does_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        entries = lab.site.cluster.volumes.entries
        for n in range(3):
            name = f"backup/vzdump-qemu-250-2026_01_0{n + 1}-00_00_00.vma.zst"
            volume = Volume(storage="local", name=name, size=1, content="backup", vmid=250, node="tappaas1", ctime=n)
            entries["tappaas1", volume.volid] = volume
        shown = await lab.get(f"{LOCAL}/prunebackups", prune_backups="keep-last=1")
        assert [entry["mark"] for entry in shown] == ["remove", "remove", "keep"]
        assert await lab.done("DELETE", f"{LOCAL}/prunebackups", prune_backups="keep-last=1", vmid="250") == "OK"
        assert len(await lab.get(f"{LOCAL}/content", content="backup")) == 1

    in_lab(tmp_path, story)


def test_a_full_storage_refuses_a_clone_and_a_resize_in_the_task_and_leaves_nothing(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        storage = lab.site.cluster.storages["tanka1"]
        storage.base_used = storage.total - GIB - volumes.room(lab.site.cluster, storage)["used"] + storage.base_used
        full = await lab.clone(251, full="1")
        assert full == "clone failed: zfs error: cannot create 'tanka1/vm-251-disk-1': out of space"
        assert volumes.owned(lab.site.cluster, "tappaas1", 251) == []
        assert "out of space" in await lab.done("PUT", f"{VM}/resize", disk="scsi0", size="+100G")
        assert (await lab.ask("POST", f"{TEMPLATE}/clone", newid="252")).status == 200

    in_lab(tmp_path, story)


def test_a_storage_that_is_not_online_keeps_a_vm_from_starting(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.storages["tanka1"].active = False
        assert await lab.done("POST", f"{VM}/status/start") == "storage 'tanka1' is not online"
        listed = {entry["storage"]: entry for entry in await lab.get(f"{NODE}/storage")}
        assert (listed["tanka1"]["active"], listed["tanka1"]["total"]) == (0, 0)

    in_lab(tmp_path, story)

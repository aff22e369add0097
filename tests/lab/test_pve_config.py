"""Configuration: pending changes, digests, deletions, value types (proxmox.md a1, a5, a7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.api import answer
from tests.lab.pve_support import KEY_ENCODED, NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"


async def running(lab: PveLab) -> None:
    """A clone 250, started."""
    await lab.clone()
    assert await lab.done("POST", f"{VM}/status/start") == "OK"


async def pending(lab: PveLab) -> dict[str, dict[str, Any]]:
    """The pending list by key."""
    return {item["key"]: item for item in await lab.get(f"{VM}/pending")}


def test_value_types_are_as_inconsistent_as_the_real_ones(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        config = await lab.get(f"{TEMPLATE}/config")
        assert [config[key] for key in ("memory", "agent", "cores", "template")] == ["2048", "1", 2, 1]

    in_lab(tmp_path, story)


def test_a_stopped_vm_takes_every_change_at_once(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", memory="4096", cores="4")
        config = await lab.get(f"{VM}/config", current="1")
        assert (config["memory"], config["cores"]) == ("4096", 4)
        assert all("pending" not in item for item in (await pending(lab)).values())

    in_lab(tmp_path, story)


def test_memory_and_cores_of_a_running_vm_wait_for_a_start_and_tags_do_not(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await running(lab)
        await lab.ask("PUT", f"{VM}/config", memory="4096", cores="4", tags="x", description="d", delete="cpu")
        items = await pending(lab)
        assert items["memory"] == {"key": "memory", "value": "2048", "pending": "4096"}
        assert items["cores"] == {"key": "cores", "value": 2, "pending": 4}
        assert items["cpu"] == {"key": "cpu", "value": "host", "delete": 1}
        assert items["tags"] == {"key": "tags", "value": "x"}
        assert (await lab.get(f"{VM}/config"))["cores"] == 4
        assert (await lab.get(f"{VM}/config", current="1"))["cores"] == 2
        await lab.done("POST", f"{VM}/status/stop")
        await lab.done("POST", f"{VM}/status/start")
        current = await lab.get(f"{VM}/config", current="1")
        assert (current["cores"], "cpu" in current) == (4, False)

    in_lab(tmp_path, story)


def test_revert_drops_pending_changes_and_setting_the_old_value_does_too(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await running(lab)
        await lab.ask("PUT", f"{VM}/config", memory="4096", cores="4")
        await lab.ask("PUT", f"{VM}/config", revert="memory")
        await lab.ask("PUT", f"{VM}/config", cores="2")
        assert all("pending" not in item for item in (await pending(lab)).values())

    in_lab(tmp_path, story)


def test_a_stale_digest_is_refused_with_a_500_and_nothing_is_written(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        digest = (await lab.get(f"{VM}/config"))["digest"]
        assert len(digest) == 40
        assert (await lab.ask("PUT", f"{VM}/config", cores="3", digest=digest)).status == 200
        stale = await lab.ask("PUT", f"{VM}/config", cores="4", digest=digest)
        assert (stale.status, stale.reason) == (500, "checksum mismatch (file change by other user?)")
        assert (await lab.get(f"{VM}/config"))["cores"] == 3

    in_lab(tmp_path, story)


def test_unknown_options_cannot_be_deleted_and_no_option_is_no_call(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        unknown = await lab.ask("PUT", f"{VM}/config", delete="colour")
        assert unknown.body is not None
        assert unknown.body["errors"] == {"delete": "unknown option 'colour'"}
        assert (await lab.ask("PUT", f"{VM}/config")).reason == "no options specified"
        both = await lab.ask("PUT", f"{VM}/config", cores="3", delete="cores")
        assert both.status == 400

    in_lab(tmp_path, story)


def test_a_deleted_disk_becomes_unused_until_it_is_unlinked(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", scsi1="tankb1:8")
        assert (await lab.get(f"{VM}/config"))["scsi1"] == "tankb1:vm-250-disk-0,size=8G"
        await lab.ask("PUT", f"{VM}/config", delete="scsi1")
        assert (await lab.get(f"{VM}/config"))["unused0"] == "tankb1:vm-250-disk-0"
        await lab.ask("PUT", f"{VM}/unlink", idlist="unused0", force="1")
        assert "unused0" not in await lab.get(f"{VM}/config")

    in_lab(tmp_path, story)


def test_a_network_device_without_a_mac_gets_one_and_an_unknown_bridge_is_accepted(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", net0="virtio,bridge=nowhere")
        assert (await lab.get(f"{VM}/config"))["net0"].startswith("virtio=BC:24:11:")
        assert await lab.done("POST", f"{VM}/status/start") == "start failed: QEMU exited with code 1"
        assert not lab.site.cluster.vms[250].running

    in_lab(tmp_path, story)


def test_the_posted_form_writes_in_a_task_but_checks_its_parameters_at_once(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        assert (await lab.ask("POST", f"{VM}/config", cores="none")).status == 400
        upid = str((await lab.ask("POST", f"{VM}/config", cores="3")).data)
        assert upid.split(":")[5] == "qmconfig"
        assert await lab.finished(upid) == "OK"
        assert (await lab.get(f"{VM}/config"))["cores"] == 3

    in_lab(tmp_path, story)


def test_the_keys_must_be_percent_encoded_and_be_keys(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        bogus = await lab.ask("PUT", f"{VM}/config", sshkeys="ssh-ed25519%20AAAA%20me")
        assert (bogus.status, bogus.reason) == (500, "SSH public key validation error")
        await lab.ask("PUT", f"{VM}/config", sshkeys=KEY_ENCODED)
        assert (await lab.get(f"{VM}/config"))["sshkeys"] == KEY_ENCODED

    in_lab(tmp_path, story)


def test_reads_and_writes_are_counted_when_they_reach_a_handler(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.get(f"{TEMPLATE}/config")
        await lab.ask("PUT", f"{TEMPLATE}/config", onboot="1")
        await lab.ask("PUT", f"{TEMPLATE}/config", onboot="perhaps")
        await lab.ask("PUT", f"{TEMPLATE}/config", lab.viewer, onboot="0")

    lab = in_lab(tmp_path, story)
    assert (lab.site.counters.pve_reads, lab.site.counters.pve_writes) == (1, 1)
    lab.site.counters.reset()
    assert set(lab.site.counters.as_dict().values()) == {0}


def test_a_registered_tag_needs_the_right_to_change_the_datacenter(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.options["registered-tags"] = "prod;golden"
        refused = await lab.ask("PUT", f"{VM}/config", tags="nixos;prod")
        assert refused.reason == "Permission check failed (/, Sys.Modify for modifying tag 'prod')"
        assert (await lab.ask("PUT", f"{VM}/config", tags="nixos;mine")).status == 200
        lab.site.cluster.options["user-tag-access"] = "user-allow=list,user-allow-list=a;b"
        assert (await lab.ask("PUT", f"{VM}/config", tags="nixos;mine;a")).status == 200
        assert (await lab.ask("PUT", f"{VM}/config", tags="nixos;mine;c")).status == 403

    in_lab(tmp_path, story)


def test_a_write_in_a_task_gives_no_upid_when_it_ends_within_the_delay(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        wire = {"background_delay": "5"}
        quick = await answer(lab.site, "POST", f"{VM}/config", {"scsi1": "tanka1:4"} | wire, lab.operator)
        assert quick.data is None
        assert (await lab.get(f"{VM}/config"))["scsi1"] == "tanka1:vm-250-disk-2,size=4G"
        failed = await answer(lab.site, "POST", f"{VM}/config", {"scsi2": "local-lvm:9000"} | wire, lab.operator)
        assert failed.reason.startswith("failed to update VM 250: lvcreate 'local-lvm/vm-250-disk-0' error")
        upid = await lab.ask("POST", f"{VM}/config", scsi2="local-lvm:9000")
        assert str(upid.data).split(":")[5] == "qmconfig"
        assert (await lab.finished(str(upid.data))).startswith("lvcreate")
        assert "scsi2" not in await lab.get(f"{VM}/config")

    in_lab(tmp_path, story)


def test_a_lock_is_among_the_options_of_both_lists(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.vms[int(VM.rpartition("/")[2])].lock = "backup"
        assert (await lab.get(f"{VM}/config"))["lock"] == "backup"
        assert (await pending(lab))["lock"] == {"key": "lock", "value": "backup"}

    in_lab(tmp_path, story)

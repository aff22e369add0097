"""Day two's decisions without a site: what an adopted VM says, what a way back passes over, what runs left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.adapters.pve.jobs import migration_check
from pvenix.adapters.pve.transport import backup_path
from pvenix.engine.journal import SqliteJournal
from pvenix.engine.ports import VmConfig, VmSnapshot, VmState
from pvenix.engine.runfiles import RunStore
from pvenix.lifecycle.adopt import machine_of
from pvenix.lifecycle.freezing import switched_off
from pvenix.lifecycle.ownership import Found
from pvenix.lifecycle.snapshots import after
from pvenix.lifecycle.unfinished import unfinished
from pvenix.model.errors import UsageError
from pvenix.model.names import node_name, vmid
from pvenix.model.plan import PlayPlan, RunPlan, Task

NODE = node_name("tappaas1")
VM = vmid(431)


def adopted(running: bool = True, **values: str) -> dict[str, object]:
    """The inventory's words for a VM."""
    config = VmConfig(values={"scsi0": "tanka1:vm-431-disk-0,size=32G", **values}, digest="")
    state = VmState(
        vmid=VM, node=NODE, name="web03", status="running", template=False, tags=(), memory_max=0, pool="apps"
    )
    return machine_of(state, Found(node=NODE, vmid=VM, config=config), running=running)


def test_an_adopted_vm_is_said_to_have_what_it_has_and_nothing_more() -> None:
    assert adopted(
        cores="4",
        memory="6144",
        net0="virtio=BC:24:11:00:00:01,bridge=lan,tag=13,firewall=1,mtu=1400",
        ipconfig0="ip=10.0.0.9/24,gw=10.0.0.1",
        tags="pvenix;web",
        onboot="1",
        protection="1",
    ) == {
        "install": "adopt",
        "cores": 4,
        "memory": "6G",
        "disk": "32G",
        "proxmox": {"vmid": 431, "node": "tappaas1", "onboot": True, "protect": True, "pool": "apps"},
        "network": {
            "bridge": "lan", "vlan": 13, "mac": "BC:24:11:00:00:01", "mtu": 1400, "firewall": True,
            "address": "10.0.0.9/24", "gateway": "10.0.0.1",
        },
        "tags": ["web"],
    }  # fmt: skip


def test_proxmox_own_defaults_are_said_where_the_vm_says_nothing() -> None:
    found = adopted(running=False, ipconfig0="ip=dhcp")
    assert (found["cores"], found["memory"], found["state"]) == (1, "512M", "stopped")
    assert "network" not in found
    assert "tags" not in found


@pytest.mark.parametrize(("text", "words"), [("32G", "32G"), ("2252M", "2252M"), ("1T", "1024G"), ("4194304K", "4G")])
def test_a_disk_is_said_in_whole_gib_where_it_is_so(text: str, words: str) -> None:
    assert adopted(scsi0=f"tanka1:vm-431-disk-0,size={text}")["disk"] == words


def snapshot(name: str, parent: str = "") -> VmSnapshot:
    """A snapshot after another."""
    return VmSnapshot(name=name, description="", parent=parent, taken_at=0, memory=False)


def test_a_way_back_passes_over_what_is_not_on_the_way_to_it() -> None:
    tree = (snapshot("a"), snapshot("b", "a"), snapshot("c", "b"), snapshot("d", "b"))
    assert [each.name for each in after(tree, "b")] == ["c", "d"]
    assert [each.name for each in after(tree, "d")] == ["c"]
    assert [each.name for each in after(tree, "a")] == ["b", "c", "d"]
    assert after(tree[:3], "c") == ()


def test_parents_in_a_circle_end() -> None:
    assert after((snapshot("a", "b"), snapshot("b", "a")), "a") == ()


@pytest.mark.parametrize(
    ("agent", "for_snapshots", "for_backups"),
    [
        ("1", False, False),
        ("", False, False),
        ("1,freeze-fs-on-backup=1", False, False),
        ("enabled=1,freeze-fs-on-backup=0", False, True),
        ("1,fstrim_cloned_disks=1,guest-fsfreeze=0", True, True),
        ("1,freeze-fs=0", True, True),
    ],
)
def test_an_agent_whose_freezing_is_switched_off_is_known_by_each_of_the_option_s_names(
    agent: str, for_snapshots: bool, for_backups: bool
) -> None:
    assert switched_off(agent, backup=False) is for_snapshots
    assert switched_off(agent, backup=True) is for_backups


def test_only_backups_can_be_named_for_deletion() -> None:
    path = backup_path("tappaas1", "local:backup/vzdump-qemu-200-2026_01_01-00_00_00.vma.zst")
    assert path.endswith("/storage/local/content/local:backup/vzdump-qemu-200-2026_01_01-00_00_00.vma.zst")
    assert backup_path("tappaas1", "pbs:backup/vm/200/2026-01-01T00:00:00Z")
    for wrong in ("tanka1:vm-200-disk-0", "local:backup/../x", "local:backup/a?b=1", "local:iso/backup/x", "backup/x"):
        with pytest.raises(UsageError):
            backup_path("tappaas1", wrong)


def test_what_keeps_a_vm_on_its_node_is_told_apart() -> None:
    found = migration_check(
        {
            "running": 1,
            "allowed_nodes": ["tappaas2"],
            "not_allowed_nodes": {
                "tappaas3": {"unavailable_storages": ["tankc1"], "unavailable-resources": ["hostpci0"]}
            },
            "local_disks": [
                {"volid": "local-lvm:vm-1-disk-0", "cdrom": 0, "is_unused": 0},
                {"volid": "local:iso/nixos.iso", "cdrom": 1, "is_unused": 0},
                {"volid": "local-lvm:vm-1-cloudinit", "cdrom": 1, "is_unused": 0},
            ],
            "local_resources": ["usb0"],
            "mapped-resources": ["gpu0"],
            "mapped-resource-info": {"hostpci0": {"name": "gpu0"}},
        }
    )
    assert (found.local_disks, found.local_images) == (("local-lvm:vm-1-disk-0",), ("local:iso/nixos.iso",))
    assert (found.devices, found.bound) == (("usb0", "hostpci0"), ("usb0",))
    assert found.refused == {"tappaas3": "no device hostpci0; no storage tankc1"}


async def run_of(store: RunStore, host: str, *, intended: int = 0, ended: str = "") -> str:
    """A run whose clone step was about to use an id, and how that ended."""
    play = PlayPlan(name="clone", waves=((host,),), tasks=(Task(verb="clone"),))
    run = store.create(RunPlan(title="clone", plays=(play,), fleet="/fleet"))
    with SqliteJournal(run.journal_path) as journal:
        if intended:
            await journal.intent(host, "0.0.clone", vmid=str(intended), node="tappaas1")
        if ended:
            await journal.result(host, "0.0.clone", status=ended, summary="", **{"fact.vmid": str(intended or 310)})
    return str(run.run)


async def test_a_vm_id_of_a_run_that_did_not_end_well_is_remembered(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = await run_of(store, "web03", intended=310)
    await run_of(store, "web04", intended=320, ended="failed")
    await run_of(store, "web05", intended=330, ended="changed")
    found = unfinished(store)
    assert {vmid: made.host for vmid, made in found.items()} == {310: "web03", 320: "web04"}
    assert found[310].run == run


async def test_a_vm_that_a_newer_run_ended_well_with_is_nobody_s_unfinished_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, times = RunStore(tmp_path), iter(["20260101-000000", "20260101-000001"])
    monkeypatch.setattr("pvenix.engine.runfiles.time.strftime", lambda *_: next(times))
    await run_of(store, "web03", intended=310)
    await run_of(store, "web03", ended="ok")
    assert unfinished(store) == {}

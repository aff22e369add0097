"""High availability, replication, migration and pools: who moves, holds and names a VM (proxmox.md a4; F24 to F27, F34)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.cluster import Pool
from pvenix_lab.site.pve.flavour import Flavour
from tests.lab.pve_support import NODE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
SECOND = "/nodes/tappaas2/qemu/250"


async def managed(lab: PveLab, state: str = "started") -> None:
    """A clone 250 that the HA manager looks after."""
    await lab.clone()
    lab.site.cluster.sections["ha/resources"] = {"vm:250": {"state": state, "type": "vm"}}


async def state(lab: PveLab, path: str = VM) -> str:
    """The power state now."""
    return str((await lab.get(f"{path}/status/current"))["status"])


def test_a_power_call_on_an_ha_resource_ends_before_anything_happens(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await managed(lab, "stopped")
        started = await lab.ask("POST", f"{VM}/status/start")
        assert str(started.data).split(":")[5] == "hastart"
        assert await lab.finished(str(started.data)) == "OK"
        assert await state(lab) == "stopped"
        await asyncio.sleep(lab.site.timings.broadcast_s + 1)
        assert await state(lab) == "running"
        stopped = await lab.ask("POST", f"{VM}/status/stop")
        assert await lab.finished(str(stopped.data)) == "OK"
        assert await state(lab) == "running"
        await asyncio.sleep(lab.site.timings.broadcast_s + 1)
        assert await state(lab) == "stopped"
        assert (await lab.get(f"{VM}/status/current"))["ha"] == {"managed": 1, "state": "stopped"}

    in_lab(tmp_path, story)


def test_an_ha_resource_is_destroyed_only_with_purge_which_takes_it_out_of_every_job(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await managed(lab, "stopped")
        sections = lab.site.cluster.sections
        sections["jobs"] = {"one": {"vmid": "250,251", "enabled": 1}, "two": {"vmid": "250"}, "all": {"all": 1}}
        sections["replication"] = {"250-0": {"guest": 250, "target": "tappaas2"}}
        refused = await lab.ask("DELETE", VM)
        assert refused.reason == "unable to remove VM 250 - used in HA resources and purge parameter not set."
        assert await lab.done("DELETE", VM, purge="1") == "OK"
        assert sections["jobs"] == {"one": {"vmid": "251", "enabled": 1}, "all": {"all": 1}}
        assert (sections["replication"], sections["ha/resources"]) == ({}, {})

    in_lab(tmp_path, story)


def test_a_replicated_vm_is_not_destroyed_without_purge(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.sections["replication"] = {"250-0": {"guest": 250, "target": "tappaas2"}}
        refused = await lab.ask("DELETE", VM)
        assert refused.reason == "There is a replication job '250-0' for guest '250' - Please remove that first."

    in_lab(tmp_path, story)


def test_a_vm_on_shared_storage_migrates_stopped_and_running(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        assert await lab.done("POST", f"{VM}/migrate", target="tappaas2") == "OK"
        assert (await lab.ask("GET", f"{VM}/config")).reason.startswith("Configuration file")
        await lab.done("POST", f"{SECOND}/status/start")
        refused = await lab.ask("POST", f"{SECOND}/migrate", target="tappaas1")
        assert refused.reason == "can't migrate running VM without --online"
        assert await lab.done("POST", f"{SECOND}/migrate", target="tappaas1", online="1") == "OK"
        assert await state(lab) == "running"

    in_lab(tmp_path, story)


def test_what_keeps_a_vm_where_it_is_shows_before_and_in_the_migration(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", hostpci0="mapping=gpu0")
        before = await lab.get(f"{VM}/migrate")
        assert before["allowed_nodes"] == []
        assert before["not_allowed_nodes"]["tappaas2"] == {"unavailable-resources": ["hostpci0"]}
        assert before["mapped-resources"] == ["gpu0"]
        status = await lab.done("POST", f"{VM}/migrate", target="tappaas2")
        assert status == "can't migrate to 'tappaas2': missing mapped devices hostpci0"

    in_lab(tmp_path, story)


def test_local_disks_move_along_and_a_running_vm_needs_the_flag(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.ask("PUT", f"{VM}/config", scsi1="local-lvm:8")
        assert [disk["volid"] for disk in (await lab.get(f"{VM}/migrate"))["local_disks"]] == [
            "local-lvm:vm-250-disk-0"
        ]
        await lab.done("POST", f"{VM}/status/start")
        stuck = await lab.done("POST", f"{VM}/migrate", target="tappaas2", online="1")
        assert stuck.endswith("can't migrate VM - check log")
        moved = await lab.done("POST", f"{VM}/migrate", target="tappaas2", online="1", **{"with-local-disks": "1"})
        assert moved == "OK"
        here, there = [
            [entry["volid"] for entry in await lab.get(f"/nodes/{node}/storage/local-lvm/content")]
            for node in ("tappaas1", "tappaas2")
        ]
        assert (here, there) == ([], ["local-lvm:vm-250-disk-0"])

    in_lab(tmp_path, story)


def test_a_storage_that_the_target_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask("POST", "/nodes/tappaas2/qemu", vmid="300", scsi0="tankc1:1")
        await lab.finished(str(response.data))
        refused = await lab.ask("POST", "/nodes/tappaas2/qemu/300/migrate", target="tappaas1")
        assert refused.reason == "storage 'tankc1' is not available on node 'tappaas1'"

    in_lab(tmp_path, story)


def test_all_vms_of_a_node_stop_start_and_leave(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        for vmid in ("250", "251"):
            await lab.clone(int(vmid), f"vm{vmid}")
        await lab.ask("PUT", f"{VM}/config", onboot="1")
        assert await lab.done("POST", f"{NODE}/startall") == "OK"
        assert (await state(lab), await state(lab, f"{NODE}/qemu/251")) == ("running", "stopped")
        assert await lab.done("POST", f"{NODE}/startall", force="1") == "OK"
        assert await lab.done("POST", f"{NODE}/migrateall", target="tappaas2") == "OK"
        assert {vm.node for vm in lab.site.cluster.vms.values() if not vm.template} == {"tappaas2"}
        assert await lab.done("POST", "/nodes/tappaas2/stopall") == "OK"
        assert {vm.status for vm in lab.site.cluster.vms.values()} == {"stopped"}

    in_lab(tmp_path, story)


def test_pools_take_vms_in_and_let_them_move_only_when_told(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        roles = lab.site.cluster.rights.roles
        roles["Provisioner"] |= frozenset({"Pool.Allocate", "Permissions.Modify"})
        await lab.clone()
        for pool in ("one", "one/two"):
            assert (await lab.ask("POST", "/pools", poolid=pool)).status == 200
        orphan = await lab.ask("POST", "/pools", poolid="no/child")
        assert orphan.reason == "create pool failed: parent 'no' of pool 'no/child' does not exist"
        assert (await lab.ask("PUT", "/pools", poolid="one", vms="250", storage="tanka1")).status == 200
        again = await lab.ask("PUT", "/pools", poolid="one", vms="250")
        assert again.reason == "update pools failed: VM 250 is already a pool member"
        other = await lab.ask("PUT", "/pools", poolid="one/two", vms="250")
        assert other.reason.endswith("VM 250 belongs already to pool 'one' and 'allow-move' is not set")
        assert (await lab.ask("PUT", "/pools", poolid="one/two", vms="250", allow_move="1")).status == 200
        full = await lab.ask("DELETE", "/pools", poolid="one/two")
        assert full.reason == "delete pool failed: pool 'one/two' is not empty (contains VM 250)"
        assert lab.site.cluster.pools["one"] == Pool(name="one", storages={"tanka1"})

    in_lab(tmp_path, story)


def test_a_clone_into_a_pool_belongs_to_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.pools["fleet"] = Pool(name="fleet")
        assert await lab.clone(250, pool="fleet") == "OK"
        assert lab.site.cluster.vms[250].pool == "fleet"

    in_lab(tmp_path, story)


def test_without_a_quorum_configurations_are_read_and_not_written(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.cluster.quorate = False
        assert (await lab.ask("GET", f"{VM}/config")).status == 200
        written = await lab.ask("PUT", f"{VM}/config", cores="3")
        assert "Permission denied" in written.reason
        for path, params in (("status/start", {}), ("clone", {"newid": "251", "full": "1"})):
            refused = await lab.ask("POST", f"{VM}/{path}", **params)
            assert (refused.status, refused.reason) == (500, "cluster not ready - no quorum?")

    in_lab(tmp_path, story)


def test_a_resource_that_is_added_is_started_and_9_2_knows_no_groups_any_more(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        assert (await lab.ask("POST", "/cluster/ha/groups", group="gpu", nodes="tappaas1")).status == 200
        assert (await lab.ask("POST", "/cluster/ha/resources", sid="vm:250")).status == 200
        await asyncio.sleep(lab.site.timings.broadcast_s + 1)
        assert await state(lab) == "running"
        moved = await lab.ask("POST", "/cluster/ha/resources/vm:250/migrate", node="tappaas2")
        assert moved.data == {"sid": "vm:250", "requested-node": "tappaas2"}
        await asyncio.sleep(lab.site.timings.broadcast_s + 1)
        assert lab.site.cluster.vms[250].node == "tappaas2"
        lab.site.cluster.flavour = Flavour.PVE_9_2
        refused = await lab.ask("POST", "/cluster/ha/groups", group="two", nodes="tappaas1")
        assert refused.reason == "cannot create group: ha groups have been migrated to rules"

    in_lab(tmp_path, story)

"""Configuration, state and snapshots of a VM over the wire (measured on 8.4.5)."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.wire.support import NODE, QUICK, Client, WireLab, row


def pending(client: Client, path: str) -> dict[str, dict[str, Any]]:
    """The list of pending changes by key."""
    return {entry["key"]: entry for entry in client.get(f"{path}/pending")}


@row("A7-01")
def test_a_running_vm_takes_what_can_be_plugged_and_keeps_the_rest_pending(lab: WireLab, operator: Client) -> None:
    path = lab.running(memory=1024, cores=1)
    operator.put(f"{path}/config", memory=2048, cores=2, description="now", delete="searchdomain")
    shown = pending(operator, path)
    assert (str(shown["memory"]["value"]), str(shown["memory"]["pending"])) == ("1024", "2048")
    assert (str(shown["cores"]["value"]), str(shown["cores"]["pending"])) == ("1", "2")
    assert "pending" not in shown["description"]
    assert operator.get(f"{path}/config", current=1)["cores"] == 1
    operator.put(f"{path}/config", delete="machine")
    assert pending(operator, path)["machine"]["delete"] in {1, 2}


@row("A7-02")
def test_a_revert_drops_pending_changes(lab: WireLab, operator: Client) -> None:
    path = lab.running(memory=1024, cores=1)
    operator.put(f"{path}/config", memory=2048, cores=2)
    operator.put(f"{path}/config", revert="memory,cores")
    assert not any("pending" in entry for entry in pending(operator, path).values())


@row("A7-03")
def test_a_disk_that_is_deleted_is_unused_and_freed_by_unlinking(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    vmid = path.rpartition("/")[2]
    volume = operator.get(f"{path}/config")["scsi0"].partition(",")[0]
    operator.put(f"{path}/config", delete="scsi0")
    assert operator.get(f"{path}/config")["unused0"] == volume

    def kept() -> bool:
        return any(entry["volid"] == volume for entry in operator.get(f"{NODE}/storage/tanka1/content", vmid=vmid))

    assert kept()
    operator.put(f"{path}/unlink", idlist="unused0", force=1)
    assert "unused0" not in operator.get(f"{path}/config")
    assert not kept()


@row("A7-04")
@pytest.mark.parametrize("given", ["b,a;c", "c b a", "a,b,c,a", "c;b;a"])
def test_tags_are_stored_sorted_unique_and_with_semicolons(lab: WireLab, operator: Client, given: str) -> None:
    assert operator.get(f"{lab.vm(tags=given)}/config")["tags"] == "a;b;c"


@row("A7-05")
def test_a_tag_with_a_foreign_character_is_a_faulty_parameter(lab: WireLab, operator: Client) -> None:
    answer = operator.ask("PUT", f"{lab.vm()}/config", tags="bad!tag")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"tags"}


@row("A7-06")
def test_a_bridge_that_does_not_exist_is_accepted_until_the_start(lab: WireLab, root: Client) -> None:
    path = lab.vm()
    root.put(f"{path}/config", net0="virtio,bridge=vmbr77")
    assert "bridge=vmbr77" in root.get(f"{path}/config")["net0"]
    assert root.run("POST", f"{path}/status/start").exitstatus != "OK"


@row("A7-07")
def test_the_state_of_a_vm_tells_more_while_it_runs(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    now = operator.get(f"{path}/status/current")
    assert (now["status"], now["qmpstatus"]) == ("running", "running")
    extra = {"pid", "running-machine", "running-qemu", "blockstat", "nics"}
    assert extra <= now.keys()
    operator.ok("POST", f"{path}/status/stop")
    off = operator.get(f"{path}/status/current")
    assert (off["status"], off["qmpstatus"]) == ("stopped", "stopped")
    assert not extra & off.keys()


@row("A7-08")
def test_a_paused_vm_runs_on_paper(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    operator.ok("POST", f"{path}/status/suspend")
    now = operator.get(f"{path}/status/current")
    assert (now["status"], now["qmpstatus"]) == ("running", "paused")
    operator.ok("POST", f"{path}/status/resume")
    assert operator.get(f"{path}/status/current")["qmpstatus"] == "running"


@pytest.mark.slow
@row("A7-09")
def test_a_wedged_monitor_costs_eight_seconds_and_the_state_is_still_told(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    vmid = int(path.rpartition("/")[2])
    lab.hands(lambda site: setattr(site.cluster.vms[vmid], "wedged", True))
    started = time.monotonic()
    assert operator.get(f"{path}/status/current")["status"] == "running"
    assert 7.5 < time.monotonic() - started < 30


@row("A7-10")
def test_the_list_of_resources_is_as_old_as_the_last_broadcast(tmp_path_factory: pytest.TempPathFactory) -> None:
    rare = replace(QUICK, broadcast_s=6000)  # a minute of this lab
    with WireLab(tmp_path_factory.mktemp("stale"), timings=rare) as lab:
        operator = lab.token()
        path = lab.vm()
        vmid = int(path.rpartition("/")[2])

        def shown() -> dict[str, Any]:
            return next(vm for vm in operator.get("/cluster/resources", type="vm") if vm["vmid"] == vmid)

        shown()  # the first question makes the first broadcast
        fresh = lab.vm()
        new = [
            vm for vm in operator.get("/cluster/resources", type="vm") if str(vm["vmid"]) == fresh.rpartition("/")[2]
        ]
        assert [vm["status"] for vm in new] == ["unknown"]
        assert not {"name", "mem", "maxmem"} & new[0].keys()
        operator.ok("POST", f"{path}/status/start")
        assert operator.get(f"{path}/status/current")["status"] == "running"
        assert shown()["status"] == "stopped"
        lab.ahead_s += 61
        assert shown()["status"] == "running"


@row("A7-20")
@pytest.mark.parametrize(
    ("name", "status"),
    [("a", 400), ("1a", 400), ("a" * 41, 400), ("a b", 400), ("ab", 200), ("a" * 40, 200), ("a-_9", 200)],
)
def test_a_snapshots_name_has_2_to_40_characters_of_an_id(
    lab: WireLab, operator: Client, name: str, status: int
) -> None:
    assert operator.ask("POST", f"{lab.vm()}/snapshot", snapname=name).status_code == status


@row("A7-21")
def test_the_present_is_in_the_list_of_snapshots(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    current = operator.get(f"{path}/snapshot")[-1]
    assert (current["name"], current["running"]) == ("current", 1)
    assert current["description"].startswith("You are here!")
    assert current["digest"] == operator.get(f"{path}/config")["digest"]


@row("A7-22")
def test_a_rollback_leaves_a_vm_stopped_unless_told_otherwise(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    operator.ok("POST", f"{path}/snapshot", snapname="one")
    operator.ok("POST", f"{path}/snapshot/one/rollback")
    assert operator.get(f"{path}/status/current")["status"] == "stopped"
    operator.ok("POST", f"{path}/snapshot/one/rollback", start=1)
    assert operator.get(f"{path}/status/current")["status"] == "running"


@row("A7-23")
def test_the_order_of_snapshots_is_told_by_their_parents(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    for name in ("zz", "mm", "aa"):
        operator.ok("POST", f"{path}/snapshot", snapname=name)
    parents = {entry["name"]: entry.get("parent", "") for entry in operator.get(f"{path}/snapshot")}
    assert parents == {"zz": "", "mm": "zz", "aa": "mm", "current": "aa"}


@row("A7-25")
def test_a_backup_needs_a_right_on_the_vm_and_one_on_the_storage(lab: WireLab) -> None:
    vmid = lab.vm().rpartition("/")[2]
    vm, storage = {f"/vms/{vmid}": ["VM.Backup"]}, {"/storage/local": ["Datastore.AllocateSpace"]}
    no_room = lab.granted("noroom", vm).ask("POST", f"{NODE}/vzdump", vmid=vmid, storage="local")
    assert (no_room.status_code, "Datastore.AllocateSpace" in no_room.reason) == (403, True)
    both = lab.granted("both", vm | storage)
    assert both.run("POST", f"{NODE}/vzdump", vmid=vmid, storage="local").exitstatus == "OK"


@row("S4-07")
@pytest.mark.parametrize(
    ("option", "value"),
    [("hostpci0", "host=01:00.0"), ("usb0", "host=1234:5678"), ("args", "-no-hpet"), ("arch", "aarch64")],
)
def test_raw_devices_are_roots_and_mapped_ones_are_not(
    lab: WireLab, operator: Client, root: Client, option: str, value: str
) -> None:
    path = lab.vm()
    answer = operator.ask("PUT", f"{path}/config", **{option: value})
    assert answer.status_code == 500
    assert "only root can" in answer.reason
    assert root.ask("PUT", f"{path}/config", **{option: value}).status_code == 200
    assert operator.ask("PUT", f"{lab.vm()}/config", hostpci0="mapping=gpu0").status_code == 200

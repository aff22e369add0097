"""Locks, identifiers and copies: what several clients at once meet (measured on 8.4.5)."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab.wire.support import NODE, TEMPLATE, Client, WireLab, refused, row

LOCKS = ["backup", "clone", "create", "migrate", "rollback", "snapshot", "snapshot-delete", "suspending", "suspended"]
TAKEN = re.compile(r"unable to create VM \d+: config file already exists")
NO_LOCK = "can't lock file '/var/lock/qemu-server/lock-{}.conf' - got timeout"


@row("A5-01", "A5-03")
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_named_in_the_error_and_shown_in_both_views(
    lab: WireLab, operator: Client, root: Client, lock: str
) -> None:
    path = lab.vm()
    vmid = int(path.rpartition("/")[2])
    root.put(f"{path}/config", lock=lock)
    assert refused(operator.ask("PUT", f"{path}/config", onboot=1)) == (500, f"VM is locked ({lock})")
    assert operator.get(f"{path}/status/current")["lock"] == lock
    shown = {vm["vmid"]: vm for vm in operator.get("/cluster/resources", type="vm")}
    assert shown[vmid]["lock"] == lock


@row("A5-02")
def test_a_clone_waits_one_second_for_the_lock_file_of_a_running_source(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    vmid = path.rpartition("/")[2]
    with lab.fault("clone-slow", seconds=60):
        first = operator.start("POST", f"{path}/clone", newid=lab.free_id(), full=1)
        time.sleep(0.05)
        started = time.monotonic()
        second = operator.ask("POST", f"{path}/clone", newid=lab.free_id(), full=1)
        took = time.monotonic() - started
        text = operator.wait(second.json()["data"]).exitstatus if second.status_code == 200 else second.reason
        assert NO_LOCK.format(vmid) in text
        operator.ask("DELETE", f"{NODE}/tasks/{first}")
    assert took < 9  # where everything else waits ten seconds


@pytest.mark.slow
@row("A5-02")
def test_everything_else_waits_ten_seconds_for_the_lock_file(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    vmid = path.rpartition("/")[2]
    with lab.fault("clone-slow", seconds=60):
        upid = operator.start("POST", f"{path}/clone", newid=lab.free_id(), full=1)
        time.sleep(0.05)
        started = time.monotonic()
        answer = operator.ask("PUT", f"{path}/config", onboot=1)
        assert refused(answer) == (500, NO_LOCK.format(vmid))
        assert 9 < time.monotonic() - started < 25
        operator.ask("DELETE", f"{NODE}/tasks/{upid}")


@row("A5-04")
def test_ten_linked_clones_of_one_template_run_side_by_side(lab: WireLab) -> None:
    ids = [lab.free_id() for _ in range(10)]

    def clone(vmid: int) -> str:
        return lab.token().run("POST", f"{TEMPLATE}/clone", newid=vmid).exitstatus

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(clone, ids)) == ["OK"] * 10


@row("A5-05", "S4-01")
def test_of_those_who_ask_for_an_id_at_once_most_lose_it_in_one_of_two_ways(lab: WireLab) -> None:
    def take(_: int) -> str:
        client = lab.token()
        answer = client.ask("POST", f"{TEMPLATE}/clone", newid=client.get("/cluster/nextid"))
        return answer.reason if answer.status_code != 200 else client.wait(answer.json()["data"]).exitstatus

    ends: list[str] = []
    for _ in range(4):
        with ThreadPoolExecutor(8) as pool:
            ends += pool.map(take, range(8))
    assert "OK" in ends
    others = {end for end in ends if end != "OK"}
    assert others, "nobody lost a race"
    assert all(TAKEN.search(end) or "can't lock file" in end for end in others), others


@row("A5-06", "S4-02")
def test_two_clones_to_one_id_do_not_both_succeed(lab: WireLab) -> None:
    vmid = lab.free_id()

    def clone(_: int) -> tuple[int, str]:
        client = lab.token()
        answer = client.ask("POST", f"{TEMPLATE}/clone", newid=vmid)
        if answer.status_code != 200:
            return answer.status_code, answer.reason
        return 200, client.wait(answer.json()["data"]).exitstatus

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(clone, range(4)))
    assert ends.count((200, "OK")) == 1
    assert all(TAKEN.search(text) or "can't lock file" in text for _, text in ends if text != "OK"), ends


@row("A5-07")
def test_a_used_id_is_a_faulty_parameter_of_nextid(operator: Client) -> None:
    answer = operator.ask("GET", "/cluster/nextid", vmid=8100)
    assert answer.status_code == 400
    assert answer.json()["errors"]["vmid"].strip() == "VM 8100 already exists"


@row("A5-08")
def test_the_range_of_ids_is_an_option_of_the_datacenter(operator: Client, root: Client) -> None:
    assert 100 <= int(operator.get("/cluster/nextid")) < 200
    root.put("/cluster/options", next_id="lower=4000,upper=4100")
    assert operator.get("/cluster/nextid") == "4000"
    root.put("/cluster/options", delete="next-id")
    assert int(operator.get("/cluster/nextid")) < 200
    assert operator.ask("GET", "/cluster/nextid", vmid=99).status_code == 400


@row("A5-09")
def test_one_digest_is_shown_in_three_places_and_changes_with_the_configuration(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    digest = operator.get(f"{path}/config")["digest"]
    assert re.fullmatch(r"[0-9a-f]{40}", digest)
    pending = {entry["key"]: entry.get("value") for entry in operator.get(f"{path}/pending")}
    assert pending["digest"] == digest
    current = next(entry for entry in operator.get(f"{path}/snapshot") if entry["name"] == "current")
    assert current["digest"] == digest
    operator.put(f"{path}/config", onboot=1)
    assert operator.get(f"{path}/config")["digest"] != digest


@row("A5-10", "S4-06")
def test_a_stale_digest_is_refused_wherever_one_is_taken(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    stale = operator.get(f"{path}/config")["digest"]
    operator.put(f"{path}/config", digest=stale, onboot=1)
    mismatch = (500, "checksum mismatch (file change by other user?)")
    assert refused(operator.ask("PUT", f"{path}/config", digest=stale, onboot=0)) == mismatch
    for method, where, params in (
        ("POST", "config", {"onboot": 0}),
        ("PUT", "resize", {"disk": "scsi0", "size": "+1G"}),
        ("POST", "move_disk", {"disk": "scsi0", "storage": "tankb1"}),
    ):
        answer = operator.ask(method, f"{path}/{where}", digest=stale, **params)
        text = answer.reason if answer.status_code != 200 else operator.wait(answer.json()["data"]).exitstatus
        assert "checksum mismatch" in text or "detected modified configuration" in text, (where, text)


def inherited(config: dict[str, Any]) -> dict[str, Any]:
    """What a clone must have from its source."""
    own = {"digest", "net0", "smbios1", "vmgenid", "name", "scsi0", "efidisk0", "ide2", "unused0", "template", "meta"}
    return {key: value for key, value in config.items() if key not in own}


@row("A5-11", "A5-13", "S4-05")
def test_a_clone_copies_everything_but_what_makes_a_machine_itself(
    lab: WireLab, operator: Client, root: Client
) -> None:
    path = lab.vm(
        tags="b;a", ciuser="ops", cipassword="secret", onboot=1, protection=1, description="about", ipconfig0="ip=dhcp"
    )
    root.put(f"{path}/config", args="-no-hpet")
    source = operator.get(f"{path}/config")
    vmid = lab.free_id()
    operator.ok("POST", f"{path}/clone", newid=vmid)
    clone = operator.get(f"{NODE}/qemu/{vmid}/config")
    assert inherited(clone) == inherited(source)
    for key in ("net0", "smbios1", "vmgenid"):
        assert clone[key] != source[key]
    assert clone["name"] == f"Copy-of-VM-{source['name']}"
    assert "template" not in clone


@row("A5-11")
def test_a_clone_leaves_snapshots_and_unused_disks_behind(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    operator.ok("POST", f"{path}/snapshot", snapname="one")
    operator.ok("DELETE", f"{path}/snapshot/one")
    operator.ok("POST", f"{path}/snapshot", snapname="two")
    vmid = lab.free_id()
    operator.ok("POST", f"{path}/clone", newid=vmid, full=1)
    assert [entry["name"] for entry in operator.get(f"{NODE}/qemu/{vmid}/snapshot")] == ["current"]
    loose = lab.vm()
    operator.put(f"{loose}/config", delete="scsi0")
    assert "unused0" in operator.get(f"{loose}/config")
    other = lab.free_id()
    operator.ok("POST", f"{loose}/clone", newid=other)
    assert not {"unused0", "parent"} & operator.get(f"{NODE}/qemu/{other}/config").keys()


@row("A5-12")
def test_pending_changes_are_not_cloned(lab: WireLab, operator: Client) -> None:
    path = lab.running(cores=1)
    operator.put(f"{path}/config", cores=4)
    vmid = lab.free_id()
    ended = operator.run("POST", f"{path}/clone", newid=vmid, full=1)
    assert ended.exitstatus == "WARNINGS: 1"
    assert operator.get(f"{NODE}/qemu/{vmid}/config")["cores"] == 1
    assert any("pending" in line.lower() for line in ended.log)


@row("A5-14")
def test_a_template_is_cloned_linked_and_a_vm_in_full_unless_one_says_so(lab: WireLab, operator: Client) -> None:
    linked = lab.vm()
    assert "base-8100" in operator.get(f"{linked}/config")["scsi0"]
    full = lab.free_id()
    operator.ok("POST", f"{TEMPLATE}/clone", newid=full, full=1)
    assert "base-8100" not in operator.get(f"{NODE}/qemu/{full}/config")["scsi0"]
    of_vm = lab.free_id()
    operator.ok("POST", f"{linked}/clone", newid=of_vm)
    assert operator.get(f"{NODE}/qemu/{of_vm}/config")["scsi0"].startswith(f"tanka1:vm-{of_vm}-disk-")


@row("A5-15")
def test_the_cloud_init_drive_is_always_a_copy(lab: WireLab, operator: Client) -> None:
    vmid = lab.free_id()
    ended = operator.ok("POST", f"{TEMPLATE}/clone", newid=vmid)
    assert any(line.startswith("create full clone of drive ide2 ") for line in ended.log)
    assert any(line.startswith("create linked clone of drive scsi0 ") for line in ended.log)
    assert operator.get(f"{NODE}/qemu/{vmid}/config")["ide2"].startswith(f"tanka1:vm-{vmid}-cloudinit")


@row("A5-16", "S4-09")
def test_a_clone_for_another_node_needs_storage_that_both_have(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    vmid = lab.free_id()
    operator.ok("POST", f"{path}/clone", newid=vmid, full=1, storage="local-lvm")
    local = operator.ask("POST", f"{NODE}/qemu/{vmid}/clone", newid=lab.free_id(), full=1, target="tappaas2")
    assert refused(local) == (500, "can't clone VM to node 'tappaas2' (VM uses local storage)")
    target = operator.ask("POST", f"{path}/clone", newid=lab.free_id(), full=1, target="tappaas2", storage="local-lvm")
    assert target.status_code == 500
    assert target.reason.startswith("can't clone to non-shared storage")


@row("A5-17")
def test_a_linked_clone_on_files_names_its_base_and_the_template_has_base_disks(
    lab: WireLab, operator: Client, root: Client
) -> None:
    vmid, node = lab.free_id(), "/nodes/tappaas2"
    root.ok("POST", f"{node}/qemu", vmid=vmid, scsi0="tankc1:1,format=qcow2")
    root.ok("POST", f"{node}/qemu/{vmid}/template")
    base = root.get(f"{node}/qemu/{vmid}/config")["scsi0"].partition(",")[0]
    assert base == f"tankc1:{vmid}/base-{vmid}-disk-0.qcow2"
    clone = lab.free_id()
    root.ok("POST", f"{node}/qemu/{vmid}/clone", newid=clone)
    disk = root.get(f"{node}/qemu/{clone}/config")["scsi0"].partition(",")[0]
    assert disk == f"{base}/{clone}/vm-{clone}-disk-0.qcow2"


@row("A5-18")
def test_a_disk_on_files_is_raw_unless_a_format_is_given(lab: WireLab, root: Client) -> None:
    vmid, node = lab.free_id(), "/nodes/tappaas2"
    root.ok("POST", f"{node}/qemu", vmid=vmid, scsi0="tankc1:1", scsi1="tankc1:1,format=qcow2")
    config = root.get(f"{node}/qemu/{vmid}/config")
    assert config["scsi0"].partition(",")[0].endswith(".raw")
    assert config["scsi1"].partition(",")[0].endswith(".qcow2")


@row("S4-03", "S4-04")
def test_a_clone_begins_with_a_locked_stub_and_a_failed_one_leaves_nothing(lab: WireLab, operator: Client) -> None:
    vmid = lab.free_id()
    with lab.fault("clone-slow", seconds=60):
        upid = operator.start("POST", f"{TEMPLATE}/clone", newid=vmid)
        until = time.monotonic() + 30
        path = f"{NODE}/qemu/{vmid}/config"
        while operator.ask("GET", path).status_code != 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert operator.get(path)["lock"] == "clone"
        assert upid.split(":")[6] == "8100"
    operator.wait(upid)
    assert "lock" not in operator.get(path)
    other = lab.free_id()
    with lab.fault("clone-fails-in-task"):
        operator.run("POST", f"{TEMPLATE}/clone", newid=other)
    assert operator.ask("GET", f"{NODE}/qemu/{other}/config").status_code == 500
    content = operator.get(f"{NODE}/storage/tanka1/content", vmid=other)
    assert content == []

"""Tasks over the wire: names, states, ends and logs (measured on 8.4.5; the grammar from pve-common Tools.pm)."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.lab.wire.support import NODE, TEMPLATE, Client, WireLab, refused, row

UPID = re.compile(
    r"UPID:(?P<node>[a-z0-9]+):(?P<pid>[0-9A-F]{8}):(?P<pstart>[0-9A-F]{8,9}):(?P<starttime>[0-9A-F]{8})"
    r":(?P<type>[a-z]+):(?P<id>[^:]*):(?P<user>[^:@]+@[^:!]+(![^:]+)?):"
)


def parts(upid: str) -> dict[str, str]:
    """The fields of a UPID."""
    found = UPID.fullmatch(upid)
    assert found, upid
    return {key: value or "" for key, value in found.groupdict().items()}


def held(lab: WireLab) -> Any:
    """The next task begins its work only at the end of the block."""
    return lab.fault("task-slow", seconds=60)


@row("A4-01")
def test_a_upid_names_node_process_time_type_id_and_caller(lab: WireLab, operator: Client, root: Client) -> None:
    before = int(time.time())
    path = lab.vm()
    vmid = path.rpartition("/")[2]
    by_token = parts(operator.start("POST", f"{path}/status/stop"))
    assert (by_token["node"], by_token["type"], by_token["id"]) == ("tappaas1", "qmstop", vmid)
    assert by_token["user"] == "pvenix@pve!lab"
    assert before <= int(by_token["starttime"], 16) <= time.time()
    assert parts(root.start("POST", f"{path}/status/stop"))["user"] == "root@pam"


STOPPED: list[tuple[str, str, str, dict[str, Any]]] = [
    ("qmtemplate", "POST", "/template", {}),
    ("qmstart", "POST", "/status/start", {}),
    ("qmstop", "POST", "/status/stop", {}),
    ("qmshutdown", "POST", "/status/shutdown", {}),
    ("qmsnapshot", "POST", "/snapshot", {"snapname": "one"}),
    ("qmrollback", "POST", "/snapshot/one/rollback", {}),
    ("qmdelsnapshot", "DELETE", "/snapshot/one", {}),
    ("qmdestroy", "DELETE", "", {}),
    ("resize", "PUT", "/resize", {"disk": "scsi0", "size": "+1G"}),
]
RUNNING: list[tuple[str, str, dict[str, Any]]] = [
    ("qmreboot", "/status/reboot", {}),
    ("qmreset", "/status/reset", {}),
    ("qmpause", "/status/suspend", {}),
    ("qmsuspend", "/status/suspend", {"todisk": 1}),
    ("qmresume", "/status/resume", {}),
]


@row("A4-02")
@pytest.mark.parametrize("case", STOPPED, ids=[kind for kind, *_ in STOPPED])
def test_a_task_on_a_stopped_vm_is_called_so(
    lab: WireLab, operator: Client, case: tuple[str, str, str, dict[str, Any]]
) -> None:
    (kind, method, path, params), vm = case, lab.vm()
    if kind in {"qmrollback", "qmdelsnapshot"}:
        operator.ok("POST", f"{vm}/snapshot", snapname="one")
    upid = operator.start(method, vm + path, **params)
    assert (parts(upid)["type"], parts(upid)["id"]) == (kind, vm.rpartition("/")[2])
    operator.wait(upid)


@row("A4-02")
def test_a_task_on_a_running_vm_is_called_so(lab: WireLab, operator: Client) -> None:
    vm = lab.running()
    for kind, path, params in RUNNING:
        upid = operator.start("POST", vm + path, **params)
        assert (parts(upid)["type"], parts(upid)["id"]) == (kind, vm.rpartition("/")[2])
        operator.wait(upid)
        if kind == "qmsuspend":
            operator.ok("POST", f"{vm}/status/start")


@row("A4-02", "A4-03")
def test_tasks_of_creation_and_of_storages_are_called_so(lab: WireLab, root: Client) -> None:
    storage, vmid = f"{NODE}/storage/local", lab.free_id()
    assert parts(root.ok("POST", f"{NODE}/qemu", vmid=vmid).upid)["type"] == "qmcreate"
    assert parts(root.ok("POST", f"{NODE}/vzdump", vmid=vmid, storage="local").upid)["type"] == "vzdump"
    sent = root.session.post(
        f"{root.base}{storage}/upload", data={"content": "iso"}, files={"filename": ("t.iso", b"x")}
    ).json()["data"]
    assert (parts(sent)["type"], parts(sent)["id"]) == ("imgcopy", "")
    root.wait(sent)
    deleted = root.ask("DELETE", f"{storage}/content/local:iso/t.iso")
    assert deleted.status_code == 200
    assert any(task["type"] == "imgdel" for task in root.get(f"{NODE}/tasks", limit=20, source="all"))
    fetched = root.start(
        "POST", f"{storage}/download-url", content="iso", filename="d.iso", url="https://mirror.example/d.iso"
    )
    assert parts(fetched)["type"] == "download"
    root.wait(fetched)


@row("A4-02")
def test_a_write_in_a_task_is_called_so(lab: WireLab, root: Client) -> None:
    upid = root.ask("POST", f"{lab.vm()}/config", description="x").json()["data"]
    assert upid is None or parts(upid)["type"] == "qmconfig"
    assert any(task["type"] == "qmconfig" for task in root.get(f"{NODE}/tasks", limit=20, source="all"))


@row("A4-04")
def test_a_clone_is_a_task_of_its_source(lab: WireLab, operator: Client) -> None:
    done = operator.ok("POST", f"{TEMPLATE}/clone", newid=lab.free_id())
    assert (parts(done.upid)["type"], parts(done.upid)["id"]) == ("qmclone", "8100")


@row("A4-05", "A4-13")
def test_a_result_and_a_last_line_are_there_only_when_a_task_has_stopped(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    with held(lab):
        upid = operator.start("POST", f"{path}/status/stop")
        task = f"{NODE}/tasks/{upid}"
        status = operator.get(f"{task}/status")
        assert status["status"] == "running"
        assert "exitstatus" not in status
        assert not any(line["t"].startswith("TASK ") for line in operator.get(f"{task}/log"))
    done = operator.wait(upid)
    assert (operator.get(f"{task}/status")["status"], done.exitstatus) == ("stopped", "OK")
    assert done.log[-1] == "TASK OK"


@row("A4-06", "A4-10")
def test_a_success_with_warnings_says_how_many(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    with lab.fault("task-warns", lines=2):
        done = operator.run("POST", f"{path}/status/stop")
    assert done.exitstatus == "WARNINGS: 2"
    assert done.log[-1] == "TASK WARNINGS: 2"


@row("A4-07", "A4-10")
def test_an_error_of_several_lines_is_folded_in_the_status(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    with lab.fault("task-fails", message="one\ntwo"):
        done = operator.run("POST", f"{path}/status/stop")
    assert done.exitstatus == "one two"
    assert done.log[-2:] == ["TASK ERROR: one", "two"]


@row("A4-08")
def test_a_token_is_shown_beside_its_user(lab: WireLab, operator: Client, root: Client) -> None:
    path = lab.vm()
    upid = operator.ok("POST", f"{path}/status/stop").upid
    status = operator.get(f"{NODE}/tasks/{upid}/status")
    assert (status["user"], status["tokenid"]) == ("pvenix@pve", "lab")
    by_user = root.ok("POST", f"{path}/status/stop").upid
    assert "tokenid" not in root.get(f"{NODE}/tasks/{by_user}/status")


@row("A4-09")
def test_the_list_shows_the_end_as_status_and_endtime(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    upid = operator.ok("POST", f"{path}/status/stop").upid
    entry = next(task for task in operator.get(f"{NODE}/tasks") if task["upid"] == upid)
    assert entry["status"] == "OK"
    assert "exitstatus" not in entry
    assert entry["endtime"] >= entry["starttime"]


@row("A4-11")
def test_a_log_is_paged_from_0_and_numbered_from_1(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    with lab.fault("task-fails", message="\n".join(f"line {number}" for number in range(60))):
        upid = operator.run("POST", f"{path}/status/stop").upid
    log = f"{NODE}/tasks/{upid}/log"
    everything = operator.get(log, limit=0)
    assert [line["n"] for line in everything] == list(range(1, len(everything) + 1))
    assert len(everything) >= 60
    assert len(operator.get(log)) == 50
    assert operator.get(log, start=2, limit=3) == everything[2:5]
    assert operator.ask("GET", log, limit=-1).status_code == 400
    past = operator.ask("GET", log, start=1000).json()
    assert (past["data"], past["total"]) == ([], len(everything))


@row("A4-12")
def test_an_empty_log_is_a_line_that_is_none(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    with held(lab):
        upid = operator.start("POST", f"{path}/status/stop")
        body = operator.ask("GET", f"{NODE}/tasks/{upid}/log").json()
    operator.wait(upid)
    assert (body["data"], body["total"]) == ([{"n": 1, "t": "no content"}], 1)


@row("A4-14")
def test_stopping_a_task_waits_for_its_end_and_a_finished_one_is_fine(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    with held(lab):
        upid = operator.start("POST", f"{path}/status/stop")
        answer = operator.ask("DELETE", f"{NODE}/tasks/{upid}")
        assert (answer.status_code, answer.json()["data"]) == (200, None)
        assert operator.get(f"{NODE}/tasks/{upid}/status")["status"] == "stopped"
        assert operator.ask("DELETE", f"{NODE}/tasks/{upid}").status_code == 200


@row("A4-15", "A4-16")
def test_a_killed_snapshot_leaves_lock_and_entry_and_root_gets_rid_of_them(
    lab: WireLab, operator: Client, root: Client
) -> None:
    path = lab.vm()
    lab.site.time_scale = 5
    try:
        upid = operator.start("POST", f"{path}/snapshot", snapname="cut")
        until = time.monotonic() + 30
        while "lock" not in operator.get(f"{path}/config") and time.monotonic() < until:
            time.sleep(0.01)
        operator.ask("DELETE", f"{NODE}/tasks/{upid}")
    finally:
        lab.site.time_scale = 0.01
    assert operator.wait(upid).exitstatus == "unable to read tail (got 0 bytes)"
    assert operator.get(f"{path}/config")["lock"] == "snapshot"
    entries = {entry["name"]: entry.get("snapstate") for entry in operator.get(f"{path}/snapshot")}
    assert entries["cut"] == "prepare"
    assert refused(operator.ask("PUT", f"{path}/config", onboot=1)) == (500, "VM is locked (snapshot)")
    root.put(f"{path}/config", delete="lock", skiplock=1)
    assert "lock" not in operator.get(f"{path}/config")


@row("A4-17")
def test_a_foreign_task_is_read_with_audit_and_stopped_with_modify(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    stranger, auditor = lab.granted("stranger", {}), lab.granted("auditor", {NODE: ["Sys.Audit"]})
    modifier = lab.granted("modifier", {NODE: ["Sys.Modify"]})
    with held(lab):
        upid = operator.start("POST", f"{path}/status/stop")
        task = f"{NODE}/tasks/{upid}"
        for what in ("status", "log"):
            assert stranger.ask("GET", f"{task}/{what}").status_code == 403
            assert auditor.ask("GET", f"{task}/{what}").status_code == 200
        assert auditor.ask("DELETE", task).status_code == 403
        assert modifier.ask("DELETE", task).status_code == 200


@row("A4-18")
def test_a_vm_is_listed_until_its_destruction_has_ended(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    vmid = int(path.rpartition("/")[2])

    def listed() -> bool:
        return any(entry["vmid"] == vmid for entry in operator.get(f"{NODE}/qemu"))

    with held(lab):
        upid = operator.start("DELETE", path)
        assert listed()
    operator.wait(upid)
    assert not listed()

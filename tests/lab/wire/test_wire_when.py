"""Where an error shows up: in the answer to the call, or only as the end of the task (the table measured on 8.4.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.wire.support import NODE, TEMPLATE, Case, Client, Ended, WireLab, row

GONE = "Configuration file 'nodes/tappaas1/qemu-server/399.conf' does not exist"


def at(path: str, given: dict[str, Any], vm: str) -> tuple[str, dict[str, Any]]:
    """The path and the parameters with the test's VM in them."""
    vmid = vm.rpartition("/")[2]
    return path.replace("VM", vm, 1), {key: vmid if value == "ID" else value for key, value in given.items()}


def at_once(client: Client, case: Case, vm: str) -> tuple[int, str]:
    """Status and reason line of a call that must start no task."""
    path, params = at(case.path, case.params, vm)
    answer = client.ask(case.method, path, **params)
    assert answer.json()["data"] is None, answer.json()
    return answer.status_code, answer.reason


def in_task(client: Client, case: Case, vm: str) -> Ended:
    """The end of the task that the call must start."""
    path, params = at(case.path, case.params, vm)
    return client.run(case.method, path, **params)


def case(ident: str, method: str, path: str, text: str, **params: Any) -> Any:
    """A row of the table."""
    return pytest.param(Case(method, path, params, text), id=ident)


@pytest.fixture(scope="module")
def stopped(lab: WireLab) -> str:
    """A VM that is off."""
    return lab.vm()


@pytest.fixture(scope="module")
def running(lab: WireLab) -> str:
    """A VM that runs, its guest up."""
    return lab.running()


@pytest.fixture
def locked(lab: WireLab, root: Client) -> str:
    """A stopped VM that somebody's backup locks."""
    path = lab.vm()
    root.put(f"{path}/config", lock="backup")
    return path


@pytest.fixture(scope="module")
def snapped(lab: WireLab, operator: Client) -> str:
    """A stopped VM with a snapshot `one`."""
    path = lab.vm()
    operator.ok("POST", f"{path}/snapshot", snapname="one")
    return path


@pytest.mark.parametrize(
    "case",
    [
        case("A4-20", "POST", f"{TEMPLATE}/clone", "Parameter verification failed."),
        case("A4-22", "POST", f"{TEMPLATE}/clone", "unable to create VM {id}: config file already exists", newid="ID"),
        case(
            "A4-24-storage", "POST", f"{TEMPLATE}/clone", "parameter 'storage' not allowed for linked clones",
            newid=999, storage="tanka1",
        ),
        case(
            "A4-24-format", "POST", f"{TEMPLATE}/clone", "parameter 'format' not allowed for linked clones",
            newid=999, format="raw",
        ),
        case("A4-34-reboot", "POST", "VM/status/reboot", "VM {id} not running"),
        case("A4-34-reset", "POST", "VM/status/reset", "VM {id} not running"),
        case("A4-34-suspend", "POST", "VM/status/suspend", "VM {id} not running"),
        case("A4-34-resume", "POST", "VM/status/resume", "VM {id} not running"),
        case("A4-42-resize", "PUT", "VM/resize", "Parameter verification failed.", disk="nope", size="+1G"),
        case("A4-42-snapshot", "POST", "VM/snapshot", "Parameter verification failed.", snapname="1"),
        case("A4-43", "POST", "VM/snapshot", "unable to use snapshot name 'current' (reserved name)", snapname="current"),
        case("A4-50", "PUT", "VM/config", "checksum mismatch (file change by other user?)", digest="0" * 40, onboot=1),
        case("A4-51", "POST", "VM/config", "Parameter verification failed.", cores="x"),
    ],
)  # fmt: skip
def test_it_is_refused_in_the_answer(stopped: str, operator: Client, case: Case) -> None:
    status, reason = at_once(operator, case, stopped)
    assert reason == case.text.format(id=stopped.rpartition("/")[2])
    assert status == (400 if reason == "Parameter verification failed." else 500)


@row("A4-25")
def test_a_clone_for_an_unknown_node_is_refused_in_the_answer(operator: Client) -> None:
    answer = operator.ask("POST", f"{TEMPLATE}/clone", newid=999, target="nope")
    assert answer.status_code >= 400
    assert "nope" in answer.text


@pytest.mark.parametrize(
    "case",
    [
        case("A4-21", "POST", f"{TEMPLATE}/clone", "", newid=999),
        case("A4-27", "POST", f"{TEMPLATE}/status/start", ""),
        case("A4-30", "POST", f"{TEMPLATE}/status/stop", ""),
        case("A4-52", "POST", f"{TEMPLATE}/config", "", description="x"),
    ],
)
def test_a_missing_permission_is_refused_in_the_answer(lab: WireLab, case: Case) -> None:
    client = lab.granted(f"when{len(lab.clients)}", {})
    assert client.ask(case.method, case.path, **case.params).status_code == 403


@row("A4-23")
def test_a_clone_of_a_locked_vm_is_refused_in_the_answer(locked: str, operator: Client) -> None:
    refused = at_once(operator, Case("POST", "VM/clone", {"newid": 999}), locked)
    assert refused == (500, "VM is locked (backup)")


@pytest.mark.parametrize("action", ["reboot", "reset", "suspend", "resume"])
@row("A4-35")
def test_what_acts_on_a_running_vm_is_refused_for_a_missing_one(operator: Client, action: str) -> None:
    answer = operator.ask("POST", f"{NODE}/qemu/399/status/{action}")
    assert (answer.status_code, answer.reason) == (500, GONE)


@pytest.mark.parametrize(
    "case",
    [
        case("A4-28-start", "POST", f"{NODE}/qemu/399/status/start", GONE),
        case("A4-31-stop", "POST", f"{NODE}/qemu/399/status/stop", GONE),
        case("A4-44-resize", "PUT", f"{NODE}/qemu/399/resize", GONE, disk="scsi0", size="+1G"),
        case("A4-44-snapshot", "POST", f"{NODE}/qemu/399/snapshot", GONE, snapname="one"),
        case("A4-44-rollback", "POST", f"{NODE}/qemu/399/snapshot/one/rollback", GONE),
        case("A4-44-delsnapshot", "DELETE", f"{NODE}/qemu/399/snapshot/one", GONE),
    ],
)
def test_a_missing_vm_is_missed_only_in_the_task(operator: Client, case: Case) -> None:
    assert in_task(operator, case, "").exitstatus == case.text


@pytest.mark.parametrize(
    "case",
    [
        case("A4-28-locked", "POST", "VM/status/start", ""),
        case("A4-41-destroy", "DELETE", "VM", ""),
        case("A4-45-resize", "PUT", "VM/resize", "", disk="scsi0", size="+1G"),
        case("A4-45-snapshot", "POST", "VM/snapshot", "", snapname="one"),
    ],
)
def test_a_lock_is_met_only_in_the_task(lab: WireLab, root: Client, operator: Client, case: Case) -> None:
    path = lab.vm()
    root.put(f"{path}/config", lock="clone")
    assert in_task(operator, case, path).exitstatus == "VM is locked (clone)"


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("stop", id="A4-31-locked"),
        pytest.param("shutdown", id="A4-33"),
        pytest.param("reboot", id="A4-36-reboot"),
        pytest.param("reset", id="A4-36-reset"),
        pytest.param("suspend", id="A4-36-suspend"),
    ],
)
def test_a_running_vm_that_is_locked_is_met_only_in_the_task(
    lab: WireLab, root: Client, operator: Client, action: str
) -> None:
    path = lab.running()
    root.put(f"{path}/config", lock="migrate")
    assert operator.run("POST", f"{path}/status/{action}").exitstatus == "VM is locked (migrate)"


@row("A4-29")
def test_what_keeps_a_vm_from_starting_shows_in_the_task(
    lab: WireLab, operator: Client, root: Client, running: str
) -> None:
    vmid = running.rpartition("/")[2]
    assert operator.run("POST", f"{running}/status/start").exitstatus == f"VM {vmid} already running"
    assert "template" in operator.run("POST", f"{TEMPLATE}/status/start").exitstatus
    no_bridge = lab.vm(net0="virtio,bridge=lan")
    root.put(f"{no_bridge}/config", net0="virtio,bridge=vmbr77")
    ended = operator.run("POST", f"{no_bridge}/status/start")
    assert ended.exitstatus != "OK"
    assert any("bridge 'vmbr77' does not exist" in line for line in ended.log)
    no_snippet = lab.vm()
    assert root.ask("PUT", f"{no_snippet}/config", cicustom="user=local:snippets/x.yml").status_code == 500
    assert "local:snippets/x.yml" in operator.run("POST", f"{no_snippet}/status/start").exitstatus


@row("A4-32")
@pytest.mark.parametrize("action", ["stop", "shutdown"])
def test_ending_what_has_ended_is_fine(stopped: str, operator: Client, action: str) -> None:
    operator.ok("POST", f"{stopped}/status/{action}")


@row("A4-37")
def test_a_paused_vm_is_not_shut_down_and_says_so_at_once(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    operator.ok("POST", f"{path}/status/suspend")
    answer = operator.ask("POST", f"{path}/status/shutdown")
    assert (answer.status_code, answer.reason) == (500, "VM is paused - cannot shutdown")


@row("A4-38")
def test_a_guest_that_does_not_go_down_fails_the_task_unless_it_is_forced(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    vmid = int(path.rpartition("/")[2])
    lab.hands(lambda site: setattr(site.cluster.vms[vmid], "wedged", True))
    late = operator.run("POST", f"{path}/status/shutdown", timeout=1)
    assert late.exitstatus == "VM quit/powerdown failed - got timeout"
    operator.ok("POST", f"{path}/status/shutdown", timeout=1, forceStop=1)
    assert operator.get(f"{path}/status/current")["status"] == "stopped"


@row("A4-39")
def test_a_running_vm_is_not_destroyed_and_says_so_at_once(running: str, operator: Client) -> None:
    vmid = running.rpartition("/")[2]
    refused = at_once(operator, Case("DELETE", "VM", {}), running)
    assert refused == (500, f"VM {vmid} is running - destroy failed")


@row("A4-40")
def test_a_protected_vm_is_not_destroyed_and_says_so_at_once(lab: WireLab, operator: Client) -> None:
    path = lab.vm(protection=1)
    status, reason = at_once(operator, Case("DELETE", "VM", {}), path)
    assert status == 500
    assert "protection" in reason


@row("A4-46")
def test_a_template_with_linked_clones_is_kept_by_the_task(lab: WireLab, root: Client, stopped: str) -> None:
    assert root.get(f"{stopped}/config")["scsi0"].startswith("tanka1:base-8100-")
    ended = root.run("DELETE", TEMPLATE)
    assert ended.exitstatus.startswith("base volume '")
    assert "is still in use by linked cloned" in ended.exitstatus


@row("A4-47")
def test_snapshots_that_are_there_already_or_not_at_all_show_in_the_task(snapped: str, operator: Client) -> None:
    again = operator.run("POST", f"{snapped}/snapshot", snapname="one")
    assert again.exitstatus == "snapshot name 'one' already used"
    for method, path in (("POST", "/snapshot/nope/rollback"), ("DELETE", "/snapshot/nope")):
        assert operator.run(method, snapped + path).exitstatus == "snapshot 'nope' does not exist"


@row("A4-48")
def test_a_disk_is_not_shrunk_which_shows_in_the_task(stopped: str, operator: Client) -> None:
    assert (
        operator.run("PUT", f"{stopped}/resize", disk="scsi0", size="1G").exitstatus
        == "shrinking disks is not supported"
    )


@row("A4-49")
def test_the_right_to_more_room_is_missed_only_in_the_task(lab: WireLab, stopped: str) -> None:
    vmid = stopped.rpartition("/")[2]
    client = lab.granted("room", {f"/vms/{vmid}": ["VM.Config.Disk", "VM.Audit"]})
    ended = client.run("PUT", f"{stopped}/resize", disk="scsi0", size="+1G")
    assert ended.exitstatus == "Permission check failed (/storage/tanka1, Datastore.AllocateSpace)"


@row("A4-53")
def test_a_put_of_the_configuration_starts_no_task(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    vmid = path.rpartition("/")[2]
    before = len(operator.get(f"{NODE}/tasks", vmid=vmid, source="all"))
    answer = operator.ask("PUT", f"{path}/config", cores=2, memory=512)
    assert (answer.status_code, answer.json()) == (200, {"data": None})
    assert len(operator.get(f"{NODE}/tasks", vmid=vmid, source="all")) == before


@row("A4-54")
def test_what_a_post_of_the_configuration_cannot_allocate_shows_in_the_task(lab: WireLab, root: Client) -> None:
    upid = root.start("POST", f"{lab.vm()}/config", scsi1="tanka1:999999")
    assert ":qmconfig:" in upid
    assert root.wait(upid).exitstatus not in {"OK", ""}


@row("A4-26")
def test_a_clone_whose_disk_fails_answers_200_and_fails_in_the_task(lab: WireLab, operator: Client) -> None:
    vmid = lab.free_id()
    with lab.fault("clone-fails-in-task"):
        ended = operator.run("POST", f"{TEMPLATE}/clone", newid=vmid)
    assert ended.exitstatus.startswith("clone failed: ")
    assert operator.ask("GET", f"{NODE}/qemu/{vmid}/config").status_code == 500

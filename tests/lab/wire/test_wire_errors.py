"""The shape and the words of every class of error (measured on 8.4.5): status, reason line, body."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.wire.support import NODE, TEMPLATE, Case, Client, WireLab, refused, row

GONE = f"{NODE}/qemu/311"


@pytest.fixture(scope="module")
def vm(lab: WireLab) -> str:
    """A stopped VM for every test of the module."""
    return lab.vm()


def is_message(body: dict[str, Any], reason: str) -> bool:
    """True if the body says what the reason line says, with a line end, and nothing else."""
    return body == {"data": None, "message": f"{reason}\n"}


@row("A3-01")
def test_all_faulty_parameters_are_named_at_once(vm: str, operator: Client) -> None:
    answer = operator.ask("PUT", f"{vm}/config", cores="many", bogus=1, name="a_b", onboot=1)
    assert refused(answer) == (400, "Parameter verification failed.")
    body = answer.json()
    assert body["data"] is None
    assert body["message"].startswith("Parameter verification failed.")
    assert set(body["errors"]) == {"cores", "bogus", "name"}


@row("A3-01")
def test_a_missing_parameter_is_a_faulty_one(operator: Client) -> None:
    answer = operator.ask("POST", f"{TEMPLATE}/clone")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"newid"}


@row("A3-03")
def test_a_refused_permission_is_a_403_that_says_which(lab: WireLab) -> None:
    answer = lab.granted("errors", {}).ask("GET", f"{TEMPLATE}/config")
    assert answer.status_code == 403
    assert is_message(answer.json(), "Permission check failed (/vms/8100, VM.Audit)")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Case(
                "GET", f"{GONE}/config", {}, "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"
            ),
            id="A3-02-missing-vm",
        ),
        pytest.param(
            Case(
                "PUT", "VM/config", {"digest": "0" * 40, "onboot": 1}, "checksum mismatch (file change by other user?)"
            ),
            id="A3-02-digest",
        ),
        pytest.param(
            Case("GET", f"{NODE}/storage/nope/content", {}, "storage 'nope' does not exist"), id="A3-02-storage"
        ),
        pytest.param(Case("POST", "VM/agent/ping", {}, "VM ID is not running"), id="A3-02-agent"),
    ],
)
def test_whatever_else_fails_is_a_500_whose_reason_is_the_message(
    vm: str, operator: Client, root: Client, case: Case
) -> None:
    client = root if "storage" in case.path else operator
    answer = client.ask(case.method, case.path.replace("VM", vm, 1), **case.params)
    text = case.text.replace("VM ID", f"VM {vm.rpartition('/')[2]}")
    assert refused(answer) == (500, text)
    assert is_message(answer.json(), text)


@row("A3-02")
def test_a_locked_vm_is_a_500_that_names_the_lock(lab: WireLab, operator: Client, root: Client) -> None:
    path = lab.vm()
    root.put(f"{path}/config", lock="backup")
    answer = operator.ask("PUT", f"{path}/config", onboot=1)
    assert refused(answer) == (500, "VM is locked (backup)")
    assert is_message(answer.json(), "VM is locked (backup)")


@row("A3-04")
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/x"), ("POST", "/version"), ("DELETE", "/nodes"), ("GET", f"{NODE}/qemu/100/nope")]
)
def test_an_unknown_path_or_method_is_a_501_with_json(operator: Client, method: str, path: str) -> None:
    answer = operator.ask(method, path)
    assert refused(answer) == (501, f"Method '{method} {path}' not implemented")
    assert answer.json()["data"] is None


@row("A3-06")
def test_a_missing_vm_is_known_by_its_text_alone(operator: Client) -> None:
    for method, path in (("GET", "/config"), ("GET", "/status/current"), ("DELETE", ""), ("PUT", "/config")):
        answer = operator.ask(method, GONE + path, **({"onboot": 1} if method == "PUT" else {}))
        assert refused(answer) == (500, "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Case("PUT", "VM/config", {"cores": "x"}, "type check ('integer') failed - got 'x'", "cores"), id="A3-07"
        ),
        pytest.param(
            Case(
                "PUT",
                "VM/config",
                {"bogus": 1},
                "property is not defined in schema and the schema does not allow additional properties",
                "bogus",
            ),
            id="A3-08",
        ),
        pytest.param(
            Case(
                "PUT",
                "VM/config",
                {"name": "a_b"},
                "invalid format - value does not look like a valid DNS name",
                "name",
            ),
            id="A3-09",
        ),
        pytest.param(
            Case("GET", f"{NODE}/tasks", {"start": -1}, "value must have a minimum value of 0", "start"), id="A3-10"
        ),
        pytest.param(
            Case(
                "POST",
                f"{TEMPLATE}/clone",
                {"newid": 99},
                "invalid format - value does not look like a valid VM ID",
                "newid",
            ),
            id="A3-11",
        ),
        pytest.param(Case("PUT", "VM/config", {"delete": "bogus"}, "unknown option 'bogus'", "delete"), id="A3-12"),
        pytest.param(
            Case(
                "GET",
                f"{NODE}/tasks/UPID:tappaas1:00000001:00000001:00000001:qmstart:1:a@pve:/status",
                {},
                "no such task",
                "upid",
            ),
            id="A3-13",
        ),
        pytest.param(
            Case("GET", f"{NODE}/tasks/UPID:nonsense/status", {}, "unable to parse worker upid", "upid"), id="A3-14"
        ),
        pytest.param(Case("POST", "VM/migrate", {"target": "tappaas1"}, "target is local node.", "target"), id="A3-15"),
    ],
)
def test_a_faulty_parameter_is_told_in_these_words(vm: str, operator: Client, case: Case) -> None:
    answer = operator.ask(case.method, case.path.replace("VM", vm, 1), **case.params)
    assert answer.status_code == 400
    assert {key: words.strip() for key, words in answer.json()["errors"].items()} == {case.name: case.text}

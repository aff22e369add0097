"""The way of a call through the cluster, and what is left of it when a part of the way is gone (measured on 8.4.5)."""

from __future__ import annotations

import time

import pytest

from pvenix_lab.site.pve import hops
from tests.lab.wire.support import TEMPLATE, Client, WireLab, refused, row


@row("A1-15")
def test_a_call_for_another_node_that_is_too_slow_is_a_596_and_its_work_goes_on(
    lab: WireLab, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hops, "INACTIVITY_S", 0.1)  # 30 s as served; the contract of the wait is what counts here
    vmid = lab.free_id()
    operator.ok("POST", f"{TEMPLATE}/clone", newid=vmid, name="far", target="tappaas2")
    path = f"/nodes/tappaas2/qemu/{vmid}"
    operator.ok("POST", f"{path}/status/start")
    with lab.fault("clone-slow", seconds=60):
        upid = operator.start("POST", f"{path}/clone", newid=lab.free_id(), full=1)  # locks its running source
        time.sleep(0.05)
        answer = operator.ask("PUT", f"{path}/config", description="late")
        assert (*refused(answer), answer.content) == (596, "Connection timed out", b"")
        assert "description" not in operator.get(f"{path}/config")
    operator.wait(upid)
    until = time.monotonic() + 30
    while "description" not in (config := operator.get(f"{path}/config")) and time.monotonic() < until:
        time.sleep(0.01)
    assert config["description"] == "late"


@row("A1-16")
def test_an_upload_for_another_node_is_copied_on_by_the_one_that_received_it(lab: WireLab, root: Client) -> None:
    url = f"{root.base}/nodes/tappaas2/storage/local/upload"
    answer = root.session.post(url, data={"content": "iso"}, files={"filename": ("a.iso", b"x" * 64)})
    assert answer.status_code == 200, answer.reason
    upid = answer.json()["data"]
    assert upid.split(":")[5:7] == ["imgcopy", ""]
    assert any("tappaas2" in line for line in root.wait(upid).log)


@row("A1-17")
def test_with_the_daemon_down_protected_calls_are_595_and_the_others_go_on(lab: WireLab, operator: Client) -> None:
    lab.hands(lambda site: setattr(site.cluster.nodes["tappaas1"], "daemon_up", False))
    try:
        protected = operator.ask("GET", f"{TEMPLATE}/status/current")
        assert (*refused(protected), protected.content) == (595, "Connection refused", b"")
        assert operator.ask("GET", "/version").status_code == 200
        assert operator.ask("GET", "/nodes").status_code == 200
    finally:
        lab.hands(lambda site: setattr(site.cluster.nodes["tappaas1"], "daemon_up", True))


@row("A1-18")
def test_an_unknown_node_is_a_failed_look_up_and_never_a_404(operator: Client) -> None:
    answer = operator.ask("GET", "/nodes/nope/qemu")
    assert answer.status_code == 500
    assert answer.reason.startswith("hostname lookup 'nope' failed - ")


@row("A1-19")
def test_an_error_text_with_typographic_quotes_comes_as_596(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    answer = operator.ask("POST", f"{path}/agent/exec", command=["/nope"])
    assert (*refused(answer), answer.content) == (596, "Broken pipe", b"")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param(595, "Connection refused", id="A1-20"),
        pytest.param(596, "Broken pipe", id="A1-21"),
        pytest.param(597, "Connection reset by peer", id="A1-22"),
        pytest.param(599, "Connection timed out", id="A1-23"),
    ],
)
def test_a_status_of_the_event_client_has_a_reason_and_no_json(
    lab: WireLab, operator: Client, status: int, reason: str
) -> None:
    with lab.fault("pve-status", status=status):
        answer = operator.ask("GET", f"{TEMPLATE}/config")
    assert (answer.status_code, answer.content) == (status, b"")
    assert answer.reason == reason
    assert "Content-Type" not in answer.headers

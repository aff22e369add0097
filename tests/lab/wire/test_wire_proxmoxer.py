"""proxmoxer as its users write it, against the lab: what the library makes of the API (measured on 2.3.0)."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests
import urllib3
from proxmoxer import AuthenticationError, ProxmoxAPI, ResourceException
from proxmoxer.tools import Tasks
from requests.adapters import HTTPAdapter
from typing_extensions import override

from tests.lab.wire.support import Client, WireLab, row

KEYS = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE ops@host/a b+c\n"


@pytest.fixture(scope="module")
def api(lab: WireLab) -> Any:
    """The library with the site's token."""
    return lab.proxmoxer()


@pytest.fixture(scope="module")
def vm(lab: WireLab) -> str:
    """The id of a stopped VM."""
    return lab.vm().rpartition("/")[2]


@row("P3-01")
def test_a_whole_life_in_the_librarys_own_words(lab: WireLab, api: Any) -> None:
    vmid, node = lab.free_id(), api.nodes("tappaas1")
    assert Tasks.blocking_status(api, node.qemu(8100).clone.post(newid=vmid, name="lib"), polling_interval=0.01)
    guest = node.qemu(vmid)
    guest.config.set(cores=2, tags="b,a", sshkeys=quote(KEYS, safe=""))
    assert (guest.config.get()["cores"], guest.config.get()["tags"]) == (2, "a;b")
    for begin in (guest.status.start.post, guest.status.stop.post, guest.delete):
        assert Tasks.blocking_status(api, begin(), polling_interval=0.01)["exitstatus"] == "OK"


@row("P3-02", "A3-16")
def test_an_error_has_status_phrase_reason_and_parameters(api: Any, vm: str) -> None:
    with pytest.raises(ResourceException) as faulty:
        api.nodes("tappaas1").qemu(vm).config.put(cores="many", bogus=1)
    assert (faulty.value.status_code, faulty.value.status_message) == (400, "Bad Request")
    assert faulty.value.content == "Parameter verification failed."
    assert set(faulty.value.errors) == {"cores", "bogus"}
    with pytest.raises(ResourceException) as missing:
        api.nodes("tappaas1").qemu(311).config.get()
    assert (missing.value.status_code, missing.value.status_message) == (500, "Internal Server Error")
    assert missing.value.content == "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"
    assert missing.value.errors is None


@row("P3-03", "A1-13")
def test_the_total_of_a_list_is_thrown_away(api: Any, vm: str) -> None:
    assert vm
    listed = api.nodes("tappaas1").tasks.get(limit=1)
    assert isinstance(listed, list)
    assert len(listed) == 1


@row("P3-04")
@pytest.mark.parametrize(
    ("encode", "accepted"), [(str, False), (quote, False), (lambda text: quote(text, safe=""), True)]
)
def test_keys_are_taken_only_with_everything_encoded(api: Any, vm: str, encode: Any, *, accepted: bool) -> None:
    config = api.nodes("tappaas1").qemu(vm).config
    if accepted:
        config.put(sshkeys=encode(KEYS))
        assert config.get()["sshkeys"] == encode(KEYS)
        return
    with pytest.raises(ResourceException) as refused:
        config.put(sshkeys=encode(KEYS))
    assert refused.value.status_code == 400
    assert "sshkeys" in refused.value.errors


@pytest.mark.slow
@row("P3-05")
def test_the_library_gives_up_after_five_seconds_by_itself(lab: WireLab, api: Any) -> None:
    with lab.fault("pve-stall", seconds=30, path="/version"):
        started = time.monotonic()
        with pytest.raises(requests.exceptions.ReadTimeout):
            api.version.get()
        assert 4.5 < time.monotonic() - started < 25


@row("P3-06")
def test_waiting_for_a_finished_task_still_sleeps_a_second(lab: WireLab, api: Any, operator: Client, vm: str) -> None:
    upid = operator.ok("POST", f"/nodes/tappaas1/qemu/{vm}/status/stop").upid
    started = time.monotonic()
    assert Tasks.blocking_status(api, upid)["exitstatus"] == "OK"
    assert 0.9 < time.monotonic() - started < 20


@row("P3-07")
def test_waiting_gives_nothing_at_its_time_out_and_dies_with_a_poll(lab: WireLab, api: Any, vm: str) -> None:
    with lab.fault("task-slow", seconds=30):
        upid = api.nodes("tappaas1").qemu(vm).status.stop.post()
        assert Tasks.blocking_status(api, upid, timeout=0.1, polling_interval=0.05) is None
        with lab.fault("pve-status", status=599, path="/tasks/"), pytest.raises(ResourceException):
            Tasks.blocking_status(api, upid, timeout=5, polling_interval=0.05)
        api.nodes("tappaas1").tasks(upid).delete()


@row("P3-08")
def test_a_password_logs_in_inside_the_constructor(lab: WireLab) -> None:
    with pytest.raises(AuthenticationError):
        lab.proxmoxer(user="root@pam", password="wrong")
    api = lab.proxmoxer(user="root@pam", password=lab.root_password)
    assert api.version.get()["release"] == "8.4"


@row("P3-09")
def test_a_ticket_of_an_hour_is_renewed_and_the_request_carries_the_old_one(
    lab: WireLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = lab.proxmoxer(user="root@pam", password=lab.root_password)
    auth = api._backend.auth
    first = auth.pve_auth_ticket
    auth.birth_time -= 3700
    sent: list[str] = []
    real = requests.Session.request

    def spy(self: requests.Session, *given: Any, **named: Any) -> requests.Response:
        answer = real(self, *given, **named)
        sent.append(answer.request.headers.get("Cookie", ""))
        return answer

    monkeypatch.setattr(requests.Session, "request", spy)
    lab.ahead_s += 10  # tickets carry whole seconds
    try:
        assert api.version.get()["release"] == "8.4"
    finally:
        lab.ahead_s = 0
    stamps = [ticket.split("::")[0] for ticket in (first, auth.pve_auth_ticket)]
    assert stamps[0] != stamps[1]
    assert stamps[0] in sent[-1]
    assert stamps[1] not in sent[-1]


@row("P3-10")
def test_a_ticket_that_has_died_is_not_renewed(lab: WireLab) -> None:
    api = lab.proxmoxer(user="root@pam", password=lab.root_password)
    api._backend.auth.birth_time -= 3 * 3600
    lab.ahead_s += 3 * 3600
    try:
        with pytest.raises(AuthenticationError):
            api.version.get()
    finally:
        lab.ahead_s = 0


class Pin(HTTPAdapter):
    """A pinned certificate, as requests' documentation has it."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        super().__init__()

    @override
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **_: Any) -> None:
        super().init_poolmanager(connections, maxsize, block=block, assert_fingerprint=self.fingerprint)


@row("P3-11", "A1-02")
def test_a_token_can_be_used_with_a_pinned_certificate(lab: WireLab, operator: Client) -> None:
    good = operator.get("/nodes")[0]["ssl_fingerprint"]
    for fingerprint, works in ((good, True), (":".join(["00"] * 32), False)):
        api = ProxmoxAPI(
            "127.0.0.1", port=lab.port, user="pvenix@pve", token_name="lab", token_value=lab.secret, verify_ssl=lab.ca
        )
        api._store["session"].mount("https://", Pin(fingerprint))
        if works:
            assert api.version.get()["release"] == "8.4"
        else:
            with pytest.raises(requests.exceptions.SSLError):
                api.version.get()


@row("P3-12")
def test_its_log_shows_passwords_in_clear(api: Any, vm: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="proxmoxer.core"):
        api.nodes("tappaas1").qemu(vm).config.put(cipassword="in-the-clear")
    assert "in-the-clear" in caplog.text


@row("P3-13")
def test_one_thread_needs_one_connection_and_many_need_many(lab: WireLab, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def calls(api: Any, count: int) -> None:
        for _ in range(count):
            api.version.get()

    real = urllib3.connection.HTTPSConnection.connect

    def connect(self: urllib3.connection.HTTPSConnection) -> None:
        opened.append(1)
        real(self)

    monkeypatch.setattr(urllib3.connection.HTTPSConnection, "connect", connect)
    calls(lab.proxmoxer(), 50)
    assert len(opened) == 1
    opened.clear()
    api = lab.proxmoxer()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: calls(api, 5), range(20)))
    assert len(opened) > 1

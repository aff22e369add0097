"""Who may ask: tokens, tickets, 401 and 403, and lists that leave out what one may not see (measured on 8.4.5)."""

from __future__ import annotations

import re
import time

import pytest

from pvenix_lab.site.core import Timings
from tests.lab.wire.support import NODE, PASSWORD, QUICK, TEMPLATE, Client, WireLab, refused, row

TOKEN = "PVEAPIToken=pvenix@pve!lab="
CSRF = (401, "Permission denied - invalid csrf token")


@row("A2-01")
def test_a_token_writes_without_a_token_against_forgery(lab: WireLab) -> None:
    path = lab.vm()
    assert lab.token().ask("PUT", f"{path}/config", description="x").status_code == 200


@row("A2-02")
def test_a_token_id_has_two_characters_at_least(root: Client) -> None:
    root.ask("POST", "/access/users", userid="short@pve")
    assert root.ask("POST", "/access/users/short@pve/token/t").status_code == 400
    assert root.ask("POST", "/access/users/short@pve/token/tt").status_code == 200


@row("A2-03", "A2-04")
def test_a_ticket_reads_with_its_cookie_and_writes_with_its_token_against_forgery(lab: WireLab) -> None:
    path, secret = lab.vm(), lab.root_password
    given = lab.nobody().ask("POST", "/access/ticket", username="root@pam", password=secret).json()["data"]
    assert {"ticket", "CSRFPreventionToken", "username", "cap"} <= given.keys()
    assert given["username"] == "root@pam"
    reader = lab.client({"Cookie": f"PVEAuthCookie={given['ticket']}"})
    assert reader.ask("GET", f"{path}/config").status_code == 200
    for method, where in (("PUT", "/config"), ("POST", "/status/start"), ("DELETE", "")):
        assert refused(reader.ask(method, path + where)) == CSRF
    reader.session.headers["CSRFPreventionToken"] = "5F000000:wrong"
    assert refused(reader.ask("PUT", f"{path}/config", description="x")) == CSRF
    reader.session.headers["CSRFPreventionToken"] = given["CSRFPreventionToken"]
    assert reader.ask("PUT", f"{path}/config", description="x").status_code == 200


@row("A2-05")
def test_a_ticket_lives_two_hours(lab: WireLab) -> None:
    client = lab.ticket()
    try:
        lab.ahead_s += 7000
        assert client.ask("GET", "/version").status_code == 200
        lab.ahead_s += 400
        assert client.ask("GET", "/version").status_code == 401
    finally:
        lab.ahead_s = 0


@row("A2-07")
@pytest.mark.parametrize("authorization", ["", TOKEN + "wrong", "PVEAPIToken=pvenix@pve"])
def test_a_401_is_late_and_has_no_body(lab: WireLab, authorization: str) -> None:
    client = lab.client({"Authorization": authorization} if authorization else {})
    started = time.monotonic()
    answer = client.ask("GET", "/version")
    assert time.monotonic() - started >= QUICK.unauthorized_s
    assert (answer.status_code, answer.content) == (401, b"")


@row("A2-08")
def test_a_failed_login_is_the_401_with_a_body(lab: WireLab) -> None:
    answer = lab.nobody().ask("POST", "/access/ticket", username="root@pam", password="wrong")
    assert answer.status_code == 401
    assert answer.json()["data"] is None


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        pytest.param("", "No ticket", id="A2-09"),
        pytest.param("PVEAPIToken=pvenix@pve=x", "no tokenid specified", id="A2-10"),
        pytest.param(TOKEN + "00000000-0000-0000-0000-000000000000", "invalid token value!", id="A2-11"),
        pytest.param(
            "PVEAPIToken=pvenix@pve!other=00000000-0000-0000-0000-000000000000",
            "no such token 'other' for user 'pvenix@pve'",
            id="A2-12",
        ),
        pytest.param(
            "PVEAPIToken=gone@pve!lab=00000000-0000-0000-0000-000000000000", "no such user ('gone@pve')", id="A2-13"
        ),
    ],
)
def test_8_4_tells_why_it_does_not_know_somebody(lab: WireLab, authorization: str, reason: str) -> None:
    client = lab.client({"Authorization": authorization} if authorization else {})
    assert refused(client.ask("GET", "/version")) == (401, reason)


@row("A2-14")
@pytest.mark.parametrize(("method", "path"), [("POST", "/access/ticket"), ("PUT", "/access/password")])
def test_some_calls_are_not_for_tokens(operator: Client, method: str, path: str) -> None:
    answer = operator.ask(method, path, username="root@pam", userid="root@pam", password=PASSWORD)
    assert answer.status_code == 403
    assert f"URI '{path}' not available with API token, need proper ticket." in answer.reason


@pytest.fixture(scope="module")
def roots_token(lab: WireLab, root: Client) -> Client:
    """A token of root@pam that has root's rights."""
    made = root.ask("POST", "/access/users/root@pam/token/full", privsep=0)
    return lab.token("root@pam!full", made.json()["data"]["value"])


@row("A2-15")
@pytest.mark.parametrize("option", ["args", "lock", "vmgenid"])
def test_a_token_of_root_is_not_root(lab: WireLab, roots_token: Client, option: str) -> None:
    value = {"args": "-no-hpet", "lock": "backup", "vmgenid": "1"}[option]
    answer = roots_token.ask("PUT", f"{lab.vm()}/config", **{option: value})
    assert refused(answer) == (500, f"only root can set '{option}' config")


@row("A2-16")
def test_a_token_of_root_may_not_skip_a_lock(lab: WireLab, roots_token: Client) -> None:
    answer = roots_token.ask("PUT", f"{lab.vm()}/config", skiplock=1, description="x")
    assert answer.status_code == 400
    assert "Only root may use this option." in answer.text


@row("A2-17")
def test_a_token_of_root_may_not_import_a_path(lab: WireLab, roots_token: Client) -> None:
    answer = roots_token.ask(
        "POST", f"{NODE}/qemu", vmid=lab.free_id(), scsi0="tanka1:0,import-from=/var/tmp/disk.qcow2"
    )
    assert answer.status_code == 500
    assert answer.reason.startswith("Only root can pass arbitrary filesystem paths")


@row("A2-18")
def test_a_ticket_of_root_sets_what_only_root_may(lab: WireLab, root: Client, operator: Client) -> None:
    path = lab.vm()
    root.put(f"{path}/config", args="-no-hpet")
    assert operator.get(f"{path}/config")["args"] == "-no-hpet"


@row("A2-19")
def test_a_separated_token_has_what_it_and_its_user_both_have(lab: WireLab, root: Client) -> None:
    root.ask("POST", "/access/users", userid="split@pve")
    secret = root.ask("POST", "/access/users/split@pve/token/part", privsep=1).json()["data"]["value"]
    client = lab.token("split@pve!part", secret)
    assert client.get("/access/permissions") == {}
    root.put("/access/acl", path="/vms/8100", roles="PVEAuditor", users="split@pve")
    assert client.get("/access/permissions") == {}
    assert client.ask("GET", f"{TEMPLATE}/config").status_code == 403
    root.put("/access/acl", path="/vms", roles="PVEVMAdmin", tokens="split@pve!part")
    granted = client.get("/access/permissions")
    assert set(granted["/vms/8100"]) == {"VM.Audit"}
    assert client.ask("GET", f"{TEMPLATE}/config").status_code == 200


@row("A2-20")
def test_a_403_names_path_and_privilege_and_joins_alternatives(lab: WireLab) -> None:
    client = lab.granted("nothing", {})
    answer = client.ask("GET", f"{TEMPLATE}/config")
    assert refused(answer) == (403, "Permission check failed (/vms/8100, VM.Audit)")
    choice = client.ask("POST", f"{TEMPLATE}/snapshot/one/rollback")
    assert choice.status_code == 403
    assert re.fullmatch(r"Permission check failed \(/vms/8100, [\w.]+\|[\w.]+\)", choice.reason)


@row("A2-21")
@pytest.mark.parametrize(
    ("path", "params", "rest"),
    [
        (f"{TEMPLATE}/clone", {"newid": "999"}, {"/vms/8100": ["VM.Clone"]}),
        (f"{NODE}/qemu", {"vmid": "999"}, {}),
        (
            f"{NODE}/storage/local/download-url",
            {"content": "iso", "filename": "a.iso", "url": "https://x.example/a"},
            {"/storage/local": ["Datastore.AllocateTemplate"]},
        ),
    ],
    ids=["clone", "create", "download-url"],
)
def test_a_check_with_alternatives_fails_with_bare_words(
    lab: WireLab, path: str, params: dict[str, str], rest: dict[str, list[str]]
) -> None:
    client = lab.granted(f"bare{len(lab.clients)}", rest)
    answer = client.ask("POST", path, **params)
    assert refused(answer) == (403, "Permission check failed")


@row("A2-22")
@pytest.mark.parametrize(
    "path",
    [f"{NODE}/qemu", f"{NODE}/storage", f"{NODE}/tasks", f"{NODE}/network", "/pools", "/cluster/tasks"],
)
def test_a_list_is_empty_and_not_refused_without_rights(lab: WireLab, root: Client, path: str) -> None:
    root.ask("POST", "/pools", poolid="some")
    lab.vm()
    client = lab.granted(f"list{len(lab.clients)}", {})
    assert root.get(path), "nothing to leave out"
    assert client.get(path) == []


@row("A2-23")
def test_nodes_are_listed_to_everybody_and_without_figures(lab: WireLab, root: Client) -> None:
    client = lab.granted("nodes", {})
    for path in ("/nodes", "/cluster/resources"):
        shown = [entry for entry in client.get(path) if entry["type"] == "node"]
        assert {entry["node"] for entry in shown} == {"tappaas1", "tappaas2", "tappaas3"}
        assert not any({"mem", "maxmem", "cpu"} & entry.keys() for entry in shown)
        assert all("maxmem" in entry for entry in root.get(path) if entry["type"] == "node")


@row("A2-24")
@pytest.mark.parametrize(
    "path",
    ["/cluster/status", f"{NODE}/storage/local/content", f"{TEMPLATE}/snapshot"],
    ids=["status", "content", "snapshots"],
)
def test_three_lists_are_refused_all_the_same(lab: WireLab, path: str) -> None:
    assert lab.granted(f"deny{len(lab.clients)}", {}).ask("GET", path).status_code == 403


@pytest.mark.slow
@row("A2-06")
def test_a_401_takes_three_seconds(tmp_path_factory: pytest.TempPathFactory) -> None:
    with WireLab(tmp_path_factory.mktemp("true"), timings=Timings()) as lab:
        started = time.monotonic()
        assert lab.nobody().ask("GET", "/version").status_code == 401
        assert 2.9 < time.monotonic() - started < 30

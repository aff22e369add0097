"""What TLS and HTTP do below every call, met with requests, curl and a bare socket."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import urllib3

from tests.lab.wire.support import NODE, TEMPLATE, Client, WireLab, row


@contextmanager
def bare(lab: WireLab) -> Iterator[ssl.SSLSocket]:
    """A TLS connection that trusts only the cluster's CA."""
    context = ssl.create_default_context(cafile=lab.ca)
    with (
        socket.create_connection(("127.0.0.1", lab.port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        yield connection


def send(lab: WireLab, connection: ssl.SSLSocket, line: str, *headers: str, body: bytes = b"") -> None:
    """One request as text."""
    lines = [line, "Host: x", f"Authorization: PVEAPIToken=pvenix@pve!lab={lab.secret}", *headers]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def read_answer(connection: ssl.SSLSocket) -> bytes:
    """The head of the next answer; its body is read too."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = connection.recv(65536)
        assert part, "closed"
        got += part
    head, _, rest = got.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += connection.recv(65536)
    return head


def read_until_closed(connection: ssl.SSLSocket) -> bytes:
    """All that comes until the other side ends."""
    got = b""
    try:
        while part := connection.recv(65536):
            got += part
    except (ConnectionError, ssl.SSLError):
        pass
    return got


@row("A1-01")
def test_the_clusters_own_ca_is_trust_enough_and_nothing_less_is(lab: WireLab) -> None:
    good = lab.curl()
    assert json.loads(good.stdout)["data"]["version"] == "8.4.5"
    without = lab.curl(ca=False)
    assert without.returncode == 60
    assert "certificate" in without.stderr.lower()


@row("A1-02")
def test_the_fingerprint_that_the_nodes_list_shows_is_the_served_certificates(lab: WireLab, operator: Client) -> None:
    pem = ssl.get_server_certificate(("127.0.0.1", lab.port), ca_certs=lab.ca)
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    colons = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2))
    listed = {node["node"]: node["ssl_fingerprint"] for node in operator.get("/nodes")}
    assert listed["tappaas1"] == colons


@row("A1-02")
def test_curl_takes_the_key_of_the_listed_certificate_as_a_pin(lab: WireLab) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = ssl.get_server_certificate(("127.0.0.1", lab.port), ca_certs=lab.ca)
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    pin = "sha256//" + base64.b64encode(digest).decode()
    assert lab.curl("-k", "--pinnedpubkey", pin).returncode == 0
    assert lab.curl("-k", "--pinnedpubkey", "sha256//" + base64.b64encode(bytes(32)).decode()).returncode == 90


@row("A1-03")
def test_a_bundle_in_the_environment_beats_a_session_that_verifies_nothing(
    lab: WireLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with requests.Session() as session, warnings.catch_warnings():
        warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        session.verify = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{lab.base}/version")
        assert session.get(f"{lab.base}/version", verify=False).status_code == 401


@row("A1-04")
@pytest.mark.parametrize(("first", "connections"), [("/version", "1 0"), (f"{NODE}/qemu/311/config", "1 1")])
def test_after_an_error_the_next_call_has_to_connect_again(lab: WireLab, first: str, connections: str) -> None:
    count = ("-o", os.devnull, "-w", "%{num_connects} ")
    done = lab.curl(*count, lab.base + first, *count)
    assert done.stdout.strip() == connections


@row("A1-04")
def test_curl_tells_which_side_keeps_the_connection(lab: WireLab) -> None:
    assert "left intact" in lab.curl("-v").stderr
    bad = lab.curl("-v", path=f"{NODE}/qemu/311/config").stderr.lower()
    assert "< connection: close" in bad
    assert "closing connection" in bad


@row("A1-05")
def test_a_good_connection_ends_with_its_hundredth_request(lab: WireLab) -> None:
    with bare(lab) as connection:
        for number in range(1, 101):
            send(lab, connection, "GET /api2/json/version HTTP/1.1")
            text = read_answer(connection)
            closing = b"connection: close" in text.lower()
            assert closing == (number == 100), number
        assert connection.recv(1) == b""


@pytest.mark.slow
@row("A1-06")
def test_a_connection_that_says_nothing_is_closed_after_five_seconds(lab: WireLab) -> None:
    with bare(lab) as connection:
        send(lab, connection, "GET /api2/json/version HTTP/1.1")
        connection.recv(65536)
        started = time.monotonic()
        assert read_until_closed(connection) == b""
        assert 4.5 < time.monotonic() - started < 30


@row("A1-07")
def test_a_form_above_half_a_mebibyte_is_a_501(lab: WireLab, operator: Client, tmp_path: Path) -> None:
    at_limit = operator.ask("PUT", f"{TEMPLATE}/config", description="x" * 7000, digest="0" * 40)
    assert at_limit.status_code == 500  # it was read and checked
    large = tmp_path / "large"
    large.write_bytes(b"description=" + b"x" * 512 * 1024)
    over = lab.curl("-i", "-H", "Expect:", "-X", "PUT", "--data-binary", f"@{large}", path=f"{TEMPLATE}/config")
    assert over.stdout.startswith("HTTP/1.1 501 ")


@row("A1-08")
def test_a_head_of_64_lines_or_8_kib_gets_no_answer(lab: WireLab) -> None:
    for headers in ([f"X-{number}: y" for number in range(64)], ["X: " + "y" * 8192]):
        with bare(lab) as connection:
            send(lab, connection, "GET /api2/json/version HTTP/1.1", *headers)
            assert not read_until_closed(connection).startswith(b"HTTP/1.1 200")


@row("A1-09")
def test_json_bodies_are_read_as_forms_are_and_true_is_a_boolean(lab: WireLab, operator: Client) -> None:
    path = lab.vm()
    sent = operator.session.put(operator.base + f"{path}/config", json={"onboot": True, "cores": 3})
    assert sent.status_code == 200
    config = operator.get(f"{path}/config")
    assert (config["onboot"], config["cores"]) == (1, 3)


@row("A1-10", "A1-12")
def test_values_have_the_inconsistent_types_of_the_real_api(lab: WireLab, operator: Client) -> None:
    path = lab.vm(memory=2048, agent="1", cores=2, kvm=1, protection=1)
    config = operator.get(f"{path}/config")
    assert [config[key] for key in ("memory", "agent", "cores", "kvm", "protection")] == ["2048", "1", 2, 1, 1]
    assert isinstance(operator.get("/cluster/nextid"), str)
    assert operator.get("/nodes")[0]["type"] == "node"
    assert operator.get(f"{TEMPLATE}/config")["template"] == 1
    assert type(operator.get(f"{TEMPLATE}/config")["template"]) is int


@row("A1-11")
def test_the_keys_of_an_object_come_in_another_order_on_every_call(operator: Client) -> None:
    orders = {tuple(operator.get(f"{TEMPLATE}/config")) for _ in range(5)}
    assert len(orders) > 1


@row("A1-13")
def test_lists_with_pages_put_the_total_beside_the_data(lab: WireLab, operator: Client) -> None:
    lab.vm()
    body = operator.ask("GET", f"{NODE}/tasks", limit=1).json()
    assert (len(body["data"]), body["total"] >= 1) == (1, True)
    upid = body["data"][0]["upid"]
    log = operator.ask("GET", f"{NODE}/tasks/{upid}/log", limit=1).json()
    assert log["total"] > len(log["data"]) == 1


@row("A1-14")
@pytest.mark.parametrize(
    ("path", "hops_made"),
    [("/version", 1), ("/nodes", 1), ("/cluster/nextid", 1), ("/cluster/status", 2), (f"{NODE}/qemu", 2)],
)
def test_a_protected_call_shows_its_second_hop(operator: Client, path: str, hops_made: int) -> None:
    header = operator.ask("GET", path).headers["Connection"]
    assert header == {1: "Keep-Alive", 2: "close, Keep-Alive"}[hops_made]


@row("A1-14")
def test_a_connection_stays_open_after_a_second_hop(lab: WireLab) -> None:
    with bare(lab) as connection:
        for path in (f"{NODE}/qemu", "/cluster/status", "/version"):
            send(lab, connection, f"GET /api2/json{path} HTTP/1.1")
            assert read_answer(connection).startswith(b"HTTP/1.1 200 OK")


@row("A1-24")
def test_an_upload_that_is_no_multipart_form_gets_no_answer_at_all(operator: Client) -> None:
    with pytest.raises(requests.ConnectionError):
        operator.ask("POST", f"{NODE}/storage/local/upload", content="iso", filename="a.iso")
    assert operator.get("/version")["release"] == "8.4"


@row("A1-25", "A3-05")
def test_a_verb_that_http_does_not_share_with_the_api_is_a_501_without_a_body(lab: WireLab) -> None:
    done = lab.curl("-X", "PATCH", "-i")
    assert done.stdout.startswith("HTTP/1.1 501 ")
    assert done.stdout.partition("\n\n")[2] == ""


@row("A3-02")
def test_a_person_reads_the_message_in_the_reason_line(lab: WireLab) -> None:
    done = lab.curl("-i", path=f"{NODE}/qemu/311/config")
    text = "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"
    assert done.stdout.splitlines()[0] == f"HTTP/1.1 500 {text}"
    assert json.loads(done.stdout.partition("\n\n")[2]) == {"data": None, "message": text + "\n"}

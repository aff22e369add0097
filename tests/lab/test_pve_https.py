"""The API over real HTTPS, asked by three clients: proxmoxer, requests and a bare TLS socket (proxmox.md a1)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests
from proxmoxer import AuthenticationError, ProxmoxAPI, ResourceException

from pvenix_lab.faces.http1 import BODY_LIMIT
from pvenix_lab.faces.https import HttpsFace, make_ca_and_certificate
from pvenix_lab.site.core import Timings
from tests.lab.pve_support import KEY, KEY_ENCODED, NODE, PveLab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

UPLOADER = ("Datastore.Audit", "Datastore.AllocateTemplate")
QUICK = Timings(unauthorized_s=0.03, agent_silence_s=0.05, broken_reply_s=0.03)


@dataclass
class Served:
    """A site behind its face."""

    lab: PveLab
    port: int
    directory: Path

    @property
    def base(self) -> str:
        return f"https://127.0.0.1:{self.port}/api2/json"

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    def session(self) -> requests.Session:
        """A session that ignores the environment's CA bundle and proxies."""
        session = requests.Session()
        session.trust_env = False
        session.verify = self.ca
        session.headers["Authorization"] = self.lab.operator
        return session

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare TLS connection that trusts only the site's CA."""
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=ssl.create_default_context(cafile=self.ca))


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[Served]:
    """A quick site behind its face; nothing is left behind."""
    lab = PveLab(directory, timings=QUICK, virtual=False)
    lab.site.time_scale = 0.01
    face = HttpsFace()
    async with lab.site:
        port = await face.start(lab.site, directory)
        try:
            yield Served(lab=lab, port=port, directory=directory)
        finally:
            await face.stop()
    assert lab.site.defects == []


async def with_requests(directory: Path, use: Callable[[Served, requests.Session], None]) -> None:
    """Run a blocking client beside the served site."""

    def run(site: Served) -> None:
        with site.session() as session:
            use(site, session)

    async with served(directory) as site:
        await asyncio.to_thread(run, site)


def raw(site: Served, first_line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as bytes."""
    lines = [first_line, f"Authorization: {site.lab.operator}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers and body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return head[0], headers, await reader.readexactly(int(headers["content-length"]))


async def test_proxmoxer_clones_waits_and_reads_errors(tmp_path: Path) -> None:
    def use(site: Served) -> None:
        secret = site.lab.site.cluster.tokens["pvenix@pve!lab"].secret
        api = ProxmoxAPI(
            "127.0.0.1", port=site.port, user="pvenix@pve", token_name="lab", token_value=secret, verify_ssl=site.ca
        )
        assert api.version.get()["version"] == "8.4.5"
        node = api.nodes("tappaas1")
        upid = node.qemu(8100).clone.post(newid=250, name="fix")
        while node.tasks(upid).status.get()["status"] == "running":
            time.sleep(0.002)
        assert node.tasks(upid).status.get()["exitstatus"] == "OK"
        node.qemu(250).config.put(sshkeys=KEY_ENCODED, tags="b a")
        config = node.qemu(250).config.get()
        assert (config["sshkeys"], config["tags"]) == (KEY_ENCODED, "a;b")
        assert node.tasks(node.qemu(250).delete(purge=1)).status.get()["type"] == "qmdestroy"
        with pytest.raises(ResourceException) as missing:
            node.qemu(311).config.get()
        assert missing.value.status_code == 500
        assert missing.value.content == "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"
        with pytest.raises(ResourceException) as faulty:
            node.qemu(8100).clone.post(newid=1)
        assert faulty.value.errors == {"newid": "invalid format - value does not look like a valid VM ID\n"}

    async with served(tmp_path) as site:
        await asyncio.to_thread(use, site)


async def test_proxmoxer_logs_in_with_a_password_and_may_do_what_no_token_may(tmp_path: Path) -> None:
    def use(site: Served) -> None:
        password = str(site.lab.site.cluster.rights.users["root@pam"].password)
        api = ProxmoxAPI("127.0.0.1", port=site.port, user="root@pam", password=password, verify_ssl=site.ca)
        api.nodes("tappaas1").qemu(8100).config.put(args="-no-hpet")
        made = api.access.users("viewer@pve").token("second").post(privsep=0)
        assert made["full-tokenid"] == "viewer@pve!second"
        api.access.acl.put(path="/vms/8100", roles="PVEVMUser", users="viewer@pve")
        viewer = ProxmoxAPI(
            "127.0.0.1",
            port=site.port,
            user="viewer@pve",
            token_name="second",
            token_value=made["value"],
            verify_ssl=site.ca,
        )
        assert "VM.PowerMgmt" in viewer.access.permissions.get()["/vms/8100"]
        with pytest.raises(ResourceException) as refused:
            viewer.nodes("tappaas1").qemu(8100).clone.post(newid=250)
        assert (refused.value.status_code, refused.value.content) == (
            403,
            "Permission check failed (/vms/8100, VM.Clone)",
        )
        with pytest.raises(AuthenticationError):
            ProxmoxAPI("127.0.0.1", port=site.port, user="root@pam", password="wrong", verify_ssl=site.ca)

    async with served(tmp_path) as site:
        await asyncio.to_thread(use, site)


async def test_the_certificate_is_the_one_that_the_nodes_name(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        _, writer = await site.open()
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        fingerprint = hashlib.sha256(der).digest().hex(":").upper()
        listed = (await site.lab.get("/nodes"))[0]["ssl_fingerprint"]
        assert listed == fingerprint == make_ca_and_certificate(tmp_path).fingerprint


async def test_a_client_that_does_not_know_the_ca_is_told_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", site.port, ssl=ssl.create_default_context())
        assert site.lab.site.counters.pve_reads == 0


async def test_the_reason_line_is_the_message_and_an_error_closes_the_connection(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        reader, writer = await site.open()
        writer.write(raw(site, f"GET /api2/json{NODE}/qemu/311/config HTTP/1.1"))
        status, headers, body = await read_answer(reader)
        text = "Configuration file 'nodes/tappaas1/qemu-server/311.conf' does not exist"
        assert status == f"HTTP/1.1 500 {text}"
        assert headers["connection"] == "close"
        assert json.loads(body) == {"data": None, "message": f"{text}\n"}
        assert await reader.read() == b""
        writer.close()


async def test_a_good_connection_is_kept_and_closed_after_a_hundred_requests(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        reader, writer = await site.open()
        body = b""
        for number in range(1, 101):
            writer.write(raw(site, "GET /api2/json/version HTTP/1.1"))
            status, headers, body = await read_answer(reader)
            assert status == "HTTP/1.1 200 OK"
            assert headers["connection"] == ("close" if number == 100 else "keep-alive")
            assert headers["server"] == "pve-api-daemon/3.0"
            assert headers["cache-control"] == "max-age=0"
            assert headers["content-type"] == "application/json;charset=utf-8"
        assert json.loads(body)["data"]["release"] == "8.4"
        assert await reader.read() == b""
        writer.close()


async def test_a_401_is_late_and_empty(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        session.headers.pop("Authorization")
        started = time.monotonic()
        answer = session.get(f"{site.base}/version")
        assert (answer.status_code, answer.reason, answer.content) == (401, "No ticket", b"")
        assert time.monotonic() - started >= QUICK.unauthorized_s

    await with_requests(tmp_path, use)


async def test_form_and_json_bodies_mean_the_same_and_repeated_keys_are_lists(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        url = f"{site.base}{NODE}/qemu/8100/config"
        assert session.put(url, data={"onboot": "1", "tags": "a,b"}).status_code == 200
        assert session.put(url, json={"onboot": True, "cores": 4, "description": "d"}).status_code == 200
        config = session.get(url).json()["data"]
        assert [config[key] for key in ("onboot", "tags", "cores", "description")] == [1, "a;b", 4, "d"]
        session.put(url, data={"delete": ["onboot", "description"]})
        assert not {"onboot", "description"} & set(session.get(url).json()["data"])

    await with_requests(tmp_path, use)


async def test_keys_are_encoded_twice_on_the_wire(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        url = f"{site.base}{NODE}/qemu/8100/config"
        raw_text = session.put(url, data={"sshkeys": KEY})
        assert raw_text.status_code == 400
        assert raw_text.json()["errors"]["sshkeys"].startswith("invalid format - invalid urlencoded string: ")
        assert session.put(url, data={"sshkeys": KEY_ENCODED}).status_code == 200
        user = session.get(f"{site.base}{NODE}/qemu/8100/cloudinit/dump", params={"type": "user"}).json()["data"]
        assert f"  - {KEY}\n" in user

    await with_requests(tmp_path, use)


async def test_a_path_may_be_percent_encoded(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        upid = session.post(f"{site.base}{NODE}/qemu/8100/clone", data={"newid": 250}).json()["data"]
        encoded = upid.replace(":", "%3A").replace("!", "%21").replace("@", "%40")
        assert session.get(f"{site.base}{NODE}/tasks/{encoded}/status").json()["data"]["upid"] == upid

    await with_requests(tmp_path, use)


async def test_what_is_not_the_api_is_501_and_never_404(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        patch = session.patch(f"{site.base}/version")
        assert (patch.status_code, patch.content) == (501, b"")
        assert session.get(f"{site.base}/nope").reason == "Method 'GET /nope' not implemented"
        assert session.get(site.base.removesuffix("/api2/json") + "/other").status_code == 501

    await with_requests(tmp_path, use)


async def test_a_body_above_the_limit_is_refused_unread(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        reader, writer = await site.open()
        head = f"PUT /api2/json{NODE}/qemu/8100/config HTTP/1.1\r\nContent-Length: {BODY_LIMIT + 1}\r\n\r\n"
        writer.write(head.encode())
        status, headers, body = await read_answer(reader)
        assert (status.split(" ")[1], headers["connection"], body) == ("501", "close", b"")
        writer.close()


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"nonsense\r\n\r\n", "HTTP/1.1 400 bad request"),
        (b"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 506 http protocol version 2.0 not supported"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.1 506 unable to parse request header"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 501 chunked transfer"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 bad request"),
        (b"DELETE / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 501 Unexpected content for method"),
        (b"PUT / HTTP/1.1\r\nContent-Type: text/xml\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 506 upload"),
    ],
    ids=["no-request", "version", "no-header", "chunked", "negative-length", "body-of-delete", "xml"],
)
async def test_a_malformed_request_is_refused_and_the_connection_closed(
    tmp_path: Path, request_bytes: bytes, answer: str
) -> None:
    async with served(tmp_path) as site:
        reader, writer = await site.open()
        writer.write(request_bytes)
        status, headers, _ = await read_answer(reader)
        assert status.startswith(answer)
        assert headers["connection"] == "close"
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(
    ("lines", "size", "answered"), [(62, 1, True), (63, 1, False), (1, 8000, True), (1, 8300, False)]
)
async def test_a_head_that_reaches_a_limit_gets_no_answer(
    tmp_path: Path, lines: int, size: int, answered: bool
) -> None:
    async with served(tmp_path) as site:
        reader, writer = await site.open()
        names = [f"Authorization: {site.lab.operator}", *(f"X-{n}: {'y' * size}" for n in range(lines - 1))]
        names = names if size == 1 else [names[0] + "\r\nX: " + "y" * (size - len(names[0]))]
        writer.write(("GET /api2/json/version HTTP/1.1\r\n" + "\r\n".join(names) + "\r\n\r\n").encode())
        got = b""
        with contextlib.suppress(ConnectionError):
            got = await reader.readline()
        assert (got == b"HTTP/1.1 200 OK\r\n") == answered
        assert answered or got == b""
        writer.close()


async def test_a_form_that_is_no_upload_is_dropped_without_an_answer(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        with pytest.raises(requests.ConnectionError):
            session.post(f"{site.base}{NODE}/storage/local/upload", data={"content": "iso", "filename": "a.iso"})
        assert session.get(f"{site.base}/version").status_code == 200

    await with_requests(tmp_path, use)


async def test_a_file_larger_than_any_form_is_uploaded(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        content = bytes(range(256)) * 4096 + b"\r\n--odd"
        assert len(content) > BODY_LIMIT
        session.headers["Authorization"] = site.lab.token("up@pve!load", {"/storage/local": UPLOADER})
        url = f"{site.base}{NODE}/storage/local/upload"
        form = {"content": "iso", "checksum-algorithm": "sha256", "checksum": hashlib.sha256(content).hexdigest()}
        answer = session.post(url, data=form, files={"filename": ("nixos.iso", content)})
        assert answer.status_code == 200, answer.reason
        upid = answer.json()["data"]
        status = f"{site.base}{NODE}/tasks/{upid}/status"
        while (task := session.get(status).json()["data"])["status"] == "running":
            time.sleep(0.002)
        assert (task["type"], task["id"], task["exitstatus"]) == ("imgcopy", "", "OK")
        listed = session.get(f"{site.base}{NODE}/storage/local/content", params={"content": "iso"}).json()["data"]
        assert [(item["volid"], item["size"]) for item in listed] == [("local:iso/nixos.iso", len(content))]

    await with_requests(tmp_path, use)


async def test_a_ticket_reads_with_its_cookie_and_writes_with_its_csrf_token(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        session.headers.pop("Authorization")
        password = site.lab.site.cluster.rights.users["root@pam"].password
        form = {"username": "root@pam", "password": password}
        ticket = session.post(f"{site.base}/access/ticket", data=form).json()["data"]
        assert ticket["username"] == "root@pam"
        assert ticket["clustername"] == "lab"
        assert ticket["cap"]["vms"]["VM.Allocate"] == 1
        session.headers["Cookie"] = f"PVEAuthCookie={ticket['ticket']}"
        config = f"{site.base}{NODE}/qemu/8100/config"
        assert session.get(config).status_code == 200
        refused = session.put(config, data={"args": "-no-hpet"})
        assert (refused.status_code, refused.reason) == (401, "Permission denied - invalid csrf token")
        session.headers["CSRFPreventionToken"] = ticket["CSRFPreventionToken"]
        assert session.put(config, data={"args": "-no-hpet"}).status_code == 200
        again = session.post(f"{site.base}/access/ticket", data={"username": "root@pam", "password": ticket["ticket"]})
        assert again.status_code == 200

    await with_requests(tmp_path, use)


async def test_a_node_that_is_gone_answers_nobody(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        site.lab.site.cluster.nodes["tappaas1"].online = False
        reader, writer = await site.open()
        writer.write(raw(site, "GET /api2/json/version HTTP/1.1"))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


async def test_a_broken_reply_is_596_without_a_body(tmp_path: Path) -> None:
    def use(site: Served, session: requests.Session) -> None:
        site.lab.site.faults.arm("pve-596")
        answer = session.post(f"{site.base}{NODE}/qemu/8100/clone", data={"newid": 250})
        assert (answer.status_code, answer.reason, answer.content) == (596, "Broken pipe", b"")

    await with_requests(tmp_path, use)


async def test_a_stopped_face_leaves_no_port_and_no_connection(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        reader, writer = await site.open()
        port = site.port
    with pytest.raises((ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_many_connections_are_served_side_by_side(tmp_path: Path) -> None:
    async def one(site: Served) -> None:
        reader, writer = await site.open()
        writer.write(raw(site, "GET /api2/json/cluster/resources HTTP/1.1"))
        assert (await read_answer(reader))[0] == "HTTP/1.1 200 OK"
        writer.close()

    async with served(tmp_path) as site:
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(one(site))
        assert site.lab.site.counters.pve_reads == 20


async def test_an_idle_client_does_not_hold_up_the_end(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        session = site.session()
        await asyncio.to_thread(session.get, f"{site.base}/version")
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 4.5
    session.close()

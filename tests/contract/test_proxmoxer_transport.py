"""What only the HTTPS transport can get wrong: identity, redirects, pages for data, lost answers, other people's settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.login import TokenLogin
from pvenix.adapters.pve.proxmox import ProxmoxerTransport
from pvenix.adapters.pve.transport import AnswerLost, ApiPath, ApiStatus, BadAnswer, NotSent
from pvenix.model.errors import OutcomeUnknown, Refused, RemoteFailure, Unreachable, UsageError
from pvenix.model.names import node_name, vmid
from pvenix.model.secret import Secret
from pvenix_lab.faces.tls import make_ca_and_certificate
from tests.contract.https_node import JSON, OK, VERSION, Node, Reply, garbage, half, hang_up, page, silence
from tests.contract.pve_world import ImpatientClock


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(make_ca_and_certificate(tmp_path / "tls"))
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def open_transport(node: Node) -> AsyncIterator[Callable[..., ProxmoxerTransport]]:
    opened: list[ProxmoxerTransport] = []

    def connect(
        *ports: int, ca: Path | None = node.files.ca, fingerprint: str = "", timeouts_s: tuple[float, float] = (2, 2)
    ) -> ProxmoxerTransport:
        transport = ProxmoxerTransport(
            endpoints=[f"https://127.0.0.1:{port}" for port in ports or (node.port,)],
            login=TokenLogin("pvenix@pve!lab", Secret("s3cret")),
            ca=ca,
            fingerprint=fingerprint,
            timeouts_s=timeouts_s,
            workers=2,
        )
        opened.append(transport)
        return transport

    yield connect
    for transport in opened:
        await transport.close()


Connect = Callable[..., ProxmoxerTransport]


def over(transport: ProxmoxerTransport) -> PveCluster:
    return PveCluster(transport, clock=ImpatientClock(), cluster="lab", token="pvenix@pve!lab")


async def test_the_token_goes_in_the_header_and_nowhere_else(node: Node, open_transport: Connect) -> None:
    assert await open_transport().request("GET", VERSION, {"x": ["1", "2"]}) == {"version": "8.4.5"}
    assert node.heads[0].startswith("GET /api2/json/version?x=1&x=2 HTTP/1.1")
    assert "Authorization: PVEAPIToken=pvenix@pve!lab=s3cret" in node.heads[0]
    assert "s3cret" not in repr(open_transport())


async def test_lists_are_repeated_keys_and_values_are_encoded_once_more(node: Node, open_transport: Connect) -> None:
    await open_transport().request("PUT", VERSION, {"sshkeys": "a%20b", "command": ["x", "y z"]})
    assert node.bodies == ["sshkeys=a%2520b&command=x&command=y+z"]


@pytest.mark.parametrize("ca", [None, "other"])
async def test_a_certificate_of_somebody_else_never_sees_the_token(
    node: Node, open_transport: Connect, tmp_path: Path, ca: str | None
) -> None:
    other = make_ca_and_certificate(tmp_path / "other").ca if ca else None
    with pytest.raises(Refused) as refusal:
        await over(open_transport(ca=other)).version()
    assert refusal.value.code == "PVX0533"
    assert node.heads == []


@pytest.mark.parametrize("text", [None, "not a certificate"])
async def test_certificates_that_cannot_be_read_are_an_error_that_names_the_file(
    node: Node, open_transport: Connect, tmp_path: Path, text: str | None
) -> None:
    ca = tmp_path / "ca.pem"
    if text is not None:
        ca.write_text(text)
    with pytest.raises(Refused):
        await over(open_transport(ca=ca)).version()
    assert node.heads == []


async def test_a_pinned_certificate_is_the_only_one_accepted(node: Node, open_transport: Connect) -> None:
    assert await over(open_transport(ca=None, fingerprint=node.files.fingerprint)).version() == "8.4.5"
    wrong = "00:" + node.files.fingerprint[3:]
    count = len(node.heads)
    with pytest.raises(Refused) as refusal:
        await over(open_transport(ca=None, fingerprint=wrong)).version()
    assert refusal.value.code == "PVX0533"
    assert len(node.heads) == count


async def test_settings_of_the_environment_change_nothing(
    node: Node, open_transport: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    for name, value in {
        "HTTPS_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1", "REQUESTS_CA_BUNDLE": "/nonexistent",
        "CURL_CA_BUNDLE": "/nonexistent", "NETRC": str(tmp_path / "netrc"), "NO_PROXY": "",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert await over(open_transport()).version() == "8.4.5"
    assert "PVEAPIToken" in node.heads[0]
    with pytest.raises(Refused):
        await over(open_transport(ca=None, fingerprint="00" * 32)).version()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_is_not_followed(node: Node, open_transport: Connect, method: str) -> None:
    node.replies = [page("302 Found", "", f"Location: https://127.0.0.1:{node.port}/login")]
    with pytest.raises(BadAnswer, match="redirected"):
        await open_transport().request(method, VERSION, {})
    assert len(node.heads) == 1


@pytest.mark.parametrize("body", ["<html>login</html>", '{"dat', "[]", '{"errors":"x"}', ""])
async def test_a_page_is_no_answer(node: Node, open_transport: Connect, body: str) -> None:
    node.replies = [page("200 OK", body, JSON), page("200 OK", body, JSON)]
    transport = open_transport()
    with pytest.raises(BadAnswer):
        await transport.request("GET", VERSION, {})
    with pytest.raises(OutcomeUnknown):
        await over(transport).start(node_name("n1"), vmid(100))


@pytest.mark.parametrize("answer", ['{"data":"x"}', '{"data":[]}', '{"data":{"version":[]}}', '{"data":null}'])
async def test_an_answer_of_another_shape_is_not_believed(node: Node, open_transport: Connect, answer: str) -> None:
    node.replies = [page("200 OK", answer, JSON)]
    with pytest.raises(RemoteFailure) as failure:
        await over(open_transport()).version()
    assert failure.value.code == "PVX0537"


@pytest.mark.parametrize("answer", ['{"data":null}', '{"data":"OK"}', '{"data":{"x":1}}'])
async def test_a_start_without_a_task_id_has_an_unknown_outcome(
    node: Node, open_transport: Connect, answer: str
) -> None:
    node.replies = [page("200 OK", answer, JSON)]
    with pytest.raises(OutcomeUnknown):
        await over(open_transport()).start(node_name("n1"), vmid(100))


@pytest.mark.parametrize("reply", [hang_up, half, silence, garbage])
async def test_a_lost_answer_is_unknown_for_a_write_and_asked_again_for_a_read(
    node: Node, open_transport: Connect, reply: Reply
) -> None:
    cluster = over(open_transport(timeouts_s=(1, 0.1)))
    node.replies = [reply]
    assert await cluster.version() == "8.4.5"
    assert len(node.heads) == 2
    node.replies = [reply]
    with pytest.raises(OutcomeUnknown):
        await cluster.start(node_name("n1"), vmid(100))
    assert len(node.heads) == 3


@pytest.mark.parametrize(
    ("status", "write", "read"),
    [
        ("595 Connection refused", Unreachable, Unreachable),
        ("596 Broken pipe", OutcomeUnknown, Unreachable),
        ("597 x", OutcomeUnknown, Unreachable),
        ("599 Too many redirections", OutcomeUnknown, Unreachable),
        ("502 Bad Gateway", OutcomeUnknown, Unreachable),
        ("401 No ticket", Refused, Refused),
        ("403 Permission check failed (/vms/100, VM.PowerMgmt)", Refused, Refused),
        ("500 can't lock file", RemoteFailure, RemoteFailure),
        ("501 Method 'GET /x' not implemented", RemoteFailure, RemoteFailure),
    ],
)
async def test_every_status_has_its_error(
    node: Node, open_transport: Connect, status: str, write: type[Exception], read: type[Exception]
) -> None:
    cluster = over(open_transport())
    node.replies = [page(status)]
    with pytest.raises(write):
        await cluster.start(node_name("n1"), vmid(100))
    assert len(node.heads) == 1
    node.replies = [page(status)] * 3
    with pytest.raises(read):
        await cluster.version()
    assert len(node.heads) == (4 if status.startswith(("59", "502")) else 2)


async def test_the_words_of_every_bad_parameter_are_told_but_never_a_secret(
    node: Node, open_transport: Connect
) -> None:
    node.replies = [
        page(
            "400 Parameter verification failed.",
            '{"data":null,"errors":{"cores":"type check (\'integer\') failed","cipassword":"bad \'hunter2\'"}}',
            JSON,
        )
    ]
    with pytest.raises(RemoteFailure) as failure:
        await over(open_transport()).set_config(node_name("n1"), vmid(100), {"cores": "x"})
    assert "cores: type check" in failure.value.why
    assert "hunter2" not in failure.value.why


async def test_the_next_endpoint_is_asked_when_one_takes_no_connection(node: Node, open_transport: Connect) -> None:
    transport = open_transport(1, node.port)
    assert await transport.request("GET", VERSION, {}) == {"version": "8.4.5"}
    assert await transport.request("POST", VERSION, {}) == {"version": "8.4.5"}
    with pytest.raises(NotSent):
        await open_transport(1, 2).request("GET", VERSION, {})
    with pytest.raises(Unreachable):
        await over(open_transport(1)).start(node_name("n1"), vmid(100))


async def test_a_write_is_not_sent_to_a_second_endpoint_after_the_first_took_it(
    node: Node, open_transport: Connect
) -> None:
    node.replies = [hang_up]
    with pytest.raises(AnswerLost):
        await open_transport(node.port, node.port).request("POST", VERSION, {})
    assert len(node.heads) == 1


async def test_a_cancelled_caller_does_not_share_its_client_with_the_next(node: Node, open_transport: Connect) -> None:
    arrived = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await asyncio.sleep(0.05)
        await page("200 OK", '{"data":"slow"}', JSON)(writer)

    node.replies = [slow, OK]
    transport = open_transport()
    async with asyncio.TaskGroup() as group:
        caller = group.create_task(transport.request("GET", VERSION, {}))
        await arrived.wait()
        caller.cancel()
    assert await transport.request("GET", VERSION, {}) == {"version": "8.4.5"}


async def test_cancelled_callers_keep_their_places_until_their_requests_are_done(
    node: Node, open_transport: Connect
) -> None:
    arrived = asyncio.Semaphore(0)

    async def slow(writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await asyncio.sleep(0.05)
        await page("500 Internal Server Error", "", JSON)(writer)

    node.replies = [slow, slow, OK, OK]
    transport = open_transport()
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(transport.request("GET", VERSION, {})) for _ in range(2)]
        for _ in callers:
            await arrived.acquire()
        for caller in callers:
            caller.cancel()
    async with asyncio.TaskGroup() as group:
        later = [group.create_task(transport.request("GET", VERSION, {})) for _ in range(2)]
    assert [await each for each in later] == [{"version": "8.4.5"}] * 2


async def test_many_callers_wait_for_a_few_connections(node: Node, open_transport: Connect) -> None:
    transport = open_transport()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(transport.request("GET", VERSION, {}))
    assert len(node.heads) == 20


async def test_the_loop_is_not_blocked_while_proxmox_thinks(node: Node, open_transport: Connect) -> None:
    asked, thought = asyncio.Event(), asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        asked.set()
        await thought.wait()
        await OK(writer)

    node.replies = [slow]
    transport = open_transport(timeouts_s=(20, 20))
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(transport.request("GET", VERSION, {}))
        await asked.wait()
        thought.set()  # which a loop that stands still until the answer is there never comes to
    assert answer.result() == {"version": "8.4.5"}


def test_the_library_never_logs_what_is_sent(open_transport: Connect) -> None:
    logging.getLogger("proxmoxer.core").setLevel(logging.DEBUG)
    open_transport()
    assert logging.getLogger("proxmoxer.core").level == logging.WARNING


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8006", "127.0.0.1", "https://"])
def test_an_endpoint_is_https(endpoint: str) -> None:
    with pytest.raises(UsageError):
        ProxmoxerTransport(endpoints=[endpoint], login=TokenLogin("a@b!c", Secret("x")))
    with pytest.raises(UsageError):
        ProxmoxerTransport(endpoints=[], login=TokenLogin("a@b!c", Secret("x")))


def test_an_ipv6_endpoint_keeps_its_brackets() -> None:
    transport = ProxmoxerTransport(endpoints=["https://[::1]:1"], login=TokenLogin("a@b!c", Secret("x")))
    with pytest.raises(NotSent, match=r"\[::1\]"):
        asyncio.run(transport.request("GET", ApiPath("version"), {}))


def test_a_status_is_an_exception_with_its_parts() -> None:
    error = ApiStatus(500, "x", {"a": "b"})
    assert (error.status, error.reason, error.errors) == (500, "x", {"a": "b"})

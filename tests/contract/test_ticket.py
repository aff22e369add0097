"""Logins over the verified connection: what is sent when, who is asked, and that one renewal serves everybody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from typing_extensions import override

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.login import RENEW_AFTER_S, Login, TicketLogin, TokenLogin
from pvenix.adapters.pve.proxmox import ProxmoxerTransport
from pvenix.adapters.pve.transport import ApiStatus, BadAnswer, NotSent
from pvenix.model.errors import OutcomeUnknown, Refused, UsageError
from pvenix.model.secret import Secret
from pvenix_lab.faces.tls import make_ca_and_certificate
from tests.contract.https_node import JSON, OK, VERSION, Node, Reply, page
from tests.contract.pve_world import ImpatientClock

DENIED = page("401 authentication failure", '{"data":null}', JSON)
DEAD = page("401 permission denied - invalid PVE ticket")


def ticket(name: str, **more: object) -> Reply:
    """The answer to a log-in."""
    data = {"username": "ops@pam", "ticket": f"PVE:{name}", "CSRFPreventionToken": f"csrf-{name}", **more}
    return page("200 OK", json.dumps({"data": data}), JSON)


class HandClock(ImpatientClock):
    """A clock that is moved by hand."""

    now = 0.0

    @override
    def monotonic(self) -> float:
        return self.now


class Person:
    """Somebody at the terminal, with what will be typed."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    async def __call__(self, question: str) -> Secret:
        self.questions.append(question)
        await asyncio.sleep(0)
        if not self.answers:
            raise UsageError("nobody types")
        return Secret(self.answers.pop(0))


Open = Callable[..., ProxmoxerTransport]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(make_ca_and_certificate(tmp_path / "tls"))
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def open_transport(node: Node) -> AsyncIterator[Open]:
    opened = []

    def connect(login: Login, *, fingerprint: str = "", ca: bool = True) -> ProxmoxerTransport:
        transport = ProxmoxerTransport(
            endpoints=[f"https://127.0.0.1:{node.port}"],
            login=login,
            ca=node.files.ca if ca else None,
            fingerprint=fingerprint,
            timeouts_s=(2, 2),
            workers=4,
        )
        opened.append(transport)
        return transport

    yield connect
    for transport in opened:
        await transport.close()


def lines(node: Node, word: str) -> list[str]:
    """Every header line of every request with this word."""
    return [line for head in node.heads for line in head.splitlines() if word.lower() in line.lower()]


async def test_a_password_is_sent_once_and_then_only_the_ticket(node: Node, open_transport: Open) -> None:
    node.replies = [ticket("one")]
    person = Person("s3cret!")
    transport = open_transport(TicketLogin("ops@pam", person, person, HandClock()))
    assert await transport.request("GET", VERSION, {}) == {"version": "8.4.5"}
    await transport.request("POST", VERSION, {"a": "b"})
    assert [head.split()[1] for head in node.heads] == [
        "/api2/json/access/ticket",
        "/api2/json/version",
        "/api2/json/version",
    ]
    assert parse_qs(node.bodies[0]) == {"username": ["ops@pam"], "password": ["s3cret!"]}
    assert lines(node, "cookie") == ["Cookie: PVEAuthCookie=PVE:one"] * 2
    assert lines(node, "csrf") == ["CSRFPreventionToken: csrf-one"]
    assert lines(node, "authorization") == []
    assert person.questions == ["password of ops@pam"]
    assert "s3cret" not in "".join(node.heads + node.bodies[1:]) + repr(transport.__dict__)


async def test_a_ticket_is_renewed_with_itself_once_for_everybody(node: Node, open_transport: Open) -> None:
    clock, person = HandClock(), Person("s3cret")
    node.replies = [ticket("one"), OK, ticket("two")]
    transport = open_transport(TicketLogin("ops@pam", person, person, clock))
    await transport.request("GET", VERSION, {})
    clock.now = RENEW_AFTER_S
    async with asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(transport.request("GET", VERSION, {}))
    logins = [parse_qs(body) for head, body in zip(node.heads, node.bodies, strict=True) if "ticket" in head[:50]]
    assert [login["password"] for login in logins] == [["s3cret"], ["PVE:one"]]
    assert lines(node, "cookie").count("Cookie: PVEAuthCookie=PVE:two") == 6
    assert len(person.questions) == 1


async def test_a_ticket_that_died_overnight_is_asked_for_again_and_the_call_goes_on(
    node: Node, open_transport: Open
) -> None:
    clock, person = HandClock(), Person("first", "second")
    node.replies = [ticket("one"), OK, DENIED, ticket("two")]
    transport = open_transport(TicketLogin("ops@pam", person, person, clock))
    await transport.request("GET", VERSION, {})
    clock.now = 30_000
    assert await transport.request("POST", VERSION, {}) == {"version": "8.4.5"}
    assert person.questions == ["password of ops@pam"] * 2
    assert parse_qs(node.bodies[3])["password"] == ["second"]


@pytest.mark.parametrize("kind", ["ticket", "token"])
async def test_a_401_in_the_middle_of_the_work_holds_everybody_until_one_person_answered(
    node: Node, open_transport: Open, kind: str
) -> None:
    person = Person("new") if kind == "token" else Person("old", "new")
    login: Login = (
        TokenLogin("pvenix@pve!ci", Secret("old"), person)
        if kind == "token"
        else TicketLogin("ops@pam", person, person, HandClock())
    )
    good = {"token": "=new", "ticket": "PVE:new"}[kind]
    dead = False

    async def judge(writer: asyncio.StreamWriter) -> None:
        head = node.heads[-1]
        if "/access/ticket" in head:
            await ticket(parse_qs(node.bodies[-1])["password"][0])(writer)
        else:
            await (DEAD if dead and good not in head else OK)(writer)

    node.replies = [judge] * 40
    transport = open_transport(login)
    await transport.request("GET", VERSION, {})
    dead = True
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(transport.request("POST", VERSION, {})) for _ in range(5)]
    assert [task.result() for task in answers] == [{"version": "8.4.5"}] * 5
    assert len([question for question in person.questions if "accepted" in question or kind == "ticket"]) == (
        1 if kind == "token" else 2
    )


async def test_a_token_that_was_never_good_is_not_asked_for(node: Node, open_transport: Open) -> None:
    node.replies = [DEAD]
    person = Person("new")
    with pytest.raises(ApiStatus):
        await open_transport(TokenLogin("pvenix@pve!ci", Secret("old"), person)).request("GET", VERSION, {})
    assert person.questions == []


@pytest.mark.parametrize(("tries", "asked"), [(1, 1), (3, 3)])
async def test_a_wrong_password_is_asked_for_again_only_from_a_person(
    node: Node, open_transport: Open, tries: int, asked: int
) -> None:
    node.replies = [DENIED] * 5
    person = Person(*["wrong"] * 5)
    transport = open_transport(TicketLogin("ops@pam", person, person, HandClock(), tries=tries))
    with pytest.raises(Refused) as refusal:
        await PveCluster(transport, clock=ImpatientClock(), cluster="lab", token="ops@pam").version()
    assert refusal.value.code == "PVX0531"
    assert "login of ops@pam" in refusal.value.what
    assert "wrong" not in str(refusal.value)
    assert len(person.questions) == asked


async def test_a_second_factor_is_asked_for_when_proxmox_wants_one(node: Node, open_transport: Open) -> None:
    """The challenge stands in the ticket of the first answer (pve-access-control AccessControl.pm, `new-format`)."""
    node.replies = [ticket('!tfa!{"totp":true}', NeedTFA=1), ticket("whole")]
    password, code = Person("s3cret"), Person(" 123456 ")
    transport = open_transport(TicketLogin("ops@pam", password, code, HandClock()))
    await transport.request("GET", VERSION, {})
    assert parse_qs(node.bodies[1]) == {
        "username": ["ops@pam"],
        "password": ["totp:123456"],
        "tfa-challenge": ['PVE:!tfa!{"totp":true}'],
    }
    assert lines(node, "cookie") == ["Cookie: PVEAuthCookie=PVE:whole"]
    assert code.questions == ["code of ops@pam's authenticator app"]


async def test_a_key_that_has_to_be_touched_is_said_to_be_unsupported(node: Node, open_transport: Open) -> None:
    node.replies = [ticket('!tfa!{"webauthn":{}}', NeedTFA=1)]
    transport = open_transport(TicketLogin("ops@pam", Person("s3cret"), Person(), HandClock()))
    with pytest.raises(Refused) as refusal:
        await transport.request("GET", VERSION, {})
    assert refusal.value.code == "PVX0548"


async def test_what_is_no_ticket_is_not_believed(node: Node, open_transport: Open) -> None:
    node.replies = [page("200 OK", '{"data":{"username":"ops@pam"}}', JSON)]
    transport = open_transport(TicketLogin("ops@pam", Person("s3cret"), Person(), HandClock()))
    with pytest.raises(BadAnswer, match="a ticket was expected"):
        await transport.request("GET", VERSION, {})


@pytest.mark.parametrize("trust", ["another pin", "the system's authorities"])
async def test_no_password_leaves_before_the_certificate_was_accepted(
    node: Node, open_transport: Open, trust: str
) -> None:
    wrong = "00" + node.files.fingerprint[2:] if trust == "another pin" else ""
    transport = open_transport(
        TicketLogin("ops@pam", Person("s3cret"), Person(), HandClock()), fingerprint=wrong, ca=False
    )
    with pytest.raises(NotSent) as problem:
        await transport.request("GET", VERSION, {})
    assert problem.value.refused
    assert (node.heads, node.bodies) == ([], [])


async def test_a_pin_serves_the_login_too(node: Node, open_transport: Open) -> None:
    node.replies = [ticket("one")]
    login = TicketLogin("ops@pam", Person("s3cret"), Person(), HandClock())
    transport = open_transport(login, fingerprint=node.files.fingerprint, ca=False)
    assert await transport.request("GET", VERSION, {}) == {"version": "8.4.5"}


async def test_a_task_whose_login_dies_with_nobody_to_ask_is_unknown_and_not_failed(
    node: Node, open_transport: Open
) -> None:
    async def nobody(question: str) -> Secret:
        raise Refused(f"nobody can be asked for the {question}", hint="pvenix resume last", code="PVX0547")

    asked = Person("s3cret")

    async def password(question: str) -> Secret:
        return await (asked if asked.answers else nobody)(question)

    node.replies = [ticket("one"), OK, DEAD]
    transport = open_transport(TicketLogin("ops@pam", password, nobody, HandClock()))
    await transport.request("GET", VERSION, {})
    cluster = PveCluster(transport, clock=ImpatientClock(), cluster="lab", token="ops@pam")
    upid = "UPID:n1:000003E8:0012D687:691F2C3D:qmclone:8100:ops@pam:"
    with pytest.raises(OutcomeUnknown) as unknown:
        await cluster.wait(upid, timeout_s=60, on_line=lambda _: None)
    assert "nobody can be asked" in unknown.value.why
    assert "pvenix resume" in unknown.value.hint

"""Why Proxmox is not reached, in words, over the real client."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pvenix.adapters.pve.contact import look
from pvenix.adapters.pve.login import TokenLogin
from pvenix.adapters.pve.networds import cause_words
from pvenix.adapters.pve.proxmox import ProxmoxerTransport
from pvenix.adapters.pve.transport import AnswerLost, NotSent, api_path
from pvenix.model.secret import Secret
from pvenix.model.site import Tls


async def why(endpoint: str) -> str:
    """What the error of a request to `endpoint` says."""
    transport = ProxmoxerTransport(
        endpoints=[endpoint], login=TokenLogin("a@b!c", Secret("x")), timeouts_s=(0.2, 0.2), workers=1
    )
    try:
        with pytest.raises((NotSent, AnswerLost)) as caught:
            await transport.request("GET", api_path("version"), {})
    finally:
        await transport.close()
    return str(caught.value)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


async def test_a_port_on_which_nothing_listens_refuses_the_connection(closed_port: int) -> None:
    endpoint = f"https://127.0.0.1:{closed_port}"
    assert await why(endpoint) == f"{endpoint}: connection refused"


async def test_who_does_not_answer_is_named_with_the_limit(silent_port: int) -> None:
    endpoint = f"https://127.0.0.1:{silent_port}"
    assert await why(endpoint) == f"{endpoint}: no answer within 0.2 s"


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to it"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no route to its network"),
        (TimeoutError("timed out"), "no connection within 0.2 s"),
    ],
)
async def test_a_way_that_does_not_lead_there_is_told_from_one_on_which_nothing_comes_back(
    monkeypatch: pytest.MonkeyPatch, failure: OSError, words: str
) -> None:
    def connect(*_: object) -> None:
        raise failure

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert await why("https://192.0.2.1:8006") == f"https://192.0.2.1:8006: {words}"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (socket.EAI_NONAME, "its name is not known"),
        (socket.EAI_AGAIN, "its name cannot be looked up: Temporary failure"),
    ],
)
async def test_a_name_that_nobody_knows_is_called_that(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(number, "Temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert await why("https://pve.example:8006") == f"https://pve.example:8006: {words}"


async def test_the_doctor_says_it_in_the_same_words(closed_port: int) -> None:
    contact = await look(f"https://127.0.0.1:{closed_port}", Tls(system=True))
    assert contact.problem == "connection refused"


def test_what_a_library_puts_in_front_of_its_message_is_left_out() -> None:
    assert cause_words(ValueError("HTTPSConnection(host='n1', port=8006): it broke")) == "it broke"
    assert cause_words(ValueError("<HTTPConnection object at 0x7f00>: it broke")) == "it broke"

"""The guest agent over the wire: what is missing, what it costs, and the shapes of its answers (measured on 8.4.5)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pvenix_lab.site.core import Timings
from tests.lab.wire.support import Client, WireLab, refused, row


@pytest.fixture(scope="module")
def vm(lab: WireLab) -> str:
    """A VM whose guest is up."""
    return lab.running()


def finished(client: Client, path: str, pid: int) -> dict[str, Any]:
    """The status of a program once it has ended."""
    until = time.monotonic() + 30
    while not (status := client.get(f"{path}/agent/exec-status", pid=pid))["exited"]:
        assert time.monotonic() < until
        time.sleep(0.01)
    return dict(status)


@row("A7-11")
def test_three_reasons_for_no_agent_have_three_texts(lab: WireLab, operator: Client) -> None:
    path = lab.vm(agent="0")
    vmid = path.rpartition("/")[2]
    assert refused(operator.ask("POST", f"{path}/agent/ping")) == (500, "No QEMU guest agent configured")
    operator.put(f"{path}/config", agent="1")
    assert refused(operator.ask("POST", f"{path}/agent/ping")) == (500, f"VM {vmid} is not running")
    with lab.fault("agent-absent"):
        operator.ok("POST", f"{path}/status/start")
        assert refused(operator.ask("POST", f"{path}/agent/ping")) == (500, "QEMU guest agent is not running")


@pytest.mark.slow
@row("A7-12", "A1-19")
def test_silence_costs_three_seconds_and_a_broken_reply_five(tmp_path_factory: pytest.TempPathFactory) -> None:
    with WireLab(tmp_path_factory.mktemp("true"), timings=Timings()) as lab:
        client, path = lab.token(), lab.running()
        started = time.monotonic()
        broken = client.ask("POST", f"{path}/agent/exec", command="/nope")
        assert (broken.status_code, broken.content) == (596, b"")
        assert 4.5 < time.monotonic() - started < 30
        with lab.fault("agent-absent"):
            started = time.monotonic()
            assert client.ask("GET", f"{path}/agent/get-osinfo").status_code == 500
            assert 2.9 < time.monotonic() - started < 30


@row("A7-13")
@pytest.mark.parametrize("command", ["ping", "network-get-interfaces", "get-osinfo", "get-host-name", "info"])
def test_a_simple_command_wraps_its_answer(vm: str, operator: Client, command: str) -> None:
    data = operator.ask("POST" if command == "ping" else "GET", f"{vm}/agent/{command}").json()["data"]
    assert set(data) == {"result"}


@row("A7-14")
def test_a_program_is_an_array_and_its_end_is_decoded(vm: str, operator: Client) -> None:
    command = ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]
    started = operator.ask("POST", f"{vm}/agent/exec", command=command).json()["data"]
    assert set(started) == {"pid"}
    ended = finished(operator, vm, started["pid"])
    assert (ended["exited"], ended["exitcode"]) == (1, 3)
    assert (ended["out-data"], ended["err-data"]) == ("out\n", "err\n")
    assert {"out-truncated", "err-truncated"} <= ended.keys()


@row("A7-15")
def test_a_single_text_is_one_word_and_so_a_program_that_is_missing(vm: str, operator: Client) -> None:
    answer = operator.ask("POST", f"{vm}/agent/exec", command="/bin/echo hi")
    assert (*refused(answer), answer.content) == (596, "Broken pipe", b"")


@row("A7-16")
def test_an_unknown_process_is_the_agents_own_error(vm: str, operator: Client) -> None:
    answer = operator.ask("GET", f"{vm}/agent/exec-status", pid=999999)
    assert refused(answer) == (500, "Agent error: Invalid parameter 'pid'")


@row("A7-17")
def test_files_are_written_with_null_and_read_bare(vm: str, operator: Client) -> None:
    written = operator.ask("POST", f"{vm}/agent/file-write", file="/tmp/note", content="hello\n")
    assert (written.status_code, written.json()["data"]) == (200, None)
    read = operator.get(f"{vm}/agent/file-read", file="/tmp/note")
    assert read["content"] == "hello\n"
    assert "result" not in read
    missing = operator.ask("GET", f"{vm}/agent/file-read", file="/tmp/nothing")
    assert missing.status_code == 500
    assert missing.reason.startswith("Agent error: failed to open file '/tmp/nothing'")


@row("A7-18")
def test_a_shutdown_takes_the_guest_down_with_or_without_its_agent(lab: WireLab, operator: Client) -> None:
    for agent in ("1", "0"):
        path = lab.running()
        operator.put(f"{path}/config", agent=agent)
        operator.ok("POST", f"{path}/status/shutdown")
        assert operator.get(f"{path}/status/current")["status"] == "stopped"


@row("A7-24")
def test_a_live_snapshot_freezes_and_thaws_the_guest(lab: WireLab, vm: str, operator: Client) -> None:
    def state() -> str:
        return str(operator.ask("POST", f"{vm}/agent/fsfreeze-status").json()["data"]["result"])

    lab.site.time_scale = 3
    try:
        upid = operator.start("POST", f"{vm}/snapshot", snapname="live")
        until = time.monotonic() + 30
        while (seen := state()) != "frozen" and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        lab.site.time_scale = 0.01
    assert seen == "frozen"
    assert operator.wait(upid).exitstatus == "OK"
    assert state() == "thawed"
    operator.ok("DELETE", f"{vm}/snapshot/live")


@row("S4-08")
def test_a_freeze_that_hangs_holds_the_snapshot_up(lab: WireLab, operator: Client) -> None:
    path = lab.running()
    with lab.fault("F35"):
        upid = operator.start("POST", f"{path}/snapshot", snapname="held")
        time.sleep(0.2)
        node = "/nodes/tappaas1"
        assert operator.get(f"{node}/tasks/{upid}/status")["status"] == "running"
        operator.ask("DELETE", f"{node}/tasks/{upid}")

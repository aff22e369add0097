"""The guest agent, snapshots and the faults of the API (proxmox.md a1, a7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.faults import FOREVER, Faults
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, booted, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
AGENT = f"{VM}/agent"


def test_the_agent_needs_its_option_a_running_vm_and_an_answer(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        assert (await lab.ask("POST", f"{AGENT}/ping")).reason == "VM 250 is not running"
        await lab.ask("PUT", f"{VM}/config", agent="0")
        off = await lab.ask("POST", f"{AGENT}/ping")
        assert (off.status, off.reason) == (500, "No QEMU guest agent configured")
        await lab.ask("PUT", f"{VM}/config", agent="1")
        await lab.done("POST", f"{VM}/status/start")
        assert (await lab.ask("POST", f"{AGENT}/ping")).body == {"data": {"result": {}}}

    in_lab(tmp_path, story)


def test_a_silent_agent_costs_three_seconds(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        lab.site.faults.arm("agent-absent", "fix")
        started = asyncio.get_running_loop().time()
        for _ in range(2):
            response = await lab.ask("POST", f"{AGENT}/ping")
            assert (response.status, response.reason) == (500, "QEMU guest agent is not running")
        assert asyncio.get_running_loop().time() - started == pytest.approx(6.0, abs=0.1)
        lab.site.faults.clear("agent-absent")
        assert (await lab.ask("POST", f"{AGENT}/ping")).status == 200

    in_lab(tmp_path, story)


def test_results_are_wrapped_for_simple_commands_and_bare_for_files(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        assert await lab.get(f"{AGENT}/get-host-name") == {"result": {"host-name": "fix"}}
        assert (await lab.ask("POST", f"{AGENT}/file-write", file="/etc/x", content="hello")).body == {"data": None}
        assert await lab.get(f"{AGENT}/file-read", file="/etc/x") == {"content": "hello"}

    in_lab(tmp_path, story)


def test_the_agents_own_errors_carry_a_prefix(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        missing = await lab.ask("GET", f"{AGENT}/file-read", file="/nope")
        assert missing.status == 500
        assert missing.reason.startswith("Agent error: failed to open file '/nope'")
        assert (await lab.ask("GET", f"{AGENT}/exec-status", pid="1")).reason == "Agent error: Invalid parameter 'pid'"

    in_lab(tmp_path, story)


def test_an_error_text_outside_latin_1_breaks_the_reply_after_five_seconds(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        started = asyncio.get_running_loop().time()
        response = await lab.ask("POST", f"{AGENT}/exec", command=["/nope"])
        assert (response.status, response.reason, response.body) == (596, "Broken pipe", None)
        assert asyncio.get_running_loop().time() - started == pytest.approx(5.0)

    in_lab(tmp_path, story)


def test_a_rollback_restores_configuration_and_disk_and_leaves_the_vm_stopped(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        marker = lab.site.guest_root(250) / "marker"
        marker.write_text("before")
        assert await lab.done("POST", f"{VM}/snapshot", snapname="pre-rebuild", description="d") == "OK"
        marker.write_text("after")
        await lab.ask("PUT", f"{VM}/config", description="later", onboot="1")
        assert await lab.done("POST", f"{VM}/snapshot/pre-rebuild/rollback") == "OK"
        assert marker.read_text() == "before"
        config = await lab.get(f"{VM}/config")
        assert "onboot" not in config
        assert config["description"] == "later"  # no snapshot takes the notes, so no rollback changes them
        assert (await lab.get(f"{VM}/status/current"))["status"] == "stopped"
        assert await lab.done("POST", f"{VM}/snapshot/pre-rebuild/rollback", start="1") == "OK"
        assert (await lab.get(f"{VM}/status/current"))["status"] == "running"

    in_lab(tmp_path, story)


def test_the_snapshot_list_holds_the_present_and_names_are_checked(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        for name in ("x", "1st"):
            assert (await lab.ask("POST", f"{VM}/snapshot", snapname=name)).status == 400
        reserved = await lab.ask("POST", f"{VM}/snapshot", snapname="current")
        assert (reserved.status, reserved.reason) == (500, "unable to use snapshot name 'current' (reserved name)")
        for name in ("one", "two"):
            await lab.done("POST", f"{VM}/snapshot", snapname=name)
        taken = await lab.done("POST", f"{VM}/snapshot", snapname="one")
        assert taken == "snapshot name 'one' already used"
        parents = {s["name"]: s.get("parent") for s in await lab.get(f"{VM}/snapshot")}
        assert parents == {"one": None, "two": "one", "current": "two"}
        assert await lab.done("DELETE", f"{VM}/snapshot/two") == "OK"
        assert await lab.done("DELETE", f"{VM}/snapshot/two") == "snapshot 'two' does not exist"
        assert (await lab.get(f"{VM}/snapshot"))[-1]["parent"] == "one"

    in_lab(tmp_path, story)


def test_a_500_of_the_api_does_nothing_and_strikes_only_its_call(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        lab.site.faults.arm("pve-500", "fix", method="POST", path="/status/start")
        assert (await lab.ask("GET", f"{VM}/status/current")).status == 200
        assert (await lab.ask("PUT", f"{VM}/config", onboot="1")).status == 200
        struck = await lab.ask("POST", f"{VM}/status/start")
        assert struck.reason == "can't lock file '/var/lock/qemu-server/lock-250.conf' - got timeout"
        assert [task.type for task in lab.site.cluster.tasks.values()] == ["qmclone"]
        assert await lab.done("POST", f"{VM}/status/start") == "OK"

    in_lab(tmp_path, story)


@pytest.mark.parametrize("effect", [True, False])
def test_a_596_leaves_the_outcome_unknown(tmp_path: Path, *, effect: bool) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.faults.arm("pve-596", "fix", effect=effect)
        response = await lab.ask("POST", f"{TEMPLATE}/clone", newid="250", name="fix")
        assert (response.status, response.reason, response.body) == (596, "Broken pipe", None)
        await asyncio.sleep(1)
        assert (250 in lab.site.cluster.vms) is effect

    in_lab(tmp_path, story)


def test_a_fault_strikes_as_often_as_it_was_armed_for() -> None:
    faults = Faults()
    faults.arm("unit-fails", "dns01", times=2)
    assert faults.take("unit-fails", "web01") is None
    assert [bool(faults.take("unit-fails", "dns01")) for _ in range(3)] == [True, True, False]
    faults.arm("unit-fails", times=FOREVER)
    assert all(faults.take("unit-fails", name) for name in ("a", "b", "c"))
    assert faults.list() == ({"name": "unit-fails", "host": None, "times": 0, "args": {}},)
    faults.clear("build-fails")
    assert faults.list()
    faults.clear()
    assert faults.list() == ()


def test_an_unknown_fault_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean 'build-fails'"):
        Faults().arm("build-fail")

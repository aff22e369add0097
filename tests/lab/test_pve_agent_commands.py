"""Every command of the guest agent, its shape and its refusals (proxmox.md a7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.cluster import PROVISIONER_ROLE
from pvenix_lab.site.pve.flavour import Flavour
from tests.lab.pve_support import NODE, PveLab, booted, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
AGENT = f"{VM}/agent"


def frozen(lab: PveLab) -> bool:
    """True if the guest's file systems are frozen."""
    return lab.site.cluster.vms[250].frozen


def test_the_commands_that_speak_of_the_machine_are_answered_from_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        vcpus = (await lab.get(f"{AGENT}/get-vcpus"))["result"]
        assert vcpus == [{"logical-id": n, "online": True, "can-offline": n > 0} for n in range(2)]
        assert abs((await lab.get(f"{AGENT}/get-time"))["result"] / 1e9 - lab.wall()) < 1
        names = {entry["name"] for entry in (await lab.get(f"{AGENT}/info"))["result"]["supported_commands"]}
        assert {"guest-exec", "guest-fsfreeze-freeze", "guest-ping"} <= names
        listed = {entry["name"] for entry in await lab.get(AGENT)}
        assert {"exec", "fstrim", "get-users", "set-user-password", "suspend-ram"} <= listed

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    "command", ["get-fsinfo", "get-users", "get-timezone", "get-memory-blocks", "get-memory-block-info"]
)
def test_a_simple_command_wraps_its_answer_in_a_result(tmp_path: Path, command: str) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        assert set(await lab.get(f"{AGENT}/{command}")) == {"result"}
        by_name = await lab.ask("POST", AGENT, command=command)
        assert by_name.data == await lab.get(f"{AGENT}/{command}")

    in_lab(tmp_path, story)


def test_a_frozen_guest_answers_only_what_thaws_it(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        assert (await lab.ask("POST", f"{AGENT}/fsfreeze-status")).data == {"result": "thawed"}
        assert (await lab.ask("POST", f"{AGENT}/fsfreeze-freeze")).data == {"result": 2}
        assert (await lab.ask("POST", f"{AGENT}/fsfreeze-status")).data == {"result": "frozen"}
        stuck = await lab.ask("POST", f"{AGENT}/file-write", file="/x", content="y")
        assert stuck.reason == "Agent error: Command guest-file-open has been disabled: the agent is in frozen state"
        simple = await lab.ask("GET", f"{AGENT}/get-host-name")
        assert (simple.status, simple.data["result"]["error"]["class"]) == (200, "GenericError")
        assert (await lab.ask("POST", f"{AGENT}/fsfreeze-thaw")).data == {"result": 2}
        assert (await lab.ask("POST", f"{AGENT}/file-write", file="/x", content="y")).status == 200

    in_lab(tmp_path, story)


def test_a_shutdown_by_the_agent_stops_the_vm_without_a_task(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        tasks = len(lab.site.cluster.tasks)
        assert (await lab.ask("POST", f"{AGENT}/shutdown")).data == {"result": {}}
        await asyncio.sleep(0.1)
        assert (await lab.get(f"{VM}/status/current"))["status"] == "stopped"
        assert len(lab.site.cluster.tasks) == tasks

    in_lab(tmp_path, story)


def test_a_live_snapshot_freezes_and_thaws_and_one_with_memory_does_not(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        upid = str((await lab.ask("POST", f"{VM}/snapshot", snapname="live")).data)
        await asyncio.sleep(lab.site.timings.snapshot_s / 2)
        assert frozen(lab)
        assert await lab.finished(upid) == "OK"
        assert not frozen(lab)
        upid = str((await lab.ask("POST", f"{VM}/snapshot", snapname="ram", vmstate="1")).data)
        await asyncio.sleep(lab.site.timings.snapshot_s / 2)
        assert not frozen(lab)
        await lab.finished(upid)

    in_lab(tmp_path, story)


def test_a_file_is_read_in_parts_and_undecoded_on_9_2_only(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await booted(lab)
        await lab.ask("POST", f"{AGENT}/file-write", file="/x", content="abcdef")
        old = await lab.ask("GET", f"{AGENT}/file-read", file="/x", offset="2")
        assert old.status == 400
        cluster = lab.site.cluster
        cluster.flavour = cluster.rights.flavour = Flavour.PVE_9_2
        cluster.rights.roles[PROVISIONER_ROLE] |= {"VM.GuestAgent.FileRead"}
        part = await lab.get(f"{AGENT}/file-read", file="/x", offset="2", count="3")
        assert part == {"content": "cde", "bytes-read": 3, "truncated": 1}
        assert (await lab.get(f"{AGENT}/file-read", file="/x", decode="0"))["content"] == "YWJjZGVm"

    in_lab(tmp_path, story)

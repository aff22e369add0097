"""Every fault of Proxmox tasks, seen by clients that are not pvenix: in memory, and by requests over HTTPS."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab.fault_support import HOST, VM, VMID, Check, Checks, Client, client, clone, ended, task
from tests.lab.pve_support import NODE, TEMPLATE

shows = Checks()
CONFIG = f"{VM}/config"


@shows("clone-fails-in-task")
async def a_clone_fails_late(asked: Client) -> None:
    asked.lab.site.faults.arm("F04", "new")
    assert await clone(asked) == "clone failed: cfs-lock 'storage-tanka1' error: got lock request timeout"
    assert 251 not in asked.lab.site.cluster.vms


@shows("clone-slow")
async def a_clone_takes_its_time_and_logs_nothing(asked: Client) -> None:
    asked.lab.site.faults.arm("F07", "new", seconds=60)
    upid = str((await asked.ask("POST", f"{TEMPLATE}/clone", newid="251", name="new")).data)
    await asyncio.sleep(0.03)
    status = (await asked.ask("GET", f"{NODE}/tasks/{upid}/status")).data
    assert (status["status"], "exitstatus" in status) == ("running", False)
    asked.lab.site.faults.clear()
    assert await ended(asked, upid) == "OK"


@shows("task-fails")
async def a_task_fails_with_or_without_its_effect(asked: Client) -> None:
    for effect in (False, True):
        asked.lab.site.faults.arm("task-fails", HOST, type="qmstop", message="got timeout", effect=effect)
        assert await task(asked, "POST", f"{VM}/status/stop") == "got timeout"
        assert asked.lab.site.cluster.vms[VMID].running is not effect


@shows("task-warns")
async def a_task_ends_well_with_warnings(asked: Client) -> None:
    asked.lab.site.faults.arm("F08", HOST, lines=2)
    upid = str((await asked.ask("POST", f"{VM}/status/stop")).data)
    assert await ended(asked, upid) == "WARNINGS: 2"
    log = [line["t"] for line in (await asked.ask("GET", f"{NODE}/tasks/{upid}/log")).data]
    assert log == [*["WARN: the disk is nearly full"] * 2, "TASK WARNINGS: 2"]


@shows("task-slow")
async def a_destroyed_vm_is_listed_until_its_task_ends(asked: Client) -> None:
    await task(asked, "POST", f"{VM}/status/stop")
    asked.lab.site.faults.arm("F06", HOST, seconds=60)
    upid = str((await asked.ask("DELETE", VM)).data)
    await asyncio.sleep(0.03)
    assert (await asked.ask("GET", CONFIG)).status == 200
    asked.lab.site.faults.clear()
    assert await ended(asked, upid) == "OK"
    assert (await asked.ask("GET", CONFIG)).status == 500


@shows("task-hangs")
async def a_task_never_ends(asked: Client) -> None:
    asked.lab.site.faults.arm("F35", HOST)
    upid = str((await asked.ask("POST", f"{VM}/snapshot", snapname="before")).data)
    await asyncio.sleep(0.04)
    assert (await asked.ask("GET", f"{NODE}/tasks/{upid}/status")).data["status"] == "running"
    assert [line["t"] for line in (await asked.ask("GET", f"{NODE}/tasks/{upid}/log")).data] == ["no content"]


@shows("freeze-hangs")
async def a_snapshot_ends_when_somebody_thaws_the_guest(asked: Client) -> None:
    asked.lab.site.cluster.vms[VMID].config["agent"] = "1"
    asked.lab.site.faults.arm("freeze-hangs", HOST)
    await task(asked, "POST", f"{VM}/status/start")
    upid = str((await asked.ask("POST", f"{VM}/snapshot", snapname="held")).data)
    await asyncio.sleep(0.05)
    assert (await asked.ask("GET", f"{NODE}/tasks/{upid}/status")).data["status"] == "running"
    assert (await asked.ask("POST", f"{VM}/agent/fsfreeze-thaw")).data["result"] > 0
    assert await ended(asked, upid) == "OK"


@shows("task-ignored")
async def a_resize_ends_well_and_the_disk_is_as_it_was(asked: Client) -> None:
    asked.lab.site.faults.arm("F23", HOST)
    assert await task(asked, "PUT", f"{VM}/resize", disk="scsi0", size="40G") == "OK"
    assert "size=32G" in (await asked.ask("GET", CONFIG)).data["scsi0"]


@shows("task-vanishes")
async def nobody_knows_the_task(asked: Client) -> None:
    asked.lab.site.faults.arm("task-vanishes", HOST, type="qmstop")
    upid = str((await asked.ask("POST", f"{VM}/status/stop")).data)
    await asyncio.sleep(0.04)
    assert (await asked.ask("GET", f"{NODE}/tasks/{upid}/status")).status == 400
    assert not asked.lab.site.cluster.vms[VMID].running


@shows("task-elsewhere")
async def a_task_is_found_on_the_node_of_its_upid_only(asked: Client) -> None:
    asked.lab.site.faults.arm("F10", HOST)
    upid = str((await asked.ask("POST", f"{VM}/status/stop")).data)
    assert upid.split(":")[1] != "tappaas1"
    assert (await asked.ask("GET", f"{NODE}/tasks/{upid}/status")).status == 400
    assert await ended(asked, upid) == "OK"


@shows("ha-managed")
async def the_ha_manager_is_asked_to_stop_the_vm_and_has_not_done_so_yet(asked: Client) -> None:
    site = asked.lab.site
    site.timings = replace(site.timings, broadcast_s=10_000)  # its round does not come in this test
    site.faults.arm("F27", HOST)
    upid = (await asked.ask("POST", f"{VM}/status/stop")).data
    assert (upid.split(":")[5], await ended(asked, upid)) == ("hastop", "OK")
    assert (await asked.ask("DELETE", VM)).reason == (
        f"unable to remove VM {VMID} - used in HA resources and purge parameter not set."
    )
    assert (await asked.ask("DELETE", VM, purge="1")).reason == f"VM {VMID} is running - destroy failed"
    site.faults.clear()
    assert await task(asked, "POST", f"{VM}/status/stop") == "OK"
    assert not site.cluster.vms[VMID].running


@pytest.mark.parametrize("face", ["memory", "https"])
@pytest.mark.parametrize(("fault", "check"), shows.cases, ids=lambda value: getattr(value, "__name__", value))
async def test_the_task_shows_the_fault(tmp_path: Path, face: str, fault: str, check: Check) -> None:
    del fault
    async with client(tmp_path, face) as asked:
        await check(asked)

"""What a node's list of tasks shows to whom, and how tasks end that end badly (proxmox.md a4; pve-manager Tasks.pm)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.call import HANDLERS, Call
from pvenix_lab.site.pve.tasks import Task, launch
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"


async def history(lab: PveLab) -> None:
    """A clone that warns, a start that is OK and one that fails."""
    lab.site.cluster.vms[8100].pending = {"cores": 8}
    assert await lab.clone() == "WARNINGS: 1"
    for end in ("OK", "VM 250 already running"):
        assert await lab.done("POST", f"{VM}/status/start") == end


@pytest.mark.parametrize(
    ("params", "ends"),
    [
        ({}, ["VM 250 already running", "OK", "WARNINGS: 1"]),
        ({"errors": "1"}, ["VM 250 already running", "WARNINGS: 1"]),
        ({"statusfilter": "warning"}, ["WARNINGS: 1"]),
        ({"statusfilter": "ok,error"}, ["VM 250 already running", "OK"]),
        ({"statusfilter": "unknown"}, []),
        ({"typefilter": "qmstart", "limit": "1"}, ["VM 250 already running"]),
        ({"typefilter": "qmstart", "start": "1"}, ["OK"]),
        ({"userfilter": "PVENIX"}, ["VM 250 already running", "OK", "WARNINGS: 1"]),
        ({"userfilter": "viewer"}, []),
        ({"vmid": "8100"}, ["WARNINGS: 1"]),
        ({"limit": "0"}, []),
        ({"source": "active"}, []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_the_list_is_filtered_and_cut(tmp_path: Path, params: dict[str, str], ends: list[str]) -> None:
    async def story(lab: PveLab) -> None:
        await history(lab)
        answer = await lab.ask("GET", f"{NODE}/tasks", **params)
        assert [task["status"] for task in answer.data] == ends
        assert answer.body is not None
        assert answer.body["total"] >= len(ends)

    in_lab(tmp_path, story)


def test_total_counts_what_the_filter_lets_through_and_not_what_is_shown(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await history(lab)
        for limit in ("0", "1", "50"):
            answer = await lab.ask("GET", f"{NODE}/tasks", limit=limit, typefilter="qmstart")
            assert answer.body is not None
            assert (answer.body["total"], len(answer.data)) == (2, min(2, int(limit)))

    in_lab(tmp_path, story)


def test_a_running_task_is_active_and_says_so(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")).data)
        for source, seen in (("active", [("RUNNING", False)]), ("all", [("RUNNING", False)]), ("archive", [])):
            tasks = await lab.get(f"{NODE}/tasks", source=source)
            assert [(task["status"], "endtime" in task) for task in tasks] == seen
        await lab.finished(upid)

    in_lab(tmp_path, story)


def test_a_user_sees_the_tasks_of_its_tokens_and_a_token_only_its_own(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        rights = {"/vms/8100": ["VM.Clone"], "/vms": ["VM.Allocate"], "/storage": ["Datastore.AllocateSpace"]}
        rights |= {"/sdn/zones/localnetwork": ["SDN.Use"]}
        first = lab.token("u@pve!first", rights)
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", first, newid="250")).data)
        await lab.finished(upid)
        second = lab.token("u@pve!second", {})
        assert (await lab.ask("GET", f"{NODE}/tasks", second)).data == []
        refused = await lab.ask("GET", f"{NODE}/tasks/{upid}/status", second)
        assert refused.reason == "Permission check failed (/nodes/tappaas1, Sys.Audit)"
        assert [task["upid"] for task in (await lab.ask("GET", f"{NODE}/tasks", first)).data] == [upid]
        lab.site.cluster.rights.users["u@pve"].password = "p"
        user = await lab.login("u@pve", "p")
        assert [task["upid"] for task in (await lab.ask("GET", f"{NODE}/tasks", user)).data] == [upid]

    in_lab(tmp_path, story)


@pytest.mark.parametrize(("lines", "end"), [([], "unable to read tail (got 0 bytes)"), (["half"], "unexpected status")])
def test_a_stopped_task_ends_by_what_its_log_ends_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], end: str
) -> None:
    async def endless(call: Call) -> str:
        async def worker(task: Task) -> None:
            task.lines += lines
            await asyncio.Event().wait()

        return launch(call, "qmreset", worker)

    monkeypatch.setitem(HANDLERS, ("POST", "/nodes/{node}/qemu/{vmid}/status/reset"), endless)

    async def story(lab: PveLab) -> None:
        upid = str((await lab.ask("POST", f"{TEMPLATE}/status/reset")).data)
        await asyncio.sleep(1)
        assert (await lab.get(f"{NODE}/tasks/{upid}/status"))["status"] == "running"
        assert (await lab.ask("DELETE", f"{NODE}/tasks/{upid}")).data is None
        assert await lab.finished(upid) == end

    in_lab(tmp_path, story)

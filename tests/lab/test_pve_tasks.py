"""Tasks and what the cluster shows of them and of its VMs (proxmox.md a4, a7)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
GRAMMAR = re.compile(r"UPID:tappaas1:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:qmclone:8100:pvenix@pve!lab:")


async def begin(lab: PveLab) -> str:
    """UPID of a clone that has begun."""
    return str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250", name="fix")).data)


def test_a_task_is_named_by_node_time_type_source_and_caller(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = await begin(lab)
        assert GRAMMAR.fullmatch(upid)
        status = await lab.get(f"{NODE}/tasks/{upid}/status")
        assert (status["user"], status["tokenid"], status["type"], status["id"]) == (
            "pvenix@pve",
            "lab",
            "qmclone",
            "8100",
        )
        assert int(upid.split(":")[2], 16) == status["pid"]
        assert int(upid.split(":")[4], 16) == status["starttime"]

    in_lab(tmp_path, story)


def test_a_result_is_shown_only_when_the_task_has_stopped(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = await begin(lab)
        running = await lab.get(f"{NODE}/tasks/{upid}/status")
        assert (running["status"], "exitstatus" in running) == ("running", False)
        assert [item["upid"] for item in await lab.get(f"{NODE}/tasks", source="active")] == [upid]
        assert await lab.get(f"{NODE}/tasks") == []
        await lab.finished(upid)
        stopped = await lab.get(f"{NODE}/tasks/{upid}/status")
        assert (stopped["status"], stopped["exitstatus"]) == ("stopped", "OK")
        listed = (await lab.get(f"{NODE}/tasks"))[0]
        assert (listed["status"], "exitstatus" in listed) == ("OK", False)
        assert listed["endtime"] >= listed["starttime"]

    in_lab(tmp_path, story)


def test_a_log_is_read_in_pages_and_ends_with_the_result_once_there_is_one(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = await begin(lab)
        log = f"{NODE}/tasks/{upid}/log"
        empty = await lab.ask("GET", log)
        assert empty.body == {"data": [{"n": 1, "t": "no content"}], "total": 1}
        await asyncio.sleep(0.1)
        assert not any(line["t"].startswith("TASK") for line in await lab.get(log))
        await lab.finished(upid)
        whole = await lab.ask("GET", log, limit="0")
        assert whole.data[-1] == {"n": 4, "t": "TASK OK"}
        assert (await lab.get(log, start="1", limit="2")) == whole.data[1:3]
        beyond = await lab.ask("GET", log, start="99")
        assert beyond.body == {"data": [], "total": 4}
        assert (await lab.ask("GET", log, limit="-1")).status == 400

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("upid", "fault"),
    [
        ("UPID:tappaas1:00000AEC:00047AA6:6B000C9D:qmclone:8100:pvenix@pve!lab:", "no such task"),
        ("UPID:tappaas1:nonsense", "unable to parse worker upid"),
    ],
)
def test_an_unknown_task_is_a_faulty_parameter(tmp_path: Path, upid: str, fault: str) -> None:
    async def story(lab: PveLab) -> None:
        response = await lab.ask("GET", f"{NODE}/tasks/{upid}/status")
        assert response.status == 400
        assert response.body is not None
        assert response.body["errors"] == {"upid": fault}

    in_lab(tmp_path, story)


def test_stopping_a_finished_task_is_fine(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = await begin(lab)
        await lab.finished(upid)
        assert (await lab.ask("DELETE", f"{NODE}/tasks/{upid}")).status == 200
        assert await lab.finished(upid) == "OK"

    in_lab(tmp_path, story)


def test_a_warning_makes_a_success_with_a_number(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.vms[8100].pending = {"cores": 8}
        assert await lab.clone() == "WARNINGS: 1"
        assert (await lab.get(f"{VM}/config"))["cores"] == 2

    in_lab(tmp_path, story)


def test_the_task_list_filters_by_vm_type_and_failure(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        await lab.done("POST", f"{VM}/status/start")
        await lab.done("POST", f"{VM}/status/start")
        assert [t["type"] for t in await lab.get(f"{NODE}/tasks", vmid="250")] == ["qmstart", "qmstart"]
        assert [t["id"] for t in await lab.get(f"{NODE}/tasks", typefilter="qmclone")] == ["8100"]
        failed = await lab.get(f"{NODE}/tasks", errors="1")
        assert [t["status"] for t in failed] == ["VM 250 already running"]
        assert len(await lab.get(f"{NODE}/tasks", limit="1")) == 1
        assert [t["status"] for t in await lab.get("/cluster/tasks")] == ["VM 250 already running", "OK", "OK"]

    in_lab(tmp_path, story)


def test_the_resources_are_as_old_as_the_last_broadcast_but_tags_and_locks_are_fresh(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        async def shown() -> dict[str, object]:
            found: list[dict[str, object]] = await lab.get("/cluster/resources", type="vm")
            return next(item for item in found if item["vmid"] == 250)

        await lab.get("/cluster/resources")
        upid = await begin(lab)
        await asyncio.sleep(0.1)
        assert (await shown())["lock"] == "clone"
        await lab.finished(upid)
        early = await shown()
        assert (early["status"], early["tags"], "name" in early) == ("unknown", "nixos", False)
        await asyncio.sleep(10)
        assert (await shown())["name"] == "fix"
        await lab.done("POST", f"{VM}/status/start")
        assert (await shown())["status"] == "stopped"
        assert (await lab.get(f"{VM}/status/current"))["status"] == "running"
        await asyncio.sleep(10)
        assert (await shown())["status"] == "running"

    in_lab(tmp_path, story)


def test_the_site_is_the_one_that_the_fleet_expects(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        assert (await lab.get("/version"))["version"] == "8.4.5"
        assert [node["node"] for node in await lab.get("/nodes")] == ["tappaas1", "tappaas2", "tappaas3"]
        storages = {s["storage"]: s for s in await lab.get("/nodes/tappaas2/storage")}
        shared = {"local": 0, "local-lvm": 0, "tanka1": 1, "tankb1": 1, "tankc1": 1}
        assert {name: s["shared"] for name, s in storages.items()} == shared
        images = {s["storage"] for s in await lab.get(f"{NODE}/storage", content="images")}
        assert images == {"tanka1", "tankb1", "local-lvm"}
        assert [bridge["iface"] for bridge in await lab.get(f"{NODE}/network", type="bridge")] == ["lan"]
        mapping = (await lab.get("/cluster/mapping/pci", check_node="tappaas2"))[0]
        assert mapping["map"] == ["node=tappaas1,path=0000:01:00.0,id=10de:2684"]
        assert mapping["checks"][0]["severity"] == "warning"
        config = await lab.get(f"{TEMPLATE}/config")
        assert (config["machine"], config["bios"], config["scsihw"]) == ("q35", "ovmf", "virtio-scsi-pci")
        volumes = {entry["volid"]: entry for entry in await lab.get(f"{NODE}/storage/tanka1/content")}
        assert volumes["tanka1:base-8100-disk-1"]["size"] == 32 * 1024**3

    in_lab(tmp_path, story)


def test_a_used_disk_takes_room_on_its_storage(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        before = await lab.get(f"{NODE}/storage/tanka1/status")
        await lab.clone()
        after = await lab.get(f"{NODE}/storage/tanka1/status")
        assert after["avail"] < before["avail"]
        assert after["used"] + after["avail"] == after["total"]

    in_lab(tmp_path, story)


def test_the_same_seed_gives_the_same_site(tmp_path: Path) -> None:
    first, second = PveLab(tmp_path / "a").site.cluster, PveLab(tmp_path / "b").site.cluster
    assert first.vms[8100].config == second.vms[8100].config
    assert first.tokens == second.tokens

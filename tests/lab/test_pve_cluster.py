"""Three nodes, what happens when a part of the cluster is gone, and what is stored for it (proxmox.md a1, a7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from pvenix_lab.site.pve.call import HANDLERS, Call
from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.hops import INACTIVITY_S
from tests.lab.pve_support import NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

USB, PCI = "node=tappaas1,id=1234:5678", "node=tappaas1,path=0000:02:00.0,id=8086:1533"
BOTH = (Flavour.PVE_8_4, Flavour.PVE_9_2)


def clock() -> float:
    return asyncio.get_running_loop().time()


def test_a_node_whose_daemon_is_down_answers_only_what_its_proxy_does_itself(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        for name in ("tappaas1", "tappaas2"):
            lab.site.cluster.nodes[name].daemon_up = False
            for path in ("qemu", "storage", "hosts"):
                cut = await lab.ask("GET", f"/nodes/{name}/{path}")
                assert (cut.status, cut.reason, cut.body) == (595, "Connection refused", None)
            for path in ("status", "tasks", "version"):
                assert (await lab.ask("GET", f"/nodes/{name}/{path}")).status == 200
        assert (await lab.ask("GET", "/nodes/tappaas3/qemu")).status == 200
        assert (await lab.ask("GET", "/cluster/status")).status == 595
        assert (await lab.ask("GET", "/cluster/resources")).status == 200

    in_lab(tmp_path, story)


def test_a_node_that_is_off_is_listed_as_offline_and_cannot_be_reached(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        lab.site.cluster.nodes["tappaas2"].online = False
        cut = await lab.ask("GET", "/nodes/tappaas2/version")
        assert (cut.status, cut.reason, cut.body) == (595, "No route to host", None)
        states = {node["node"]: node["status"] for node in await lab.get("/nodes")}
        assert states == {"tappaas1": "online", "tappaas2": "offline", "tappaas3": "online"}
        status = {item["name"]: item.get("online") for item in await lab.get("/cluster/status")}
        assert status == {"lab": None, "tappaas1": 1, "tappaas2": 0, "tappaas3": 1}

    in_lab(tmp_path, story)


def test_figures_of_a_silent_node_grow_old_and_are_forgotten(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        async def shown() -> dict[str, Any]:
            found: list[dict[str, Any]] = await lab.get("/cluster/resources", type="vm")
            return found[0]

        assert (await shown())["status"] == "stopped"
        lab.site.cluster.nodes["tappaas1"].statistics_up = False
        lab.site.cluster.vms[8100].config["name"] = "renamed"
        await asyncio.sleep(60)
        assert (await shown())["name"] == "tappaas-nixos"
        await asyncio.sleep(300)
        old = await shown()
        assert (old["status"], "name" in old, old["tags"]) == ("unknown", False, "nixos")

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("method", "path", "params", "reason"),
    [
        ("POST", f"{TEMPLATE}/clone", {"newid": "250"}, "cluster not ready - no quorum?"),
        ("POST", f"{TEMPLATE}/status/start", {}, "cluster not ready - no quorum?"),
        ("PUT", f"{TEMPLATE}/config", {"cores": "4"}, "unable to open file '/etc/pve/nodes/tappaas1/qemu-server/8100."),
    ],
)
def test_without_a_quorum_writes_are_refused_and_reads_go_on(
    tmp_path: Path, method: str, path: str, params: dict[str, str], reason: str
) -> None:
    async def story(lab: PveLab) -> None:
        before = await lab.get(f"{TEMPLATE}/config")
        lab.site.cluster.quorate = False
        refused = await lab.ask(method, path, **params)
        assert (refused.status, refused.reason.startswith(reason)) == (500, True), refused
        assert await lab.get(f"{TEMPLATE}/config") == before
        assert (await lab.get("/cluster/status"))[0]["quorate"] == 0
        assert await lab.get("/cluster/nextid") == "100"
        assert lab.site.cluster.tasks == {}

    in_lab(tmp_path, story)


def test_a_call_that_takes_longer_than_the_proxy_waits_is_a_596_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[float] = []

    async def slow(call: Call) -> None:
        await asyncio.sleep(45)
        done.append(clock())
        call.cluster.vms[8100].config["cores"] = 4

    monkeypatch.setitem(HANDLERS, ("PUT", "/nodes/{node}/qemu/{vmid}/config"), slow)

    async def story(lab: PveLab) -> None:
        started = clock()
        cut = await lab.ask("PUT", f"{TEMPLATE}/config", cores="4")
        assert (cut.status, cut.reason, cut.body) == (596, "Connection timed out", None)
        assert clock() - started == pytest.approx(INACTIVITY_S)
        assert done == []
        await asyncio.sleep(20)
        assert done == [pytest.approx(started + 45)]
        assert (await lab.get(f"{TEMPLATE}/config"))["cores"] == 4

    in_lab(tmp_path, story)


def test_the_range_of_free_ids_is_an_option_and_a_used_id_is_a_faulty_parameter(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        assert await lab.get("/cluster/nextid") == "100"
        assert await lab.get("/cluster/nextid") == "100"
        lab.site.cluster.options["next-id"] = "lower=8100,upper=8102"
        assert await lab.get("/cluster/nextid") == "8101"
        lab.site.cluster.options["next-id"] = "lower=8100,upper=8101"
        none = await lab.ask("GET", "/cluster/nextid")
        assert (none.status, none.reason) == (500, "unable to get any free VMID in range [8100, 8101]")
        used = await lab.ask("GET", "/cluster/nextid", vmid="8100")
        assert (used.status, (used.body or {})["errors"]) == (400, {"vmid": "VM 8100 already exists"})

    in_lab(tmp_path, story)


def test_storages_are_shared_or_of_each_node_and_one_is_not_everywhere(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        listed = await lab.get("/cluster/resources", type="storage")
        places = {
            name: {i["node"] for i in listed if i["storage"] == name} for name in ("tankc1", "local-lvm", "tanka1")
        }
        everywhere = {"tappaas1", "tappaas2", "tappaas3"}
        assert places == {"tankc1": {"tappaas2", "tappaas3"}, "local-lvm": everywhere, "tanka1": everywhere}
        shared = {item["storage"]: item["shared"] for item in listed}
        assert shared == {"local": 0, "local-lvm": 0, "tanka1": 1, "tankb1": 1, "tankc1": 1}
        absent = await lab.ask("GET", f"{NODE}/storage/tankc1/content")
        assert (absent.status, absent.reason) == (500, "storage 'tankc1' is not available on node 'tappaas1'")

    in_lab(tmp_path, story)


def test_bridges_differ_by_node_and_are_listed_only_to_whom_may_use_them(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        found = {name: [i["iface"] for i in await lab.get(f"/nodes/{name}/network", type="bridge")] for name in
                 ("tappaas1", "tappaas3")}  # fmt: skip
        assert found == {"tappaas1": ["lan"], "tappaas3": ["lan", "dmz"]}
        user = lab.token("a@pve!bb", {"/sdn/zones/localnetwork/dmz": ["SDN.Use"]})
        seen = (await lab.ask("GET", "/nodes/tappaas3/network", user)).data
        assert [item["iface"] for item in seen] == ["dmz"]

    in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("path", "entry", "key", "change"),
    [
        ("/cluster/backup", {"id": "nightly", "vmid": "8100", "schedule": "02:00"}, "id", {"enabled": "0"}),
        ("/cluster/ha/resources", {"sid": "vm:8100", "comment": "c"}, "sid", {"state": "stopped"}),
        ("/cluster/ha/groups", {"group": "front", "nodes": "tappaas1,tappaas2"}, "group", {"restricted": "1"}),
        ("/cluster/replication", {"id": "8100-0", "type": "local", "target": "tappaas2"}, "id", {"disable": "1"}),
        ("/cluster/mapping/usb", {"id": "stick", "map": USB}, "id", {"description": "x", "map": USB}),
        ("/cluster/mapping/pci", {"id": "nic", "map": PCI}, "id", {"map": PCI}),
        ("/cluster/sdn/zones", {"zone": "blue", "type": "simple"}, "zone", {"mtu": "1400"}),
        ("/storage", {"storage": "extra", "type": "dir", "path": "/x", "content": "iso"}, "storage", {"disable": "1"}),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("/") else "",
)
def test_configuration_of_the_cluster_is_made_listed_changed_and_removed(
    tmp_path: Path, path: str, entry: dict[str, str], key: str, change: dict[str, str]
) -> None:
    async def story(lab: PveLab) -> None:
        admin = lab.token("admin@pve!admin", {"/": Flavour.PVE_8_4.privileges})
        one = f"{path}/{entry[key]}"

        async def listed() -> list[dict[str, Any]]:
            found = (await lab.ask("GET", path, admin)).data
            return [item for item in found if item[key] == entry[key]]

        made = await lab.ask("POST", path, admin, **entry)
        assert made.status == 200, made
        assert len(await listed()) == 1
        again = await lab.ask("POST", path, admin, **entry)
        assert (again.status, entry[key] in again.reason) == (500, True), again
        changed = await lab.ask("PUT", one, admin, **change)
        assert changed.status == 200, changed
        shown = (await lab.ask("GET", one, admin)).data
        assert {name: str(shown[name]) for name in change if name != "map"} == {
            name: value for name, value in change.items() if name != "map"
        }
        assert "map" not in change or shown["map"] == [change["map"]]
        assert (await lab.ask("DELETE", one, admin)).status == 200
        assert await listed() == []
        assert (await lab.ask("GET", one, admin)).status == 500

    in_lab(tmp_path, story)


def test_a_list_without_rights_is_empty_and_never_refused(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        poor = lab.token("poor@pve!none", {})
        lab.site.cluster.options["next-id"] = "lower=100"
        empty = [f"{NODE}/{name}" for name in ("qemu", "storage", "tasks", "network", "replication", "sdn/zones")]
        empty += [
            "/pools",
            "/cluster/tasks",
            "/cluster/mapping/pci",
            "/cluster/replication",
            "/cluster/log",
            "/storage",
        ]
        empty += ["/access/acl", "/access/users", "/cluster/sdn/zones"]
        for path in empty:
            answer = await lab.ask("GET", path, poor)
            assert (answer.status, answer.data) == (200, []), path
        nodes = (await lab.ask("GET", "/nodes", poor)).data
        assert [set(node) & {"mem", "maxmem", "cpu"} for node in nodes] == [set()] * 3
        assert set((await lab.ask("GET", "/cluster/options", poor)).data) == {"allowed-tags"}
        for path in ("/cluster/status", f"{NODE}/storage/tanka1/content", f"{TEMPLATE}/snapshot"):
            assert (await lab.ask("GET", path, poor)).status == 403

    in_lab(tmp_path, story)


@pytest.mark.parametrize("flavour", BOTH, ids=lambda flavour: str(flavour.value))
def test_every_read_of_a_node_answers(tmp_path: Path, flavour: Flavour) -> None:
    async def story(lab: PveLab) -> None:
        auditor = lab.token("audit@pve!audit", {"/": flavour.privileges})
        names: tuple[str, ...] = (
            "status",
            "version",
            "time",
            "dns",
            "hosts",
            "report",
            "syslog",
            "journal",
            "hardware",
            "hardware/pci",
        )
        names += ("hardware/usb", "capabilities", "capabilities/qemu", "capabilities/qemu/cpu", "sdn", "sdn/zones")
        names += ("capabilities/qemu/machines", "network/lan", "sdn/zones/localnetwork/content", "replication")
        for name in names:
            answer = await lab.ask("GET", f"{NODE}/{name}", auditor)
            assert (answer.status, answer.data not in (None, "")) == (200, True), name
        status = (await lab.ask("GET", f"{NODE}/status", auditor)).data
        nine = flavour is Flavour.PVE_9_2
        assert ("available" in status["memory"], "vendor" in status["cpuinfo"]) == (nine, nine)
        assert (await lab.ask("GET", f"{NODE}/capabilities/qemu/migration", auditor)).status == (200 if nine else 501)

    in_lab(tmp_path, story, pve=flavour)


def test_the_clusters_log_tells_who_started_and_ended_what(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        upid = str((await lab.ask("POST", f"{TEMPLATE}/clone", newid="250")).data)
        await lab.finished(upid)
        auditor = lab.token("audit@pve!audit", {"/": ["Sys.Syslog"]})
        lines = (await lab.ask("GET", "/cluster/log", auditor, max="2")).data
        assert [line["msg"] for line in lines] == [f"end task {upid} OK", f"starting task {upid}"]
        assert {line["user"] for line in lines} == {"pvenix@pve!lab"}

    in_lab(tmp_path, story)


def test_a_vms_firewall_is_kept_and_gone_with_the_vm(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        rules = f"{NODE}/qemu/250/firewall/rules"
        for action in ("ACCEPT", "DROP"):
            assert (await lab.ask("POST", rules, type="in", action=action)).status == 200
        assert [(rule["pos"], rule["action"]) for rule in await lab.get(rules)] == [(0, "DROP"), (1, "ACCEPT")]
        await lab.ask("PUT", f"{rules}/0", moveto="1", enable="1")
        assert [rule["action"] for rule in await lab.get(rules)] == ["ACCEPT", "DROP"]
        await lab.ask("PUT", f"{NODE}/qemu/250/firewall/options", enable="1", policy_in="DROP")
        await lab.done("DELETE", f"{NODE}/qemu/250")
        await lab.clone()
        assert await lab.get(rules) == []
        assert await lab.get(f"{NODE}/qemu/250/firewall/options") == {}

    in_lab(tmp_path, story)

"""What 9.2 does otherwise than 8.4 in a VM's life (measured on 9.2.11, or told by the two schemas)."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pvenix_lab.site.pve.flavour import Flavour
from tests.lab.wire.support import KEY_ENCODED, NODE, TEMPLATE, Case, Client, WireLab, refused, row

FLAVOUR = Flavour.PVE_9_2
NONE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WireLab]:
    """The same site as 8.4."""
    with WireLab(tmp_path_factory.mktemp("old")) as lab:
        yield lab


@pytest.fixture(scope="module")
def vm(lab: WireLab) -> str:
    """A VM whose guest is up."""
    return lab.running()


def releases(lab: WireLab, old: WireLab) -> tuple[Client, Client]:
    """root on 9.2 and on 8.4."""
    return lab.ticket(), old.ticket()


@row("S2-01")
def test_each_release_says_which_it_is(lab: WireLab, old: WireLab) -> None:
    assert lab.token().get("/version")["version"].startswith("9.2.")
    assert old.token().get("/version")["version"].startswith("8.4.")


@row("S2-02")
def test_the_old_privilege_of_the_monitor_is_invalid(lab: WireLab, old: WireLab) -> None:
    nine, eight = releases(lab, old)
    answer = nine.ask("POST", "/access/roles", roleid="monitor", privs="VM.Audit,VM.Monitor")
    assert answer.status_code == 400
    assert answer.json()["errors"]["privs"].strip().endswith("invalid privilege 'VM.Monitor'")
    assert eight.ask("POST", "/access/roles", roleid="monitor", privs="VM.Audit,VM.Monitor").status_code == 200
    new = "VM.GuestAgent.Audit,VM.GuestAgent.Unrestricted,VM.Replicate"
    assert nine.ask("POST", "/access/roles", roleid="agent", privs=new).status_code == 200
    assert eight.ask("POST", "/access/roles", roleid="agent", privs=new).status_code == 400


AGENT: list[tuple[str, str, str, dict[str, Any], set[str]]] = [
    ("S2-03", "POST", "agent/ping", {}, {"Audit", "Unrestricted"}),
    ("S2-04", "GET", "agent/network-get-interfaces", {}, {"Audit", "Unrestricted"}),
    ("S2-05", "GET", "agent/file-read", {"file": "/etc/hostname"}, {"FileRead", "Unrestricted"}),
    ("S2-06", "POST", "agent/file-write", {"file": "/tmp/x", "content": "x"}, {"FileWrite", "Unrestricted"}),
    ("S2-07", "POST", "agent/fstrim", {}, {"FileSystemMgmt", "Unrestricted"}),
    ("S2-08", "POST", "agent/exec", {"command": ["true"]}, {"Unrestricted"}),
    ("S2-09", "POST", "agent", {"command": "ping"}, {"Unrestricted"}),
]


@pytest.fixture(scope="module")
def holders(lab: WireLab) -> dict[str, Client]:
    """A token for each privilege of the agent and no other."""
    kinds = ("Audit", "FileRead", "FileWrite", "FileSystemMgmt", "Unrestricted")
    return {kind: lab.granted(f"agent{kind}", {"/vms": [f"VM.GuestAgent.{kind}"]}) for kind in kinds}


@pytest.mark.parametrize("case", [pytest.param(case, id=case[0]) for case in AGENT])
def test_a_command_of_the_agent_needs_one_of_these_privileges(
    vm: str, holders: dict[str, Client], case: tuple[str, str, str, dict[str, Any], set[str]]
) -> None:
    _, method, path, params, enough = case
    allowed = {
        kind for kind, client in holders.items() if client.ask(method, f"{vm}/{path}", **params).status_code != 403
    }
    assert allowed == enough


@row("S2-10")
def test_the_power_of_the_agent_is_power_management(lab: WireLab, holders: dict[str, Client]) -> None:
    path = lab.running()
    assert holders["Audit"].ask("POST", f"{path}/agent/shutdown").status_code == 403
    assert lab.granted("power", {"/vms": ["VM.PowerMgmt"]}).ask("POST", f"{path}/agent/shutdown").status_code == 200


@row("S2-11")
def test_a_file_is_read_in_parts_and_undecoded_on_demand(vm: str, operator: Client, old: WireLab) -> None:
    operator.ask("POST", f"{vm}/agent/file-write", file="/tmp/parts", content="0123456789")
    read = f"{vm}/agent/file-read"
    assert operator.get(read, file="/tmp/parts", offset=2, count=3)["content"] == "234"
    raw = operator.get(read, file="/tmp/parts", decode=0)["content"]
    assert base64.b64decode(raw) == b"0123456789"
    answer = old.token().ask("GET", f"{TEMPLATE}/agent/file-read", file="/tmp/parts", offset=2)
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {"offset"})


@pytest.mark.parametrize(
    ("case", "known_to"),
    [
        pytest.param(Case("PUT", f"{TEMPLATE}/config", {"allow_ksm": 1}), "9.2", id="S2-12"),
        pytest.param(Case("POST", f"{NODE}/qemu", {"vmid": 8100, "ha_managed": 1}), "9.2", id="S2-13"),
        pytest.param(
            Case("POST", f"{TEMPLATE}/migrate", {"target": "tappaas9", "with_conntrack_state": 1}), "9.2", id="S2-14"
        ),
        pytest.param(Case("POST", f"{TEMPLATE}/status/start", {"nets_host_mtu": "net0=1500"}), "9.2", id="S2-15"),
        pytest.param(Case("POST", f"{NODE}/vzdump", {"vmid": 8100, "maxfiles": 1}), "8.4", id="S2-16"),
        pytest.param(Case("PUT", f"{TEMPLATE}/config", {"scsi9": "tanka1:1,cyls=1"}), "8.4", id="S2-17"),
        pytest.param(Case("PUT", "/access/users/root@pam/token/none", {"regenerate": 1}), "9.2", id="S2-18"),
    ],
)
def test_a_parameter_of_one_release_is_faulty_in_the_other(
    lab: WireLab, old: WireLab, case: Case, known_to: str
) -> None:
    name = next(key for key in reversed(case.params)).replace("_", "-")
    for client, release in zip(releases(lab, old), ("9.2", "8.4"), strict=True):
        answer = client.ask(case.method, case.path, **case.params)
        faults = answer.json().get("errors", {}) if answer.status_code == 400 else {}
        assert (name in faults) == (release != known_to), (release, answer.text)
        if answer.status_code == 200 and str(answer.json()["data"]).startswith("UPID:"):
            client.wait(answer.json()["data"])


@row("A2-25")
def test_a_regenerated_secret_replaces_the_old_one_at_once(lab: WireLab, root: Client) -> None:
    root.ask("POST", "/access/users", userid="renew@pve")
    first = root.ask("POST", "/access/users/renew@pve/token/key").json()["data"]["value"]
    assert lab.token("renew@pve!key", first).ask("GET", "/version").status_code == 200
    second = root.ask("PUT", "/access/users/renew@pve/token/key", regenerate=1).json()["data"]["value"]
    assert lab.token("renew@pve!key", first).ask("GET", "/version").status_code == 401
    assert lab.token("renew@pve!key", second).ask("GET", "/version").status_code == 200


@row("A2-26")
@pytest.mark.parametrize("token", [f"pvenix@pve!lab={NONE}", f"pvenix@pve!other={NONE}", f"gone@pve!lab={NONE}"])
def test_9_2_does_not_tell_why_it_does_not_know_somebody(lab: WireLab, token: str) -> None:
    client = lab.client({"Authorization": f"PVEAPIToken={token}"})
    assert refused(client.ask("GET", "/version")) == (401, "Authentication failed!")


@row("A2-26")
def test_9_2_does_not_tell_that_a_user_is_disabled(lab: WireLab, root: Client) -> None:
    root.ask("POST", "/access/users", userid="off@pve")
    secret = root.ask("POST", "/access/users/off@pve/token/key").json()["data"]["value"]
    root.put("/access/users/off@pve", enable=0)
    assert refused(lab.token("off@pve!key", secret).ask("GET", "/version")) == (401, "Authentication failed!")


@row("S2-19", "A7-19")
def test_the_state_of_a_vm_has_other_fields(lab: WireLab, old: WireLab, vm: str, operator: Client) -> None:
    pressure = {f"pressure{kind}{how}" for kind in ("cpu", "io", "memory") for how in ("some", "full")}
    now = operator.get(f"{vm}/status/current")
    assert {"memhost"} | pressure <= now.keys()
    off = operator.get(f"{lab.vm()}/status/current")
    assert not {"diskread", "diskwrite"} & off.keys()
    before = old.token().get(f"{TEMPLATE}/status/current")
    assert {"diskread", "diskwrite"} <= before.keys()
    assert not ({"memhost"} | pressure) & before.keys()


@row("S2-20")
def test_the_state_of_a_node_has_other_fields(lab: WireLab, old: WireLab) -> None:
    nine, eight = (client.get(f"{NODE}/status") for client in releases(lab, old))
    assert "available" in nine["memory"]
    assert {"vendor", "family"} <= nine["cpuinfo"].keys()
    assert "available" not in eight["memory"]
    assert not {"vendor", "family"} & eight["cpuinfo"].keys()


@row("A4-19")
def test_the_log_of_a_clone_says_more_and_its_end_the_same(lab: WireLab, old: WireLab) -> None:
    nine = lab.token().ok("POST", f"{TEMPLATE}/clone", newid=lab.free_id()).log
    eight = old.token().ok("POST", f"{TEMPLATE}/clone", newid=old.free_id()).log
    words = ("creating a clone of VM ", "allocated target volume ")
    assert all(any(word in line for line in nine) for word in words)
    assert not any(word in line for line in eight for word in words)


@row("S2-21")
def test_pools_are_named_by_a_parameter_on_both(lab: WireLab, old: WireLab) -> None:
    for client, site in zip(releases(lab, old), (lab, old), strict=True):
        vmid = site.vm().rpartition("/")[2]
        for pool in ("one", "one/nested", "two"):
            assert client.ask("POST", "/pools", poolid=pool).status_code == 200
        client.put("/pools", poolid="one", vms=vmid)
        assert client.ask("PUT", "/pools", poolid="two", vms=vmid).status_code == 500
        client.put("/pools", poolid="two", vms=vmid, allow_move=1)
        members = client.get("/pools", poolid="two")[0]["members"]
        assert [str(member["vmid"]) for member in members] == [vmid]
        client.put("/pools", poolid="two", vms=vmid, delete=1)
        assert client.ask("DELETE", "/pools", poolid="two").status_code == 200


@row("S2-22")
def test_a_bridge_needs_a_right_on_both(lab: WireLab, old: WireLab) -> None:
    for site in (lab, old):
        rights = {
            "/vms": ["VM.Clone", "VM.Allocate", "VM.Config.Network"], "/storage": ["Datastore.AllocateSpace"]
        }  # fmt: skip
        client = site.granted("nosdn", rights)
        answer = client.ask("POST", f"{TEMPLATE}/clone", newid=site.free_id())
        assert refused(answer) == (403, "Permission check failed (/sdn/zones/localnetwork/lan, SDN.Use)")


@row("S2-23")
def test_a_stop_may_overrule_a_shutdown_on_both(lab: WireLab, old: WireLab) -> None:
    for site in (lab, old):
        site.token().ok("POST", f"{site.vm()}/status/stop", overrule_shutdown=1)


@row("S2-24")
def test_a_tag_is_a_right_at_creation_too(lab: WireLab) -> None:
    root = lab.ticket()
    root.put("/cluster/options", user_tag_access="user-allow=none")
    try:
        client = lab.granted("tagger", {"/vms": ["VM.Allocate", "VM.Config.Options"]})
        answer = client.ask("POST", f"{NODE}/qemu", vmid=lab.free_id(), tags="mine")
        assert answer.status_code == 403
    finally:
        root.put("/cluster/options", delete="user-tag-access")


ROLE = (
    *("VM.Audit", "VM.Clone", "VM.Allocate", "VM.Config.Cloudinit", "VM.Config.Network", "VM.Config.CPU"),
    *("VM.Config.Memory", "VM.Config.Disk", "VM.Config.HWType", "VM.Config.Options", "VM.PowerMgmt", "VM.Snapshot"),
    "VM.Snapshot.Rollback",
)


@row("A8-02", "S2-25")
def test_the_suggested_role_carries_a_whole_life_on_both(lab: WireLab, old: WireLab) -> None:
    for site, more in ((lab, ["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"]), (old, ["VM.Monitor"])):
        grants = {
            "/vms": [*ROLE, *more],
            "/storage/tanka1": ["Datastore.AllocateSpace", "Datastore.Audit"],
            "/sdn/zones/localnetwork/lan": ["SDN.Use"],
        }
        client, vmid = site.granted("orchestrator", grants), site.free_id()
        path = f"{NODE}/qemu/{vmid}"
        client.ok("POST", f"{TEMPLATE}/clone", newid=vmid, name="life")
        client.put(f"{path}/config", cores=2, memory=1024, sshkeys=KEY_ENCODED, ipconfig0="ip=dhcp", tags="x")
        client.ok("PUT", f"{path}/resize", disk="scsi0", size="+1G")
        client.put(f"{path}/cloudinit")
        client.ok("POST", f"{path}/status/start")
        until = time.monotonic() + 30
        while client.ask("POST", f"{path}/agent/ping").status_code != 200 and time.monotonic() < until:
            time.sleep(0.01)
        assert client.ask("POST", f"{path}/agent/exec", command=["hostname"]).status_code == 200
        client.ok("POST", f"{path}/snapshot", snapname="pre")
        client.ok("POST", f"{path}/snapshot/pre/rollback")
        client.ok("DELETE", f"{path}/snapshot/pre")
        client.ok("DELETE", path, purge=1)


@row("S2-26")
def test_a_missing_program_breaks_the_reply_and_an_unknown_path_is_501_here_too(vm: str, operator: Client) -> None:
    assert operator.ask("POST", f"{vm}/agent/exec", command=["/nope"]).status_code == 596
    assert operator.ask("GET", "/nope").status_code == 501
    faulty = operator.ask("PUT", f"{vm}/config", cores="x")
    assert (faulty.status_code, set(faulty.json()["errors"])) == (400, {"cores"})

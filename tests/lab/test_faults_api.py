"""Every fault of the Proxmox API, seen by clients that are not pvenix: in memory, and by requests over HTTPS."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest

from pvenix_lab.site.faults.corpus import NODE as TRAP
from pvenix_lab.site.faults.corpus import TERMINAL
from pvenix_lab.site.faults.wire import Breach
from tests.lab.fault_support import HOST, VM, VMID, Check, Checks, Client, OverHttps, Seen, client, clone, task
from tests.lab.pve_support import NODE, TEMPLATE

shows = Checks()
CONFIG = f"{VM}/config"


def names(seen: Seen) -> list[str]:
    return [item.get("name", "") for item in seen.data]


@shows("pve-500")
async def one_call_fails_and_nothing_is_done(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-500", HOST, method="PUT", path="/config")
    seen = await asked.ask("PUT", CONFIG, tags="one")
    assert (seen.status, seen.reason) == (
        500,
        f"can't lock file '/var/lock/qemu-server/lock-{VMID}.conf' - got timeout",
    )
    assert asked.lab.site.cluster.vms[VMID].config["tags"] == "nixos"
    assert (await asked.ask("PUT", CONFIG, tags="one")).status == 200


@shows("pve-596")
async def one_call_is_cut_and_done_unless_told(asked: Client) -> None:
    for effect, tag in ((True, "done"), (False, "lost")):
        asked.lab.site.faults.arm("pve-596", HOST, method="PUT", effect=effect)
        seen = await asked.ask("PUT", CONFIG, tags=tag)
        assert (seen.status, seen.data) == (596, None)
        assert asked.lab.site.cluster.vms[VMID].config["tags"] == "done"


@shows("pve-status")
async def one_poll_is_answered_with_a_pseudo_status(asked: Client) -> None:
    asked.lab.site.faults.arm("F09", nth=2)
    first, second, third = [await asked.ask("GET", f"{VM}/status/current") for _ in range(3)]
    assert (first.status, second.status, third.status) == (200, 599, 200)
    assert (second.reason, second.data) == ("Connection timed out", None)


@shows("pve-html")
async def a_login_page_comes_with_200(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-html", method="POST", path="/clone")
    seen = await asked.ask("POST", f"{TEMPLATE}/clone", newid="251", name="new")
    assert (seen.status, seen.broken) == (200, Breach.HTML)
    assert 251 not in asked.lab.site.cluster.vms


@shows("pve-redirect")
async def a_write_is_answered_with_a_redirect(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-redirect", method="PUT", effect=False)
    seen = await asked.ask("PUT", CONFIG, cores="7")
    assert (seen.status, seen.broken) == (302, Breach.REDIRECT)
    assert asked.lab.site.cluster.vms[VMID].pending == {}


@shows("pve-truncated")
async def the_json_ends_in_the_middle(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-truncated", path="/cluster/resources")
    assert (await asked.ask("GET", "/cluster/resources")).broken is Breach.TRUNCATED
    assert (await asked.ask("GET", "/cluster/resources")).broken is None


@shows("pve-reset")
async def the_connection_is_reset_after_the_call_was_done(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-reset", method="POST", path="/status/stop")
    assert (await asked.ask("POST", f"{VM}/status/stop")).broken is Breach.RESET
    await asyncio.sleep(0.05)
    assert not asked.lab.site.cluster.vms[VMID].running


@shows("pve-wrong-types")
async def the_data_has_another_shape(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-wrong-types", times=2)
    assert isinstance((await asked.ask("GET", "/nodes")).data, dict)
    assert isinstance((await asked.ask("GET", CONFIG)).data, list)


@shows("pve-stall")
async def an_answer_comes_late(asked: Client) -> None:
    asked.lab.site.faults.arm("pve-stall", seconds=0.05, path="/version")
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await asked.ask("GET", "/version")).status == 200
    assert loop.time() - began >= 0.05


@shows("config-missing")
async def the_configuration_is_missing_once(asked: Client) -> None:
    asked.lab.site.faults.arm("F25", HOST)
    seen = await asked.ask("GET", CONFIG)
    assert (seen.status, seen.reason) == (
        500,
        f"Configuration file 'nodes/tappaas1/qemu-server/{VMID}.conf' does not exist",
    )
    assert (await asked.ask("GET", CONFIG)).data["name"] == HOST


@shows("cloudinit-stale")
async def the_drive_is_not_written_anew(asked: Client) -> None:
    vm = asked.lab.site.cluster.vms[VMID]
    before = dict(vm.cloudinit)
    assert (await asked.ask("PUT", CONFIG, ciuser="somebody")).status == 200
    asked.lab.site.faults.arm("F19", HOST)
    assert (await asked.ask("PUT", f"{VM}/cloudinit")).status == 200
    assert vm.cloudinit == before
    await asked.ask("PUT", f"{VM}/cloudinit")
    assert vm.cloudinit != before


@shows("upload-fails")
async def an_upload_fails_in_each_way(asked: Client) -> None:
    path = f"{NODE}/storage/local/upload"
    for how, status, reason in (
        ("too-large", 501, "for data too large"),
        ("no-space", 500, "import failed: No space left on device"),
    ):
        asked.lab.site.faults.arm("F38", how=how)
        seen = await asked.ask("POST", path, content="iso", filename="x.iso")
        assert (seen.status, seen.reason) == (status, reason)
    asked.lab.site.faults.arm("F38", how="broken-pipe")
    assert (await asked.ask("POST", path, content="iso", filename="x.iso")).broken is Breach.RESET


@shows("id-taken")
async def a_stranger_takes_the_id_first(asked: Client) -> None:
    asked.lab.site.faults.arm("F01")
    seen = await asked.ask("POST", f"{TEMPLATE}/clone", newid="251", name="new")
    assert (seen.status, seen.reason) == (500, "unable to create VM 251: config file already exists")
    assert (await asked.ask("GET", f"{NODE}/qemu/251/config")).data["name"] == "somebodys-vm-251"


@shows("id-taken")
async def a_stranger_takes_the_id_between_the_answer_and_the_task(asked: Client) -> None:
    asked.lab.site.faults.arm("id-taken", when="in-task")
    assert await clone(asked) == "unable to create VM 251: config file already exists"
    asked.lab.site.faults.arm("F02")
    assert (await asked.ask("POST", f"{TEMPLATE}/clone", newid="252", name="new")).status == 596
    assert (await asked.ask("GET", f"{NODE}/qemu/252/config")).data["name"] == "somebodys-vm-252"


@shows("token-revoked")
async def the_token_is_refused_late_and_without_a_body(asked: Client) -> None:
    asked.lab.site.faults.arm("F14")
    seen = await asked.ask("GET", "/version")
    assert (seen.status, seen.data) == (401, None)
    asked.lab.site.faults.clear("F14")
    assert (await asked.ask("GET", "/version")).status == 200


@shows("node-certificate-wrong")
async def calls_for_a_node_end_with_a_certificate_error(asked: Client) -> None:
    asked.lab.site.faults.arm("F12", node="tappaas2")
    seen = await asked.ask("GET", "/nodes/tappaas2/qemu")
    assert (seen.status, "certificate verify failed" in seen.reason) == (596, True)
    assert (await asked.ask("GET", f"{NODE}/qemu")).status == 200


@shows("node-down")
async def a_node_is_gone_and_the_lists_go_on(asked: Client) -> None:
    there = f"/nodes/tappaas2/qemu/{VMID}/config"
    site, wall = asked.lab.site, asked.lab.site.wall
    site.faults.arm("F26", HOST, node="tappaas2")
    assert await states(asked, "tappaas2") == {"running"}
    site.faults.arm("F11", node="tappaas2")
    seen = await asked.ask("GET", there)
    assert (seen.status, seen.reason) == (595, "No route to host")
    nodes = {item["node"]: item["status"] for item in (await asked.ask("GET", "/nodes")).data}
    assert (nodes["tappaas1"], nodes["tappaas2"]) == ("online", "offline")
    assert await states(asked, "tappaas2") == {"running"}
    site.wall = lambda: wall() + 300  # what the node has sent around is forgotten after five minutes
    assert await states(asked, "tappaas2") == {"unknown"}
    status = (await asked.ask("GET", "/cluster/status")).data
    assert [item["online"] for item in status if item["name"] == "tappaas2"] == [0]
    site.faults.clear()
    assert (await asked.ask("GET", there)).status == 200


async def states(asked: Client, node: str) -> set[str]:
    """What the lists say of the VMs of a node."""
    resources = (await asked.ask("GET", "/cluster/resources", type="vm")).data
    return {item["status"] for item in resources if item["node"] == node}


@shows("node-down")
async def with_the_node_of_the_endpoint_the_api_is_gone(asked: Client) -> None:
    asked.lab.site.faults.arm("F11", node="tappaas1")
    for path in ("/version", "/nodes/tappaas2/qemu"):
        seen = await asked.ask("GET", path)
        assert (seen.status, seen.data) == (0, None), path
    asked.lab.site.faults.clear()
    assert (await asked.ask("GET", "/version")).status == 200


@shows("container-there")
async def a_container_has_its_id_to_itself(asked: Client) -> None:
    asked.lab.site.faults.arm("container-there", ctid=777)
    listed = {item["id"]: item for item in (await asked.ask("GET", "/cluster/resources", type="vm")).data}
    assert (listed["lxc/777"]["type"], listed["lxc/777"]["node"]) == ("lxc", "tappaas1")
    seen = await asked.ask("POST", f"{NODE}/qemu", vmid="777")
    assert seen.reason == "unable to create VM 777 - CT 777 already exists on node 'tappaas1'"
    asked.lab.site.faults.clear()
    assert (await asked.ask("POST", f"{NODE}/qemu", vmid="777")).status == 200


@shows("no-quorum")
async def nothing_is_written_without_a_quorum(asked: Client) -> None:
    asked.lab.site.faults.arm("F43")
    for method, path, reason in (
        ("PUT", CONFIG, f"unable to open file '/etc/pve{NODE}/qemu-server/{VMID}.conf.tmp.1' - Permission denied"),
        ("POST", f"{VM}/status/start", "cluster not ready - no quorum?"),
        ("DELETE", VM, "cluster not ready - no quorum?"),
    ):
        seen = await asked.ask(method, path)
        assert (seen.status, seen.reason) == (500, reason)
    assert (await asked.ask("GET", CONFIG)).status == 200
    [cluster] = [i for i in (await asked.ask("GET", "/cluster/status")).data if i["type"] == "cluster"]
    assert cluster["quorate"] == 0


@shows("rights-lost")
async def a_lost_right_filters_lists_and_refuses_calls(asked: Client) -> None:
    asked.lab.site.faults.arm("F28")
    assert (await asked.ask("GET", "/cluster/resources", type="vm")).data == []
    seen = await asked.ask("GET", CONFIG)
    assert (seen.status, seen.reason) == (403, f"Permission check failed (/vms/{VMID}, VM.Audit)")
    asked.lab.site.faults.clear()
    assert (await asked.ask("GET", CONFIG)).status == 200
    asked.lab.site.faults.arm("F28", privilege="all")
    assert (await asked.ask("GET", "/access/permissions")).data == {}
    asked.lab.site.faults.clear()
    assert (await asked.ask("GET", "/access/permissions")).data != {}


@shows("vm-locked")
async def a_lock_names_its_kind_and_its_task(asked: Client) -> None:
    for kind, alive in (("backup", True), ("snapshot", False)):
        asked.lab.site.faults.arm("F05", HOST, lock=kind, alive=alive)
        seen = await asked.ask("PUT", CONFIG, cores="1")
        assert (seen.status, seen.reason) == (500, f"VM is locked ({kind})")
        [row] = [i for i in (await asked.ask("GET", "/cluster/resources")).data if i.get("vmid") == VMID]
        assert row["lock"] == kind
        tasks = (await asked.ask("GET", f"{NODE}/tasks", source="active", vmid=str(VMID))).data
        assert [item["type"] for item in tasks] == (["vzdump"] if alive else [])
        asked.lab.site.faults.clear("F05", HOST)
        assert (await asked.ask("PUT", CONFIG, cores="1")).status == 200


@shows("vm-moved")
async def a_vm_is_on_another_node_all_at_once(asked: Client) -> None:
    asked.lab.site.faults.arm("F26", HOST, node="tappaas2")
    assert (await asked.ask("GET", CONFIG)).status == 500
    assert (await asked.ask("GET", f"/nodes/tappaas2/qemu/{VMID}/config")).data["name"] == HOST


@shows("vmid-recycled")
async def an_id_names_another_machine(asked: Client) -> None:
    before = (await asked.ask("GET", CONFIG)).data
    asked.lab.site.faults.arm("F03", HOST)
    after = (await asked.ask("GET", CONFIG)).data
    assert after["name"] == before["name"]
    assert after["smbios1"] != before["smbios1"]
    assert "description" not in after


@shows("config-edited")
async def somebody_sets_an_option(asked: Client) -> None:
    digest = (await asked.ask("GET", CONFIG)).data["digest"]
    asked.lab.site.faults.arm("F37", HOST, key="cpulimit", value="3")
    assert str((await asked.ask("GET", CONFIG)).data["cpulimit"]) == "3"
    seen = await asked.ask("PUT", CONFIG, cores="1", digest=digest)
    assert (seen.status, seen.reason) == (500, "checksum mismatch (file change by other user?)")


@shows("snapshot-by-hand")
async def a_newer_snapshot_is_there(asked: Client) -> None:
    asked.lab.site.faults.arm("F36", HOST)
    assert names(await asked.ask("GET", f"{VM}/snapshot")) == ["by-hand", "current"]


@shows("backup-job")
async def a_job_names_the_vm(asked: Client) -> None:
    asked.lab.site.faults.arm("F34", HOST)
    [job] = asked.lab.site.cluster.sections["jobs"].values()
    assert job["vmid"] == str(VMID)
    asked.lab.site.faults.clear()
    assert asked.lab.site.cluster.sections["jobs"] == {}


@shows("template-larger")
async def clones_are_larger_than_wanted(asked: Client) -> None:
    asked.lab.site.faults.arm("F22", gib=64)
    assert await clone(asked) == "OK"
    assert "size=64G" in (await asked.ask("GET", f"{NODE}/qemu/251/config")).data["scsi0"]
    assert await task(asked, "PUT", f"{NODE}/qemu/251/resize", disk="scsi0", size="32G") == (
        "shrinking disks is not supported"
    )


@shows("template-elsewhere")
async def the_template_cannot_be_cloned_to_another_node(asked: Client) -> None:
    asked.lab.site.faults.arm("F24", node="tappaas2")
    there = "/nodes/tappaas2/qemu/8100/clone"
    seen = await asked.ask("POST", there, newid="251", name="new", target="tappaas1")
    assert (seen.status, seen.reason) == (500, "can't clone VM to node 'tappaas1' (VM uses local storage)")
    assert await task(asked, "POST", there, newid="251", name="new") == "OK"


@shows("template-without-drive")
async def a_clone_has_no_cloud_init_drive(asked: Client) -> None:
    asked.lab.site.faults.arm("F20")
    assert await clone(asked) == "OK"
    assert not any("cloudinit" in str(v) for v in (await asked.ask("GET", f"{NODE}/qemu/251/config")).data.values())
    asked.lab.site.faults.clear()
    assert await clone(asked, 252, "other") == "OK"
    assert any("cloudinit" in str(v) for v in (await asked.ask("GET", f"{NODE}/qemu/252/config")).data.values())


@shows("template-has-identity")
async def clones_share_what_should_be_their_own(asked: Client) -> None:
    asked.lab.site.faults.arm("F31")
    for vmid, name in ((251, "one"), (252, "two")):
        assert await clone(asked, vmid, name) == "OK"
    roots = [asked.lab.site.guest_root(vmid) for vmid in (251, 252)]
    for path in ("etc/machine-id", "etc/ssh/ssh_host_ed25519_key.pub"):
        first, second = [(root / path).read_text() for root in roots]
        assert first == second != ""


@shows("agent-absent")
async def the_agent_does_not_run(asked: Client) -> None:
    await asyncio.sleep(0.02)
    assert (await asked.ask("POST", f"{VM}/agent/ping")).status == 200
    asked.lab.site.faults.arm("F16", HOST)
    seen = await asked.ask("POST", f"{VM}/agent/ping")
    assert (seen.status, seen.reason) == (500, "QEMU guest agent is not running")


@shows("agent-hung")
async def the_agent_takes_commands_and_answers_none(asked: Client) -> None:
    asked.lab.site.faults.arm("agent-hung", HOST, seconds=0.02)
    seen = await asked.ask("GET", f"{VM}/agent/get-host-name")
    assert (seen.status, seen.reason) == (500, f"VM {VMID} qmp command 'guest-get-host-name' failed - got timeout")


@shows("usage-stale")
async def the_lists_have_no_figures(asked: Client) -> None:
    asked.lab.site.faults.arm("F40")
    for item in (await asked.ask("GET", "/cluster/resources", type="vm")).data:
        assert (item["status"], "maxmem" in item, "name" in item) == ("unknown", False, False)


@shows("hostile-names")
async def names_are_traps(asked: Client) -> None:
    faults = asked.lab.site.faults
    faults.arm("hostile-names", where="vm", times=0)
    assert TERMINAL in names(await asked.ask("GET", "/cluster/resources", type="vm"))
    faults.clear()
    faults.arm("T6")
    assert TRAP in [item["node"] for item in (await asked.ask("GET", "/nodes")).data]
    faults.clear()
    faults.arm("hostile-names", where="notes")
    assert TERMINAL in (await asked.ask("GET", CONFIG)).data["description"]
    faults.clear()
    faults.arm("hostile-names", where="upid")
    assert str((await asked.ask("POST", f"{VM}/status/stop")).data).startswith(f"UPID:{TRAP}:")
    faults.clear()
    faults.arm("hostile-names", where="log")
    upid = next(reversed(asked.lab.site.cluster.tasks))
    log = (await asked.ask("GET", f"{NODE}/tasks/{upid}/log")).data
    assert all(line["t"].startswith(TERMINAL) for line in log)


@shows("orphan-volume")
async def a_volume_belongs_to_nobody(asked: Client) -> None:
    asked.lab.site.faults.arm("F33", vmid=399)
    found = (await asked.ask("GET", f"{NODE}/storage/tanka1/content", vmid="399")).data
    assert [item["volid"] for item in found] == ["tanka1:vm-399-disk-0"]


@pytest.mark.parametrize("face", ["memory", "https"])
@pytest.mark.parametrize(("fault", "check"), shows.cases, ids=lambda value: getattr(value, "__name__", value))
async def test_the_api_shows_the_fault(tmp_path: Path, face: str, fault: str, check: Check) -> None:
    del fault
    async with client(tmp_path, face) as asked:
        await check(asked)


@pytest.mark.parametrize("kind", ["self-signed", "expired", "wrong-name", "other-ca"])
async def test_the_server_shows_another_certificate(tmp_path: Path, kind: str) -> None:
    async with client(tmp_path, "https") as asked:
        assert isinstance(asked.api, OverHttps)
        asked.lab.site.faults.arm("tls", certificate=kind)
        words = {"expired": "expired", "wrong-name": "not valid for|doesn't match|mismatch"}
        with pytest.raises(ssl.SSLCertVerificationError, match=words.get(kind, "certificate verify failed")):
            await _certificate(asked.api, verified=True)
        shown = await _certificate(asked.api, verified=False)
        asked.lab.site.faults.clear()
        genuine = await _certificate(asked.api, verified=True)
    assert hashlib.sha256(shown).digest() != hashlib.sha256(genuine).digest()


async def _certificate(asked: OverHttps, *, verified: bool) -> bytes:
    context = ssl.create_default_context(cafile=str(asked.ca))
    if not verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = int(asked.base.split(":")[2].partition("/")[0])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return bytes(found)

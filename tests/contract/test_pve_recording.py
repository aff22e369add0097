"""The adapter over the answers that a real Proxmox 8.4.5 gave: recorded answers in, typed values out.

The recording is the life of one VM, call by call. Each answer is given once, in the order of the recording.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvenix.adapters.pve.cluster import PveCluster
from pvenix.adapters.pve.transport import ApiPath, ApiStatus, Params
from pvenix.engine.ports import AgentResult, Interface, NewVm, NodeState, Quorum, StorageState, VmSnapshot
from pvenix.model.errors import RemoteFailure
from pvenix.model.names import node_name, vmid
from tests.contract.pve_world import ImpatientClock

TRANSCRIPT = Path(__file__).parents[1] / "lab" / "data" / "pve-transcript-8.4.json"
NODE, TEMPLATE, NEW = node_name("pve1"), vmid(8100), vmid(250)


class Recording:
    """A Transport that gives the recorded answers; `sent` holds what was asked with what was asked then."""

    def __init__(self) -> None:
        self._left: list[dict[str, Any]] = json.loads(TRANSCRIPT.read_text())
        self.sent: list[tuple[Params, dict[str, object]]] = []

    async def request(self, method: str, path: ApiPath, params: Params) -> object:
        """The first answer to this call that was not given yet."""
        entry = next(e for e in self._left if (e["method"], e["path"]) == (method, f"/{path}"))
        self._left.remove(entry)
        self.sent.append((params, entry["params"]))
        if entry["status"] >= 400:
            raise ApiStatus(entry["status"], entry["reason"], entry["body"].get("errors"))
        return entry["body"]["data"]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
def pve(recording: Recording) -> PveCluster:
    return PveCluster(recording, clock=ImpatientClock(), cluster="real", token="root@pam!root")


async def finished(pve: PveCluster, upid: str) -> tuple[bool, str, tuple[str, ...]]:
    result = await pve.wait(upid, timeout_s=5, on_line=lambda _: None)
    return result.ok, result.exit_text, result.log


async def test_a_real_site_is_read_in_our_words(pve: PveCluster) -> None:
    assert await pve.version() == "8.4.5"
    found = await pve.resources()
    assert found.nodes == (NodeState(name=NODE, online=True, memory_total=25276514304, memory_used=3349782528, cpus=2),)
    vms = {vm.vmid: vm for vm in found.vms}
    assert set(vms) == {201, 202, 320, TEMPLATE}
    assert (vms[TEMPLATE].name, vms[TEMPLATE].template, vms[TEMPLATE].node) == ("tmpl", True, NODE)
    assert (vms[vmid(201)].status, vms[vmid(201)].template, vms[vmid(201)].memory_max) == ("stopped", False, 268435456)
    assert (vms[vmid(201)].tags, vms[vmid(320)].tags) == (("nixos", "template"), ())
    (local,) = found.storages
    assert local == StorageState(
        name="local", kind="dir", node=NODE, shared=False, active=True, available=229060378624, total=270553174016,
        content=("backup", "iso", "snippets", "rootdir", "import", "vztmpl", "images"),
    )  # fmt: skip
    assert await pve.quorum() == Quorum(quorate=True, nodes=1, online=1)
    assert await pve.bridges(NODE) == ("vmbr0",)
    assert "local:201/vm-201-cloudinit.qcow2" in {
        volume.id for volume in await pve.volumes(NODE, "local", vmid=vmid(201))
    }
    granted = await pve.permissions()
    assert granted["/"]["VM.Clone"] == 1
    assert all(isinstance(level, int) for privileges in granted.values() for level in privileges.values())


async def test_a_real_clone_is_made_once_and_seen_to_its_end(pve: PveCluster, recording: Recording) -> None:
    template = await pve.config(NODE, TEMPLATE)
    assert template
    upid = await pve.clone(NODE, TEMPLATE, NewVm(vmid=NEW, name="fix", description=""))
    assert upid == "UPID:pve1:00000AEC:00047AA6:6B000C9D:qmclone:8100:root@pam!root:"
    sent, recorded = recording.sent[-1]
    assert (sent["newid"], sent["name"]) == (str(recorded["newid"]), recorded["name"])
    ok, text, log = await finished(pve, upid)
    assert (ok, text, log[-1]) == (True, "OK", "TASK OK")
    assert log[0] == "create full clone of drive ide2 (local:8100/vm-8100-cloudinit.qcow2)"
    with pytest.raises(RemoteFailure) as taken:
        await pve.clone(NODE, TEMPLATE, NewVm(vmid=NEW, name="fix", description=""))
    assert (taken.value.code, taken.value.why) == ("PVX0511", "unable to create VM 250: config file already exists")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE a+b@c"
    await pve.set_config(
        NODE, NEW,
        {"ciuser": "ops", "ipconfig0": "ip=10.99.0.60/24,gw=10.99.0.1", "sshkeys": key, "tags": "nixos,role-vllm"},
    )  # fmt: skip
    sent, recorded = recording.sent[-1]
    assert sent == recorded
    config = await pve.config(NODE, NEW)
    assert config
    assert config.digest == "d5fc388621c70e3367cc62b8dca53780cdfa69aa"
    assert (config.values["cores"], config.values["ciuser"]) == ("1", "ops")
    assert config.uuid not in ("", template.uuid)


async def test_a_real_vm_lives_from_start_to_destroy(pve: PveCluster) -> None:
    await pve.regenerate_cloudinit(NODE, NEW)
    pending = await pve.pending(NODE, NEW)
    assert pending
    assert (pending.waiting, pending.config.values["cores"]) == ({}, "1")
    ok, _, log = await finished(pve, await pve.resize(NODE, NEW, "scsi0", 4))
    assert (ok, log) == (True, ("Image resized.", "TASK OK"))
    assert (await pve.power(NODE, NEW)).status == "stopped"
    ok, _, log = await finished(pve, await pve.start(NODE, NEW))
    assert (ok, log[1:]) == (True, ("generating cloud-init ISO", "TASK OK"))
    ok, text, _ = await finished(pve, await pve.start(NODE, NEW))
    assert (ok, text) == (False, "VM 250 already running")
    assert (await pve.power(NODE, NEW)).status == "running"
    await pve.set_config(NODE, NEW, {"cores": "2", "memory": "384"})
    pending = await pve.pending(NODE, NEW)
    assert pending
    assert pending.waiting == {"cores": "2", "memory": "384"}
    ok, _, _ = await finished(pve, await pve.destroy(NODE, NEW))
    assert ok
    assert await pve.config(NODE, NEW)  # the recording's one before the end
    assert await pve.config(NODE, NEW) is None
    destroyed, *_ = await pve.tasks_of(NODE, NEW)
    assert destroyed.upid == "UPID:pve1:00000B6B:000489D4:6B000CC4:qmdestroy:250:root@pam!root:"


async def test_real_snapshots_are_listed_without_the_present(pve: PveCluster) -> None:
    upid = await pve.take_snapshot(NODE, NEW, "pre-rebuild", description="d", memory=False)
    assert (await finished(pve, upid))[0]
    assert await pve.snapshots(NODE, NEW) == (
        VmSnapshot(name="pre-rebuild", description="d", parent="", taken_at=1795165374, memory=False),
    )
    assert (await finished(pve, await pve.roll_back(NODE, NEW, "pre-rebuild")))[0]
    assert (await finished(pve, await pve.delete_snapshot(NODE, NEW, "pre-rebuild")))[0]
    ok, text, _ = await finished(pve, await pve.delete_snapshot(NODE, NEW, "nope"))
    assert (ok, text) == (False, "snapshot 'nope' does not exist")


async def test_a_real_guest_agent_is_understood(pve: PveCluster) -> None:
    assert not await pve.agent_ping(NODE, NEW)
    found = await pve.agent_interfaces(NODE, NEW)
    assert found[0] == Interface(name="lo", mac="00:00:00:00:00:00", addresses=("127.0.0.1/8", "::1/128"))
    assert found[1:] == (
        Interface(
            name="eth0", mac="bc:24:11:ba:25:04", addresses=("10.99.0.50/24", "fe80::be24:11ff:feba:2504/64")
        ),
    )  # fmt: skip
    script = ("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert await pve.agent_run(NODE, NEW, script, timeout_s=5) == AgentResult(
        exit_status=3, stdout="out\n", stderr="err\n"
    )

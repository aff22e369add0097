"""The least privileges of every call of a VM's life, in both releases (proxmox.md a8, measured on 8.4.5 and 9.2.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pvenix_lab.site.pve.flavour import Flavour
from tests.lab.pve_support import KEY_ENCODED, NODE, TEMPLATE, PveLab, in_lab

if TYPE_CHECKING:
    from pathlib import Path

VM = f"{NODE}/qemu/250"
ON_VM, ON_TEMPLATE, ON_STORAGE = "/vms/250", "/vms/8100", "/storage/tanka1"
BRIDGE = "/sdn/zones/localnetwork/lan"
BOTH = (Flavour.PVE_8_4, Flavour.PVE_9_2)
OLD, NEW = (Flavour.PVE_8_4,), (Flavour.PVE_9_2,)
CLONE = {
    ON_TEMPLATE: ["VM.Clone"],
    "/vms/251": ["VM.Allocate"],
    ON_STORAGE: ["Datastore.AllocateSpace"],
    BRIDGE: ["SDN.Use"],
}


@dataclass(frozen=True)
class Row:
    """A call and what it needs: every privilege of `needs`; any one of `any_of` on the VM."""

    call: str
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    any_of: Sequence[str] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    flavours: tuple[Flavour, ...] = BOTH


def config(privilege: str, params: Mapping[str, str], more: Mapping[str, Sequence[str]] | None = None) -> Row:
    return Row(f"PUT {VM}/config", {ON_VM: [privilege], **(more or {})}, params=params)


def agent(method: str, command: str, new: Sequence[str]) -> tuple[Row, Row]:
    params = {"file": "/etc/x", "content": "x"} if command == "file-write" else {"file": "/etc/x"}
    params = params if command.startswith("file") else {"command": "true"} if command == "exec" else {}
    path = f"{method} {VM}/agent/{command}"
    return (
        Row(path, {ON_VM: ["VM.Monitor"]}, params=params, flavours=OLD),
        Row(path, any_of=[f"VM.GuestAgent.{name}" for name in new], params=params, flavours=NEW),
    )


ROWS = (
    Row(f"GET {NODE}/status", {"/nodes/tappaas1": ["Sys.Audit"]}),
    Row("GET /cluster/status", {"/": ["Sys.Audit"]}),
    *(Row(f"GET {VM}/{name}", {ON_VM: ["VM.Audit"]}) for name in ("config", "pending", "status/current", "cloudinit")),
    Row(f"GET {VM}/cloudinit/dump", {ON_VM: ["VM.Audit"]}, params={"type": "user"}),
    Row(f"GET {VM}/snapshot", {ON_VM: ["VM.Audit"]}),
    Row(f"POST {TEMPLATE}/clone", CLONE, params={"newid": "251"}),
    Row(f"POST {TEMPLATE}/clone", CLONE, params={"newid": "251", "full": "1"}),
    config("VM.Config.Options", {"description": "x"}),
    config("VM.Config.Options", {"onboot": "1"}),
    config("VM.Config.Memory", {"memory": "4096"}),
    config("VM.Config.CPU", {"cores": "4"}),
    config("VM.Config.HWType", {"machine": "q35"}),
    config("VM.Config.Network", {"net0": "virtio,bridge=lan"}, {BRIDGE: ["SDN.Use"]}),
    config("VM.Config.Network", {"ipconfig0": "ip=dhcp"}),
    config("VM.Config.Cloudinit", {"sshkeys": KEY_ENCODED, "ciuser": "x"}),
    Row(f"PUT {VM}/resize", {ON_VM: ["VM.Config.Disk"]}, params={"disk": "scsi0", "size": "+1G"}),
    Row(f"PUT {VM}/cloudinit", {ON_VM: ["VM.Config.Cloudinit"]}),
    *(Row(f"POST {VM}/status/{word}", {ON_VM: ["VM.PowerMgmt"]}) for word in ("start", "stop", "shutdown", "reboot")),
    Row(f"POST {VM}/snapshot", {ON_VM: ["VM.Snapshot"]}, params={"snapname": "one"}),
    Row(f"POST {VM}/snapshot/one/rollback", any_of=["VM.Snapshot", "VM.Snapshot.Rollback"]),
    Row(f"DELETE {VM}/snapshot/one", {ON_VM: ["VM.Snapshot"]}),
    Row(f"POST {VM}/template", {ON_VM: ["VM.Allocate"]}),
    Row(f"DELETE {VM}", {ON_VM: ["VM.Allocate"]}),
    Row(f"POST {VM}/migrate", {ON_VM: ["VM.Migrate"]}, params={"target": "tappaas2"}),
    *agent("POST", "ping", ["Audit", "Unrestricted"]),
    *agent("GET", "network-get-interfaces", ["Audit", "Unrestricted"]),
    *agent("GET", "file-read", ["FileRead", "Unrestricted"]),
    *agent("POST", "file-write", ["FileWrite", "Unrestricted"]),
    *agent("POST", "fstrim", ["FileSystemMgmt", "Unrestricted"]),
    *agent("POST", "exec", ["Unrestricted"]),
)
CASES = [(row, flavour) for row in ROWS for flavour in row.flavours]
NAMES = [f"{flavour.value} {row.call} {' '.join(row.params)}" for row, flavour in CASES]


@pytest.mark.parametrize(("row", "flavour"), CASES, ids=NAMES)
def test_a_call_needs_just_the_privileges_of_the_table(tmp_path: Path, row: Row, flavour: Flavour) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        method, _, path = row.call.partition(" ")
        everything = {at: set(names) for at, names in row.needs.items()}
        if row.any_of:
            for number, one in enumerate(row.any_of):
                token = lab.token(f"any{number}@pve!any{number}", {ON_VM: [one]})
                assert (await lab.ask(method, path, token, **row.params)).status != 403, one
            everything = {ON_VM: set(row.any_of)}
        for number, (at, missing) in enumerate((at, name) for at, names in everything.items() for name in names):
            less = {where: names - {missing} if where == at else names for where, names in everything.items()}
            less = {ON_VM: {"VM.Backup"}} if row.any_of else less
            poorer = lab.token(f"less{number}@pve!less{number}", less)
            refused = await lab.ask(method, path, poorer, **row.params)
            assert refused.status == 403, (missing, refused)
            assert refused.reason.startswith("Permission check failed")
        enough = lab.token("just@pve!just", everything)
        answer = await lab.ask(method, path, enough, **row.params)
        assert answer.status != 403, answer

    in_lab(tmp_path, story, pve=flavour)


def test_room_for_a_larger_disk_is_missed_only_inside_the_task(tmp_path: Path) -> None:
    async def story(lab: PveLab) -> None:
        await lab.clone()
        token = lab.token("disk@pve!disk", {ON_VM: ["VM.Config.Disk", "VM.Audit"]})
        answer = await lab.ask("PUT", f"{VM}/resize", token, disk="scsi0", size="+1G")
        assert answer.status == 200
        assert "Datastore.AllocateSpace" in await lab.finished(str(answer.data))

    in_lab(tmp_path, story)


@pytest.mark.parametrize("flavour", BOTH, ids=lambda flavour: str(flavour.value))
def test_a_role_can_name_only_privileges_that_the_release_knows(tmp_path: Path, flavour: Flavour) -> None:
    async def story(lab: PveLab) -> None:
        admin = lab.token("admin@pve!admin", {"/access": ["Sys.Modify"]})
        old, new = "VM.Monitor", "VM.GuestAgent.Audit"
        known, unknown = (old, new) if flavour is Flavour.PVE_8_4 else (new, old)
        refused = await lab.ask("POST", "/access/roles", admin, roleid="X", privs=f"VM.Audit,{unknown}")
        assert refused.status == 400
        assert refused.body is not None
        assert refused.body["errors"] == {"privs": f"invalid format - invalid privilege '{unknown}'\n"}
        assert (await lab.ask("POST", "/access/roles", admin, roleid="X", privs=f"VM.Audit,{known}")).status == 200
        assert set(await lab.get("/access/roles/X")) == {"VM.Audit", known}

    in_lab(tmp_path, story, pve=flavour)

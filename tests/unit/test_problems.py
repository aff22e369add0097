"""What only the site can tell is wrong with a host: at the place in the files, with the choices there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from pvenix.engine.ports import BackupJob, Resources, StorageState, VmConfig, VmPending, Volume
from pvenix.fleet.load import load_fleet
from pvenix.lifecycle.planning.problems import problems
from pvenix.lifecycle.survey import Survey
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, Unreachable
from pvenix.model.names import NodeName
from tests.unit.fleet_files import write
from tests.unit.lifecycle_support import config, node, vm

N1, N2 = NodeName("pve1"), NodeName("pve2")
SEES_ALL = {"/": {"Sys.Audit": 1}} | {
    path: dict.fromkeys(privileges, 1)
    for path, privileges in {
        "/vms": ["VM.Audit"],
        "/storage": ["Datastore.Audit"],
        "/sdn/zones": ["SDN.Audit"],
        "/mapping": ["Mapping.Audit"],
        "/pool": ["Pool.Audit"],
    }.items()
}
SEES_NOTHING: dict[str, dict[str, int]] = {}


def storage(name: str, on: str, *content: str, active: bool = True) -> StorageState:
    return StorageState(
        name=name, node=NodeName(on), shared=False, active=active, content=content or ("images",), available=10**12
    )


RESOURCES = Resources(
    nodes=(node("pve1"), node("pve2"), node("pve3", online=False)),
    vms=(vm(8100, "pve1", template=True, name="nixos"), vm(300, "pve2", name="web")),
    storages=(
        storage("tank", "pve1"),
        storage("tank", "pve2"),
        storage("fast", "pve2"),
        storage("local", "pve1", "iso", "backup"),
        storage("asleep", "pve1", active=False),
        storage("asleep", "pve2", active=False),
    ),
    containers=frozenset({200}),
)


class Far:
    """What a cluster answers to the token; it counts what is asked."""

    def __init__(self, permissions: Mapping[str, Mapping[str, int]]) -> None:
        self._permissions = permissions
        self.asked: list[str] = []
        self.silent: set[str] = set()
        self.boot = "order=scsi0"

    async def resources(self) -> Resources:
        self.asked.append("resources")
        return RESOURCES

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        self.asked.append("permissions")
        return self._permissions

    async def bridges(self, at: NodeName) -> tuple[str, ...]:
        self.asked.append(f"bridges {at}")
        if at in self.silent:
            raise Unreachable("no answer")
        return ("lan", "vmbr1") if at == N1 else ("lan",)

    async def pci_mappings(self) -> Mapping[str, Mapping[NodeName, int]]:
        return {"gpu": {N2: 1}} if self._permissions else {}

    async def pools(self) -> tuple[str, ...]:
        return ("infra",) if self._permissions else ()

    async def backup_jobs(self) -> tuple[BackupJob, ...]:
        if not self._permissions:
            raise Refused("Sys.Audit")
        job = BackupJob(
            id="nightly", vmids=(), everything=False, excluded=(), pool="", storage="x", schedule="", enabled=True
        )
        return (job,)

    async def config(self, at: NodeName, vmid: int) -> VmConfig:
        self.asked.append(f"config {vmid} {at}")
        return config(
            scsi0="tank:base-8100-disk-0,size=12G",
            scsi1="tank:vm-8100-cloudinit,media=cdrom",
            efidisk0="tank:base-8100-disk-1",
            boot=self.boot,
            bios="ovmf",
            machine="q35",
            agent="1",
            serial0="socket",
            scsihw="virtio-scsi-single",
        )

    async def volumes(self, _at: NodeName, on: str, **_: Any) -> tuple[Volume, ...]:
        return (Volume(id=f"{on}:iso/nixos-25.iso", content="iso", size=1),)


class Clock:
    def monotonic(self) -> float:
        return 0.0


def world(root: Path, machine: str, far: Far) -> World:
    hosts = f"all:\n  hosts:\n    a1:\n      machine: {machine}\n"
    world = object.__new__(World)
    world.fleet = load_fleet(write(root, {"hosts.yaml": hosts}))
    world.survey = Survey(cast("Any", far), cast("Any", Clock()))
    return world


async def wrong(root: Path, machine: str, far: Far | None = None, seen: VmConfig | None = None) -> list[str]:
    site = world(root, machine, far or Far(SEES_ALL))
    pending = VmPending(config=seen, waiting={}) if seen is not None else None
    found = await problems(site, site.fleet.host("a1"), pending)
    return [str(one).replace("\n  hint: ", " | ").removeprefix("inventory/") for one in found]


WRONG = {
    "a node that the cluster does not have": (
        "{proxmox: {node: pve9}}",
        ["hosts.yaml:4:33: error[PVX0580]: there is no node `pve9` | did you mean `pve3`?"],
    ),
    "nodes that the cluster does not have": (
        "{proxmox: {nodes: [pve1, pvex], avoid: [pve8], ha: {failover: tappaas}}}",
        [
            "hosts.yaml:4:41: error[PVX0580]: there is no node `pvex` | did you mean `pve3`?",
            "hosts.yaml:4:56: error[PVX0580]: there is no node `pve8` | did you mean `pve3`?",
            "hosts.yaml:4:78: error[PVX0580]: there is no node `tappaas` | known: pve1, pve2, pve3",
        ],
    ),
    "a storage that is not there": (
        "{proxmox: {storage: tnk}}",
        ["hosts.yaml:4:36: error[PVX0581]: there is no storage `tnk` | did you mean `tank`?"],
    ),
    "a storage that is only elsewhere": (
        "{proxmox: {node: pve1, disks: [{slot: scsi1, size: 4G, storage: fast}]}}",
        [("hosts.yaml:4:80: error[PVX0581]: storage `fast` is not on pve1, only on pve2 | those that can: tank")],
    ),
    "a storage that takes no disks": (
        "{proxmox: {node: pve1, storage: local}}",
        [("hosts.yaml:4:48: error[PVX0581]: storage `local` takes no images, only iso, backup | those that can: tank")],
    ),
    "a storage that is not active": (
        "{proxmox: {storage: asleep}}",
        [
            (
                "hosts.yaml:4:36: error[PVX0581]: storage `asleep` is not active on pve1 or pve2 | "
                "those that can: fast, tank"
            )
        ],
    ),
    "a storage without backups": (
        "{backup: {storage: tank}}",
        [("hosts.yaml:4:35: error[PVX0581]: storage `tank` takes no backup, only images | those that can: local")],
    ),
    "a bridge that no node has": (
        "{network: [{bridge: lan}, {bridge: vmbr2}]}",
        [("hosts.yaml:4:51: error[PVX0582]: there is no bridge `vmbr2` on pve1 or pve2 | did you mean `vmbr1`?")],
    ),
    "a mapping that is not there": (
        "{proxmox: {pci: [{mapping: gpus}]}}",
        ["hosts.yaml:4:43: error[PVX0583]: there is no PCI mapping `gpus` | did you mean `gpu`?"],
    ),
    "a mapping that is only elsewhere": (
        "{proxmox: {node: pve1, pci: [{mapping: gpu}]}}",
        [
            (
                "hosts.yaml:4:55: error[PVX0583]: `gpu` has no device on pve1, only on pve2 | "
                "let `proxmox.node` or `proxmox.nodes` name one of these"
            )
        ],
    ),
    "a pool that is not there": (
        "{proxmox: {pool: infr}}",
        ["hosts.yaml:4:33: error[PVX0584]: there is no pool `infr` | did you mean `infra`?"],
    ),
    "a disk smaller than the template's": (
        "{disk: 8G}",
        [
            (
                "hosts.yaml:4:23: error[PVX0586]: a disk of 8G is smaller than that of template 8100, which has 12G | "
                "write 12G or more, or choose another class"
            )
        ],
    ),
    "an id that a stranger has": (
        "{proxmox: {vmid: 300}}",
        [
            (
                "hosts.yaml:4:33: error[PVX0587]: VM id 300 is taken by VM `web` on pve2 | "
                "free: 210, 220, 230; or leave it out, and one is chosen"
            )
        ],
    ),
    "an id that a container has": (
        "{proxmox: {vmid: 200}}",
        [
            (
                "hosts.yaml:4:33: error[PVX0587]: VM id 200 is taken by a container | "
                "free: 210, 220, 230; or leave it out, and one is chosen"
            )
        ],
    ),
    "a backup job that is not there": (
        "{backup: {job: nihtly}}",
        ["hosts.yaml:4:31: error[PVX0588]: there is no backup job `nihtly` | did you mean `nightly`?"],
    ),
    "an image that is not there": (
        "{install: iso, iso: {volume: local:iso/nixos-24.iso}}",
        [
            (
                "hosts.yaml:4:45: error[PVX0589]: there is no ISO image `local:iso/nixos-24.iso` | "
                "did you mean `local:iso/nixos-25.iso`?"
            )
        ],
    ),
    "an image on a storage that has none": (
        "{install: iso, iso: {volume: tank:iso/nixos-24.iso}}",
        ["hosts.yaml:4:45: error[PVX0581]: storage `tank` takes no iso, only images | those that can: local"],
    ),
    "nothing": (
        (
            "{network: {bridge: vmbr1}, backup: {job: nightly, storage: local}, "
            "proxmox: {storage: tank, pool: infra, pci: [{mapping: gpu}], vmid: 210}}"
        ),
        [],
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_the_site_lacks_is_said_where_it_is_asked_for(name: str, tmp_path: Path) -> None:
    machine, expected = WRONG[name]
    assert await wrong(tmp_path, machine) == expected


UNSEEN = {
    "{proxmox: {storage: tnk}}": "storage `tnk` cannot be checked: the API token lacks Datastore.Audit or "
    "Datastore.AllocateSpace on /storage/tnk",
    "{network: {bridge: vmbr2}}": "bridge `vmbr2` cannot be checked: the API token lacks SDN.Audit or SDN.Use on "
    "/sdn/zones/localnetwork/vmbr2",
    "{proxmox: {pool: infra}}": "pool `infra` cannot be checked: the API token lacks Pool.Audit or Pool.Allocate on "
    "/pool/infra",
    "{proxmox: {pci: [{mapping: gpu}]}}": "PCI mapping `gpu` cannot be checked: the API token lacks Mapping.Audit or "
    "Mapping.Use or Mapping.Modify on /mapping/pci/gpu",
    "{backup: {job: nightly}}": "backup job `nightly` cannot be checked: the API token lacks Sys.Audit on /",
}


@pytest.mark.parametrize("machine", UNSEEN)
async def test_what_the_token_may_not_see_is_never_said_not_to_be_there(machine: str, tmp_path: Path) -> None:
    [only] = await wrong(tmp_path, machine, Far(SEES_NOTHING))
    assert f"warning[PVX0590]: {UNSEEN[machine]} | pvenix doctor" in only


async def test_a_template_that_is_missing_is_shown_in_site_yaml_with_those_there_are(tmp_path: Path) -> None:
    site = world(tmp_path, "{}", Far(SEES_ALL))
    path = tmp_path / "inventory" / "site.yaml"
    path.write_text(path.read_text().replace("vmid: 8100", "vmid: 8101"))
    site.fleet = load_fleet(tmp_path)
    [only] = await problems(site, site.fleet.host("a1"), None)
    assert (only.place, only.what, only.hint) == (
        "inventory/site.yaml:12:31",
        "there is no template `8101`",
        "templates are 8100 (nixos)",
    )
    path.write_text(path.read_text().replace("vmid: 8101", "vmid: 300"))
    site.fleet = load_fleet(tmp_path)
    [only] = await problems(site, site.fleet.host("a1"), None)
    assert only.what == "VM 300 (web) is no template"


async def test_a_disk_that_would_shrink_is_refused(tmp_path: Path) -> None:
    machine = "{disk: 8G, proxmox: {disks: [{slot: scsi1, size: 4G}, {slot: scsi2, size: 9G}]}}"
    seen = config(scsi0="tank:vm-1-disk-0,size=20G", scsi1="tank:vm-1-disk-1,size=4608M", scsi2="tank:x,size=9G")
    assert await wrong(tmp_path, machine, seen=seen) == [
        (
            "hosts.yaml:4:23: error[PVX0586]: scsi0 has 20G and would shrink to 8G, which nothing does | "
            "write 20G or more"
        ),
        (
            "hosts.yaml:4:65: error[PVX0586]: scsi1 has 4.5G and would shrink to 4G, which nothing does | "
            "write 4.5G or more"
        ),
    ]


async def test_a_node_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    far = Far(SEES_ALL)
    far.silent = {"pve1"}
    assert await wrong(tmp_path, "{network: {bridge: vmbr1}}", far) == []


async def test_a_look_costs_one_list_a_template_and_a_read_for_each_node_in_question(tmp_path: Path) -> None:
    far = Far(SEES_ALL)
    site = world(tmp_path, "{proxmox: {nodes: [pve2]}, network: {zone: mgmt}}", far)
    for _ in range(3):
        assert await problems(site, site.fleet.host("a1"), None) == ()
    assert far.asked == ["resources", "bridges pve2", "config 8100 pve1"]


async def test_a_template_whose_clones_would_not_come_up_is_refused_before_it_is_cloned(tmp_path: Path) -> None:
    far = Far(SEES_ALL)
    far.boot = "order=net0"
    [only] = await wrong(tmp_path, "{}", far)
    assert only == (
        "site.yaml:12:31: error[PVX0732]: template 8100: it boots from net0 first, not from scsi0 | "
        "qm set 8100 --boot order=scsi0"
    )

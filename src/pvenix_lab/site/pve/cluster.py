"""The cluster's own state: nodes, storages, bridges, mappings, pools, rights, VMs, tasks, and what is only stored and shown."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.flavour import Flavour
from pvenix_lab.site.pve.rights import ROOT, Rights, Token
from pvenix_lab.site.pve.vm import Vm, new_mac, new_uuid
from pvenix_lab.site.pve.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pvenix_lab.site.pve.filelock import FileLock
    from pvenix_lab.site.pve.task import Task

GIB = 1024**3
TEMPLATE_VMID = 8100
LOCAL_NODE = "tappaas1"
_IMAGES = ("images", "rootdir")
"""The node whose proxy answers at the site's endpoint."""


@dataclass(slots=True, kw_only=True)
class Node:
    """A Proxmox server. Memory in bytes.

    `online` is False when the server or its network is gone, `daemon_up` is False when the API daemon that does protected
    calls is gone while the proxy answers, `statistics_up` is False when its statistics daemon sends nothing any more.
    """

    name: str
    ip: str
    cpus: int
    memory: int
    nodeid: int
    bridges: tuple[str, ...] = ("lan",)
    started_at: float = 0.0
    online: bool = True
    daemon_up: bool = True
    statistics_up: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Storage:
    """A storage definition; `nodes` are those that see it, sizes in bytes (per node unless shared).

    `active` is False when it is defined and enabled, but not reachable; `settings` holds what is only shown.
    """

    name: str
    type: str
    content: tuple[str, ...]
    shared: bool
    nodes: tuple[str, ...]
    total: int
    base_used: int
    enabled: bool = True
    active: bool = True
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PciMapping:
    """A mapped PCI device: where each node has it (`map` of `/cluster/mapping/pci`)."""

    name: str
    description: str
    paths: dict[str, str]
    vendor_device: str


@dataclass(slots=True, kw_only=True)
class Pool:
    """A pool; its VMs name it themselves (`Vm.pool`)."""

    name: str
    comment: str = ""
    storages: set[str] = field(default_factory=set)


AUDIT_ROLE = "PVEAuditor"
PROVISIONER_ROLE = "Provisioner"
_PROVISIONER = (
    *("Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Datastore.Audit", "Mapping.Audit", "Mapping.Use"),
    *(
        "Pool.Audit",
        "SDN.Audit",
        "SDN.Use",
        "Sys.AccessNetwork",
        "Sys.Audit",
        "Sys.Console",
        "VM.Allocate",
        "VM.Audit",
        "VM.Backup",
        "VM.Clone",
        "VM.Config.CDROM",
        "VM.Config.CPU",
    ),
    *("VM.Config.Cloudinit", "VM.Config.Disk", "VM.Config.HWType", "VM.Config.Memory", "VM.Config.Network"),
    *("VM.Config.Options", "VM.Console", "VM.Migrate", "VM.Monitor", "VM.PowerMgmt", "VM.Snapshot"),
    *("VM.Snapshot.Rollback", "VM.GuestAgent.Audit", "VM.GuestAgent.FileRead", "VM.GuestAgent.FileWrite"),
    *("VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted"),
)
"""What the site's operator holds, as far as the release knows it."""

Section = dict[str, dict[str, Any]]
"""A configuration file of sections: what is stored and shown, by id."""


@dataclass(slots=True, kw_only=True)
class Cluster:
    """One cluster. `tasks` holds every task by UPID, oldest first; `broadcast` the VM figures last sent around, and when by node.

    Without a quorum (`quorate` False) what is written is refused, what is read is answered. `sections` holds the
    configuration files by name (`jobs`, `ha/groups`, `replication`, …), `locks` the VMs' lock files by node and VM.
    """

    name: str
    flavour: Flavour
    nodes: dict[str, Node]
    storages: dict[str, Storage]
    mappings: dict[str, PciMapping]
    rights: Rights
    resolver: str
    vms: dict[int, Vm] = field(default_factory=dict)
    containers: dict[int, str] = field(default_factory=dict)
    """The node of each container by its id; of containers nothing is played but that they have their ids."""
    pools: dict[str, Pool] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    quorate: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    sections: dict[str, Section] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    fingerprint: str = ""
    broadcast: dict[int, dict[str, Any]] = field(default_factory=dict)
    broadcast_at: dict[str, float] = field(default_factory=dict)
    volumes: Volumes = field(default_factory=Volumes)
    locks: dict[tuple[str, int], FileLock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rights.pools_of = self.pools_of

    @classmethod
    def standard(cls, rng: random.Random, *, now: int, flavour: Flavour = Flavour.PVE_8_4) -> Cluster:
        """Cluster `lab`: nodes tappaas1 to 3, shared tanka1 and tankb1, tankc1 on two nodes, local ones, gpu0, template 8100."""
        names = ("tappaas1", "tappaas2", "tappaas3")
        nodes = {
            name: Node(name=name, ip=f"10.69.0.{10 + i}", cpus=16, memory=128 * GIB, nodeid=i, started_at=now - 86400)
            for i, name in enumerate(names, start=1)
        }
        nodes["tappaas3"].bridges = ("lan", "dmz")
        gpu = PciMapping(name="gpu0", description="GPU", paths={"tappaas1": "0000:01:00.0"}, vendor_device="10de:2684")
        rights = Rights(flavour=flavour)
        rights.roles[PROVISIONER_ROLE] = frozenset(_PROVISIONER) & flavour.privileges
        for token_id, role in (("pvenix@pve!lab", PROVISIONER_ROLE), ("viewer@pve!lab", AUDIT_ROLE)):
            token = rights.add_token(token_id, new_uuid(rng), roles={"/": role})
            rights.users[ROOT].password = new_uuid(random.Random(token.secret))
        cluster = cls(
            name="lab",
            flavour=flavour,
            nodes=nodes,
            storages=_storages(names),
            mappings={gpu.name: gpu},
            rights=rights,
            resolver="10.69.0.1",
        )
        cluster.vms[TEMPLATE_VMID] = make_template(rng, node=names[0], now=now)
        return cluster

    @property
    def tokens(self) -> dict[str, Token]:
        """The API tokens by id."""
        return self.rights.tokens

    def pools_of(self, path: str) -> Iterable[str]:
        """The pools that the VM or storage of an access control path is in."""
        _, kind, name, *rest = (*path.split("/"), "")
        if rest not in ([], [""]) or not name:
            return ()
        if kind == "vms" and name.isdigit():
            vm = self.vms.get(int(name))
            return (vm.pool,) if vm and vm.pool else ()
        if kind == "storage":
            return [pool.name for pool in self.pools.values() if name in pool.storages]
        return ()

    def note(self, now: float, *, user: str, text: str, node: str = LOCAL_NODE) -> None:
        """Append a line to the cluster's log."""
        number = len(self.log) + 1
        entry = {"uid": number, "time": int(now), "msg": text, "node": node, "user": user, "pri": 6, "tag": "pvedaemon"}
        self.log.append(entry | {"pid": 1200, "id": f"{number}:{node}"})

    def vm_named(self, name: str) -> Vm | None:
        """The first VM of that name, None if there is none (Proxmox VE allows several)."""
        return next((vm for vm in self.vms.values() if vm.name == name), None)


def _zfs(name: str, gib: int, nodes: tuple[str, ...]) -> Storage:
    return Storage(name=name, type="zfs", content=_IMAGES, shared=True, nodes=nodes, total=gib * GIB, base_used=GIB)


def _storages(names: tuple[str, ...]) -> dict[str, Storage]:
    found = (
        Storage(
            name="local",
            type="dir",
            content=("iso", "vztmpl", "snippets", "backup", "import"),
            shared=False,
            nodes=names,
            total=94 * GIB,
            base_used=11 * GIB,
            settings={"path": "/var/lib/vz"},
        ),
        _zfs("tanka1", 1800, names),
        _zfs("tankb1", 3600, names),
        Storage(
            name="local-lvm",
            type="lvmthin",
            content=_IMAGES,
            shared=False,
            nodes=names,
            total=340 * GIB,
            base_used=0,
            settings={"thinpool": "data", "vgname": "pve"},
        ),
        Storage(
            name="tankc1",
            type="nfs",
            content=("backup", "images"),
            shared=True,
            nodes=names[1:],
            total=900 * GIB,
            base_used=GIB,
            settings={"export": "/tankc1", "path": "/mnt/pve/tankc1", "server": "10.69.0.20"},
        ),
    )
    return {storage.name: storage for storage in found}


def make_template(rng: random.Random, *, node: str, now: int) -> Vm:
    """Template 8100: q35, OVMF, one 32 GiB disk, cloud-init drive, guest agent (the shape of a NixOS template)."""
    return Vm(
        vmid=TEMPLATE_VMID,
        node=node,
        config={
            "name": "tappaas-nixos",
            "template": 1,
            "agent": "1",
            "bios": "ovmf",
            "boot": "order=scsi0",
            "ciuser": "tappaas",
            "cores": 2,
            "cpu": "host",
            "efidisk0": "tanka1:base-8100-disk-0,efitype=4m,size=1M",
            "ide2": "tanka1:vm-8100-cloudinit,media=cdrom",
            "ipconfig0": "ip=dhcp",
            "machine": "q35",
            "memory": "2048",
            "meta": f"creation-qemu=9.2.0,ctime={now}",
            "net0": f"virtio={new_mac(rng)},bridge=lan",
            "ostype": "l26",
            "scsi0": "tanka1:base-8100-disk-1,size=32G",
            "scsihw": "virtio-scsi-pci",
            "serial0": "socket",
            "smbios1": f"uuid={new_uuid(rng)}",
            "tags": "nixos",
            "vmgenid": new_uuid(rng),
        },
    )

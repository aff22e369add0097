"""The cluster's own state: nodes, storages, bridges, mappings, pools, tokens, VMs, tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pvenix_lab.site.pve.vm import Vm, new_mac, new_uuid
from pvenix_lab.site.pve.volumes import Volumes

if TYPE_CHECKING:
    import random

    from pvenix_lab.site.pve.filelock import FileLock
    from pvenix_lab.site.pve.tasks import Task

GIB = 1024**3
TEMPLATE_VMID = 8100
VERSION = "8.4.5"
REPOID = "a79374d20"


@dataclass(slots=True, kw_only=True)
class Node:
    """A Proxmox server. Memory in bytes."""

    name: str
    ip: str
    cpus: int
    memory: int
    nodeid: int
    bridges: tuple[str, ...] = ("lan",)
    started_at: float = 0.0


@dataclass(slots=True, kw_only=True)
class Storage:
    """A storage definition; `nodes` are those that see it, sizes in bytes."""

    name: str
    type: str
    content: tuple[str, ...]
    shared: bool
    nodes: tuple[str, ...]
    total: int
    base_used: int


@dataclass(slots=True, kw_only=True)
class PciMapping:
    """A mapped PCI device: where each node has it (`map` of `/cluster/mapping/pci`)."""

    name: str
    description: str
    paths: dict[str, str]
    vendor_device: str


@dataclass(slots=True, kw_only=True)
class Token:
    """An API token and the privileges it has on `/` (the site grants nowhere else)."""

    token_id: str
    secret: str
    privileges: frozenset[str]

    @property
    def user(self) -> str:
        """`user@realm` of the token."""
        return self.token_id.partition("!")[0]

    @property
    def name(self) -> str:
        """The token's own name, after the `!`."""
        return self.token_id.partition("!")[2]


AUDIT_PRIVILEGES = frozenset({"Datastore.Audit", "Mapping.Audit", "Pool.Audit", "SDN.Audit", "Sys.Audit", "VM.Audit"})
PROVISIONER_PRIVILEGES = AUDIT_PRIVILEGES | frozenset(
    [
        "Datastore.AllocateSpace",
        "Mapping.Use",
        "SDN.Use",
        "VM.Allocate",
        "VM.Backup",
        "VM.Clone",
        "VM.Config.CDROM",
        "VM.Config.CPU",
        "VM.Config.Cloudinit",
        "VM.Config.Disk",
        "VM.Config.HWType",
        "VM.Config.Memory",
        "VM.Config.Network",
        "VM.Config.Options",
        "VM.Console",
        "VM.Migrate",
        "VM.Monitor",
        "VM.PowerMgmt",
        "VM.Snapshot",
        "VM.Snapshot.Rollback",
    ]
)


@dataclass(slots=True, kw_only=True)
class Cluster:
    """One cluster. `tasks` holds every task by UPID, oldest first; `broadcast` the VM figures last sent around, and when.

    `locks` are the VMs' lock files by node and VM. Jobs, HA entries and mappings are kept as their configuration sections, by name.
    """

    name: str
    nodes: dict[str, Node]
    storages: dict[str, Storage]
    mappings: dict[str, PciMapping]
    tokens: dict[str, Token]
    resolver: str
    vms: dict[int, Vm] = field(default_factory=dict)
    pools: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    fingerprint: str = ""
    broadcast: dict[int, dict[str, Any]] = field(default_factory=dict)
    broadcast_at: float = float("-inf")
    quorate: bool = True
    volumes: Volumes = field(default_factory=Volumes)
    locks: dict[tuple[str, int], FileLock] = field(default_factory=dict)
    backup_jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    replication_jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ha_resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    ha_groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    ha_rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    usb_mappings: dict[str, dict[str, Any]] = field(default_factory=dict)
    dir_mappings: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def standard(cls, rng: random.Random, *, now: int) -> Cluster:
        """Cluster `lab`: nodes tappaas1 and tappaas2, shared tanka1 and tankb1, GPU mapping gpu0, template 8100, two tokens."""
        names = ("tappaas1", "tappaas2")
        nodes = {
            name: Node(name=name, ip=f"10.69.0.{10 + i}", cpus=16, memory=128 * GIB, nodeid=i, started_at=now - 86400)
            for i, name in enumerate(names, start=1)
        }
        storages = {
            "local": Storage(
                name="local",
                type="dir",
                content=("iso", "vztmpl", "snippets", "backup"),
                shared=False,
                nodes=names,
                total=94 * GIB,
                base_used=11 * GIB,
            ),
            **{
                name: Storage(
                    name=name,
                    type="zfs",
                    content=("images", "rootdir"),
                    shared=True,
                    nodes=names,
                    total=size * GIB,
                    base_used=GIB,
                )
                for name, size in (("tanka1", 1800), ("tankb1", 3600))
            },
        }
        gpu = PciMapping(name="gpu0", description="GPU", paths={"tappaas1": "0000:01:00.0"}, vendor_device="10de:2684")
        tokens = {
            token_id: Token(token_id=token_id, secret=new_uuid(rng), privileges=privileges)
            for token_id, privileges in (
                ("pvenix@pve!lab", PROVISIONER_PRIVILEGES),
                ("viewer@pve!lab", AUDIT_PRIVILEGES),
            )
        }
        cluster = cls(
            name="lab",
            nodes=nodes,
            storages=storages,
            mappings={gpu.name: gpu},
            tokens=tokens,
            resolver="10.69.0.1",
        )
        cluster.vms[TEMPLATE_VMID] = make_template(rng, node=names[0], now=now)
        return cluster

    def vm_named(self, name: str) -> Vm | None:
        """The first VM of that name, None if there is none (Proxmox VE allows several)."""
        return next((vm for vm in self.vms.values() if vm.name == name), None)


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

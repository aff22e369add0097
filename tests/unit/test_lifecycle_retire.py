"""What a retired host leaves behind: told, and never taken for gone because it may not be seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import (
    BackupJob,
    ReplicationJob,
    Resources,
    TaskResult,
    TaskState,
    VmConfig,
    VmPower,
    VmSnapshot,
    Volume,
)
from pvenix.lifecycle import retire
from pvenix.lifecycle.ownership import Found, marker
from pvenix.lifecycle.removal import consequences
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.volumes import drives_in
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused
from pvenix.model.host import Disk
from pvenix.model.names import NodeName, Vmid
from pvenix.model.outcome import Need, Status
from pvenix.model.site import Limits
from tests.unit.lifecycle_support import config, host, vm

DISKS = {
    "scsi0": "ssd:vm-200-disk-0,size=32G",
    "efidisk0": "ssd:vm-200-disk-1,size=4M",
    "ide2": "ssd:vm-200-cloudinit,media=cdrom",
}
MINE = config(name="dns01", tags="pvenix", description=marker("dns01", fleet="test", run="r"), **DISKS)
KEPT = Disk(slot="scsi1", size_mib=9216, keep_on_destroy=True)
ALWAYS = (
    "firewall rules of VM 200 and rights granted on /vms/200 go with it",
    "no backup is made before: neither backup.storage of the host nor storage.backup of its cluster names a storage",
)
"""What every destruction of this VM changes, and what it goes without."""


class Pve:
    """One stopped VM; `stays` is what its destruction leaves on the storage, `visible` whether the token may list it."""

    def __init__(self, stays: tuple[str, ...] = (), *, visible: bool = True) -> None:
        self.there: VmConfig | None = MINE
        self._volumes = tuple(sorted(drives_in(MINE)))
        self._stays, self._visible = stays, visible
        self.granted: dict[str, dict[str, int]] = {"/vms": {"VM.Audit": 1}}
        self.blind_lists = 0
        """How many lists still leave the VM out."""
        self.status, self.ha = "stopped", ""
        self.jobs: tuple[BackupJob, ...] | None = ()
        """None when the token may not list them."""
        self.replication: tuple[ReplicationJob, ...] = ()
        self.taken: tuple[VmSnapshot, ...] = ()
        self.sent: list[str] = []
        self.tasks: list[TaskState] = []
        """Newest first."""

    async def permissions(self, _path: str = "") -> dict[str, dict[str, int]]:
        return self.granted

    async def resources(self) -> Resources:
        self.blind_lists -= 1
        listed = (vm(200, "n1", name="dns01"),) if self.there and self.blind_lists < 0 else ()
        return Resources(nodes=(), vms=listed, storages=())

    async def config(self, *_: object) -> VmConfig | None:
        return self.there

    async def power(self, *_: object) -> VmPower:
        return VmPower(status=self.status, detail=self.status, uptime_s=0, agent=True, ha=self.ha)

    async def backup_jobs(self) -> tuple[BackupJob, ...]:
        if self.jobs is None:
            raise Refused("GET /cluster/backup is not permitted")
        return self.jobs

    async def replication_jobs(self) -> tuple[ReplicationJob, ...]:
        return self.replication

    async def snapshots(self, *_: object) -> tuple[VmSnapshot, ...]:
        return self.taken

    async def remove_ha(self, vmid: int) -> None:
        self.sent.append(f"remove ha {vmid}")
        self.ha = ""

    async def stop(self, *_: object) -> str:
        self.sent.append("stop")
        self.status = "stopped"
        return self._ended("qmstop")

    async def destroy(self, *_: object) -> str:
        self.sent.append("destroy")
        self.there, self._volumes = None, self._stays
        return self._ended("qmdestroy")

    def _ended(self, kind: str) -> str:
        upid = f"UPID:n1:1:1:{len(self.tasks):08X}:{kind}:200:t@pve:"
        self.tasks.insert(0, TaskState(upid=upid, kind=kind, user="t@pve", began_at=1, running=False, exit_text="OK"))
        return upid

    async def tasks_of(self, *_: object) -> tuple[TaskState, ...]:
        return tuple(self.tasks)

    async def wait(self, upid: str, **_: object) -> TaskResult:
        return TaskResult(upid=upid, ok=True, exit_text="OK", log=())

    async def volumes(self, *_: object, **__: object) -> tuple[Volume, ...]:
        if not self._visible:
            raise Refused("GET /nodes/n1/storage/ssd/content is not permitted")
        return tuple(Volume(id=one, content="images", size=1) for one in self._volumes)


class Repo:
    """A fleet in which the tombstone is merged already."""

    async def fetch(self) -> str:
        return "main"

    async def tip(self, _branch: str) -> None:
        return None

    async def read(self, _rev: str, _path: str) -> str:
        return "machine:\n  state: absent\n"


def world(pve: Pve, pool: str = "", *, storage: str = "", **machine: Any) -> World:
    there = host(**({"proxmox": {"pool": pool}} | machine))
    cluster = SimpleNamespace(storage={"backup": storage} if storage else {}, limits=Limits())
    fleet = SimpleNamespace(
        hosts={"dns01": there}, site=SimpleNamespace(repository=None, name="test", clusters={"c": cluster})
    )
    trust = SimpleNamespace(forget=lambda _name: None)
    ports: dict[str, Any] = {"pve": pve, "guest": None, "repo": Repo(), "trust": trust, "clock": SystemClock()}
    return World(fleet=cast("Any", fleet), **ports)


async def test_a_vm_that_took_its_volumes_along_is_gone() -> None:
    outcome = await retire.apply(world(Pve()), looking_at("dns01"))
    assert (outcome.status, outcome.evidence) == (Status.CHANGED, ALWAYS)
    assert outcome.summary.startswith("VM 200 is gone; tombstone")


async def test_a_volume_that_stays_is_named() -> None:
    outcome = await retire.apply(world(Pve(stays=("ssd:vm-200-disk-0",))), looking_at("dns01"))
    assert outcome.summary.startswith("VM 200 is gone, but not all of its volumes")
    assert outcome.evidence == ("ssd:vm-200-disk-0: still there", *ALWAYS)


async def test_a_volume_that_may_not_be_listed_is_not_taken_for_gone() -> None:
    outcome = await retire.apply(world(Pve(visible=False)), looking_at("dns01"))
    assert outcome.evidence[0] == "ssd:vm-200-cloudinit: not known, the token may not list it"
    assert len(outcome.evidence) == 3 + len(ALWAYS)


async def test_a_resumed_retirement_still_looks_for_the_volumes_of_the_vm_that_is_gone() -> None:
    pve, step = Pve(stays=("ssd:vm-200-disk-1",)), looking_at("dns01")
    await retire.apply(world(pve), step)
    again = looking_at("dns01")
    again.known = step.known
    assert (await retire.apply(world(pve), again)).evidence == ("ssd:vm-200-disk-1: still there", *ALWAYS)


async def test_a_vm_that_a_list_left_out_while_the_right_was_gone_is_destroyed_and_not_called_gone() -> None:
    pve = Pve()
    pve.blind_lists = 1
    outcome = await retire.apply(world(pve), looking_at("dns01"))
    assert outcome.summary.startswith("VM 200 is gone; tombstone")


@pytest.mark.parametrize(
    "granted",
    [
        {},
        {"/": {"VM.Audit": 0}, "/vms": {"VM.Audit": 0}},
        {"/vms": {"VM.PowerMgmt": 1}, "/vms/201": {"VM.Audit": 1}},
        {"/pool/other": {"VM.Audit": 1}},
    ],
    ids=["nothing", "not below the path", "another VM", "another pool"],
)
async def test_a_token_that_would_not_see_the_vm_proposes_no_tombstone(granted: dict[str, dict[str, int]]) -> None:
    pve = Pve()
    pve.blind_lists, pve.granted = 9, granted
    step = looking_at("dns01")
    step.args = {"confirm": "dns01"}
    for look in (retire.probe, retire.apply):
        with pytest.raises(Refused, match="may not see whether dns01 has a VM"):
            await look(world(pve, "mine"), step)


@pytest.mark.parametrize(
    "granted",
    [{"/pool/mine": {"VM.Audit": 0}}, {"/pool": {"VM.Audit": 1}}, {"/vms/200": {"VM.Audit": 0}}],
    ids=["its pool", "all pools", "the VM's own id"],
)
async def test_a_token_that_would_see_the_vm_may_say_that_there_is_none(granted: dict[str, dict[str, int]]) -> None:
    pve = Pve()
    pve.blind_lists, pve.granted = 9, granted
    step = looking_at("dns01")
    step.args, step.facts = {"confirm": "dns01"}, {"vmid": "200"}
    assert (await retire.probe(world(pve, "mine"), step)).need is Need.DONE


@pytest.mark.parametrize(
    ("value", "volumes"),
    [
        ("none,media=cdrom", ()),
        ("local:iso/nixos.iso,media=cdrom", ()),
        ("a.b:vm-1-disk-0,size=1G", ("a.b:vm-1-disk-0",)),
    ],
)
def test_only_a_disk_of_its_own_counts_as_a_vm_s_volume(value: str, volumes: tuple[str, ...]) -> None:
    assert drives_in(config(ide2=value, net0="virtio=AA:BB,bridge=vmbr0")) == frozenset(volumes)


# --- what goes with it -----------------------------------------------------------------------------------------------


def job(name: str, *vmids: int, everything: bool = False, excluded: tuple[int, ...] = (), pool: str = "") -> BackupJob:
    return BackupJob(
        id=name, vmids=vmids, everything=everything, excluded=excluded, pool=pool, storage="pbs", schedule="daily",
        enabled=True,
    )  # fmt: skip


async def changes(pve: Pve, config: VmConfig = MINE, **machine: Any) -> tuple[str, ...]:
    found = Found(node=NodeName("n1"), vmid=Vmid(200), config=config)
    return await consequences(world(pve, **machine), found)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (job("both", 200, 201), "backup job both (daily, to pbs) names it: it is taken off the list"),
        (job("alone", 200), "backup job alone (daily, to pbs) names it: the job is deleted, it names no other"),
        (job("all", everything=True), "backup job all (daily, to pbs) covers it by all: the job stays"),
        (
            job("but", everything=True, excluded=(200,)),
            "backup job but (daily, to pbs) excludes it: the exclusion goes, whoever has the id next is backed up",
        ),
        (job("other", 201), ""),
    ],
    ids=lambda value: value.id if isinstance(value, BackupJob) else "",
)
async def test_every_backup_job_that_changes_is_named_and_what_becomes_of_it(known: BackupJob, told: str) -> None:
    pve = Pve()
    pve.jobs = (known,)
    lines = [line for line in await changes(pve) if line.startswith("backup job")]
    assert lines == ([told] if told else [])


async def test_jobs_that_may_not_be_listed_are_not_called_none() -> None:
    pve = Pve()
    pve.jobs = None
    [line] = [line for line in await changes(pve) if line.startswith("backup jobs")]
    assert "not known" in line
    assert "Sys.Audit" in line


async def test_replication_ha_snapshots_and_detached_disks_go_with_the_vm() -> None:
    pve = Pve()
    pve.replication = (
        ReplicationJob(id="200-0", vmid=200, target=NodeName("n2"), schedule="*/15"),
        ReplicationJob(id="201-0", vmid=201, target=NodeName("n2"), schedule="*/15"),
    )
    signed = {"before-work": "pvenix test/dns01 run 1 step 0.0.snapshot commit 2", "pvenix-like": "", "pvenix-b": ""}
    pve.taken = tuple(
        VmSnapshot(name=name, description=text, parent="", taken_at=1, memory=False) for name, text in signed.items()
    )
    pve.ha = "started"
    detached = VmConfig(values={**MINE.values, "unused0": "ssd:vm-200-disk-7"}, digest="d")
    assert (await changes(pve, detached))[:4] == (
        "replication job 200-0 to n2 (*/15) is removed, with the copies there",
        "HA resource vm:200 (state started) is removed first",
        "snapshots that are deleted: 1 of pvenix and 2 of others (before-work, pvenix-like, pvenix-b)",
        "unused0 (ssd:vm-200-disk-7) is detached, and is freed too",
    )


async def test_the_ha_manager_lets_go_before_the_power_is_cut() -> None:
    pve, step = Pve(), looking_at("dns01")
    pve.ha, pve.status = "started", "running"
    await retire.apply(world(pve), step)
    assert pve.sent == ["remove ha 200", "stop", "destroy"]
    assert step.known["leaving_ha"] == "200"


@pytest.mark.parametrize(
    ("extra", "proxmox", "told"),
    [
        ({"protection": "1"}, {}, "VM 200 of dns01 is protected at Proxmox"),
        ({}, {"protect": True}, "dns01 is protected"),
        ({"scsi1": "ssd:vm-200-disk-3,size=9G"}, {"disks": (KEPT,)}, "scsi1 of dns01 .* would be freed"),
        ({"unused0": "ssd:vm-200-disk-3"}, {"disks": (KEPT,)}, "unused0 of dns01 .* would be freed"),
    ],
    ids=["at Proxmox", "in the inventory", "a disk to keep", "a disk to keep, detached"],
)
async def test_what_is_to_stay_is_not_destroyed(extra: dict[str, str], proxmox: dict[str, Any], told: str) -> None:
    pve, step = Pve(), looking_at("dns01")
    pve.there = VmConfig(values={**MINE.values, **extra}, digest="d")
    step.args = {"confirm": "dns01"}
    with pytest.raises(Refused, match=told) as refused:
        await retire.probe(world(pve, proxmox=proxmox), step)
    assert refused.value.hint
    assert any(line.startswith("refused as it is: ") for line in await changes(pve, pve.there, proxmox=proxmox))
    assert pve.sent == []


async def test_a_resumed_run_destroys_no_other_vm_than_the_one_it_began_with() -> None:
    pve, step = Pve(), looking_at("dns01")
    step.known = {"vmid": "200", "node": "n1", "uuid": "00000000-0000-0000-0000-000000000001"}
    with pytest.raises(Refused, match="is not the one that this run began to destroy"):
        await retire.apply(world(pve), step)
    assert pve.sent == []

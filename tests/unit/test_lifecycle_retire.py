"""What a retired host leaves behind: told, and never taken for gone because it may not be seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import Resources, TaskResult, VmConfig, VmPower, Volume
from pvenix.lifecycle import retire
from pvenix.lifecycle.ownership import marker
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.volumes import drives_in
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused
from pvenix.model.outcome import Need, Status
from tests.unit.lifecycle_support import config, host, vm

DISKS = {
    "scsi0": "ssd:vm-200-disk-0,size=32G",
    "efidisk0": "ssd:vm-200-disk-1,size=4M",
    "ide2": "ssd:vm-200-cloudinit,media=cdrom",
}
MINE = config(name="dns01", tags="pvenix", description=marker("dns01", fleet="test", run="r"), **DISKS)


class Pve:
    """One stopped VM; `stays` is what its destruction leaves on the storage, `visible` whether the token may list it."""

    def __init__(self, stays: tuple[str, ...] = (), *, visible: bool = True) -> None:
        self._there: VmConfig | None = MINE
        self._volumes = tuple(sorted(drives_in(MINE)))
        self._stays, self._visible = stays, visible
        self.granted: dict[str, dict[str, int]] = {"/vms": {"VM.Audit": 1}}
        self.blind_lists = 0
        """How many lists still leave the VM out."""

    async def permissions(self) -> dict[str, dict[str, int]]:
        return self.granted

    async def resources(self) -> Resources:
        self.blind_lists -= 1
        listed = (vm(200, "n1", name="dns01"),) if self._there and self.blind_lists < 0 else ()
        return Resources(nodes=(), vms=listed, storages=())

    async def config(self, *_: object) -> VmConfig | None:
        return self._there

    async def power(self, *_: object) -> VmPower:
        return VmPower(status="stopped", detail="stopped", uptime_s=0, agent=True)

    async def destroy(self, *_: object) -> str:
        self._there, self._volumes = None, self._stays
        return "UPID:n1:1:1:1:qmdestroy:200:t@pve:"

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


def world(pve: Pve, pool: str = "") -> World:
    there = host(proxmox={"pool": pool})
    fleet = SimpleNamespace(hosts={"dns01": there}, site=SimpleNamespace(name="test"))
    trust = SimpleNamespace(forget=lambda _name: None)
    ports: dict[str, Any] = {"pve": pve, "guest": None, "repo": Repo(), "trust": trust, "clock": SystemClock()}
    return World(fleet=cast("Any", fleet), **ports)


async def test_a_vm_that_took_its_volumes_along_is_gone() -> None:
    outcome = await retire.apply(world(Pve()), looking_at("dns01"))
    assert (outcome.status, outcome.evidence) == (Status.CHANGED, ())
    assert outcome.summary.startswith("VM 200 is gone; tombstone")


async def test_a_volume_that_stays_is_named() -> None:
    outcome = await retire.apply(world(Pve(stays=("ssd:vm-200-disk-0",))), looking_at("dns01"))
    assert outcome.summary.startswith("VM 200 is gone, but not all of its volumes")
    assert outcome.evidence == ("ssd:vm-200-disk-0: still there",)


async def test_a_volume_that_may_not_be_listed_is_not_taken_for_gone() -> None:
    outcome = await retire.apply(world(Pve(visible=False)), looking_at("dns01"))
    assert outcome.evidence[0] == "ssd:vm-200-cloudinit: not known, the token may not list it"
    assert len(outcome.evidence) == 3


async def test_a_resumed_retirement_still_looks_for_the_volumes_of_the_vm_that_is_gone() -> None:
    pve, step = Pve(stays=("ssd:vm-200-disk-1",)), looking_at("dns01")
    await retire.apply(world(pve), step)
    again = looking_at("dns01")
    again.known = step.known
    assert (await retire.apply(world(pve), again)).evidence == ("ssd:vm-200-disk-1: still there",)


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

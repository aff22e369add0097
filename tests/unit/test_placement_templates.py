"""Which templates there are of one name: the site's own, listed replicas, tagged ones, ones of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from pvenix.engine.ports import VmConfig, VmState
from pvenix.lifecycle.placement.templates import disks_in, templates_of
from pvenix.lifecycle.world import World
from pvenix.model.errors import PvenixError, Refused, RemoteFailure
from pvenix.model.names import NodeName, Vmid
from pvenix.model.site import Template
from tests.unit.lifecycle_support import vm

DISKS = {
    "scsi0": "ssd:base-8100-disk-0,size=32G",
    "efidisk0": "ssd:base-8100-disk-1,efitype=4m,size=528K",
    "ide2": "nvme:vm-8100-cloudinit,media=cdrom",
    "ide3": "local:iso/installer.iso,media=cdrom,size=1G",
    "net0": "virtio=BC:24:11:00:00:01,bridge=lan",
}
MAIN = vm(8100, "n1", template=True, name="nixos-25")
NIXOS = Template(name="nixos", cluster="lab", vmid=8100)


class Survey:
    def __init__(self, *vms: VmState, granted: Mapping[str, Mapping[str, int]]) -> None:
        self._vms = vms
        self._granted = granted

    async def vms(self) -> tuple[VmState, ...]:
        return self._vms

    async def config(self, _node: NodeName, _vmid: Vmid) -> VmConfig:
        return VmConfig(values=DISKS, digest="")

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        return self._granted


async def found(*vms: VmState, template: Template = NIXOS, sees: bool = True) -> list[tuple[int, str]]:
    survey = Survey(*vms, granted={"/vms": {"VM.Audit": 1}} if sees else {})
    world = cast("World", SimpleNamespace(survey=survey))
    return [(one.vmid, one.node) for one in await templates_of(world, template)]


def test_a_clone_gets_disks_and_the_cloud_init_drive_and_no_image() -> None:
    disks = disks_in(VmConfig(values=DISKS, digest=""))
    assert {disk.key: (disk.storage, disk.size) for disk in disks} == {
        "scsi0": ("ssd", 32 * 2**30),
        "efidisk0": ("ssd", 528 * 2**10),
        "ide2": ("nvme", 0),
    }


async def test_on_each_node_the_listed_replica_comes_before_the_tagged_and_that_before_the_namesake() -> None:
    tagged = [replace(vm(8200 + n, f"n{n}", template=True), tags=("pvenix-template-nixos",)) for n in (2, 3)]
    namesakes = [vm(8300 + n, f"n{n}", template=True, name="nixos-25") for n in (1, 2, 3, 4)]
    listed = vm(8402, "n2", template=True)
    template = replace(NIXOS, replicas={"n2": 8402})
    assert await found(MAIN, *tagged, *namesakes, listed, template=template) == [
        (8100, "n1"),
        (8402, "n2"),
        (8203, "n3"),
        (8304, "n4"),
    ]


async def test_two_of_a_kind_on_a_node_are_both_there_to_be_told() -> None:
    twins = [vm(8301 + n, "n2", template=True, name="nixos-25") for n in (0, 1)]
    assert await found(MAIN, *twins) == [(8100, "n1"), (8301, "n2"), (8302, "n2")]


async def test_no_vm_is_a_replica_whatever_its_name() -> None:
    assert await found(MAIN, vm(300, "n2", name="nixos-25")) == [(8100, "n1")]


@pytest.mark.parametrize(
    ("vms", "sees", "kind", "what"),
    [
        ((), True, RemoteFailure, "template 8100 does not exist"),
        ((), False, Refused, "the API token does not see template 8100"),
        ((vm(8100, "n1", name="web"),), True, RemoteFailure, "VM 8100 (web) is no template"),
    ],
)
async def test_a_template_that_is_none_is_named(
    vms: tuple[VmState, ...], sees: bool, kind: type[PvenixError], what: str
) -> None:
    with pytest.raises(kind) as caught:
        await found(*vms, sees=sees)
    assert caught.value.what == what


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ((), "there is no such VM"),
        ((vm(8402, "n3", template=True),), "it is a template on n3"),
        ((vm(8402, "n2"),), "it is a VM on n2"),
    ],
)
async def test_a_listed_replica_that_is_none_is_an_error(other: tuple[VmState, ...], why: str) -> None:
    with pytest.raises(RemoteFailure, match="8402 is no replica of template nixos on n2") as caught:
        await found(MAIN, *other, template=replace(NIXOS, replicas={"n2": 8402}))
    assert caught.value.why == why

"""Finding a host's VM and the commit that it should run: nothing is adopted, and silence is not absence."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import Interface, Resources, VmConfig, VmState
from pvenix.engine.trust import TrustStore
from pvenix.lifecycle import clone, cloudinit
from pvenix.lifecycle.addresses import choose_addresses
from pvenix.lifecycle.fields import Wanted
from pvenix.lifecycle.ownership import marker
from pvenix.lifecycle.state import looking_at
from pvenix.lifecycle.world import World
from pvenix.model.errors import Refused, Unreachable
from pvenix.model.host import Host
from pvenix.model.names import NodeName, Vmid
from pvenix.model.outcome import Need
from pvenix.model.site import VmidPolicy
from tests.unit.lifecycle_support import config, host, node, vm

OURS = {"name": "dns01", "description": marker("dns01", fleet="test", run="r")}
ALL = {"tags": "pvenix", "scsi0": "local:disk,size=32G"}


class FakePve:
    """A cluster as a list and the configurations behind it; a node in `down` does not answer."""

    def __init__(self, vms: tuple[VmState, ...], configs: dict[int, VmConfig], down: tuple[str, ...] = ()) -> None:
        self._vms, self._configs, self._down = vms, configs, down
        self.asked: list[int] = []

    async def resources(self) -> Resources:
        return Resources(nodes=(node("n1", total_gib=10),), vms=self._vms, storages=())

    async def config(self, on: NodeName, vmid: Vmid) -> VmConfig | None:
        self.asked.append(vmid)
        if on in self._down:
            raise Unreachable(f"{on} does not answer")
        return self._configs.get(vmid)


def world(pve: FakePve, *hosts: Host, repo: object = None) -> World:
    cluster = SimpleNamespace(vmid=VmidPolicy(ranges=((200, 210),)), storage={})
    fleet = SimpleNamespace(
        hosts={one.name: one for one in hosts}, site=SimpleNamespace(name="test", clusters={"c": cluster})
    )
    ports: dict[str, Any] = {
        "pve": pve,
        "guest": None,
        "repo": repo,
        "trust": TrustStore(fleet=Path("/nonexistent"), local=Path("/nonexistent")),
        "clock": SystemClock(),
    }
    return World(fleet=cast("Any", fleet), **ports)


async def test_a_node_that_is_down_hides_no_host_of_another() -> None:
    """Its VMs are listed without names then, so each of them may be anybody's."""
    vms = (vm(200, "n2", name="?"), vm(201, "n2", name="?"), vm(202, "n1", name="dns01"))
    pve = FakePve(tuple(nameless(one) if one.name == "?" else one for one in vms), {202: config(**OURS)}, down=("n2",))
    found = await world(pve, host()).vms.find("dns01")
    assert found is not None
    assert found.vmid == 202


async def test_a_vm_that_may_be_on_a_silent_node_is_not_absent() -> None:
    pve = FakePve((nameless(vm(200, "n2")), nameless(vm(201, "n2"))), {}, down=("n2",))
    with pytest.raises(Unreachable):
        await world(pve, host()).vms.find("dns01")
    assert len(pve.asked) == 1


def nameless(one: VmState) -> VmState:
    return replace(one, name="", status="unknown", memory_max=0)


async def test_two_vms_with_the_marker_of_one_host_are_refused_and_both_named() -> None:
    pve = FakePve((vm(201, "n1", name="dns01"), vm(200, "n2", name="dns01")), dict.fromkeys((200, 201), config(**OURS)))
    with pytest.raises(Refused, match="VMs 201 on n1 and 200 on n2 are both marked as dns01"):
        await world(pve, host()).vms.find("dns01")


async def test_of_two_marked_vms_the_inventory_decides() -> None:
    pve = FakePve((vm(201, "n1", name="dns01"), vm(200, "n2", name="dns01")), dict.fromkeys((200, 201), config(**OURS)))
    found = await world(pve, host(proxmox={"vmid": 200})).vms.find("dns01")
    assert found is not None
    assert found.vmid == 200


async def test_a_strangers_vm_of_our_name_at_the_chosen_id_is_not_ours() -> None:
    pve = FakePve((), {205: config(name="dns01", description="made by hand")})
    assert await world(pve, host()).vms.find("dns01", {"node": "n1", "vmid": "205"}) is None


async def test_a_vm_that_the_inventory_declares_is_found_and_left_as_it_is() -> None:
    pve = FakePve((vm(205, "n1", name="dns01"),), {205: config(name="dns01")})
    step = looking_at("dns01")
    probe = await clone.probe(world(pve, host(proxmox={"vmid": 205})), step)
    assert probe.need is Need.DONE
    assert "not made by pvenix" in probe.reason


@pytest.mark.parametrize(
    ("values", "need"),
    [
        (ALL, Need.DONE),
        (ALL | {"scsi0": "local:disk,size=8G"}, Need.NEEDED),
        (ALL | {"tags": ""}, Need.NEEDED),
        (ALL | {"lock": "clone"}, Need.NEEDED),
    ],
)
async def test_a_clone_is_done_when_it_has_its_tag_and_its_disk(values: dict[str, str], need: Need) -> None:
    """Killed between the two writes, it has one of them."""
    pve = FakePve((vm(200, "n1", name="dns01"),), {200: config(**OURS, **values)})
    assert (await clone.probe(world(pve, host(disk_mib=32 * 1024)), looking_at("dns01"))).need is need


async def test_a_repository_that_cannot_be_read_gives_no_host_a_commit() -> None:
    class Repo:
        asked = 0

        async def fetch(self) -> str:
            self.asked += 1
            await asyncio.sleep(0)
            raise Unreachable("the repository cannot be reached")

        async def main(self) -> str:
            return "0" * 40

    repo = Repo()
    there = world(FakePve((), {}), host(), repo=repo)

    async def ask() -> None:
        with pytest.raises(Unreachable):
            await there.expected()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(ask())
    assert repo.asked == 1


@pytest.mark.parametrize("text", ["", "::/x", "10.0.0.300/24", "fe80::1%eth0/64", "\x1b]52;c;x\x07/1"])
def test_what_a_guest_calls_an_address_and_is_none_is_passed_over(text: str) -> None:
    mac = "bc:24:11:00:00:01"
    interfaces = (Interface(name="eth0", mac=mac, addresses=(text, "10.0.0.7/24")),)
    assert choose_addresses(interfaces, config(net0=f"virtio={mac},bridge=vmbr0")) == ("10.0.0.7",)


async def test_an_interrupted_cloudinit_regenerates_the_drive_although_the_values_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = Wanted(field="bootstrap.user", key="ciuser", value="ops")
    monkeypatch.setattr(cloudinit, "wanted_of", lambda _fleet, _name: (user,))
    pve = FakePve((vm(200, "n1", name="dns01"),), {200: config(**OURS, ciuser="ops")})
    there = world(pve, host())

    async def registered(_name: str) -> bool:
        return False

    monkeypatch.setattr(there, "registered", registered)
    step = looking_at("dns01")
    assert (await cloudinit.probe(there, step)).need is Need.DONE
    step.known = {"fields": "ciuser"}
    assert (await cloudinit.probe(there, step)).need is Need.NEEDED


async def test_the_vm_of_the_declared_id_must_have_the_host_s_name() -> None:
    pve = FakePve((vm(205, "n1", name="other"),), {205: config(name="other")})
    with pytest.raises(Refused, match="VM 205 is 'other', not dns01"):
        await world(pve, host(proxmox={"vmid": 205})).vms.find("dns01")

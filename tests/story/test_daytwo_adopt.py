"""Adoption: a VM that is nobody's becomes a host, and nothing of it changes but its marker."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from pvenix.lifecycle.notes import parse
from pvenix.model.errors import ExitCode
from pvenix.model.host import Install
from pvenix.model.plan import Task
from tests.sim.golden import RESIDENTS, STRANGER, Golden
from tests.story.fault_scene import OLD, Scene, scene

HOST = "precious"
"""How the stranger is called."""


def listing(golden: Golden, vmid: int = STRANGER, name: str = HOST) -> Golden:
    """The same fleet with one more host, whose VM is the stranger's."""
    pattern = golden.fleet.hosts[OLD]
    wanted = replace(pattern.machine.proxmox, vmid=vmid, protect=False)
    machine = replace(pattern.machine, proxmox=wanted, install=Install.ADOPT)
    hosts = {**golden.fleet.hosts, name: replace(pattern, name=name, machine=machine)}
    return replace(golden, fleet=replace(golden.fleet, hosts=hosts))


async def adopt(site: Scene, host: str = HOST, **args: bool) -> tuple[ExitCode, str]:
    """How the verb ends."""
    done = await site.run(Task(verb="adopt", args=dict(args)), hosts=(host,))
    return done.code, done.why


def test_the_marker_is_written_beside_what_stands_there_and_nothing_else(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.rules.strangers.pop(STRANGER, None)
        vm = site.site.cluster.vms[STRANGER]
        before = copy.deepcopy(vm.config)
        assert (await adopt(site))[0] is ExitCode.OK
        changed = {key for key in {*before, *vm.config} if before.get(key) != vm.config.get(key)}
        assert changed == {"description", "tags"}
        notes = str(vm.config["description"])
        assert notes.startswith("please do not touch\n")
        assert f"pvenix-host: {HOST}" in notes.splitlines()
        assert vm.config["tags"] == "pvenix;theirs"
        assert vm.status == "stopped"
        writes = site.writes
        assert (await adopt(site))[0] is ExitCode.OK
        assert site.writes == writes

    scene(listing(golden), act)


def test_what_was_recorded_for_a_host_that_is_gone_is_not_the_new_one_s(golden: Golden) -> None:
    """Else an apply would detach the disks that the old host's inventory had, and the adopted one's has not."""

    async def act(site: Scene) -> None:
        site.rules.strangers.pop(STRANGER, None)
        vm = site.site.cluster.vms[STRANGER]
        vm.config["description"] = 'mine\npvenix-host: vanished\npvenix-applied: {"scsi1.size":"8G"}\nand mine'
        assert (await adopt(site))[0] is ExitCode.OK
        notes = parse(str(vm.config["description"]))
        assert (notes.host, dict(notes.applied), notes.text) == (HOST, {}, "mine\n\nand mine")
        vm.config["description"] = f'pvenix-host: {HOST}\npvenix-applied: {{"scsi1.size":"8G"}}'
        assert (await adopt(site))[0] is ExitCode.OK
        assert dict(parse(str(vm.config["description"])).applied) == {}

    scene(listing(golden), act)


def test_a_lost_answer_is_looked_at(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.rules.strangers.pop(STRANGER, None)
        site.arm("pve-596", method="PUT", path="/config", effect=True)
        site.rules.strangers.pop(STRANGER, None)
        code, why = await adopt(site)
        assert code is ExitCode.OK, why

    scene(listing(golden), act)


def _other_fleet(site: Scene) -> None:
    site.site.cluster.vms[STRANGER].config["description"] = "pvenix-host: precious\npvenix-fleet: elsewhere"


def _other_host(site: Scene) -> None:
    site.site.cluster.vms[STRANGER].config["description"] = f"pvenix-host: {RESIDENTS[1]}"


def _template(site: Scene) -> None:
    vm = site.site.cluster.vms[STRANGER]
    vm.config["template"] = 1


def _other_name(site: Scene) -> None:
    site.site.cluster.vms[STRANGER].config["name"] = "something-else"


def _no_disk(site: Scene) -> None:
    config = site.site.cluster.vms[STRANGER].config
    config["virtio0"] = config.pop("scsi0")


def _locked(site: Scene) -> None:
    site.site.cluster.vms[STRANGER].lock = "backup"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_other_fleet, "of the fleet elsewhere"),
        (_other_host, f"it is {RESIDENTS[1]}"),
        (_template, "template"),
        (_other_name, "--rename"),
        (_no_disk, "virtio0"),
        (_locked, "locked (backup)"),
    ],
)
def test_what_is_somebody_s_or_can_be_no_host_is_refused_and_stays_as_it_is(
    golden: Golden, change: object, why: str
) -> None:
    async def act(site: Scene) -> None:
        change(site)  # type: ignore[operator]
        site.rules.strangers.pop(STRANGER, None)
        before = site.writes
        code, said = await adopt(site)
        assert (code, site.writes) == (ExitCode.REFUSED, before), said
        assert why in said

    scene(listing(golden), act)


def test_another_name_is_written_when_that_is_said(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        site.rules.strangers.pop(STRANGER, None)
        assert (await adopt(site, "web09", rename=True))[0] is ExitCode.OK
        assert site.site.cluster.vms[STRANGER].config["name"] == "web09"

    scene(listing(golden, name="web09"), act)


def test_a_host_with_a_vm_of_its_own_gets_no_second_one(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        before = site.writes
        code, why = await adopt(site, OLD, rename=True)
        assert (code, site.writes) == (ExitCode.REFUSED, before), why

    scene(listing(golden, name=OLD), act)

"""A host that installs itself: an empty VM with everything that the inventory declares, and an image that its node fetches."""

from __future__ import annotations

import dataclasses

import pytest

from pvenix.model.errors import ExitCode
from pvenix.model.host import Install, Iso
from pvenix.model.outcome import Status
from pvenix.model.plan import Task
from pvenix_lab.site.pve import volumes
from pvenix_lab.site.pve.volumes import Volume
from tests.sim.golden import Golden
from tests.sim.ports import Calls
from tests.story.fault_scene import NEW, OTHER, Scene, row, scene, undeclared
from tests.story.plan_scene import edited
from tests.story.routes_scene import applied, calls_of, decision, shown

pytestmark = pytest.mark.sim

URL = "https://channels.nixos.org/nixos-25.05/latest-nixos-minimal-x86_64-linux.iso"
SHA = "ab" * 32
FETCHED = Iso(url=URL, sha256=SHA, storage="local")
KEPT = Iso(volume="local:iso/nixos.iso")


def installs(site: Scene, iso: Iso = FETCHED, host: str = NEW) -> None:
    """The inventory says that the host installs itself from this image, and the internet has it."""
    site.sim.change_host(host, install=Install.ISO, iso=iso)
    site.site.cluster.sections["downloads"] = {URL: {"size": 1 << 30, "sha256": SHA}}


def images(site: Scene, node: str) -> list[str]:
    """The images that a node has."""
    storage = site.site.cluster.storages["local"]
    return [one.volid for one in volumes.on_storage(site.site.cluster, storage, node) if one.content == "iso"]


def put_image(site: Scene, node: str) -> None:
    """Somebody put the image there."""
    key = (volumes.place(site.site.cluster.storages["local"], node), "local:iso/nixos.iso")
    site.site.cluster.volumes.entries[key] = Volume(
        storage="local", name="iso/nixos.iso", size=1 << 30, content="iso", node=key[0]
    )


@row("F38")
def test_the_node_fetches_the_image_and_nothing_is_uploaded(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        site.arm("F38")
        done = await site.run("place", "clone", "create")
        assert done.code is ExitCode.OK, done.why
        assert images(site, site.vm().node) == ["local:iso/latest-nixos-minimal-x86_64-linux.iso"]
        assert (done.sent("/download-url"), done.sent("/upload"), done.sent("/clone")) == (1, 0, 0)
        assert f"checksum={SHA}" in done.text
        again = await site.run("place", "clone", "create")
        assert (again.code, calls_of(again)) == (ExitCode.OK, [])

    scene(golden, act)


@row("F38")
@pytest.mark.parametrize(
    ("there", "why"),
    [({}, "download failed"), ({URL: {"size": 1 << 30, "sha256": "00" * 32}}, "checksum mismatch")],
    ids=["not there", "another file"],
)
def test_an_image_that_does_not_come_whole_makes_no_vm(golden: Golden, there: dict[str, object], why: str) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        site.site.cluster.sections["downloads"] = there  # type: ignore[assignment]  # what the internet has
        done = await site.run("create")
        assert (done.code, site.vms(), done.sent("/qemu vmid=")) == (ExitCode.FAILED, 0, 0)
        assert why in done.why

    scene(golden, act)


def test_the_empty_vm_has_everything_that_the_inventory_declares(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        disks = [{"slot": "scsi1", "size": "8G", "storage": "tankb1", "ssd": True}]
        edited(site, NEW, install="iso", iso={"volume": KEPT.volume}, proxmox__node="tappaas2", proxmox__disks=disks)
        edited(site, NEW, hardware__tpm=True, hardware__secureboot=True, hardware__serial=True, proxmox__notes="theirs")
        put_image(site, "tappaas2")
        done = await site.run("create")
        assert done.code is ExitCode.OK, done.why
        config = {key: str(value) for key, value in site.vm().config.items()}
        assert (config["name"], config["cores"], config["memory"]) == (NEW, "2", "4096")
        assert (config["bios"], config["machine"], config["boot"]) == ("ovmf", "q35", "order=scsi0;ide2")
        assert config["ide2"].startswith("local:iso/nixos.iso,media=cdrom")
        assert config["scsi0"].startswith("tanka1:vm-310-disk-")
        assert "size=32G" in config["scsi0"]
        assert "cloudinit" in config["ide0"]
        assert config["efidisk0"].startswith("tanka1:")
        assert config["efidisk0"].endswith("pre-enrolled-keys=1") or "pre-enrolled-keys=1," in config["efidisk0"]
        assert config["tpmstate0"].startswith("tanka1:")
        assert config["scsi1"].startswith("tankb1:")
        assert "size=8G" in config["scsi1"]
        assert "ssd=1" in config["scsi1"]
        assert config["description"].startswith("theirs\n")
        assert (config["serial0"], config["agent"]) == ("socket", "1")
        assert "bridge=lan" in config["net0"]
        assert "tag=220" in config["net0"]
        assert "pvenix" in config["tags"].split(";")
        assert f"pvenix-host: {NEW}\n" in config["description"]
        assert "pvenix-applied: " in config["description"]

    scene(golden, act)


def test_what_check_shows_of_an_empty_vm_is_what_is_sent(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        before = await shown(site, "create")
        sent = calls_of(await site.run("create"))
        assert [call.partition(" description")[0] for call in before] == [
            call.partition(" description")[0] for call in sent
        ]
        assert len(sent) == 2

    scene(golden, act)


def test_an_image_that_nobody_put_there_is_named_with_what_to_do(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site, KEPT)
        done = await site.run("create")
        assert (done.code, site.vms(), site.site.counters.pve_writes) == (ExitCode.FAILED, 0, 0)
        for node in site.site.cluster.nodes:
            assert f"{node}: has no image local:iso/nixos.iso" in done.why

    scene(golden, act)


def test_a_node_that_has_the_image_is_taken(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site, KEPT)
        put_image(site, "tappaas3")
        done = await site.run("create")
        assert (done.code, site.vm().node) == (ExitCode.OK, "tappaas3"), done.why

    scene(golden, act)


def test_an_image_that_went_after_the_plan_is_named_with_what_to_do(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site, KEPT)
        put_image(site, "tappaas3")
        planned = await decision(site)
        site.site.cluster.volumes.entries.pop(("tappaas3", "local:iso/nixos.iso"))
        done = await applied(site, {NEW: planned.facts}, "create")
        assert (done.code, site.vms()) == (ExitCode.FAILED, 0)
        assert "tappaas3 has no image local:iso/nixos.iso" in done.why
        assert "iso: {url: …, sha256: …, storage: …}" in done.why

    scene(golden, act)


def test_each_host_has_one_of_the_two_ways_and_skips_the_other(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        statuses = {}
        for host in (NEW, OTHER):
            for verb in ("clone", "create"):
                done = await site.run(verb, hosts=(host,))
                assert done.code is ExitCode.OK, done.why
                statuses[host, verb] = done.last.status
        assert statuses == {
            (NEW, "clone"): Status.SKIPPED,
            (NEW, "create"): Status.CHANGED,
            (OTHER, "clone"): Status.CHANGED,
            (OTHER, "create"): Status.SKIPPED,
        }

    scene(golden, act)


def test_two_hosts_fetch_an_image_once(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        for host in (NEW, OTHER):
            installs(site, host=host)
            old = site.sim.fleet.hosts[host].machine.proxmox
            site.sim.change_host(host, proxmox=dataclasses.replace(old, node="tappaas1"))
        done = await site.run("create", hosts=(NEW, OTHER))
        assert (done.code, site.vms(NEW), site.vms(OTHER)) == (ExitCode.OK, 1, 1), done.why
        assert done.sent("/download-url") == 1

    scene(golden, act)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_an_empty_vm_is_made_once_wherever_its_run_is_killed(golden: Golden, before: bool) -> None:
    number, goes_on = 0, True
    while goes_on:
        number += 1
        reached: list[bool] = []

        async def act(site: Scene, number: int = number, reached: list[bool] = reached) -> None:
            installs(site)
            run = site.sim.plan("killed", (NEW,), Task(verb="place"), Task(verb="create"))
            calls = Calls(die_at=number, before=before)
            code = await site.sim.run(run, calls)
            if calls.dead:
                code = await site.sim.run(run, Calls(), resume=True)
            assert (code, site.vms()) == (ExitCode.OK, 1), number
            tasks = [task.type for task in site.site.cluster.tasks.values()]
            assert tasks.count("qmcreate") == 1
            reached.append(calls.count >= number)

        scene(golden, act)
        [goes_on] = reached
    assert number > 20


def test_a_creation_whose_answer_is_lost_is_looked_for(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        site.arm("pve-596", method="POST", path="/qemu")
        done = await site.run("create")
        assert (done.code, site.vms()) == (ExitCode.OK, 1), done.why
        assert done.sent("/qemu vmid=") == 1

    scene(golden, act)


@row("F01")
def test_an_id_that_somebody_took_meanwhile_is_left_to_them(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        free = (await decision(site)).vmid
        hidden = dataclasses.replace(site.site.cluster.vms[8100], vmid=int(free), config={"name": "theirs"})
        calls = Calls(due={"journal intent": [lambda: site.site.cluster.vms.update({int(free): hidden})]})
        run = site.sim.plan("taken", (NEW,), Task(verb="place"), Task(verb="create"))
        assert await site.sim.run(run, calls) is ExitCode.OK
        assert site.vms() == 1
        assert site.vm().vmid != free
        assert site.site.cluster.vms[int(free)].config == {"name": "theirs"}

    scene(undeclared(golden), act)


def test_a_planned_creation_is_done_where_it_was_planned(golden: Golden) -> None:
    async def act(site: Scene) -> None:
        installs(site)
        planned = await decision(site)
        assert planned.facts["route"] == "create"
        done = await applied(site, {NEW: planned.facts}, "place", "create")
        assert (done.code, site.vm().node, site.vm().vmid) == (ExitCode.OK, planned.node, planned.vmid), done.why

    scene(golden, act)

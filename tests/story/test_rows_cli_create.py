"""The rows of failures that a newcomer meets, on the lab's far side, through the command line."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest

from pvenix.lifecycle import waiting
from tests.story.fault_scene import row
from tests.story.inside import Inside, _no_fault_is_left, person

__all__ = ["_no_fault_is_left", "person"]
pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(300)]


def clones(person: Inside, template: int = 8100) -> int:
    """How many clone tasks of the template the nodes know."""
    site = person.lab.site
    nodes = [node["node"] for node in site.api("/nodes")]
    tasks = [task for node in nodes for task in site.api(f"/nodes/{node}/tasks?source=all&limit=500")]
    return sum(task["type"] == "qmclone" and task["id"] == str(template) for task in tasks)


@pytest.mark.parametrize("when", ["at-once", "in-task"])
@row("F01")
def test_an_id_that_somebody_took_is_theirs_and_another_is_used(person: Inside, when: str) -> None:
    name = person.newcomer(f"f01-{when[:2]}")
    before = {vm["vmid"] for vm in person.lab.site.vms}
    person.arm("F01", "--arg", f"when={when}")
    done = person.ends(0, "clone", name)
    assert "was taken meanwhile; choosing another" in done.text
    mine = person.vm(name)["vmid"]
    [theirs] = {vm["vmid"] for vm in person.lab.site.vms} - before - {mine}
    stranger = person.lab.site.vms[[vm["vmid"] for vm in person.lab.site.vms].index(theirs)]
    assert "pvenix" not in stranger.get("tags", "")


@row("F01")
def test_an_id_of_the_inventory_that_somebody_took_is_not_taken_back(person: Inside) -> None:
    name = person.newcomer("f01-own", "proxmox.vmid=481")
    person.arm("F01")
    done = person.ends(1, "clone", name)
    assert "the VM id is taken" in done.text
    assert person.vms(name) == []
    planned = person.ends(8, "plan", name)
    assert "not f01-own" in planned.text or "is taken by" in planned.text


@row("F02")
def test_a_stranger_on_the_id_of_a_lost_clone_is_not_adopted(person: Inside) -> None:
    name = person.newcomer("f02")
    person.arm("F02")
    person.ends(5, "clone", name)
    before = person.strangers(name)
    person.ends(0, "clone", name)
    person.ends(0, "cloudinit", name)
    assert len(person.vms(name)) == 1
    assert person.strangers(name) == before


@row("F04")
def test_clones_of_a_busy_storage_are_tried_again_with_a_pause(person: Inside) -> None:
    names = [person.newcomer("f04a"), person.newcomer("f04b")]
    person.arm("F04", "--times", "2")
    began = time.monotonic()
    done = person.ends(0, "clone", *names)
    assert done.text.count("the storage is busy") == 2
    assert [len(person.vms(name)) for name in names] == [1, 1]
    assert time.monotonic() - began > 2


@row("F07")
def test_a_clone_that_takes_longer_than_a_request_is_waited_for(person: Inside) -> None:
    name = person.newcomer("f07")
    person.arm("F07", "--arg", "seconds=4")
    began = time.monotonic()
    person.ends(0, "clone", name)
    assert (len(person.vms(name)), time.monotonic() - began > 4) == (1, True)


@row("F08")
def test_warnings_of_a_task_are_a_success_and_are_shown(person: Inside) -> None:
    name = person.newcomer("f08")
    person.arm("F08", "--arg", "type=qmclone", "--arg", "lines=2")
    done = person.ends(0, "clone", name, "-vv")
    assert done.text.count("WARN: the disk is nearly full") == 2
    assert len(person.vms(name)) == 1


@row("F09")
def test_a_poll_that_fails_loses_no_task(person: Inside) -> None:
    name = person.newcomer("f09")
    before = clones(person)
    person.arm("F09", "--times", "4", "--arg", "path=/tasks/")
    person.ends(0, "clone", name)
    assert (len(person.vms(name)), clones(person) - before) == (1, 1)


@row("F10")
def test_a_task_is_asked_for_on_the_node_of_its_upid(person: Inside) -> None:
    name = person.newcomer("f10")
    person.arm("F10", "--times", "5")
    done = person.ends(0, "clone", name)
    assert "the answer was lost" not in done.text
    assert len(person.vms(name)) == 1


@row("F15")
def test_keys_arrive_as_they_were_written(person: Inside) -> None:
    key = (
        'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBub3k0nFgJ4tXy0vb6p8mPzZ3o7n0S8a1c2d3e4f5g6 it\'s + 100% "me" & you@home'
    )
    name = person.newcomer("f15", f"bootstrap.authorized_keys=['{key.replace(chr(39), chr(39) * 2)}']")
    person.ends(0, "clone", name)
    person.ends(0, "cloudinit", name)
    assert unquote(person.config(name)["sshkeys"]).splitlines() == [key]
    assert person.written(0, "cloudinit", name)[1] == {}


@row("F20")
def test_a_template_without_a_cloud_init_drive_is_told_before_it_is_cloned(person: Inside) -> None:
    person.ends(0, "template", "status")
    person.arm("F20")
    done = person.ends(1, "template", "status")
    assert "has no cloud-init drive" in done.text


@row("F31")
def test_clones_that_share_a_host_key_are_noticed_at_their_first_boot(person: Inside) -> None:
    person.arm("F31")
    first, second = person.newcomer("f31a"), person.newcomer("f31b")
    for name in (first, second):
        person.ends(0, "clone", name)
        person.ends(0, "cloudinit", name)
    person.ends(0, "boot", first)
    done = person("boot", second)
    assert done.code != 0, done.text
    assert first in done.text


@row("F22")
def test_a_disk_smaller_than_the_template_s_is_refused_where_it_is_written(person: Inside) -> None:
    name = person.newcomer("f22", "disk=40G")
    person.arm("F22", "--arg", "gib=64")
    for words in (("plan", name), ("validate", "--live")):
        done, written = person.written(2, *words)
        assert "inventory/hosts.yaml:" in done.text
        assert "smaller than that of template 8100, which has 64G" in done.text
        assert written == {}
    person.ends(1, "clone", name)
    assert person.vms(name) == []


@row("F23")
def test_a_resize_that_ended_well_and_did_nothing_is_not_believed(person: Inside) -> None:
    name = person.newcomer("f23", "disk=80G")
    person.arm("F23")
    done = person.ends(1, "clone", name)
    assert "did not keep scsi0" in done.text
    person.ends(0, "clone", name)
    assert "size=80G" in person.config(name)["scsi0"]
    assert len(person.vms(name)) == 1


@row("F24")
def test_the_way_from_a_template_elsewhere_is_planned_and_gone(person: Inside) -> None:
    name = person.newcomer("f24", "proxmox.node=tappaas1")
    person.arm("F24", "--arg", "node=tappaas2")
    planned = " ".join(person.ends(3, "plan", name).text.split())
    assert "on tappaas1: full clone of 8100 on tappaas2 to tanka1, shared, then migration" in planned
    person.ends(0, "clone", name)
    assert person.vm(name)["node"] == "tappaas1"


@row("F25")
def test_a_configuration_that_is_missing_for_a_moment_makes_no_second_vm(person: Inside) -> None:
    name = person.newcomer("f25")
    person.ends(0, "clone", name)
    before = clones(person)
    person.arm("F25", "--host", name, "--times", "2")
    person.ends(0, "clone", name)
    person.ends(0, "cloudinit", name)
    assert (len(person.vms(name)), clones(person) - before) == (1, 0)


@row("F29")
def test_options_of_root_are_refused_before_anybody_is_asked(person: Inside) -> None:
    name = person.newcomer("f29")
    for field in ("args=-device x", "proxmox.args=x", "proxmox.lock=backup", "proxmox.pci=['0000:01:00.0']"):
        done, written = person.written(2, "plan", name, "--set", field)
        assert "--set" in done.text
        assert written == {}
    person.ends(0, "clone", name, "--set", "proxmox.pool=null", "--set", "hardware.cpu=null")
    assert not [key for key, value in person.config(name).items() if value in (None, "", "null", "None")]


@row("F30")
def test_no_host_depends_on_snippets(person: Inside) -> None:
    name = person.newcomer("f30")
    shown = person.ends(3, "run", "playbooks/onboard.yaml", "-l", name, "-C", "-v")
    assert "cicustom" not in shown.text
    person.ends(0, "clone", name)
    person.ends(0, "cloudinit", name)
    assert "cicustom" not in person.config(name)
    assert person.config(name)["ipconfig0"]


@row("F32")
def test_a_crash_leaves_what_resume_finishes(person: Inside) -> None:
    name = person.newcomer("f32")
    person.arm("F32", "--arg", "seconds=3")
    before = clones(person)
    person.lab.killed_when(lambda: clones(person) > before, "clone", name)
    person.ends(0, "resume")
    assert (len(person.vms(name)), clones(person) - before) == (1, 1)
    person.ends(0, "clone", name)
    assert clones(person) - before == 1


@row("F33")
def test_a_volume_that_nobody_owns_is_told_and_left_alone(person: Inside) -> None:
    name = person.newcomer("f33", "proxmox.vmid=399")
    person.arm("F33", "--arg", "vmid=399")
    told = "vm-399-disk-0 has the id of f33, but no VM has it"
    assert told in person.ends(3, "plan", name).text

    def orphans() -> list[str]:
        site = person.lab.site
        content = site.api("/nodes/tappaas1/storage/tanka1/content?content=images&vmid=399")
        return [volume["volid"] for volume in content]

    before = orphans()
    assert before
    assert told in person.ends(0, "clone", name).text
    assert set(before) < set(orphans())


@row("F38")
def test_an_image_is_fetched_by_the_node_with_its_checksum_and_nothing_is_uploaded(person: Inside) -> None:
    name = person.newcomer(
        "f38",
        "install=iso",
        f"iso={{url: 'https://channels.nixos.org/nixos.iso', sha256: '{'0' * 64}', storage: local}}",
    )
    person.arm("F38")
    shown = person.ends(3, "create", name, "-C", "-v")
    assert "download-url" in shown.text
    assert "0" * 64 in shown.text
    assert "upload" not in shown.text.replace("download-url", "")


@row("F40")
def test_hosts_of_one_run_are_spread_before_the_cluster_shows_any_of_them(person: Inside) -> None:
    names = [person.newcomer(f"f40{letter}", "proxmox.spread=f40") for letter in "abc"]
    person.arm("F40")
    person.ends(0, "clone", *names)
    person.clear()
    assert len({person.vm(name)["node"] for name in names}) == 3


@row("F41")
def test_a_clone_that_makes_no_progress_is_given_up_and_not_made_twice(
    person: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(waiting._STALL_S, "qmclone", 2.0)
    name = person.newcomer("f41")
    person.arm("F41")
    before = clones(person)
    done = person.ends(5, "clone", name)
    assert clones(person) - before == 1
    assert "qmclone" in done.text
    again = person.ends(5, "resume")
    assert "qmclone" in again.text
    assert clones(person) - before == 1

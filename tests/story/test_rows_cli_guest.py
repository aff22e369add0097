"""The rows of failures of guests and of what is done to running VMs, on the lab's far side, through the command line."""

from __future__ import annotations

from typing import Any

import pytest

from pvenix.lifecycle import freezing, snapshot
from tests.story.fault_scene import row
from tests.story.inside import Inside, _no_fault_is_left, person
from tests.story.test_rows_cli_site import booted, cloned

__all__ = ["_no_fault_is_left", "person"]
pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(60)]


def snapshots(person: Inside, name: str) -> list[str]:
    """The names of a VM's snapshots."""
    vm = person.vm(name)
    found: list[dict[str, Any]] = person.lab.site.api(f"/nodes/{vm['node']}/qemu/{vm['vmid']}/snapshot")
    return [one["name"] for one in found if one["name"] != "current"]


def tasks(person: Inside, name: str, *kinds: str) -> int:
    """How many tasks of these kinds the VM's node knows of it."""
    vm = person.vm(name)
    found = person.lab.site.api(f"/nodes/{vm['node']}/tasks?source=all&limit=500&vmid={vm['vmid']}")
    return sum(task["type"] in kinds for task in found)


@row("F16")
def test_an_agent_that_never_comes_up_is_waited_for_so_long_and_told_with_the_vm_s_state(person: Inside) -> None:
    name = cloned(person, "f16")
    person.ends(0, "cloudinit", name)
    person.arm("F16", "--host", name)
    done = person.ends(1, "boot", name, "--set", "bootstrap.agent_timeout=3")
    assert "did not answer within 3 s" in done.text
    assert "the VM is running" in done.text
    person.clear()
    person.ends(0, "boot", name)


@pytest.mark.parametrize("show", ["docker-first", "ipv6-only"])
@row("F17")
def test_an_address_that_is_not_the_guest_s_own_is_not_used(person: Inside, show: str) -> None:
    name = cloned(person, f"f17{show[0]}")
    person.ends(0, "cloudinit", name)
    person.arm("F17", "--host", name, "--arg", f"show={show}", "--for", "4")
    done = person.ends(0, "boot", name)
    answers = done.out.partition("answers at ")[2].split()[0]
    vm = person.vm(name)
    listed = person.lab.site.api(f"/nodes/{vm['node']}/qemu/{vm['vmid']}/agent/network-get-interfaces")["result"]
    mac = person.config(name)["net0"].partition("=")[2].partition(",")[0].lower()
    [card] = [one for one in listed if one["hardware-address"].lower() == mac]
    assert answers.rstrip(",") in [one["ip-address"] for one in card["ip-addresses"]]


@row("F18")
def test_a_reboot_is_another_boot_and_not_an_answer_of_the_old_one(person: Inside) -> None:
    name = booted(person, "f18")
    done = person.ends(0, "reboot", name, "--yes")
    assert tasks(person, name, "qmreboot", "qmshutdown", "qmreset") == 1, done.text
    person.arm("F18", "--host", name)
    person.ends(0, "boot", name)


@row("F19")
def test_cloud_init_s_values_reach_the_guest_with_a_reboot_and_the_plan_says_so(person: Inside) -> None:
    name = booted(person, "f19")
    person.ends(0, "host", "edit", name, "network.search=[f19.example.org]")
    planned = person.ends(3, "plan", name)
    assert "network.search" in planned.text
    assert "reboot" in planned.text
    person.arm("F19", "--host", name)
    person.ends(0, "configure", name, "--reboot", "--yes")
    assert person.config(name)["searchdomain"] == "f19.example.org"
    assert "network.search" not in person("plan", name).text


@row("F23")
def test_a_disk_that_did_not_grow_is_not_taken_for_grown(person: Inside) -> None:
    name = booted(person, "f23")
    person.ends(0, "host", "edit", name, "disk=48G")
    person.arm("F23", "--host", name)
    done = person.ends(1, "configure", name, "--yes")
    assert "scsi0" in done.text
    person.ends(0, "configure", name, "--yes")
    assert "size=48G" in person.config(name)["scsi0"]
    smaller = person.ends(2, "plan", name, "--set", "disk=40G")
    assert "48G" in smaller.text


@row("F35")
def test_a_snapshot_that_hangs_has_its_guest_thawed_and_is_not_said_to_be_taken(
    person: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "STALL_S", 1.0)
    monkeypatch.setattr(snapshot, "_TIMEOUT_S", 4.0)
    name = booted(person, "f35")
    person.arm("F35", "--host", name)
    done = person("snapshot", name, "--name", "before")
    assert done.code not in (0, 3), done.text
    assert "thaw" in done.text
    assert "before" not in snapshots(person, name)


@row("F36")
def test_a_newer_snapshot_is_named_and_not_deleted_on_the_way_back(person: Inside) -> None:
    name = booted(person, "f36")
    person.ends(0, "snapshot", name, "--name", "ours")
    person.arm("F36", "--host", name)
    assert snapshots(person, name) == ["ours", "by-hand"]
    done = person("restore", name, "--to", "ours", "--confirm", name, "--yes")
    assert "by-hand" in done.text
    assert sorted(snapshots(person, name)) == ["by-hand", "ours"]


@row("F39")
def test_what_waits_for_a_reboot_is_read_and_one_reboot_applies_it_all(person: Inside) -> None:
    name = booted(person, "f39")
    person.ends(0, "host", "edit", name, "memory=6G", "cores=3")
    waiting = person("configure", name, "--yes")
    assert "reboot" in waiting.text
    before = tasks(person, name, "qmreboot", "qmshutdown", "qmstop")
    person.ends(0, "configure", name, "--reboot", "--yes")
    config = person.config(name)
    assert (int(config["memory"]), config["cores"]) == (6144, 3)
    assert tasks(person, name, "qmreboot", "qmshutdown", "qmstop") - before == 1
    assert person.written(0, "configure", name, "--reboot", "--yes")[1] == {}


@row("F42")
def test_a_guest_with_a_wrong_name_is_reached_by_its_address(person: Inside) -> None:
    person.arm("F42", "--host", "dns01", "--arg", "hostname=docker01")
    done = person.ends(0, "hardware", "dns01")
    assert "dns01" in done.text

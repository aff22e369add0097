"""A VM brought to its inventory through the command line, over the lab's sockets."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.story.fault_scene import row
from tests.story.inside import Inside, _no_fault_is_left, person

__all__ = ["_no_fault_is_left", "person"]
pytestmark = [pytest.mark.story, pytest.mark.timeout(300)]

HOST = "dns01"
NONE: dict[str, int] = {}


def edit(person: Inside, *fields: str) -> None:
    person.ends(0, "host", "edit", HOST, *fields)


def waiting(person: Inside) -> dict[str, Any]:
    vm = person.vm(HOST)
    rows = person.lab.site.api(f"/nodes/{vm['node']}/qemu/{vm['vmid']}/pending")
    return {row["key"]: row["pending"] for row in rows if "pending" in row}


def boot(person: Inside) -> str:
    return person.lab.ssh(HOST, "cat", "/proc/sys/kernel/random/boot_id")


@row("F39")
def test_what_needs_a_reboot_waits_for_it_and_takes_one(person: Inside) -> None:
    edit(person, "cores=6", "memory=6G")
    before = boot(person)
    done = person.ends(0, "configure", HOST)
    assert "reboot to apply cores, memory" in done.text
    assert waiting(person) == {"cores": 6, "memory": "6144"}
    _, writes = person.written(0, "configure", HOST)
    assert (writes, boot(person)) == (NONE, before)
    person.ends(0, "configure", HOST, "--reboot")
    assert (person.config(HOST)["cores"], waiting(person), boot(person) != before) == (6, {}, True)
    _, writes = person.written(0, "configure", HOST)
    assert writes == NONE


@row("F19")
def test_an_address_reaches_the_guest_with_the_reboot_that_is_asked_for(person: Inside) -> None:
    edit(person, "network.address=10.69.13.77/24")
    person.arm("F19", "--host", HOST)
    done = person.ends(0, "configure", HOST)
    assert "reboot to apply network.address" in done.text
    person.ends(0, "configure", HOST, "--reboot")
    assert "10.69.13.77" in person.lab.ssh(HOST, "ip", "address")
    _, writes = person.written(0, "configure", HOST)
    assert writes == NONE


@row("F21", "F37")
def test_what_others_set_is_neither_written_nor_taken_away(person: Inside) -> None:
    person.arm("F21", "--host", HOST)
    person.arm("F37", "--host", HOST)
    edit(person, "proxmox.onboot=false")
    person.ends(0, "configure", HOST)
    found = person.config(HOST)
    assert (found.get("onboot", 0), str(found["cpulimit"]), found["cipassword"]) == (0, "2", "**********")


@row("F22")
def test_a_disk_does_not_shrink(person: Inside) -> None:
    edit(person, "disk=16G")
    done, writes = person.written(8, "configure", HOST)
    assert "disk of dns01 cannot go from 32G to 16G" in done.text
    assert writes == NONE
    edit(person, "disk=32G")


@row("F23")
def test_a_disk_that_did_not_grow_is_grown_by_the_next_run(person: Inside) -> None:
    edit(person, "disk=48G")
    person.arm("F23", "--host", HOST)
    assert "did not keep scsi0" in person.ends(1, "configure", HOST).text
    person.ends(0, "configure", HOST)
    assert "size=48G" in person.config(HOST)["scsi0"]


def test_check_shows_the_very_calls_that_are_sent(person: Inside) -> None:
    edit(person, "cores=3", "tags=[core, names]", "network.vlan=14")
    foreseen = person.ends(3, "configure", HOST, "-C", "--reboot", "-o", "jsonl")
    sent = person.ends(0, "configure", HOST, "--reboot", "-o", "jsonl")
    assert commands(foreseen.out) == commands(sent.out)[: len(commands(foreseen.out))]
    assert len(commands(foreseen.out)) == 2


def commands(text: str) -> list[str]:
    """The calls that change something, without what differs from run to run."""
    events = [json.loads(line) for line in text.splitlines()]
    return [re.sub(r"'", "", one["text"]) for one in events if one["kind"] == "command" and one["writes"]]

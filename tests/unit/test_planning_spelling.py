"""What somebody changed at Proxmox, spelt so that the inventory then wants exactly that."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pvenix.fleet.edit import set_machine
from pvenix.fleet.load import load_fleet
from pvenix.fleet.starter import starter
from pvenix.lifecycle.fields import wanted_of
from pvenix.lifecycle.planning.drift import _edited
from pvenix.lifecycle.planning.spelling import spelt
from tests.unit.planning_support import field

SITE = (starter() / "inventory" / "site.yaml").read_text(encoding="utf-8")
HOST = "dns01"
DISKS = "machine:\n  proxmox:\n    disks:\n      - {slot: scsi1, size: 300G, storage: tankb1}  # kept\n"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


def fleet(root: Path, own: str = "") -> Any:
    (root / "inventory/host_vars").mkdir(parents=True, exist_ok=True)
    site = SITE.replace("file: ~/.ssh/id_ed25519.pub", f"{KEY[:-1]}B")
    (root / "inventory/site.yaml").write_text(site, encoding="utf-8")
    hosts = f"all:\n  hosts:\n    {HOST}:\n      machine: {{network: {{zone: srvWork}}}}\n"
    (root / "inventory/hosts.yaml").write_text(hosts, encoding="utf-8")
    (root / f"inventory/host_vars/{HOST}.yaml").write_text(own, encoding="utf-8")
    return load_fleet(root)


@pytest.mark.parametrize(
    ("name", "actual"),
    [
        ("cores", "7"),
        ("memory", "8192"),
        ("memory", "6000"),
        ("balloon", "1024"),
        ("disk", "40G"),
        ("proxmox.onboot", "0"),
        ("proxmox.protect", "1"),
        ("proxmox.startup", "3,up=30"),
        ("proxmox.notes", "two\n\nlines: of {text}"),
        ("proxmox.storage", "tankb1"),
        ("tags", "extra;pvenix;web"),
        ("tags", "pvenix"),
        ("hardware.machine", "q35"),
        ("hardware.bios", "seabios"),
        ("hardware.cpu", "host"),
        ("hardware.scsihw", "virtio-scsi-single"),
        ("hardware.display", "serial0"),
        ("hardware.hotplug", "disk;network"),
        ("hardware.numa", "1"),
        ("hardware.serial", "socket"),
        ("hardware.tpm", "v2.0"),
        ("network.bridge", "vmbr7"),
        ("network.vlan", "42"),
        ("network.mac", "BC:24:11:00:00:01"),
        ("network.mtu", "1400"),
        ("network.firewall", "1"),
        ("network.trunks", "10;20"),
        ("network.address", "10.2.20.77/24"),
        ("network.ip6", "dhcp"),
        ("network.ip6", ""),
        ("network.dns", "9.9.9.9 1.1.1.1"),
        ("network.search", "a.internal b.internal"),
        ("bootstrap.user", "operator"),
        ("bootstrap.authorized_keys", KEY),
    ],
)
def test_a_value_of_proxmox_becomes_the_wish_for_it(tmp_path: Path, name: str, actual: str) -> None:
    value = spelt(field(name, actual=actual))
    text = set_machine("# mine\n", name.split("."), value)
    found = {one.field: one.value for one in wanted_of(fleet(tmp_path, text), HOST)}
    assert found[name] == actual


@pytest.mark.parametrize(
    ("name", "actual"),
    [("memory", ""), ("network.gateway", ""), ("backup.job", ""), ("cloud-init.upgrade", "1"), ("nics.1.vlan", "7")],
)
def test_what_the_inventory_has_no_words_for_is_left(name: str, actual: str) -> None:
    assert spelt(field(name, actual=actual)) is None


def test_power_becomes_the_state_that_keeps_it() -> None:
    assert [spelt(field("state", actual=power)) for power in ("stopped", "running", "unknown")] == [
        "stopped",
        "present",
        None,
    ]


def edit(tmp_path: Path, own: str, *fields: Any) -> tuple[str, list[str], list[str]]:
    world: Any = dataclasses.make_dataclass("World", ["fleet"])(fleet(tmp_path, own))
    return _edited(world, HOST, own, fields)


def test_a_disk_is_changed_in_its_entry_and_the_others_stay(tmp_path: Path) -> None:
    grown = field("proxmox.disks.scsi1.size", actual="500G")
    moved = field("proxmox.disks.scsi1.storage", actual="tanka1")
    text, taken, left = edit(tmp_path, DISKS, grown, moved)
    found = {one.field: one.value for one in wanted_of(fleet(tmp_path, text), HOST)}
    assert (found[grown.field], found[moved.field], left) == ("500G", "tanka1", [])
    assert taken == ["proxmox.disks.scsi1.size 500G", "proxmox.disks.scsi1.storage tanka1"]


def test_a_disk_that_the_inventory_does_not_have_is_left_and_told(tmp_path: Path) -> None:
    text, taken, left = edit(tmp_path, DISKS, field("proxmox.disks.scsi7.size", actual="5G"))
    assert (text, taken) == (DISKS, [])
    assert left == ["proxmox.disks.scsi7.size stays as it is: proxmox.disks has no scsi7"]


def test_every_other_byte_of_the_file_stays(tmp_path: Path) -> None:
    own = "# mine\nother: {kept:   [1,2]}\nmachine:\n  cores: 2   # two\n  memory: 4G\n"
    text, _, _ = edit(tmp_path, own, field("cores", actual="4"))
    assert text == own.replace("cores: 2 ", "cores: 4 ")


def test_appended_tags_become_the_tags_that_there_are(tmp_path: Path) -> None:
    text, _, _ = edit(tmp_path, "machine:\n  cores: 2\n  tags+: [web]\n", field("tags", actual="pvenix;db"))
    found = {one.field: one.value for one in wanted_of(fleet(tmp_path, text), HOST)}
    assert (found["tags"], "tags+" in text) == ("db;pvenix", False)


def test_what_the_command_line_decides_is_left(tmp_path: Path) -> None:
    one = field("cores", actual="4", where="--set cores=2")
    assert edit(tmp_path, "", one)[2] == ["cores stays as it is: --set decides it"]

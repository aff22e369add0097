"""Desired, recorded, actual: how the fields of a VM compare, what a change takes, and how it is spelt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.engine.ports import VmConfig, VmPending
from pvenix.lifecycle.fields.compare import BOOT, compare, recorded_as
from pvenix.lifecycle.fields.spelling import changes, spelled
from pvenix.lifecycle.fields.values import joined, meaning, parts_of, read
from pvenix.lifecycle.fields.wanted import Wanted, wanted
from pvenix.lifecycle.fields.work import Grow, Move, Put, View, work
from pvenix.model.fleetplan import Effect, FieldPlan, FieldState
from pvenix.model.host import Disk, Hardware, Install, Network, Pci
from pvenix.model.site import Site, Zone
from tests.unit.lifecycle_support import host

ZONE = Zone(name="srv", bridge="lan", vlan=210, gateway="10.2.10.1", dns=("10.2.10.1",))
SITE = Site(name="lab", domain="internal", zones={"srv": ZONE})
MAC = "BC:24:11:00:00:07"
NET0 = f"virtio={MAC},bridge=vmbr0"


def wishes(*fields: str, keys: tuple[str, ...] = (), **machine: Any) -> dict[str, str]:
    """What a host that declares `fields` wants, by the record's names."""
    found = wanted(SITE, host(**machine), keys=keys, declared=dict.fromkeys(fields, ""))
    return {one.id: one.value for one in found}


def one_wish(name: str, value: str) -> Wanted:
    key, _, part = name.partition(".")
    return Wanted(field=name, key=key, part=part, value=value)


def stands(
    wish: Wanted,
    actual: str,
    *,
    recorded: str | None = None,
    waiting: str | None = None,
    running: bool = True,
    **config: str,
) -> FieldPlan:
    """How one wish stands beside a VM that has `actual` for its option."""
    values = {wish.key: actual, **config} if actual else config
    seen = VmPending(config=VmConfig(values=values, digest=""), waiting={} if waiting is None else {wish.key: waiting})
    record = {} if recorded is None else {wish.id: recorded_as(recorded)}
    return next(one for one in compare([wish], record, seen, running=running) if one.field == wish.field)


# --- what is wanted --------------------------------------------------------------------------------------------------


def test_only_what_is_declared_is_wanted() -> None:
    assert set(wishes("cores", cores=4, memory_mib=1)) - set(wishes()) == {"cores"}
    assert "memory" not in wishes("cores", cores=4)


def test_a_zone_declares_bridge_and_vlan() -> None:
    found = wishes("network.zone", network={"zone": "srv"})
    assert (found["net0.bridge"], found["net0.tag"]) == ("lan", "210")


def test_further_cards_are_numbered_after_the_first() -> None:
    found = wishes(
        "nics.1.bridge", "nics.1.address", nics=(Network(bridge="dmz", vlan=7, address="10.9.0.2/24", ip6="off"),)
    )
    assert (found["net1.bridge"], found["ipconfig1.ip"]) == ("dmz", "10.9.0.2/24")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, {"ip": "dhcp", "gw": "", "ip6": "auto", "gw6": ""}),
        ({"address": "10.2.10.5/24", "zone": "srv"}, {"ip": "10.2.10.5/24", "gw": "10.2.10.1", "ip6": "auto", "gw6": ""}),
        ({"address": "10.2.10.5/24", "gateway": "10.2.10.254", "ip6": "off"},
         {"ip": "10.2.10.5/24", "gw": "10.2.10.254", "ip6": "", "gw6": ""}),
        ({"ip6": "fd00::5/64", "gateway6": "fd00::1"}, {"ip": "dhcp", "gw": "", "ip6": "fd00::5/64", "gw6": "fd00::1"}),
    ],
)  # fmt: skip
def test_addresses_in_both_families(network: dict[str, str], expected: dict[str, str]) -> None:
    fields = ("network.address", "network.gateway", "network.ip6", "network.gateway6")
    found = wishes(*fields, network=network)
    assert {part: found[f"ipconfig0.{part}"] for part in expected} == expected


def test_the_drive_never_holds_a_password() -> None:
    assert "cipassword" not in wishes("bootstrap.authorized_keys", keys=("ssh-ed25519 AAAA a@b",))


def test_a_machine_that_others_set_up_is_told_nothing_by_cloud_init() -> None:
    fields = ("network.address", "bootstrap.user", "cores")
    assert set(wishes(*fields, install=Install.ADOPT)) == {"cores", "tags"}


def test_a_key_is_wanted_as_it_is_written() -> None:
    line = "ssh-ed25519 AAAA 100%25@home"
    assert wishes("bootstrap.authorized_keys", keys=(f"{line}\n",))["sshkeys"] == line
    assert read("sshkeys", "", quote(line, safe="")) == line


def test_devices_are_named_by_their_mapping() -> None:
    proxmox = {"pci": (Pci(mapping="gpu0", pcie=True),)}
    found = wishes("proxmox.pci.0.mapping", "proxmox.pci.0.pcie", proxmox=proxmox)
    assert (found["hostpci0.mapping"], found["hostpci0.pcie"]) == ("gpu0", "1")


def test_a_node_is_wanted_only_of_a_pinned_host() -> None:
    assert "node" not in wishes("proxmox.node", proxmox={"node": "pve1"})
    assert wishes("proxmox.node", proxmox={"node": "pve1", "pin": True})["node"] == "pve1"


# --- meaning ---------------------------------------------------------------------------------------------------------

SAME = [
    ("sshkeys", "", quote("ssh-ed25519 A a\nssh-rsa B b", safe=""), "ssh-rsa%20B%20b%0Assh-ed25519%20A%20a"),
    ("tags", "", "a;pvenix", "PVENIX,a"),
    ("net0", "macaddr", f"virtio={MAC},bridge=lan", f"bridge=lan,virtio={MAC.lower()}"),
    ("net0", "macaddr", f"virtio={MAC},bridge=lan", f"model=virtio,macaddr={MAC},bridge=lan"),
    ("net0", "tag", "virtio,bridge=lan", "virtio,bridge=lan,tag=0"),
    ("net0", "firewall", "virtio", "virtio,firewall=0"),
    ("ipconfig0", "ip6", "ip=dhcp,ip6=auto", "ip6=AUTO,ip=dhcp"),
    ("memory", "", "4096", "current=4096"),
    ("cores", "", "", "1"),
    ("onboot", "", "", "0"),
    ("numa", "", "1", "on"),
    ("vga", "", "serial0", "type=serial0,memory=32"),
    ("hotplug", "", "1", "usb,network,disk"),
    ("machine", "", "q35", "type=q35,viommu=intel"),
    ("nameserver", "", "1.1.1.1 9.9.9.9", "1.1.1.1,9.9.9.9"),
    ("scsi0", "size", "s:v,size=32G", "size=32768M,file=s:v"),
    ("scsi0", "backup", "s:v,size=32G", "s:v,backup=1"),
    ("scsi1", "discard", "s:v", "s:v,discard=ignore"),
    ("cpu", "", "host", "cputype=host"),
    ("startup", "", "order=2,up=30", "2,up=30"),
]
DIFFERENT = [
    ("sshkeys", "", quote("ssh-ed25519 A a", safe=""), quote("ssh-ed25519 B a", safe="")),
    ("memory", "", "4096", "2048"),
    ("net0", "bridge", "virtio,bridge=lan", "virtio,bridge=dmz"),
    ("nameserver", "", "1.1.1.1 9.9.9.9", "9.9.9.9 1.1.1.1"),
    ("ciuser", "", "tappaas", "Tappaas"),
    ("scsi0", "size", "s:v,size=32G", "s:v,size=33G"),
    ("scsi0", "storage", "a:v", "b:v"),
    ("hotplug", "", "0", "1"),
]


@pytest.mark.parametrize(("key", "part", "one", "other"), SAME)
def test_two_spellings_of_the_same(key: str, part: str, one: str, other: str) -> None:
    assert read(key, part, one) == read(key, part, other)


@pytest.mark.parametrize(("key", "part", "one", "other"), DIFFERENT)
def test_two_meanings(key: str, part: str, one: str, other: str) -> None:
    assert read(key, part, one) != read(key, part, other)


@given(st.sampled_from(["net0", "scsi0", "ipconfig0", "hostpci0", "cpu", "startup"]), st.text(max_size=40))
def test_a_property_string_keeps_its_meaning_when_it_is_written_again(key: str, text: str) -> None:
    assert parts_of(key, joined(key, parts_of(key, text))) == parts_of(key, text) or not _plain(text)


def _plain(text: str) -> bool:
    return all(char.isalnum() or char in ":=,/.-" for char in text) and "=" in text and not text.startswith("=")


# --- the three ways --------------------------------------------------------------------------------------------------

VALUES = st.sampled_from(["1", "2", "3", "4"])


@given(VALUES, st.none() | VALUES, VALUES, st.none() | VALUES)
def test_the_state_of_a_field_follows_from_its_four_values(
    desired: str, recorded: str | None, actual: str, waiting: str | None
) -> None:
    state = stands(one_wish("cores", desired), actual, recorded=recorded, waiting=waiting).state
    later = actual if waiting is None else waiting
    if later == desired:
        assert state is (FieldState.EQUAL if actual == desired else FieldState.PENDING)
    elif recorded is None:
        assert state is FieldState.CHANGE
    elif recorded == desired:
        assert state is FieldState.DRIFT
    else:
        assert state is (FieldState.CHANGE if recorded == later else FieldState.CONFLICT)


@pytest.mark.parametrize(
    ("desired", "recorded", "actual", "state"),
    [
        ("a;pvenix", None, "a;pvenix;theirs", FieldState.EQUAL),
        ("a;pvenix", "a;b;pvenix", "a;b;pvenix;theirs", FieldState.CHANGE),
        ("a;pvenix", "a;pvenix", "pvenix", FieldState.DRIFT),
        ("a;pvenix", None, "", FieldState.CHANGE),
    ],
)
def test_tags_of_others_are_no_difference(desired: str, recorded: str | None, actual: str, state: FieldState) -> None:
    assert stands(one_wish("tags", desired), actual, recorded=recorded).state is state


def test_tags_of_others_stay_and_ours_go_with_the_inventory() -> None:
    assert (
        spelled("tags", [one_wish("tags", "a;pvenix")], "theirs;b;a", storage="", ours="a;b;pvenix")
        == "a;pvenix;theirs"
    )


def test_a_long_value_is_recorded_by_its_hash() -> None:
    keys = "ssh-ed25519 " + "A" * 80
    assert (recorded_as(keys)[:7], len(recorded_as(keys))) == ("sha256:", 19)
    plan = stands(one_wish("sshkeys", keys), "ssh-ed25519%20B", recorded=keys)
    assert plan.state is FieldState.DRIFT


def test_what_was_added_for_the_inventory_and_is_in_it_no_more_is_to_go() -> None:
    config = {"scsi1": "tanka1:vm-1-disk-1,size=8G", "scsi2": "tanka1:vm-1-disk-2,size=8G", "net1": "virtio=A,bridge=x"}
    seen = VmPending(config=VmConfig(values=config, digest=""), waiting={})
    plans = {one.key: one for one in compare([], {"scsi1.size": "8G", "net1.bridge": "x"}, seen, running=True)}
    assert (plans["scsi1"].state, plans["scsi1"].desired) == (FieldState.CHANGE, "")
    assert plans["net1"].state is FieldState.CHANGE
    assert plans["scsi2"].state is FieldState.UNMANAGED


def test_a_job_that_the_inventory_names_no_more_lets_the_vm_go_when_it_still_has_it() -> None:
    seen = VmPending(config=VmConfig(values={}, digest=""), waiting={})
    listed = compare([], {"backup": "nightly"}, seen, running=True, around={"backup": "nightly,all"})
    assert [(one.field, one.recorded, one.desired) for one in listed] == [("backup.job", "nightly", "")]
    assert compare([], {"backup": "nightly"}, seen, running=True, around={"backup": "all"}) == ()
    assert compare([], {"backup": "nightly"}, seen, running=True, around={}) == ()


def test_cloud_init_waits_only_as_long_as_the_boot_that_it_was_written_in_runs() -> None:
    asked = [one_wish("ipconfig0.ip", "dhcp"), one_wish("ciuser", "ops")]
    seen = VmPending(config=VmConfig(values={"ipconfig0": "ip=dhcp", "ciuser": "ops"}, digest=""), waiting={})

    def states(boot: str, now: str, *, running: bool = True) -> list[FieldState]:
        plans = compare(asked, {BOOT: f"{boot} ipconfig0.ip"}, seen, running=running, around={BOOT: now})
        return [one.state for one in plans]

    waits, there = [FieldState.PENDING, FieldState.EQUAL], [FieldState.EQUAL, FieldState.EQUAL]
    assert states("12345678", "12345678-aaaa") == waits
    assert states("12345678", "99999999-aaaa") == there
    assert states("12345678", "") == waits
    assert states("unknown", "99999999-aaaa") == waits
    assert states("12345678", "12345678-aaaa", running=False) == there


def test_no_disk_of_a_protected_vm_is_detached() -> None:
    config = {"scsi1": "tanka1:vm-1-disk-1,size=8G", "protection": "1"}
    seen = VmPending(config=VmConfig(values=config, digest=""), waiting={})
    asked = [one_wish("protection", "0")]
    effects = [
        [one.effect for one in compare(wanted, {"scsi1.size": "8G"}, seen, running=True) if one.key == "scsi1"]
        for wanted in ([], asked)
    ]
    assert effects == [[Effect.REFUSE], [Effect.LIVE]]


@pytest.mark.parametrize(
    ("key", "record", "effect"),
    [
        ("scsi0", {}, Effect.REFUSE),
        ("scsi1", {"scsi1.size": "8G"}, Effect.REFUSE),
        ("scsi1", {}, Effect.LIVE),
    ],
)
def test_no_empty_disk_takes_the_place_of_one_that_somebody_detached(
    key: str, record: dict[str, str], effect: Effect
) -> None:
    values = {"unused0": "tanka1:vm-1-disk-1", "cores": "1"}
    seen = VmPending(config=VmConfig(values=values, digest=""), waiting={})
    [plan] = [one for one in compare([one_wish(f"{key}.size", "8G")], record, seen, running=True) if one.key == key]
    assert plan.effect is effect
    assert "unused0 tanka1:vm-1-disk-1" in plan.note
    assert plan.note.startswith("a new and empty one") is (effect is Effect.LIVE)


def test_what_nobody_declares_is_not_managed_and_its_secret_not_shown() -> None:
    config = {
        "cipassword": "**********",
        "args": "-x",
        "cores": "4",
        "smbios1": "uuid=1",
        "ide2": "a:vm-1-cloudinit,media=cdrom",
    }
    seen = VmPending(config=VmConfig(values=config, digest=""), waiting={})
    plans = {one.key: one for one in compare([one_wish("cores", "4")], {}, seen, running=True)}
    assert {key: one.state for key, one in plans.items()} == {
        "cores": FieldState.EQUAL, "args": FieldState.UNMANAGED, "cipassword": FieldState.UNMANAGED,
    }  # fmt: skip
    assert plans["cipassword"].actual == "set"


# --- what it takes ---------------------------------------------------------------------------------------------------


EFFECTS = [
    ("cores", "4", "2", {}, Effect.REBOOT),
    ("memory", "4096", "2048", {}, Effect.REBOOT),
    ("memory", "4096", "2048", {"hotplug": "memory,disk", "numa": "1"}, Effect.LIVE),
    ("memory", "1024", "2048", {"hotplug": "memory,disk"}, Effect.REBOOT),
    ("tags", "a", "", {}, Effect.LIVE),
    ("onboot", "1", "", {}, Effect.LIVE),
    ("net0.tag", "7", NET0, {}, Effect.LIVE),
    ("net0.tag", "7", NET0, {"hotplug": "0"}, Effect.LIVE),
    ("net0.macaddr", "BC:24:11:00:00:08", NET0, {}, Effect.LIVE),
    ("net0.macaddr", "BC:24:11:00:00:08", NET0, {"hotplug": "disk"}, Effect.REBOOT),
    ("net1.bridge", "lan", "", {"hotplug": "0"}, Effect.REBOOT),
    ("scsi0.size", "64G", "s:v,size=32G", {}, Effect.LIVE),
    ("scsi0.size", "8G", "s:v,size=32G", {}, Effect.REFUSE),
    ("scsi0.storage", "b", "a:v,size=32G", {}, Effect.MOVE),
    ("scsi0.ssd", "1", "a:v,size=32G", {}, Effect.REBOOT),
    ("scsi0.backup", "0", "a:v,size=32G", {}, Effect.LIVE),
    ("scsi1.size", "8G", "", {}, Effect.LIVE),
    ("scsi1.size", "8G", "", {"hotplug": "network"}, Effect.REBOOT),
    ("sata1.size", "8G", "", {}, Effect.REBOOT),
    ("scsihw", "virtio-scsi-single", "virtio-scsi-pci", {}, Effect.OFFLINE),
    ("tpmstate0.version", "v2.0", "", {}, Effect.OFFLINE),
    ("bios", "ovmf", "seabios", {}, Effect.RECREATE),
    ("machine", "q35", "pc-i440fx-9.0", {}, Effect.RECREATE),
    ("efidisk0.pre-enrolled-keys", "1", "a:v,efitype=4m", {}, Effect.RECREATE),
    ("ipconfig0.ip", "10.0.0.5/24", "ip=dhcp", {}, Effect.REBOOT),
    ("hotplug", "disk", "network", {}, Effect.LIVE),
    ("hotplug", "cpu;disk", "network", {}, Effect.REBOOT),
    ("balloon", "1024", "2048", {}, Effect.LIVE),
    ("balloon", "0", "2048", {}, Effect.REBOOT),
    ("hostpci0.mapping", "gpu0", "", {}, Effect.REBOOT),
]


@pytest.mark.parametrize(("name", "desired", "actual", "config", "effect"), EFFECTS)
def test_what_a_change_to_a_running_vm_takes(
    name: str,
    desired: str,
    actual: str,
    config: dict[str, Any],
    effect: Effect,
) -> None:
    assert stands(one_wish(name, desired), actual, **config).effect is effect


@pytest.mark.parametrize(("name", "desired", "actual", "config", "effect"), EFFECTS)
def test_a_vm_that_is_off_takes_all_that_is_possible(
    name: str,
    desired: str,
    actual: str,
    config: dict[str, Any],
    effect: Effect,
) -> None:
    never = (Effect.REFUSE, Effect.RECREATE, Effect.MOVE)
    found = stands(one_wish(name, desired), actual, running=False, **config).effect
    assert found is (effect if effect in never else Effect.LIVE)


def test_a_version_of_a_machine_type_is_that_type() -> None:
    assert stands(one_wish("machine", "q35"), "pc-q35-9.0").state is FieldState.EQUAL
    assert stands(one_wish("machine", "pc"), "pc-i440fx-9.0").state is FieldState.EQUAL
    assert stands(one_wish("machine", "pc-q35-8.1"), "pc-q35-9.0").state is FieldState.CHANGE


# --- how it is spelt -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "wish", "present", "written"),
    [
        (
            "net0",
            {"bridge": "lan", "tag": "7"},
            f"virtio={MAC},bridge=x,rate=12",
            f"virtio={MAC},bridge=lan,rate=12,tag=7",
        ),
        ("net0", {"tag": "0"}, f"virtio={MAC},bridge=x,tag=9", f"virtio={MAC},bridge=x"),
        ("net1", {"bridge": "lan", "tag": "0", "firewall": "1"}, "", "virtio,bridge=lan,firewall=1"),
        ("scsi1", {"size": "10G", "storage": "b", "discard": "1", "backup": "0"}, "", "b:10,backup=0,discard=on"),
        ("scsi1", {"size": "10G"}, "", "root:10"),
        ("scsi1", {"size": "20G", "ssd": "1"}, "a:v,size=10G,cache=none", "a:v,cache=none,size=10G,ssd=1"),
        ("tpmstate0", {"version": "v2.0"}, "", "root:1,version=v2.0"),
        ("tpmstate0", {"version": ""}, "a:v,version=v2.0", ""),
        ("efidisk0", {"pre-enrolled-keys": "1"}, "", "root:1,efitype=4m,pre-enrolled-keys=1"),
        ("hostpci0", {"mapping": "gpu0", "pcie": "1", "x-vga": "0"}, "", "mapping=gpu0,pcie=1"),
        ("hostpci0", {"mapping": "gpu0"}, "host=0000:01:00.0,pcie=1", "mapping=gpu0,pcie=1"),
        ("ipconfig0", {"ip": "dhcp", "gw": "", "ip6": "auto"}, "ip=10.0.0.5/24,gw=10.0.0.1", "ip=dhcp,ip6=auto"),
        ("hotplug", {"": "disk;network"}, "1", "disk,network"),
        ("serial0", {"": ""}, "socket", ""),
    ],
)
def test_an_option_keeps_what_nobody_declares(key: str, wish: dict[str, str], present: str, written: str) -> None:
    asked = [Wanted(field=f"{key}.{part}", key=key, part=part, value=value) for part, value in wish.items()]
    assert spelled(key, asked, present, storage="root", ours="") == written


WRITABLE = ["cores", "memory", "net0.bridge", "net0.tag", "net0.firewall", "onboot", "numa", "tags", "ipconfig0.ip"]


@given(
    st.dictionaries(st.sampled_from(WRITABLE), st.sampled_from(["0", "1", "7", "512"]), min_size=1),
    st.dictionaries(
        st.sampled_from(["cores", "net0", "onboot", "tags", "ipconfig0"]), st.sampled_from(["1", NET0, "a"])
    ),
)
def test_what_was_written_as_wanted_is_never_written_again(asked: dict[str, str], present: dict[str, str]) -> None:
    wishes = [one_wish(name, meaning(name.rpartition(".")[2], value)) for name, value in asked.items()]
    values, deleted = changes([one.key for one in wishes], wishes, present, storage="", ours="")
    after = {key: value for key, value in {**present, **values}.items() if key not in deleted}
    plans = compare(wishes, {}, VmPending(config=VmConfig(values=after, digest=""), waiting={}), running=False)
    assert {one.state for one in plans if one.state is not FieldState.UNMANAGED} == {FieldState.EQUAL}


# --- in which order --------------------------------------------------------------------------------------------------


def view(asked: Mapping[str, str], recorded: Mapping[str, str], **config: str) -> View:
    seen = VmPending(config=VmConfig(values=config, digest="d"), waiting={})
    wanted = tuple(one_wish(name, value) for name, value in asked.items())
    return View(
        wanted=wanted, fields=compare(wanted, recorded, seen, running=True), seen=seen, storage="root", whole=True
    )


def test_disks_grow_and_move_first_and_the_rest_is_one_call() -> None:
    seen = view(
        {"cores": "4", "net0.tag": "7", "scsi0.size": "64G", "scsi1.storage": "b", "scsi2.size": "8G"},
        {"scsi3.size": "1G"},
        scsi0="a:v0,size=32G", scsi1="a:v1,size=1G", scsi3="a:v3,size=1G", net0=NET0,
    )  # fmt: skip
    actions = work(seen, seen.differing())
    assert actions[:2] == (Grow(disk="scsi0", gib=64), Move(disk="scsi1", storage="b"))
    assert [put.keys for put in actions[2:] if isinstance(put, Put)] == [("scsi2",), ("cores", "net0"), ("scsi3",)]


def test_nothing_is_written_where_nothing_differs() -> None:
    seen = view({"cores": "4"}, {}, cores="4")
    assert work(seen, seen.differing()) == ()


def test_what_was_grown_leaves_a_record() -> None:
    seen = view({"scsi0.size": "64G"}, {}, scsi0="a:v0,size=32G", description="pvenix-host: dns01")
    grow, put = work(seen, seen.differing())
    assert isinstance(grow, Grow)
    assert isinstance(put, Put)
    values, deleted = put.changes(seen)
    assert (deleted, values["description"].split("\n")[1]) == ([], 'pvenix-applied: {"scsi0.size":"64G"}')


def test_hardware_that_is_not_declared_is_not_wanted() -> None:
    assert not {"machine", "bios", "cpu", "vga"} & set(
        wishes(hardware=Hardware(machine="q35", bios="ovmf", cpu="host"))
    )


def test_a_disk_s_fields_are_wanted_one_by_one() -> None:
    disk = Disk(slot="scsi1", size_mib=1500, ssd=True)
    found = wishes("proxmox.disks.scsi1.size", "proxmox.disks.scsi1.ssd", proxmox={"disks": (disk,)})
    assert (found["scsi1.size"], found["scsi1.ssd"], "scsi1.storage" in found) == ("2G", "1", False)

"""What is written to a VM: what we author, where it differs in meaning."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.engine.ports import Interface
from pvenix.lifecycle.addresses import choose_addresses
from pvenix.lifecycle.settings import cloudinit_settings, differing, hardware_settings
from pvenix.model.host import Pci
from pvenix.model.site import Zone
from tests.unit.lifecycle_support import config, host

ZONE = Zone(name="srv", bridge="lan", vlan=210, gateway="10.2.10.1", dns=("10.2.10.1",))
MAC = "bc:24:11:00:00:07"
NET0 = f"virtio={MAC.upper()},bridge=vmbr0"


def test_a_clone_keeps_its_mac_and_gets_the_zone_s_bridge_and_vlan() -> None:
    values = hardware_settings(host(), ZONE, config(net0=NET0))
    assert values["net0"] == f"virtio={MAC.upper()},bridge=lan,tag=210"


def test_the_inventory_s_mac_wins() -> None:
    wanted = host(network={"mac": "02:00:00:00:00:01"})
    assert hardware_settings(wanted, ZONE, config(net0=NET0))["net0"].startswith("virtio=02:00:00:00:00:01,")


def test_without_a_zone_the_bridge_stays() -> None:
    assert hardware_settings(host(), None, config(net0=NET0))["net0"] == NET0


def test_our_tag_is_always_among_the_tags() -> None:
    assert hardware_settings(host(tags=("Web", "prod")), None, config())["tags"] == "prod;pvenix;web"


def test_devices_are_named_by_their_mapping() -> None:
    wanted = host(proxmox={"pci": (Pci(mapping="gpu0", pcie=True, primary=True), Pci(mapping="nic1"))})
    values = hardware_settings(wanted, None, config())
    assert (values["hostpci0"], values["hostpci1"]) == ("mapping=gpu0,pcie=1,x-vga=1", "mapping=nic1")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, "ip=dhcp,ip6=auto"),
        ({"address": "10.2.10.5/24"}, "ip=10.2.10.5/24,gw=10.2.10.1,ip6=auto"),
        ({"address": "10.2.10.5/24", "gateway": "10.2.10.254", "ip6": "off"}, "ip=10.2.10.5/24,gw=10.2.10.254"),
        ({"ip6": "fd00::5/64", "gateway6": "fd00::1"}, "ip=dhcp,ip6=fd00::5/64,gw6=fd00::1"),
    ],
)
def test_addresses_as_proxmox_spells_them(network: dict[str, str], expected: str) -> None:
    assert cloudinit_settings(host(network=network), ZONE, domain="x", keys=())["ipconfig0"] == expected


def test_the_drive_never_holds_a_password() -> None:
    assert "cipassword" not in cloudinit_settings(host(), ZONE, domain="x", keys=("ssh-ed25519 AAAA a@b",))


SAME = [
    ("sshkeys", quote("ssh-ed25519 A a\nssh-rsa B b", safe=""), "ssh-rsa%20B%20b%0Assh-ed25519%20A%20a"),
    ("sshkeys", quote("ssh-ed25519 A+/= a", safe=""), "ssh-ed25519%20A%2B%2F%3D%20a%0A"),
    ("tags", "a;pvenix", "pvenix;a"),
    ("tags", "a;pvenix", "PVENIX,a"),
    ("net0", "virtio=AA:BB,bridge=lan,tag=2", "bridge=lan,tag=2,virtio=aa:bb"),
    ("ipconfig0", "ip=dhcp,ip6=auto", "ip6=auto,ip=dhcp"),
    ("cores", "2", "2 "),
]
DIFFERENT = [
    ("sshkeys", quote("ssh-ed25519 A a", safe=""), ""),
    ("sshkeys", quote("ssh-ed25519 A a", safe=""), quote("ssh-ed25519 B a", safe="")),
    ("tags", "pvenix", ""),
    ("tags", "pvenix", "pvenix;mine"),
    ("net0", "virtio=AA:BB,bridge=lan", "virtio=AA:BC,bridge=lan"),
    ("ipconfig0", "ip=dhcp", "ip=dhcp,gw=10.0.0.1"),
    ("ciuser", "tappaas", "Tappaas"),
    ("memory", "4096", "2048"),
]


@pytest.mark.parametrize(("key", "wanted", "present"), SAME)
def test_another_spelling_of_the_same_is_no_difference(key: str, wanted: str, present: str) -> None:
    assert differing({key: wanted}, config(**{key: present})) == {}


@pytest.mark.parametrize(("key", "wanted", "present"), DIFFERENT)
def test_another_meaning_is_written_as_we_spell_it(key: str, wanted: str, present: str) -> None:
    assert differing({key: wanted}, config(**{key: present})) == {key: wanted}


@given(
    st.dictionaries(st.sampled_from(["tags", "cores", "net0", "ipconfig0", "sshkeys", "ciuser"]), st.text(max_size=20))
)
def test_what_was_written_as_wanted_is_never_written_again(wanted: dict[str, str]) -> None:
    assert differing(wanted, config(**wanted)) == {}


def test_what_we_do_not_author_is_left_alone() -> None:
    assert differing({"cores": "2"}, config(cores="2", args="-cpu host", description="mine")) == {}


# --- addresses -------------------------------------------------------------------------------------------------------


def nic(name: str, mac: str, *addresses: str) -> Interface:
    return Interface(name=name, mac=mac, addresses=addresses)


LOOPBACK = nic("lo", "00:00:00:00:00:00", "127.0.0.1/8", "::1/128")
DOCKER = nic("docker0", "02:42:ac:11:00:01", "172.17.0.1/16")


@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [
        ((LOOPBACK, DOCKER, nic("ens18", MAC, "10.2.10.5/24")), ("10.2.10.5",)),
        ((nic("ens18", MAC, "fe80::1/64", "10.2.10.5/24"),), ("10.2.10.5",)),
        ((nic("ens18", MAC, "fd00::5/64", "10.2.10.5/24"),), ("10.2.10.5", "fd00::5")),
        ((nic("ens18", MAC, "fd00::5/64", "fe80::1/64"),), ("fd00::5",)),
        ((nic("ens18", MAC, "169.254.3.4/16"),), ()),
        ((nic("ens18", MAC, "fe80::1/64"),), ()),
        ((nic("ens18", "bc:24:11:99:99:99", "10.2.10.5/24"), DOCKER), ()),
        ((LOOPBACK, DOCKER), ()),
        ((nic("ens18", MAC),), ()),
        ((), ()),
    ],
)
def test_only_addresses_of_the_vm_s_own_card_are_used(
    interfaces: tuple[Interface, ...], expected: tuple[str, ...]
) -> None:
    assert choose_addresses(interfaces, config(net0=NET0)) == expected


def test_a_vm_without_a_card_has_no_address() -> None:
    assert choose_addresses((nic("ens18", "", "10.0.0.1/24"),), config(net0=NET0)) == ()
    assert choose_addresses((nic("sit0", "", "10.0.0.1/24"),), config()) == ()

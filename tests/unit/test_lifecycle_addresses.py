"""Which of a guest's addresses are its own."""

from __future__ import annotations

import pytest

from pvenix.engine.ports import Interface
from pvenix.lifecycle.addresses import choose_addresses
from tests.unit.lifecycle_support import config

MAC = "bc:24:11:00:00:07"
NET0 = f"virtio={MAC.upper()},bridge=vmbr0"


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

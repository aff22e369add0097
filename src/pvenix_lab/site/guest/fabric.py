"""What the guests of one site share: networks with their DHCP leases, evaluated commits, and who watches them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from pvenix_lab.site.core import Site
from pvenix_lab.site.guest.flake import Commits

Observer = Callable[[Any, str], None]  # Any: a Guest, which stands above this module
"""Called with the guest and what happened: `ssh` (its SSH port may have opened or closed), `cut`, `off`."""

_FIRST_LEASE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network of the site: the bridge and VLAN of a guest's interface choose it."""

    name: str
    bridge: str
    vlan: int
    cidr: str
    gateway: str
    dns: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Fabric:
    """The shared part; one per site."""

    networks: list[Network] = field(default_factory=list)
    leases: dict[str, str] = field(default_factory=dict)
    clients: dict[str, str] = field(default_factory=dict)
    observers: list[Observer] = field(default_factory=list)
    commits: Commits = field(default_factory=Commits)

    def notify(self, guest: object, what: str) -> None:
        """Tell every observer."""
        for observer in list(self.observers):
            observer(guest, what)

    def network(self, bridge: str, vlan: int) -> Network:
        """The network on that bridge and VLAN; an undeclared one is 192.168.<vlan mod 256>.0/24."""
        found = next((n for n in self.networks if (n.bridge, n.vlan) == (bridge, vlan)), None)
        third = vlan % 256
        return found or Network(
            name=f"vlan{vlan}", bridge=bridge, vlan=vlan, cidr=f"192.168.{third}.0/24", gateway=f"192.168.{third}.1"
        )

    def lease(self, network: Network, mac: str, machine_id: str = "") -> str:
        """The address with prefix that DHCP gives this interface, always the same; empty when none is left.

        systemd-networkd identifies itself by a DUID from the machine id, so that clones with one machine id share one address.
        """
        net = ipaddress.ip_network(network.cidr)
        owner = self.clients.setdefault(f"{network.name} {machine_id}", mac.lower()) if machine_id else mac.lower()
        key = f"{network.name} {owner}"
        if key not in self.leases:
            taken = set(self.leases.values())
            hosts = (f"{net[number]}/{net.prefixlen}" for number in range(_FIRST_LEASE, net.num_addresses - 1))
            self.leases[key] = next((address for address in hosts if address not in taken), "")
        return self.leases[key]


_FABRICS: WeakKeyDictionary[Site, Fabric] = WeakKeyDictionary()


def fabric_of(site: Site) -> Fabric:
    """The fabric of a site, made at the first call."""
    return _FABRICS.setdefault(site, Fabric())

"""Which addresses may be a host's own, and which of them is tried first."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pvenix.engine.ports import Interface, VmConfig
from pvenix.model.host import Host
from pvenix.model.site import Zone

INVENTORY = "inventory"
AGENT = "guest agent"
_CARD = re.compile(r"net\d+")
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An address that may be a host's."""

    address: str
    source: str
    """Who says so: the inventory, or the guest agent."""
    family: bool
    """Whether it is of the family that `network.prefer` asks for."""
    subnet: bool
    """Whether it is in a network that the inventory declares for the host; true too when it declares none."""

    @property
    def rank(self) -> tuple[bool, bool]:
        """Lower is better."""
        return not self.family, not self.subnet

    @property
    def why(self) -> str:
        """Where it comes from and what speaks against it, in words."""
        against = [] if self.family else ["another family than network.prefer"]
        against += [] if self.subnet else ["outside of the declared networks"]
        return ", ".join([self.source, *against])


def fixed_addresses(host: Host) -> tuple[str, ...]:
    """The addresses that the inventory gives the host, IPv4 first, without their prefixes."""
    network = host.machine.network
    written = (network.address, network.ip6)
    return tuple(str(found.ip) for found in map(_interface, written) if found is not None)


def choose_addresses(interfaces: Iterable[Interface], config: VmConfig) -> tuple[str, ...]:
    """Addresses on the MACs of the VM's own cards, in the order of the cards, IPv4 first.

    The agent also lists bridges and containers of the guest, and addresses that nobody else can reach: those of the
    loopback, link-local and multicast ones are left out.
    """
    cards = {mac: number for number, mac in enumerate(_macs(config.values))}
    found = [
        (cards[interface.mac], ip.version, str(ip))
        for interface in interfaces
        if interface.mac in cards
        for ip in (written.ip for written in map(_interface, interface.addresses) if written is not None)
        if not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified)
    ]
    return tuple(dict.fromkeys(address for _, _, address in sorted(found, key=lambda each: each[:2])))


def candidates(host: Host, zone: Zone | None, addresses: Iterable[str], *, source: str) -> tuple[Candidate, ...]:
    """The addresses with what speaks for them, in the given order."""
    declared = tuple(_networks(host, zone))
    return tuple(_candidate(host, declared, ipaddress.ip_address(address), source) for address in addresses)


def _candidate(host: Host, declared: tuple[object, ...], ip: Ip, source: str) -> Candidate:
    prefer = host.machine.network.prefer
    inside = any(ip in network for network in declared)  # type: ignore[operator]  # a network of either family
    return Candidate(
        address=str(ip),
        source=source,
        family=prefer in ("any", f"v{ip.version}"),
        subnet=inside or not declared,
    )


def _networks(host: Host, zone: Zone | None) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    network = host.machine.network
    for text in (network.address, network.ip6, zone.cidr if zone else ""):
        found = _interface(text) if "/" in text else None
        if found is not None:
            yield found.network


def _macs(values: Mapping[str, str]) -> list[str]:
    """The MACs of net0, net1, …; `virtio=BC:24:11:…,bridge=lan` (qemu.conf(5), `netN`)."""
    cards = sorted((key for key in values if _CARD.fullmatch(key)), key=lambda key: int(key[3:]))
    macs = [values[key].partition(",")[0].partition("=")[2].lower() for key in cards]
    return [mac for mac in macs if mac]


def _interface(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """The address of `IP/prefix`; None for what is none, as guests may say."""
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None

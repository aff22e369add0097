"""The network cards of a host: addresses that fit, and what no two hosts may have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from pvenix.fleet import codes
from pvenix.fleet.node import Kind, Node
from pvenix.model.findings import Finding

_Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_FAMILIES = (("address", "gateway"), ("ip6", "gateway6"))


def of(machine: Node) -> Iterator[Node]:
    """Every card of a host, the first one first."""
    first, further = machine.get("network"), machine.get("nics")
    yield from [first] if first is not None and first.kind == Kind.MAP else []
    yield from (card for card in (further.items if further is not None else ()) if card.kind == Kind.MAP)


def taken(card: Node) -> Iterator[tuple[str, str, Node]]:
    """What only one card of the fleet may have: the kind, the value and where it is written."""
    for key, _ in _FAMILIES:
        node = card.get(key)
        interface = _interface(node)
        if node is not None and interface is not None:
            yield "address", str(interface.ip), node
    mac = card.get("mac")
    if mac is not None and isinstance(mac.value, str):
        yield "mac", mac.value.upper().replace("-", ":"), mac


def findings(card: Node, site: Node) -> Iterator[Finding]:
    """Addresses that do not fit the card's zone, and gateways that cannot be reached from them."""
    zone = card.get("zone")
    name = str(zone.value) if zone is not None else ""
    place = site.get("zones", name) if name else None
    of_zone = network(place.get("cidr")) if place is not None else None
    for key, way in _FAMILIES:
        node, gateway = card.get(key), card.get(way)
        interface = _interface(node)
        if node is None or interface is None:
            if gateway is not None and key == "ip6" and not gateway.is_null:
                what = "`gateway6` needs a fixed `ip6`"
                yield gateway.finding(codes.ADDRESS, what, "write `ip6: ADDRESS/prefix`, or remove the gateway")
            continue
        misfits = []
        if of_zone is not None and of_zone.version == interface.version:
            misfits = list(_fits(node, interface, of_zone, name))
        yield from misfits or _gateway(node, interface, gateway, ip(place.get("gateway")) if place else None)


def _gateway(node: Node, interface: _Interface, gateway: Node | None, of_zone: _Address | None) -> Iterator[Finding]:
    address = ip(gateway) or (of_zone if of_zone is not None and of_zone.version == interface.version else None)
    if address is not None and address == interface.ip:
        yield node.finding(codes.ADDRESS, f"{address} is the gateway's address", "choose another address")
    elif gateway is not None and address is not None and not _reaches(interface, address):
        what = f"the gateway {address} cannot be reached from {interface}"
        yield gateway.finding(codes.ADDRESS, what, "the gateway lies inside the address's network")


def _reaches(interface: _Interface, address: _Address) -> bool:
    """Routers of IPv6 are mostly named by their link-local address, which every card of the link reaches."""
    return address in interface.network or (address.version == 6 and address.is_link_local)


def _fits(node: Node, interface: _Interface, network: _Network, zone: str) -> Iterator[Finding]:
    if interface.ip not in network:
        yield node.finding(codes.ADDRESS, f"{interface.ip} is outside zone `{zone}` ({network})")
    elif interface.network != network:
        what = f"the prefix /{interface.network.prefixlen} differs from zone `{zone}` ({network})"
        yield node.finding(codes.ADDRESS, what, f"write {interface.ip}/{network.prefixlen}")
    elif network.prefixlen < network.max_prefixlen - 1 and interface.ip == network.network_address:
        yield node.finding(codes.ADDRESS, f"{interface.ip} is the network's own address", "choose another address")
    elif network.version == 4 and network.prefixlen < 31 and interface.ip == network.broadcast_address:
        yield node.finding(codes.ADDRESS, f"{interface.ip} is the broadcast address", "choose another address")


def _interface(node: Node | None) -> _Interface | None:
    try:
        text = node.value if node is not None else None
        return ipaddress.ip_interface(text) if isinstance(text, str) and "/" in text else None
    except ValueError:
        return None


def network(node: Node | None) -> _Network | None:
    """The network that a node holds, None when it is none."""
    try:
        return ipaddress.ip_network(node.value) if node is not None and isinstance(node.value, str) else None
    except ValueError:
        return None


def ip(node: Node | None) -> _Address | None:
    """The address that a node holds, None when it is none."""
    try:
        return ipaddress.ip_address(node.value) if node is not None and isinstance(node.value, str) else None
    except ValueError:
        return None

"""Which of the addresses that a guest reports is its own."""

from __future__ import annotations

import ipaddress

from pvenix.engine.ports import Interface, VmConfig


def choose_addresses(interfaces: tuple[Interface, ...], config: VmConfig) -> tuple[str, ...]:
    """Addresses of the VM's own first NIC, IPv4 first, without loopback and link-local ones.

    The agent also lists bridges and containers of the guest, so an interface counts only by the MAC of `net0`.
    """
    mac = config.values.get("net0", "").partition(",")[0].partition("=")[2].lower()
    written = [address for interface in interfaces if mac and interface.mac == mac for address in interface.addresses]
    found = [ip for ip in map(_address, written) if ip is not None]
    usable = [ip for ip in found if not (ip.is_loopback or ip.is_link_local)]
    return tuple(str(ip) for ip in sorted(usable, key=lambda ip: ip.version))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of `IP/prefix`; None for what a guest calls an address and is none."""
    try:
        return ipaddress.ip_interface(text).ip
    except ValueError:
        return None

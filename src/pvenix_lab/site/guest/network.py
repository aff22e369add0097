"""A guest's network interfaces, from the VM's devices and the cloud-init network configuration (version 1)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pvenix_lab.site.guest.fabric import Fabric
    from pvenix_lab.site.pve.vm import Vm

_FIRST_SLOT = 18  # Proxmox VE puts net0 into PCI slot 18: ens18 without cloud-init's set-name


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network device of the running guest; addresses are `IP/prefix`."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    bridge: str
    vlan: int
    driver: str


def interfaces(vm: Vm, fabric: Fabric, network_config: Mapping[str, Any], machine_id: str = "") -> list[Interface]:
    """Every device in order. A device that cloud-init does not name asks DHCP (`useDHCP` of the hardware file)."""
    named = {
        str(entry.get("mac_address", "")).lower(): entry
        for entry in network_config.get("config", ())
        if entry.get("type") == "physical"
    }
    result = []
    for index, (key, mac) in enumerate(vm.macs().items()):
        device = _properties(str(vm.config[key]))
        bridge, vlan = device.get("bridge", ""), int(device.get("tag", 0))
        entry = named.get(mac.lower())
        addresses = _addresses(fabric, entry, (bridge, vlan, mac, machine_id)) if device.get("link_down") != "1" else ()
        result.append(
            Interface(
                name=str(entry["name"]) if entry else f"ens{_FIRST_SLOT + index}",
                mac=mac.lower(),
                addresses=addresses,
                bridge=bridge,
                vlan=vlan,
                driver=next(iter(device)),
            )
        )
    return result


def renumbered(devices: list[Interface], how: str) -> list[Interface]:
    """The devices after a system was activated that knows another `address`, or that leaves them `down`."""
    return [replace(one, addresses=() if how == "down" else tuple(map(_elsewhere, one.addresses))) for one in devices]


def _elsewhere(address: str) -> str:
    """The same machine's address in another network; what is of the link stays."""
    last = address.partition("/")[0].rpartition(".")[2]
    return f"192.0.2.{last}/24" if "." in address else address


def _properties(value: str) -> dict[str, str]:
    return {key: text for key, _, text in (part.partition("=") for part in value.split(","))}


def _addresses(fabric: Fabric, entry: Mapping[str, Any] | None, where: tuple[str, int, str, str]) -> tuple[str, ...]:
    bridge, vlan, mac, machine_id = where
    link_local = ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + _eui64(mac))
    if not bridge:
        return ()
    subnets = entry.get("subnets", ()) if entry else ({"type": "dhcp4"},)
    found: list[str] = []
    for subnet in subnets:
        kind = str(subnet.get("type", ""))
        if kind in ("dhcp", "dhcp4"):
            found += filter(None, (fabric.lease(fabric.network(bridge, vlan), mac, machine_id),))
        elif kind in ("static", "static6"):
            address = str(subnet["address"])
            prefix = subnet.get("netmask", "64" if ":" in address else "24")
            found.append(str(ipaddress.ip_interface(address if "/" in address else f"{address}/{prefix}")))
    return (*found, f"{link_local}/64")


def _eui64(mac: str) -> bytes:
    octets = bytes(int(part, 16) for part in mac.split(":"))
    return bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]


def agent_view(found: list[Interface], *, docker: bool) -> list[dict[str, object]]:
    """The list that `guest-network-get-interfaces` returns: lo first, then the devices, docker0 where Docker runs.

    What passes a wire of the lab is not counted, on no side of it: the statistics stay at zero, as `netin` of the VM does.
    """
    rows: list[tuple[str, str, tuple[str, ...]]] = [("lo", "00:00:00:00:00:00", ("127.0.0.1/8", "::1/128"))]
    rows += [(interface.name, interface.mac, interface.addresses) for interface in found]
    if docker:
        rows.append(("docker0", "02:42:ac:11:00:01", ("172.17.0.1/16",)))
    return [
        {
            "name": name,
            "hardware-address": mac,
            "ip-addresses": [
                {
                    "ip-address": address.partition("/")[0],
                    "ip-address-type": "ipv6" if ":" in address else "ipv4",
                    "prefix": int(address.partition("/")[2]),
                }
                for address in addresses
            ],
            "statistics": {
                f"{way}-{what}": 0 for way in ("rx", "tx") for what in ("bytes", "dropped", "errs", "packets")
            },
        }
        for name, mac, addresses in rows
    ]

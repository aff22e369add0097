"""The network file and the meta-data of a config drive, the type for Windows guests (source: qemu-server 8.4 Cloudinit.pm)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from pvenix_lab.site.pve.vm import Vm

_INDENT = " " * 8


def network(vm: Vm, resolver: str) -> str:
    """An `interfaces` file: the name servers first, as the real one has them, then each card that has an address."""
    lines = ["auto lo", "iface lo inet loopback", ""]
    servers = split_list(str(vm.config.get("nameserver", ""))) or [resolver]
    lines.append(f"{_INDENT}dns_nameservers {' '.join(servers)}")
    if domains := split_list(str(vm.config.get("searchdomain", ""))):
        lines.append(f"{_INDENT}dns_search {' '.join(domains)}")
    for key in vm.macs():
        ipconfig = vm.config.get(f"ipconfig{key[3:]}")
        if ipconfig is not None:
            parts = parse_properties(str(ipconfig))
            name = f"eth{key[3:]}"
            lines += [f"auto {name}", *_version4(name, parts), *_version6(name, parts)]
    return "\n".join(lines) + "\n"


def _version4(name: str, parts: dict[str, str]) -> list[str]:
    address = parts.get("ip")
    if address is None:
        return []
    if address == "dhcp":
        return [f"iface {name} inet dhcp"]
    interface = ipaddress.IPv4Interface(address)
    lines = [f"iface {name} inet static", f"{_INDENT}address {interface.ip}", f"{_INDENT}netmask {interface.netmask}"]
    return lines + ([f"{_INDENT}gateway {parts['gw']}"] if "gw" in parts else [])


def _version6(name: str, parts: dict[str, str]) -> list[str]:
    address = parts.get("ip6")
    if address is None:
        return []
    if address in {"auto", "dhcp"}:
        return [f"iface {name} inet6 {address}"]
    ip, _, prefix = address.partition("/")
    lines = [f"iface {name} inet6 static", f"{_INDENT}address {ip}", f"{_INDENT}netmask {prefix}"]
    return lines + ([f"{_INDENT}gateway {parts['gw6']}"] if "gw6" in parts else [])


def metadata(instance: str) -> str:
    """The JSON file that names the instance and where the network file is."""
    return f'{{\n     "uuid": "{instance}",\n     "network_config": {{ "content_path": "/content/0000" }}\n}}\n'

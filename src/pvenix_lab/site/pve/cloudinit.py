"""The four cloud-init files that Proxmox VE writes for a VM (source: qemu-server 8.4 Cloudinit.pm; nocloud checked by cloud-init 22.4.2).

They are kept under the names that nocloud gives them, whatever the type of the drive.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pvenix_lab.site.pve import configdrive
from pvenix_lab.site.pve.errors import PveError
from pvenix_lab.site.pve.formats import split_list
from pvenix_lab.site.pve.vm import parse_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pvenix_lab.site.pve.vm import ConfigValue, Vm

OPTIONS = ("cicustom", "cipassword", "citype", "ciupgrade", "ciuser", "nameserver", "searchdomain", "sshkeys")
"""The options whose changes `GET …/cloudinit` lists; ipconfigN is not among them (measured, proxmox.md a6)."""
_IPCONFIG = re.compile(r"ipconfig(\d+)")
_INDENT = "    "
_LIMIT = 3 * 1024**2
"""Of the 4 MiB drive, what the files may take."""


def is_option(key: str) -> bool:
    """True if a change of this configuration key changes the cloud-init files."""
    return key in OPTIONS or _IPCONFIG.fullmatch(key) is not None


def regenerate(vm: Vm, *, resolver: str, custom: Mapping[str, str] | None = None) -> None:
    """Write the VM's cloud-init files from its configuration; nothing without a cloud-init drive.

    `resolver` is the node's own name server, used when the VM has none; `custom` what cicustom puts in place of a file.

    Raises:
        PveError: the files are too large for the drive.
    """
    if vm.cloudinit_drive() is None:
        return
    vm.cloudinit = generate(vm, resolver=resolver, custom=custom)
    vm.cloudinit_config = {key: value for key, value in vm.config.items() if is_option(key) or key == "name"}


def drive_type(config: Mapping[str, ConfigValue]) -> str:
    """What the drive is: as configured, else `configdrive2` for Windows and `nocloud` for everything else."""
    windows = str(config.get("ostype", "")).startswith("w")
    return str(config.get("citype", "configdrive2" if windows else "nocloud"))


def generate(vm: Vm, *, resolver: str, custom: Mapping[str, str] | None = None) -> dict[str, str]:
    """The four files for the VM's configuration as it is. Raises PveError if they are too large together."""
    custom = custom or {}
    nocloud = drive_type(vm.config) == "nocloud"
    user = custom.get("user", _user_data(vm.config, vm.vmid))
    network = custom.get("network", _network_config(vm, resolver) if nocloud else configdrive.network(vm, resolver))
    instance = hashlib.sha1((user + network).encode(), usedforsecurity=False).hexdigest()
    meta = f"instance-id: {instance}\n" if nocloud else configdrive.metadata(instance)
    files = {
        "user-data": user,
        "network-config": network,
        "meta-data": custom.get("meta", meta),
        "vendor-data": custom.get("vendor", ""),
    }
    if sum(map(len, files.values())) > _LIMIT:
        raise PveError("Cloud-Init sum of snippets too big (> 3 MiB)")
    return files


def _user_data(config: Mapping[str, ConfigValue], vmid: int) -> str:
    name = str(config.get("name") or f"VM{vmid}")
    domain = str(config.get("searchdomain", ""))
    hostname, dot, _ = name.partition(".")
    fqdn = name if dot or not domain else f"{name}.{domain}"
    lines = ["#cloud-config", f"hostname: {hostname}", "manage_etc_hosts: true", f"fqdn: {fqdn}"]
    user = config.get("ciuser")
    if user is not None:
        lines.append(f"user: {user}")
    if user == "root":
        lines.append("disable_root: False")
    if "cipassword" in config:
        lines.append(f"password: {config['cipassword']}")
    if "sshkeys" in config:
        keys = unquote(str(config["sshkeys"])).split("\n")
        lines += ["ssh_authorized_keys:", *(f"  - {key}" for key in keys if key.strip())]
    lines += ["chpasswd:", "  expire: False"]
    if user != "root":
        lines += ["users:", "  - default"]
    if config.get("ciupgrade", 1):
        lines.append("package_upgrade: true")
    return "\n".join(lines) + "\n"


def _network_config(vm: Vm, resolver: str) -> str:
    lines = ["version: 1", "config:"]
    for key, mac in vm.macs().items():
        ipconfig = vm.config.get(f"ipconfig{key[3:]}")
        if ipconfig is None:
            continue
        lines += [
            f"{_INDENT}- type: physical",
            f"{_INDENT}  name: eth{key[3:]}",
            f"{_INDENT}  mac_address: '{mac.lower()}'",
            f"{_INDENT}  subnets:",
            *(f"{_INDENT}  {line}" for line in _subnets(parse_properties(str(ipconfig)))),
        ]
    servers = split_list(str(vm.config.get("nameserver", ""))) or [resolver]
    domains = split_list(str(vm.config.get("searchdomain", "")))
    lines += [
        f"{_INDENT}- type: nameserver",
        f"{_INDENT}  address:",
        *(f"{_INDENT}  - '{server}'" for server in servers),
    ]
    if domains:
        lines += [f"{_INDENT}  search:", *(f"{_INDENT}  - '{domain}'" for domain in domains)]
    return "\n".join(lines) + "\n"


def _subnets(ipconfig: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    match ipconfig.get("ip"):
        case None:
            pass
        case "dhcp":
            lines.append("- type: dhcp4")
        case cidr:
            interface = ipaddress.IPv4Interface(cidr)
            lines += ["- type: static", f"  address: '{interface.ip}'", f"  netmask: '{interface.netmask}'"]
            lines += [f"  gateway: '{ipconfig['gw']}'"] if "gw" in ipconfig else []
    match ipconfig.get("ip6"):
        case None:
            pass
        case "dhcp":
            lines.append("- type: dhcp6")
        case "auto":
            lines.append("- type: ipv6_slaac")
        case cidr:
            lines += ["- type: static6", f"  address: '{cidr}'"]
            lines += [f"  gateway: '{ipconfig['gw6']}'"] if "gw6" in ipconfig else []
    return lines

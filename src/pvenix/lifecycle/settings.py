"""What the inventory wants of a VM, as Proxmox spells it. Only fields that we author are ever written.

Formats: Proxmox VE 8.4 API, `PUT /nodes/{node}/qemu/{vmid}/config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from pvenix.engine.ports import VmConfig
from pvenix.lifecycle.ownership import MARKER_TAG
from pvenix.model.host import Host
from pvenix.model.site import Zone


def hardware_settings(host: Host, zone: Zone | None, config: VmConfig) -> dict[str, str]:
    """Processor, memory, network, devices, tags and options of the host's VM.

    `config` is the VM's present configuration: the NIC keeps the MAC that the clone was given.
    """
    machine = host.machine
    values = {
        "cores": str(machine.cores),
        "memory": str(machine.memory_mib),
        "onboot": "1" if machine.proxmox.onboot else "0",
        "tags": ";".join(sorted({MARKER_TAG, *(tag.lower() for tag in machine.tags)})),
        "net0": nic(host, zone, config.values.get("net0", "")),
    }
    if machine.hardware.display:
        values["vga"] = machine.hardware.display
    for index, device in enumerate(machine.proxmox.pci):
        flags = (",pcie=1" if device.pcie else "") + (",x-vga=1" if device.primary else "")
        values[f"hostpci{index}"] = f"mapping={device.mapping}{flags}"
    if machine.proxmox.protect:
        values["protection"] = "1"
    return values


def nic(host: Host, zone: Zone | None, present: str) -> str:
    """The first NIC on the host's bridge and VLAN, with the MAC that `present` has unless the inventory names one."""
    network = host.machine.network
    mac = network.mac or present.partition(",")[0].partition("=")[2]
    bridge = network.bridge or (zone.bridge if zone else "")
    vlan = network.vlan or (zone.vlan if zone else 0)
    parts = [f"virtio={mac}" if mac else "virtio"]
    parts += [f"bridge={bridge}"] if bridge else re.findall(r"bridge=[^,]+", present)
    parts += ["firewall=1"] if network.firewall else []
    parts += [f"mtu={network.mtu}"] if network.mtu else []
    parts += [f"tag={vlan}"] if vlan else []
    return ",".join(parts)


def cloudinit_settings(host: Host, zone: Zone | None, *, domain: str, keys: Sequence[str]) -> dict[str, str]:
    """User, public keys, address and DNS for the cloud-init drive; the adapter encodes the keys."""
    network = host.machine.network
    values = {
        "ciuser": host.machine.bootstrap.user,
        "ciupgrade": "0",
        "sshkeys": "\n".join(keys),
        "ipconfig0": _ipconfig(host, zone),
        "searchdomain": " ".join(network.search) or (f"{zone.name}.{domain}" if zone else domain),
    }
    servers = network.dns or (zone.dns if zone else ())
    if servers:
        values["nameserver"] = " ".join(servers)
    return values


def _ipconfig(host: Host, zone: Zone | None) -> str:
    network = host.machine.network
    gateway = network.gateway or (zone.gateway if zone else "")
    parts = ["ip=dhcp"] if not network.static else [f"ip={network.address}"]
    if network.static and gateway:
        parts.append(f"gw={gateway}")
    if network.ip6 not in ("off", ""):
        parts.append(f"ip6={network.ip6}")
    if network.gateway6:
        parts.append(f"gw6={network.gateway6}")
    return ",".join(parts)


def differing(wanted: Mapping[str, str], config: VmConfig) -> dict[str, str]:
    """The entries of `wanted` that `config` does not have, by meaning and not by spelling."""
    return {
        key: value for key, value in wanted.items() if _normal(key, value) != _normal(key, config.values.get(key, ""))
    }


def _normal(key: str, value: str) -> object:
    if key == "sshkeys":
        return sorted(line.strip() for line in unquote(value).splitlines() if line.strip())
    if key == "tags":
        return sorted(re.split(r"[;, ]+", value.lower()))
    if key.startswith(("net", "ipconfig", "hostpci")):
        return sorted(part.lower() for part in value.split(","))
    return value.strip()

"""The site's networks inside a network namespace: a bridge for each VLAN with the gateway on it, and a wire to each guest."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

NETNS: Final = Path("/run/netns")


def ip(*words: str, check: bool = True) -> str:
    """The output of iproute2."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def bridge_of(name: str, vlan: int) -> str:
    """The device that carries a VLAN of a bridge."""
    return f"{name}{vlan}" if vlan else name


def lay(bridges: dict[str, str]) -> None:
    """Make every bridge with its gateway address (`IP/prefix`), and let packets pass between them."""
    NETNS.mkdir(parents=True, exist_ok=True)
    ip("link", "set", "lo", "up")
    for name, gateway in bridges.items():
        ip("link", "add", name, "type", "bridge")
        ip("address", "add", gateway, "dev", name)
        ip("link", "set", name, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def port(vmid: int) -> str:
    """The bridge's end of a guest's wire."""
    return f"vm{vmid}"


def plug(vmid: int, *, bridge: str, mac: str) -> Path:
    """A network namespace with eth0 in it, on the bridge; returns its path."""
    unplug(vmid)
    name = f"vm{vmid}"
    ip("netns", "add", name)
    ip("link", "add", port(vmid), "type", "veth", "peer", "name", "eth0", "address", mac.lower(), "netns", name)
    ip("link", "set", port(vmid), "master", bridge, "up")
    return NETNS / name


def unplug(vmid: int) -> None:
    """Take the wire and its namespace away."""
    ip("link", "delete", port(vmid), check=False)
    ip("netns", "delete", f"vm{vmid}", check=False)

"""The hypervisor: the lab's Proxmox face before containers. Runs as the first process of namespaces of its own.

Usage: python -m tests.real.site.hypervisor DIR SOURCE BASE CGROUP
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import secrets
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from pvenix_lab.faces.control import ControlFace
from pvenix_lab.faces.https import HttpsFace
from pvenix_lab.site.core import Site
from pvenix_lab.site.faults import Faults
from pvenix_lab.site.pve.vm import Vm
from tests.real.site import cgroups, wires
from tests.real.site.container import Container
from tests.real.site.disk import Disk
from tests.real.site.seed import Seed


def _lay_networks(source: Path) -> None:
    zones = YAML(typ="safe").load((source / "inventory/site.yaml").read_text())["zones"]
    wires.lay(
        {
            wires.bridge_of(
                zone["bridge"], zone["vlan"]
            ): f"{zone['gateway']}/{ipaddress.ip_network(zone['cidr']).prefixlen}"
            for zone in zones.values()
        }
    )


async def _serve(directory: Path, source: Path, base: Path, cgroup: str) -> None:
    def make_guest(site: Site, vm: Vm, root: Path) -> Container:
        return Container(site, vm, root, base=base, cgroup=cgroup)

    def copy_disk(_site: Site, old: Path, new: Path) -> None:
        Disk(root=old, base=base).copy_to(Disk(root=new, base=base))

    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        site = await stack.enter_async_context(
            Site(root=directory, time_scale=0.1, guest_factory=make_guest, clone_disk=copy_disk, faults=Faults)
        )
        https = HttpsFace()
        port = await https.start(site, directory)
        stack.push_async_callback(https.stop)
        description = await Seed(site=site, source=source, base=base, endpoint=f"https://127.0.0.1:{port}").run()
        token = secrets.token_hex(16)
        control = ControlFace(site, token, stop.set)
        control_port = await control.start()
        stack.push_async_callback(control.stop)
        description["control"] = {"host": "127.0.0.1", "port": control_port, "token": token}
        (directory / "lab.new").write_text(json.dumps(description, indent=1))
        (directory / "lab.new").rename(directory / "lab.json")
        await stop.wait()


def main() -> None:
    """Make the namespaces' own mounts and networks, then serve until told to stop or killed."""
    directory, source, base, cgroup = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run"], check=True)
    for file in cgroups.make(f"{cgroup}/hypervisor"):
        file.write_text("0")  # this process
    _lay_networks(Path(source))
    asyncio.run(_serve(Path(directory), Path(source), Path(base), cgroup))


if __name__ == "__main__":
    main()

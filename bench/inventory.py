"""What loading a fleet costs: 1,000 hosts in one hosts.yaml, and with a host_vars file each; best of N, wall and CPU.

Run as `make bench`, or `python bench/inventory.py [HOSTS]`, on an idle machine; no test asserts the figures.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from pvenix.fleet.load import load_fleet

RUNS = 5
SITE = Path(__file__).parent.parent / "inventory" / "site.yaml"
ROLES = ("dns", "docker", "litellm", "nix-cache")


def main() -> None:
    """Prints one line for each shape of fleet."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for name, write_files in (("inline", False), ("inline + host_vars files", True)):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            write_fleet(root, count, host_vars=write_files)
            load_fleet(root)
            wall, cpu = min(timed(root) for _ in range(RUNS))
        print(f"{count} hosts, {name:26} {wall * 1000:7.0f} ms wall {cpu * 1000:7.0f} ms CPU")


def timed(root: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one load."""
    wall, cpu = time.perf_counter(), time.process_time()
    load_fleet(root)
    return time.perf_counter() - wall, time.process_time() - cpu


def write_fleet(root: Path, count: int, *, host_vars: bool) -> None:
    """A fleet of `count` hosts in four groups, on the starter's site with a wider VM id range and zone."""
    inventory = root / "inventory"
    (inventory / "host_vars").mkdir(parents=True)
    site = SITE.read_text(encoding="utf-8").replace("[200, 499]", "[200, 99999]").replace("10.2.20.", "10.2.0.")
    (inventory / "site.yaml").write_text(site.replace("10.2.0.0/24", "10.2.0.0/16"), encoding="utf-8")
    lines = ["all:", "  children:"]
    for number, role in enumerate(ROLES):
        lines += [f"    group{number}:", "      hosts:"]
        for index in range(number, count, len(ROLES)):
            address = f"10.2.{1 + index // 250}.{1 + index % 250}/16"
            lines += [f"        host{index:05}:", "          machine:", f"            roles: [base, {role}]"]
            lines += [f"            network: {{zone: srvWork, address: {address}}}"]
            if host_vars:
                text = f"machine:\n  proxmox:\n    vmid: {200 + index}\n"
                (inventory / "host_vars" / f"host{index:05}.yaml").write_text(text, encoding="utf-8")
    (inventory / "hosts.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

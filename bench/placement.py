"""What placing costs: 100 hosts on 32 nodes that carry 400 VMs, CPU time without reading the site; best of N.

Run as `make bench`, or `python -m bench.placement [HOSTS] [NODES]`, on an idle machine; no test asserts the figures.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bench.inventory import write_fleet
from pvenix.adapters.clock import SystemClock
from pvenix.engine.ports import NodeState, Quorum, Resources, StorageState, VmConfig, VmState, Volume
from pvenix.engine.trust import TrustStore
from pvenix.fleet.load import Fleet, load_fleet
from pvenix.lifecycle.placement import Decision, decide_all
from pvenix.lifecycle.world import World
from pvenix.model.names import NodeName, Vmid

RUNS = 5
GIB = 2**30
TEMPLATE = Vmid(8100)


class Still:
    """A site that answers at once and never changes."""

    def __init__(self, nodes: int, vms: int) -> None:
        self._nodes = tuple(NodeName(f"node{number:02}") for number in range(nodes))
        self._resources = Resources(
            nodes=tuple(
                NodeState(name=name, online=True, memory_total=512 * GIB, memory_used=0, cpus=64)
                for name in self._nodes
            ),
            vms=(self._vm(TEMPLATE, 0, template=True), *(self._vm(Vmid(200_000 + n), n) for n in range(vms))),
            storages=tuple(self._storage(name, node) for node in self._nodes for name in ("tanka1", "tankb1")),
        )

    def _vm(self, vmid: Vmid, number: int, *, template: bool = False) -> VmState:
        return VmState(
            vmid=vmid, node=self._nodes[number % len(self._nodes)], name=f"vm{vmid}", status="running", template=template,
            tags=(), memory_max=8 * GIB, cpus=4,
        )  # fmt: skip

    def _storage(self, name: str, node: NodeName) -> StorageState:
        return StorageState(
            name=name, node=node, shared=True, active=True, content=("images",), available=90_000 * GIB, total=100_000 * GIB
        )  # fmt: skip

    async def resources(self) -> Resources:
        """Nodes, VMs and storages."""
        return self._resources

    async def quorum(self) -> Quorum:
        """All there."""
        return Quorum(quorate=True, nodes=len(self._nodes), online=len(self._nodes))

    async def config(self, _node: NodeName, _vmid: Vmid) -> VmConfig:
        """The template's."""
        return VmConfig(values={"scsi0": "tanka1:base-8100-disk-0,size=16G"}, digest="")

    async def bridges(self, _node: NodeName) -> tuple[str, ...]:
        """The same everywhere."""
        return ("lan",)

    async def permissions(self) -> Mapping[str, Mapping[str, int]]:
        """Enough."""
        return {"/vms": {"VM.Audit": 1}}

    async def volumes(self, _node: NodeName, _storage: str, **_: object) -> tuple[Volume, ...]:
        """None without a VM."""
        return ()


async def timed(fleet: Fleet, pve: Still, trust: TrustStore) -> float:
    """CPU seconds of placing every host of the fleet."""
    nobody = cast("Any", None)
    world = World(fleet=fleet, pve=cast("Any", pve), guest=nobody, repo=nobody, clock=SystemClock(), trust=trust)
    began = time.process_time()
    found = await decide_all(world, tuple(fleet.hosts.values()))
    spent = time.process_time() - began
    if not all(isinstance(one, Decision) for one in found.values()):
        raise SystemExit(f"not every host was placed: {found}")
    return spent


def main() -> None:
    """Prints one line."""
    hosts, nodes = (int(word) for word in (*sys.argv[1:], "100", "32")[:2])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_fleet(root, hosts, host_vars=False)
        fleet, pve, trust = load_fleet(root), Still(nodes, 400), TrustStore(fleet=root, local=root / "trust")
        cpu = min(asyncio.run(timed(fleet, pve, trust)) for _ in range(RUNS))
    print(f"{hosts} hosts on {nodes} nodes placed in {cpu * 1000:.0f} ms CPU")


if __name__ == "__main__":
    main()

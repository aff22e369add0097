"""Reading for a plan: each VM once, a silent node once, a node that is down not at all, and few at a time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.engine.ports import Resources, VmPending
from pvenix.lifecycle.planning.looking import Looker, Still
from pvenix.lifecycle.planning.scope import planned_hosts
from pvenix.lifecycle.together import Together
from pvenix.model.errors import Unreachable, UsageError
from pvenix.model.host import State
from pvenix.model.names import NodeName, Vmid
from tests.unit import lifecycle_support as support

UP, DOWN = NodeName("n1"), NodeName("n2")


class Cluster:
    """As much of a cluster as is read; counts what it was asked."""

    def __init__(self, *, silent: bool = False) -> None:
        self.asked: list[tuple[NodeName, Vmid]] = []
        self.lists = 0
        self.at_once = self.most = 0
        self._silent = silent

    async def resources(self) -> Resources:
        self.lists += 1
        return Resources(nodes=(support.node(UP), support.node(DOWN, online=False)), vms=(), storages=())

    async def pending(self, node: NodeName, vmid: Vmid) -> VmPending | None:
        self.asked.append((node, vmid))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self._silent:
            raise Unreachable("no answer")
        return VmPending(config=support.config(name=f"vm{vmid}"), waiting={})


def looker(cluster: Cluster) -> Looker:
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    return Looker(cast("Any", cluster), Still(cast("Any", cluster), cast("Any", clock)))


async def test_a_vm_that_many_ask_for_is_read_once() -> None:
    cluster = Cluster()
    one = looker(cluster)
    async with Together() as group:
        for _ in range(20):
            group.create_task(one.config(UP, Vmid(200)))
    assert (cluster.asked, cluster.lists) == ([(UP, Vmid(200))], 1)
    assert one.seen(UP, Vmid(200)).config.values["name"] == "vm200"


async def test_a_node_that_is_listed_as_down_is_not_asked() -> None:
    cluster = Cluster()
    with pytest.raises(Unreachable, match="n2 is down"):
        await looker(cluster).config(DOWN, Vmid(200))
    assert cluster.asked == []


async def test_a_node_that_fell_silent_is_not_asked_again() -> None:
    cluster = Cluster(silent=True)
    one = looker(cluster)
    for vmid in (200, 201, 202):
        with pytest.raises(Unreachable, match="no answer"):
            await one.config(UP, Vmid(vmid))
    assert len(cluster.asked) == 1


async def test_few_are_read_at_a_time() -> None:
    cluster = Cluster()
    one = looker(cluster)
    async with Together() as group:
        for vmid in range(100, 200):
            group.create_task(one.config(UP, Vmid(vmid)))
    assert (len(cluster.asked), cluster.most) == (100, 8)


async def test_a_plan_needs_no_quorum_and_asks_for_none() -> None:
    cluster = Cluster()
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    assert (await Still(cast("Any", cluster), cast("Any", clock)).quorum()).quorate


def fleet() -> Any:
    hosts = {
        "a": support.host("a"),
        "gone": support.host("gone", state=State.ABSENT),
        "out": support.host("out", state=State.EXTERNAL),
    }
    return SimpleNamespace(hosts=hosts, groups={"g": ("a", "gone", "out")})


@pytest.mark.parametrize(
    ("pattern", "limit", "expected"),
    [
        ("all", "", ("a", "gone")),
        ("g", "", ("a", "gone")),
        ("out", "", ("out",)),
        ("all", "gone", ("gone",)),
        ("all:!gone", "", ("a",)),
    ],
)
def test_a_plan_has_tombstones_and_no_machine_that_is_somebody_else_s(
    pattern: str, limit: str, expected: tuple[str, ...]
) -> None:
    assert planned_hosts(fleet(), pattern, limit) == expected


@pytest.mark.parametrize(("pattern", "limit"), [("nobody", ""), ("a", "gone")])
def test_a_pattern_that_means_nobody_is_an_error(pattern: str, limit: str) -> None:
    with pytest.raises(UsageError):
        planned_hosts(fleet(), pattern, limit)

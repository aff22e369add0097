"""A node is given no more tasks at once than the site allows, whatever they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from pvenix.lifecycle.slots import Slots, Use
from pvenix.model.errors import ExitCode
from pvenix.model.site import Limits
from tests.sim.golden import RESIDENTS, Golden
from tests.story.fault_scene import Scene, row, scene

pytestmark = pytest.mark.sim


def one_at_a_time(site: Scene) -> None:
    """The limits of a site whose nodes take one task at once."""
    cluster = site.sim.fleet.site.clusters["lab"]
    limits = dataclasses.replace(cluster.limits, tasks_per_node=1)
    narrow = dataclasses.replace(cluster, limits=limits, storage={**cluster.storage, "backup": "local"})
    fleet = site.sim.fleet
    site.sim.fleet = dataclasses.replace(fleet, site=dataclasses.replace(fleet.site, clusters={"lab": narrow}))


def neighbours(site: Scene) -> tuple[str, ...]:
    """Two hosts, brought to one node."""
    pair = tuple(RESIDENTS[:2])
    for host in pair:
        site.vm(host).node = site.vm(pair[0]).node
    return pair


@row("F04")
@pytest.mark.parametrize(("verb", "kind"), [("snapshot", "qmsnapshot"), ("backup", "vzdump")])
def test_tasks_of_a_node_wait_for_each_other(golden: Golden, verb: str, kind: str) -> None:
    async def act(site: Scene) -> None:
        one_at_a_time(site)
        done = await site.run(verb, hosts=neighbours(site))
        assert done.code is ExitCode.OK, done.why
        assert done.text.count("waiting for a slot on") == 1
        tasks = [task for task in site.site.cluster.tasks.values() if task.type == kind]
        first, second = sorted(tasks, key=lambda task: task.starttime)
        assert first.endtime is not None
        assert first.endtime <= second.starttime

    scene(golden, act)


@row("F04")
def test_a_stop_and_a_destruction_take_a_slot_each(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[str] = []
    hold = Slots.hold

    def counted(
        slots: Slots, use: Use, limits: Limits, tell: Callable[[str], None]
    ) -> AbstractAsyncContextManager[None]:
        held.append(use.node)
        return hold(slots, use, limits, tell)

    async def act(site: Scene) -> None:
        node = site.vm("docker01").node
        monkeypatch.setattr(Slots, "hold", counted)
        done = await site.run("retire", hosts=("docker01",))
        assert (done.code, held) == (ExitCode.OK, [node, node]), done.why
        assert (done.sent("/status/stop"), done.sent("DELETE /nodes/")) == (1, 1)

    scene(golden, act)

"""Never two hosts of one role down on one node at a time, however many want to boot."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvenix.lifecycle.turns import Turns
from pvenix.model.errors import OutcomeUnknown, RemoteFailure
from tests.sim.virtual import LoopClock, run_virtual


@dataclass(frozen=True)
class Booting:
    """A host that is to boot."""

    host: str
    roles: tuple[str, ...]
    node: str
    seconds: float
    run: int = 0
    """Which run of this machine does it."""


def fleets(*, runs: int) -> st.SearchStrategy[list[Booting]]:
    return st.lists(
        st.tuples(
            st.lists(st.sampled_from(["base", "dns", "web", "db"]), max_size=3),
            st.sampled_from(["pve1", "pve2", "pve3"]),
            st.integers(0, 300),
            st.integers(0, runs - 1),
        ),
        max_size=14,
    ).map(
        lambda rows: [
            Booting(f"h{number}", tuple(roles), node, float(seconds), run)
            for number, (roles, node, seconds, run) in enumerate(rows)
        ]
    )


async def never(_host: str) -> bool:
    return False


class Site:
    """Who is down, and whether two ever were that must not be."""

    def __init__(self) -> None:
        self.down: list[Booting] = []
        self.booted: list[str] = []
        self.most = 0

    async def boot(self, turns: Turns, one: Booting) -> None:
        async with turns.hold(one.host, one.roles, one.node, tell=lambda _text: None, is_up=never):
            for other in self.down:
                both = set(one.roles) & set(other.roles)
                assert not (both and one.node == other.node), f"{one} and {other} are down together"
            self.down.append(one)
            self.most = max(self.most, len(self.down))
            await asyncio.sleep(one.seconds)
            self.down.remove(one)
            self.booted.append(one.host)


def boot_all(fleet: Sequence[Booting], turns: Sequence[Turns]) -> Site:
    site = Site()

    async def play() -> None:
        async with asyncio.TaskGroup() as group:
            for one in fleet:
                group.create_task(site.boot(turns[one.run], one))

    run_virtual(play())
    return site


@given(fleets(runs=1))
@settings(max_examples=150, deadline=None)
def test_at_no_instant_are_two_of_one_role_down_on_one_node_and_all_boot(fleet: list[Booting]) -> None:
    site = boot_all(fleet, [Turns(LoopClock())])
    assert sorted(site.booted) == sorted(one.host for one in fleet)


@given(fleets(runs=3))
@settings(max_examples=40, deadline=None)
def test_nor_are_they_when_several_runs_of_this_machine_boot_them(
    tmp_path_factory: pytest.TempPathFactory, fleet: list[Booting]
) -> None:
    folder = tmp_path_factory.mktemp("turns")
    site = boot_all(fleet, [Turns(LoopClock(), folder) for _ in range(3)])
    assert sorted(site.booted) == sorted(one.host for one in fleet)


def test_hosts_of_other_roles_or_nodes_boot_together() -> None:
    fleet = [
        Booting("dns01", ("dns",), "pve1", 60),
        Booting("dns02", ("dns",), "pve2", 60),
        Booting("web01", ("web",), "pve1", 60),
        Booting("bare", (), "pve1", 60),
    ]
    assert boot_all(fleet, [Turns(LoopClock())]).most == 4


def test_who_waits_is_told_for_whom() -> None:
    told: list[str] = []

    async def play() -> None:
        turns = Turns(LoopClock())

        async def boot(host: str) -> None:
            async with turns.hold(host, ("dns",), "pve1", tell=told.append, is_up=never):
                await asyncio.sleep(5)

        async with asyncio.TaskGroup() as group:
            group.create_task(boot("dns01"))
            group.create_task(boot("dns02"))

    run_virtual(play())
    assert told == ["another host of role dns on pve1 is booting; waiting for its end"]


@pytest.mark.parametrize(("up", "boots"), [(False, False), (True, True)])
def test_while_one_has_not_come_back_the_next_does_not_go_down(*, up: bool, boots: bool) -> None:
    booted = []

    async def is_up(host: str) -> bool:
        assert host == "dns01"
        return up

    async def play() -> None:
        turns = Turns(LoopClock())
        with pytest.raises(OutcomeUnknown):
            async with turns.hold("dns01", ("dns",), "pve1", tell=lambda _text: None, is_up=never):
                raise OutcomeUnknown("it did not come back")
        async with turns.hold("dns02", ("dns",), "pve1", tell=lambda _text: None, is_up=is_up):
            booted.append("dns02")

    if boots:
        run_virtual(play())
    else:
        with pytest.raises(RemoteFailure, match="dns02 is not rebooted while dns01 is away"):
            run_virtual(play())
    assert bool(booted) is boots


def test_a_host_that_was_away_may_be_tried_again_itself(tmp_path: Path) -> None:
    async def play() -> None:
        turns = Turns(LoopClock(), tmp_path)
        with pytest.raises(OutcomeUnknown):
            async with turns.hold("dns01", ("dns",), "pve1", tell=lambda _text: None, is_up=never):
                raise OutcomeUnknown("it did not come back")
        for host in ("dns01", "dns02"):  # seen to come back: the next one may go
            async with turns.hold(host, ("dns",), "pve1", tell=lambda _text: None, is_up=never):
                pass

    run_virtual(play())

"""The way to a host: every place gives the right address, what worked is remembered, and the pinned key decides.

The café of the third seed: over the VPN a host answers on its private IPv4 only, at home on both families.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from pvenix.engine.ports import KEY_CHANGED, Interface, Target, VmConfig
from pvenix.engine.sightings import Sightings
from pvenix.lifecycle.addresses import AGENT, candidates, choose_addresses, fixed_addresses
from pvenix.lifecycle.race import Attempt, first_of
from pvenix.lifecycle.ways import MEMORY_S, Ways
from pvenix.model.errors import Refused, RemoteFailure, Unreachable
from pvenix.model.site import Zone
from tests.sim.virtual import LoopClock, run_virtual
from tests.unit.lifecycle_support import config, host

T = TypeVar("T")
MAC = "bc:24:11:00:00:01"
V4, V6, OTHER = "10.0.0.5", "2001:db8::5", "192.168.7.5"
CARD = config(net0=f"virtio={MAC.upper()},bridge=lan")


@dataclass
class Place:
    """Where the operator is: which addresses answer, after how many seconds, and who answers there."""

    answers: dict[str, float]
    strangers: frozenset[str] = frozenset()
    agent: tuple[str, ...] | None = ()
    """What the guest agent reports, None when it is silent."""
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def reachable(self, target: Target, *, timeout_s: float) -> float | None:
        self.asked.append(target.address)
        delay = self.answers.get(target.address)
        await asyncio.sleep(timeout_s if delay is None else delay)
        return delay

    async def session(self, target: Target) -> str:
        self.logins.append(target.address)
        delay = self.answers.get(target.address)
        await asyncio.sleep(15 if delay is None else delay)
        if delay is None:
            raise Unreachable(f"{target.address} cannot be reached")
        if target.address in self.strangers:
            raise Refused(f"{target.address} did not prove to be dns01", code=KEY_CHANGED)
        return f"session at {target.address}"

    fresh_session = session

    async def agent_interfaces(self, *_: object) -> tuple[Interface, ...]:
        self.asked.append("agent")
        if self.agent is None:
            raise RemoteFailure("QEMU guest agent is not running")
        return (Interface(name="eth0", mac=MAC, addresses=tuple(f"{each}/24" for each in self.agent)),)


def ways(place: Place, memory: Path | None = None, **network: str) -> Ways:
    """The ways of one command on a machine that remembers in `memory`."""

    async def find(*_: object) -> object:
        return SimpleNamespace(node="n1", vmid=200, config=CARD)

    one, zone = host(network={"zone": "lan"} | network), Zone(name="lan", bridge="lan", cidr="10.0.0.0/24")
    world: Any = SimpleNamespace(
        fleet=SimpleNamespace(hosts={"dns01": one}, site=SimpleNamespace(zones={"lan": zone})),
        vms=SimpleNamespace(find=find),
        pve=place,
        clock=LoopClock(),
        target_at=lambda name, at: Target(host=name, address=at, port=22, user="u", host_key="k", key_file="f"),
    )
    guest: Any = place
    return Ways(world, guest, Sightings(memory))


def virtually(act: Callable[[], Awaitable[T]]) -> T:
    """What `act` gives, in no time."""

    async def main() -> T:
        return await act()

    return run_virtual(main())


def reached(place: Place, memory: Path | None = None, **network: str) -> str:
    """Where one command reaches the host."""
    virtually(lambda: ways(place, memory, **network).session("dns01"))
    return place.logins[-1]


STATIC: Any = {"address": f"{V4}/24", "ip6": f"{V6}/64"}
HOME, CAFE = {V4: 0.2, V6: 0.01}, {V4: 0.08}


@pytest.mark.parametrize(
    ("prefer", "at_home"), [("any", V6), ("v4", V4), ("v6", V6)], ids=["the fastest", "IPv4 asked", "IPv6 asked"]
)
def test_each_place_gives_its_own_answer_command_after_command(tmp_path: Path, prefer: str, at_home: str) -> None:
    network = STATIC | {"prefer": prefer}
    assert reached(Place(HOME), tmp_path, **network) == at_home
    assert reached(Place(CAFE), tmp_path, **network) == V4
    if prefer != "any":
        assert reached(Place(HOME), tmp_path, **network) == at_home
    assert reached(Place({V6: 0.1}), tmp_path, **network) == V6


def test_with_no_wish_the_address_that_worked_is_kept_until_it_is_old(tmp_path: Path) -> None:
    """Two addresses of equal right: the second command does not ask both again."""

    async def act() -> list[str]:
        first, again, later = Place({V4: 0.01, V6: 0.1}), Place({V4: 0.1, V6: 0.01}), Place({V4: 0.1, V6: 0.01})
        await ways(first, tmp_path, **STATIC).session("dns01")
        await ways(again, tmp_path, **STATIC).session("dns01")
        await asyncio.sleep(MEMORY_S)
        await ways(later, tmp_path, **STATIC).session("dns01")
        assert again.asked == [V4]
        return [place.logins[-1] for place in (first, again, later)]

    assert virtually(act) == [V4, V4, V6]


def test_what_was_chosen_is_kept_with_its_reason_and_time(tmp_path: Path) -> None:
    reached(Place(CAFE), tmp_path, **STATIC)
    seen = Sightings(tmp_path).get("dns01")
    assert (seen.address, seen.why, seen.at[:10]) == (V4, "inventory", "2026-01-01")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"address": 5}', "\x00"),
        '{"address": "-oProxyCommand=x", "at": "2026-01-01T00:00:00Z"}',
        f'{{"address": "{V6}", "at": "yesterday"}}',
        f'{{"address": "{V6}", "at": "2026-01-01"}}',
    ],
)
def test_a_memory_that_cannot_be_read_is_no_memory(tmp_path: Path, text: str) -> None:
    (tmp_path / "dns01").write_text(text)
    assert Sightings(tmp_path).get("dns01").address == ""
    assert reached(Place(CAFE), tmp_path, **STATIC) == V4


def test_a_fixed_address_that_does_not_answer_gives_way_to_the_agent_s_and_that_is_told() -> None:
    place, told = Place({OTHER: 0.01}, agent=(OTHER,)), list[str]()
    virtually(lambda: ways(place, address=f"{V4}/24").session("dns01", tell=told.append))
    assert place.logins[-1] == OTHER
    assert told == [f"{V4} of the inventory did not answer; using {OTHER} ({AGENT}, outside of the declared networks)"]


def test_the_agent_is_not_asked_while_the_fixed_address_answers() -> None:
    place = Place({V4: 0.5}, agent=(OTHER,))
    assert reached(place, address=f"{V4}/24") == V4
    assert place.asked == []


def test_a_stranger_at_the_remembered_address_is_refused_and_the_host_is_found_elsewhere(tmp_path: Path) -> None:
    """R10: a recycled address. Whoever is there gets no login and no command."""
    assert reached(Place({V4: 0.01}, agent=(V4,)), tmp_path) == V4
    moved = Place({V4: 0.01, OTHER: 0.02}, strangers=frozenset({V4}), agent=(OTHER,))
    assert reached(moved, tmp_path) == OTHER
    assert Sightings(tmp_path).get("dns01").address == OTHER


def test_strangers_everywhere_are_refused_with_what_each_address_said() -> None:
    place = Place({V4: 0.01}, strangers=frozenset({V4}), agent=(OTHER,))
    with pytest.raises(Refused) as refused:
        reached(place, address=f"{V4}/24")
    assert refused.value.code == KEY_CHANGED
    assert any(OTHER in line for line in refused.value.evidence)


def test_a_host_that_answers_nowhere_is_unreachable_although_its_agent_is_silent() -> None:
    with pytest.raises(Unreachable) as error:
        reached(Place({}, agent=None), address=f"{V4}/24")
    assert "QEMU guest agent is not running" in "\n".join(error.value.evidence)


def test_a_memory_that_leads_nowhere_is_thrown_away(tmp_path: Path) -> None:
    assert reached(Place(CAFE), tmp_path, **STATIC) == V4
    with pytest.raises(Unreachable):
        reached(Place({}), tmp_path, **STATIC)
    assert Sightings(tmp_path).get("dns01").address == ""


def test_without_any_address_the_agent_s_silence_is_the_error() -> None:
    with pytest.raises(RemoteFailure):
        reached(Place({}, agent=None))


def test_the_run_keeps_its_address_and_looks_again_when_it_is_gone(tmp_path: Path) -> None:
    """The place changes in the middle of a run."""

    async def act() -> list[str]:
        place = Place({V6: 0.01}, agent=())
        run = ways(place, tmp_path, **STATIC)
        await run.session("dns01")
        await run.session("dns01")
        assert place.asked == [V4, V6]
        place.answers = {V4: 0.05}
        await run.session("dns01")
        return place.logins

    assert virtually(act) == [V6, V6, V6, V4]


def test_an_address_that_goes_to_somebody_else_in_the_middle_of_a_run_is_left(tmp_path: Path) -> None:
    async def act() -> str:
        place = Place({V4: 0.01}, agent=(V4,))
        run = ways(place, tmp_path)
        await run.session("dns01")
        place.answers, place.strangers, place.agent = {V4: 0.01, OTHER: 0.01}, frozenset({V4}), (OTHER,)
        await run.session("dns01")
        return place.logins[-1]

    assert virtually(act) == OTHER
    assert Sightings(tmp_path).get("dns01").address == OTHER


def test_a_new_connection_finds_a_host_that_has_left_its_address() -> None:
    async def act() -> str:
        place = Place({V4: 0.01}, agent=(V4,))
        run = ways(place)
        await run.session("dns01")
        place.answers, place.agent = {OTHER: 0.01}, (OTHER,)
        with pytest.raises(Unreachable):
            await run.fresh("dns01")
        await run.fresh("dns01")
        return place.logins[-1]

    assert virtually(act) == OTHER


# --- which addresses ------------------------------------------------------------------------------------------------


def test_only_addresses_of_the_vm_s_own_cards_count() -> None:
    second = "bc:24:11:00:00:02"
    seen = (
        Interface(name="lo", mac="00:00:00:00:00:00", addresses=("127.0.0.1/8",)),
        Interface(name="docker0", mac="02:42:ac:11:00:01", addresses=("172.17.0.1/16",)),
        Interface(name="eth1", mac=second, addresses=("10.1.0.5/24",)),
        Interface(name="br0", mac=MAC, addresses=("fe80::1/64", f"{V6}/64", "ff02::1/128", f"{V4}/24", "0.0.0.0/0")),
    )
    cards = VmConfig(values={"net0": f"virtio={MAC},bridge=a", "net1": f"e1000={second},bridge=b"}, digest="")
    assert choose_addresses(seen, cards) == (V4, V6, "10.1.0.5")


def test_the_declared_family_goes_before_the_declared_network() -> None:
    one = host(network={"prefer": "v6"})
    zone = Zone(name="lan", bridge="lan", cidr="10.0.0.0/24")
    ranked = sorted(candidates(one, zone, (OTHER, V4, V6), source=AGENT), key=lambda each: each.rank)
    assert [each.address for each in ranked] == [V6, V4, OTHER]


def test_the_inventory_fixes_an_address_of_each_family() -> None:
    assert fixed_addresses(host(network=STATIC)) == (V4, V6)
    assert fixed_addresses(host(network={"ip6": "auto"})) == ()


# --- the race -------------------------------------------------------------------------------------------------------


def test_a_better_address_has_a_head_start_and_no_more() -> None:
    async def act() -> tuple[str, float]:
        async def slow() -> str:
            await asyncio.sleep(2)
            return "better"

        async def quick() -> str:
            await asyncio.sleep(0.1)
            return "worse"

        won = await first_of([Attempt(run=slow), Attempt(run=quick, after_s=0.25)])
        return won, asyncio.get_running_loop().time()

    assert virtually(act) == ("worse", 0.35)


def test_the_next_attempt_does_not_wait_once_all_before_it_have_failed() -> None:
    async def act() -> float:
        async def fails() -> str:
            raise Unreachable("no")

        async def works() -> str:
            return "yes"

        await first_of([Attempt(run=fails), Attempt(run=works, after_s=60)])
        return asyncio.get_running_loop().time()

    assert virtually(act) == 0

"""What pvenix refuses to do to the host that it runs on: every verb decides."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pvenix.engine.step import Step
from pvenix.engine.trust import Pin, TrustStore
from pvenix.lifecycle import selfguard
from pvenix.lifecycle.table import verbs
from pvenix.lifecycle.world import World
from pvenix.model import cutting
from pvenix.model.errors import Refused, UsageError
from pvenix.model.host import Host, Machine
from pvenix.model.verbs import VERBS
from tests.unit.lifecycle_support import fleet

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADTFS6A8gH8puGCiYx3kntVdDJIESTaTbdrAX16NQCE"
OTHER = KEY.replace("ADTF", "ADTG")


def world_of(tmp_path: Path, *, controller: bool = False, pinned: str = "", own: frozenset[str] = frozenset()) -> World:
    """A site with one host; `own` are the host keys of this machine."""
    trust = TrustStore(fleet=tmp_path / "fleet", local=tmp_path / "trust")
    if pinned:
        trust.pin("web-01", Pin(key=pinned))
    host = Host(name="web-01", groups=(), machine=Machine(controller=controller))
    ports: dict[str, Any] = {name: SimpleNamespace(config=None) for name in ("pve", "guest", "repo", "clock")}
    return World(fleet=fleet(host), trust=trust, own_keys=own, **ports)


def step_of(verb: str, **args: bool | str) -> Step:
    """A step that has not begun."""
    return cast("Step", SimpleNamespace(host="web-01", verb=verb, args=args))


def test_every_verb_has_decided_whether_it_cuts_the_branch_that_pvenix_sits_on() -> None:
    groups = (cutting.CUTS, frozenset(cutting.CUTS_WITH), cutting.SAFE)
    assert frozenset().union(*groups) == frozenset(VERBS)
    assert sum(map(len, groups)) == len(VERBS), "a verb is in two groups"
    for verb, args in cutting.CUTS_WITH.items():
        assert args <= frozenset(VERBS[verb].args), verb


@pytest.mark.parametrize("verb", sorted(VERBS))
async def test_a_verb_that_would_is_refused_before_it_looks_and_says_what_to_do_instead(
    tmp_path: Path, verb: str
) -> None:
    here = world_of(tmp_path, controller=True)
    if verb in cutting.CUTS:
        with pytest.raises(Refused, match=f"{verb} would cut the branch") as refused:
            await verbs(here)[verb].probe(step_of(verb))
        assert "from another machine" in refused.value.hint
    else:
        selfguard.refuse(here, step_of(verb))
    for name in cutting.CUTS_WITH.get(verb, ()):
        with pytest.raises(Refused, match=f"{verb} --{name}"):
            await verbs(here)[verb].probe(step_of(verb, **{name: True}))
        selfguard.refuse(here, step_of(verb, **{name: False}))


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"remove-orphan"}))
async def test_a_host_that_left_the_inventory_meanwhile_ends_a_resumed_step_with_words(
    tmp_path: Path, verb: str
) -> None:
    step = cast("Step", SimpleNamespace(host="web-02", verb=verb, args={}, run="20250314-091500-3f2a"))
    with pytest.raises(UsageError, match="web-02 is not in the inventory any more") as said:
        await verbs(world_of(tmp_path))[verb].probe(step)
    assert "pvenix abandon 20250314-091500-3f2a" in said.value.hint


def test_a_host_is_known_as_this_machine_by_its_pinned_key_too(tmp_path: Path) -> None:
    step = step_of("stop")
    selfguard.refuse(world_of(tmp_path / "a", pinned=KEY, own=frozenset({OTHER})), step)
    selfguard.refuse(world_of(tmp_path / "b", pinned=KEY), step)
    with pytest.raises(Refused):
        selfguard.refuse(world_of(tmp_path / "c", pinned=KEY, own=frozenset({OTHER, KEY})), step)


def test_what_is_no_host_of_the_inventory_is_not_this_machine(tmp_path: Path) -> None:
    assert not selfguard.is_self(world_of(tmp_path, controller=True), "orphan-431")

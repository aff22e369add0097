"""A kept plan is applied only when a plan made now says the same; else the very field that differs is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pvenix.lifecycle.planning.stale import refuse_stale
from pvenix.model.errors import ExitCode, Refused
from pvenix.model.fleetplan import Action
from tests.unit.planning_support import EVERYTHING, MEMORY, host, plan


def told(planned: Any, now: Any) -> str:
    with pytest.raises(Refused) as error:
        refuse_stale(planned, now)
    assert error.value.exit_code is ExitCode.REFUSED
    assert error.value.why == "nothing was changed"
    return "\n".join((error.value.what, *error.value.evidence))


def test_a_plan_that_is_made_at_another_time_and_says_the_same_goes_on() -> None:
    refuse_stale(EVERYTHING, replace(EVERYTHING, made_at="2026-11-20T18:00:00.000Z"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"commit": "f" * 40}, f"commit was {'a' * 40} and is {'f' * 40}"),
        ({"inventory": "c" * 64}, "inventory (SHA-256 of what it says) was bbbbbbbbbbbb and is cccccccccccc"),
        ({"fleet": "other"}, "fleet was lab and is other"),
        ({"extra": {}}, "--set was memory 8G and is nothing"),
        ({"limit": "dns01"}, "limit was nothing and is dns01"),
    ],
)
def test_what_the_whole_plan_was_made_from_is_named(change: dict[str, Any], words: str) -> None:
    assert words in told(plan(host()), plan(host(), **change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "d2"}, "dns01: digest was d1 and is d2"),
        ({"uuid": "ffff"}, "dns01: uuid was 0b5f and is ffff"),
        ({"node": "n2"}, "dns01: node was n1 and is n2"),
        ({"power": "stopped"}, "dns01: power was running and is stopped"),
        ({"vmid": 201}, "dns01: vmid was 200 and is 201"),
        ({"action": Action.DESTROY}, "dns01: action was change and is destroy"),
        ({"decision": {"node": "n2"}}, "dns01: decision was nothing and is node n2"),
        ({"steps": ("shut it down",)}, "dns01: steps was nothing and is shut it down"),
        ({"fields": ()}, "dns01: memory was change (4096 at Proxmox) and is as it should be"),
        ({"fields": (replace(MEMORY, actual="6144"),)}, "dns01: memory, actual was 4096 and is 6144"),
        ({"fields": (replace(MEMORY, desired="2048"),)}, "dns01: memory, desired was 8192 and is 2048"),
    ],
)
def test_what_was_observed_of_a_host_is_named_with_both_values(change: dict[str, Any], words: str) -> None:
    assert words in told(plan(host()), plan(replace(host(), **change)))


def test_a_host_that_came_or_went_is_named() -> None:
    assert "web03 is not planned" in told(plan(host()), plan(host(), host("web03")))
    assert "web03 is planned" in told(plan(host(), host("web03")), plan(host()))


def test_a_field_is_named_before_the_digest_that_its_change_gave() -> None:
    now = replace(host(), digest="d2", fields=(replace(MEMORY, actual="6144"),))
    assert told(plan(host()), plan(now)).splitlines()[0].endswith("dns01: memory, actual was 4096 and is 6144")


def test_the_place_of_a_line_in_a_file_makes_no_plan_stale() -> None:
    refuse_stale(plan(host()), plan(replace(host(), fields=(replace(MEMORY, where="elsewhere.yaml:1:1"),))))

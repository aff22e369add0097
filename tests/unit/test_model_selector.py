"""Ansible's patterns, as its user guide describes them, and facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix.model.errors import UsageError
from pvenix.model.selector import Universe, parse_selector

UNIVERSE = Universe(
    hosts=("web01", "web02", "db01", "db02", "gpu"),
    groups={"web": ("web01", "web02"), "db": ("db01", "db02"), "role_vllm": ("gpu",), "empty": ()},
    named=("old",),
)
FACTS = {"web01": {"state": "drifted"}, "web02": {"state": "in sync"}, "db01": {"state": "reboot needed"}}


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", "web01 web02 db01 db02 gpu"),
        ("*", "web01 web02 db01 db02 gpu"),
        ("web", "web01 web02"),
        ("web02", "web02"),
        ("w*1", "web01"),
        ("*01", "web01 db01"),
        ("web0[2-9]", "web02"),
        ("~(web|db)02", "web02 db02"),
        ("~db", "db01 db02"),
        ("role_vllm", "gpu"),
        ("role_*", "gpu"),
        ("db:web", "db01 db02 web01 web02"),
        ("db,web01", "db01 db02 web01"),
        ("db, web01", "db01 db02 web01"),
        ("web:web01", "web01 web02"),
        ("all:&db", "db01 db02"),
        ("all:!web", "db01 db02 gpu"),
        ("!web", "db01 db02 gpu"),
        ("&db", "db01 db02"),
        ("!web:all:&*01", "db01"),
        ("web[0]", "web01"),
        ("web[-1]", "web02"),
        ("web[7]", ""),
        ("all[1:2]", "web02 db01"),
        ("web[0-1]", "web01 web02"),
        ("all[3:]", "db02 gpu"),
        ("empty", ""),
        ("nothing*", ""),
        ("old", "old"),
        ("o*", ""),
        ("state=drifted", "web01"),
        ("state=in-sync", "web02"),
        ("state=Reboot*", "db01"),
        ("web:!state=drifted", "web02"),
    ],
)
def test_a_pattern_means_these_hosts(pattern: str, hosts: str) -> None:
    assert parse_selector(pattern).match(UNIVERSE, FACTS) == tuple(hosts.split())


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        ("web1", "no host or group is called `web1`", "did you mean `web01`?"),
        ("all:!db1", "no host or group is called `db1`", "did you mean `db01`?"),
        ("role_vlm", "no host or group is called `role_vlm`", "did you mean `role_vllm`?"),
        ("stat=x", "no fact is called `stat`", "did you mean `state`?"),
        ("", "the host pattern is empty", "write `all`"),
        (" : , ", "the host pattern is empty", "write `all`"),
        ("all:!", "nothing follows `!`", "all:!web01"),
        ("~web(", "is not a regular expression", ""),
    ],
)
def test_a_wrong_pattern_is_a_usage_error_with_a_hint(pattern: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_selector(pattern).match(UNIVERSE, FACTS)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_name_like_none_of_many_says_where_all_of_them_are() -> None:
    many = Universe(hosts=tuple(f"web{number:02}" for number in range(20)), groups={})
    with pytest.raises(UsageError) as caught:
        parse_selector("qqqqq").match(many, {})
    assert caught.value.hint == "pvenix inventory graph"


def test_a_fact_without_facts_says_that_nobody_has_looked() -> None:
    selector = parse_selector("state=drifted")
    assert selector.needs_facts
    with pytest.raises(UsageError, match="has not looked at them"):
        selector.match(UNIVERSE)


def test_a_fact_that_no_host_has_yet_matches_nothing_while_facts_come_in() -> None:
    assert parse_selector("state=drifted").match(UNIVERSE, {}) == ()


def test_a_pattern_without_facts_does_not_need_them() -> None:
    assert not parse_selector("web:~a=b").needs_facts


@given(st.text(st.sampled_from("webdb012*?[]~!&:,=()-{}. "), max_size=20))
def test_any_text_is_a_pattern_or_a_usage_error(text: str) -> None:
    try:
        found = parse_selector(text).match(UNIVERSE, FACTS)
    except UsageError:
        return
    assert set(found) <= {*UNIVERSE.hosts, *UNIVERSE.named}
    assert len(set(found)) == len(found)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvenix_tui.models.fleet import FleetModel
from pvenix_tui.models.fleetfilter import FIELDS
from pvenix_tui.models.fleetrows import filter_note
from pvenix_tui.models.fleetside import OFFERED
from pvenix_tui.models.lines import plain
from tests.tui.fake_backend import HOSTS
from tests.tui.fake_inventory import FakeFleet, fake_host
from tests.tui.test_models_fleet import a_fleet

CICD, DNS, CACHE, VLLM, LITELLM, DOCKER = (host.name for host in HOSTS)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dns", {DNS}),
        ("tappaas- core", {CICD}),
        ("role:vllm", {VLLM}),
        ("role:vllm|litellm", {VLLM, LITELLM}),
        ("role:vllm,litellm", {VLLM, LITELLM}),
        ("role:ll", {VLLM, LITELLM}),
        ("role:*cache", {CACHE}),
        ("group:core !role:dns", {CICD, CACHE}),
        ("node:tappaas2", {DNS, VLLM}),
        ("state:drifted", {VLLM}),
        ("state:in-sync", {CICD, DNS}),
        ("state:drifted|unreachable", {VLLM, DOCKER}),
        ("drift", {VLLM}),
        ("!drift group:ai", {LITELLM}),
        ("gen:41", {DNS}),
        ("vm:210", {DNS}),
        ("commit:9be0142", {CACHE}),
        ("is:trouble", {CACHE, VLLM, DOCKER}),
        ("vllm|docker", {VLLM, DOCKER}),
    ],
)
def test_a_filters_words_must_all_hold_and_a_field_takes_several_values(text: str, shown: set[str]) -> None:
    model = a_fleet()
    model.set_filter(text)
    assert set(model.visible) == shown
    assert not model.wrong


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        ("core", {CICD, DNS, CACHE}),
        ("!core", {VLLM, LITELLM, DOCKER}),
        ("core:!dns01", {CICD, CACHE}),
        ("role_vllm:role_dns", {VLLM, DNS}),
        ("core:&role_dns", {DNS}),
        ("tappaas-*", {CICD, VLLM, LITELLM}),
        ("~.*ll", {VLLM, LITELLM}),
        ("state=drifted", {VLLM}),
        ('"state=in sync" !dns01', {CICD}),
        ("core[0]", {CICD}),
        ("all:!core state:drifted", {VLLM}),
    ],
)
def test_a_selector_of_the_command_line_stays_one_in_the_filter(selector: str, shown: set[str]) -> None:
    model = a_fleet()
    model.set_filter(selector)
    assert set(model.visible) == shown
    assert not model.wrong


def test_a_group_that_is_called_like_a_field_is_the_group() -> None:
    fleet = FakeFleet(hosts={host.name: host for host in (fake_host("a", "node"), fake_host("b", "ai"))})
    model = FleetModel()
    model.load(fleet.hosts.values(), fleet.groups, fleet.select)
    model.set_filter("node:ai")
    assert model.visible == ("a", "b")


@pytest.mark.parametrize(
    ("text", "start", "said"),
    [
        ("role:vlm", 0, "no role is `vlm`; did you mean `vllm`?"),
        ("dns rolle:dns", 4, "no field, group or host is called `rolle`; did you mean `role`?"),
        ("core:!dns02", 0, "no host or group is called `dns02`; did you mean `dns01`?"),
        ("role:", 0, "`role:` says no value; there is base, cicd"),
        ("is:marcked", 0, "a host is never `marcked`; did you mean `marked`?"),
        ("core:!", 0, "nothing follows `!`"),
        ("~[", 0, "is not a regular expression"),
        ("stat=drifted", 0, "no fact is called `stat`"),
    ],
)
def test_a_word_that_cannot_be_used_says_why_and_where_and_hides_nothing(text: str, start: int, said: str) -> None:
    model = a_fleet()
    model.set_filter(text)
    [wrong] = model.wrong
    assert wrong.start == start
    assert said in wrong.what
    others = text[:start].strip()
    model.set_filter(others)
    expected = model.visible
    model.set_filter(text)
    assert model.visible == expected
    note = plain(filter_note(model, text, 120, typing=True))
    assert note.index("^") == start + 1
    assert said in note


@pytest.mark.parametrize("text", [*OFFERED.values(), "state:testing", "run:failed", "power:stopped", "gen:999", "vm:1"])
def test_a_value_that_no_host_has_now_is_no_mistake_and_leaves_no_host(text: str) -> None:
    model = a_fleet(read=False)
    model.set_filter(text)
    assert model.visible == ()
    assert not model.wrong
    assert model.number(text) == 0


@given(st.text(alphabet='abdns01:!&|,=~*[]()"\\ role_drift', max_size=24))
def test_no_text_of_a_filter_breaks_it_and_a_host_that_shows_holds_it(text: str) -> None:
    model = a_fleet()
    model.set_filter(text)
    assert set(model.visible) <= set(model.hosts)
    assert all(0 <= wrong.start < len(text) for wrong in model.wrong)


def test_every_field_of_the_filter_answers_for_every_host() -> None:
    model = a_fleet()
    for field in FIELDS:
        for host in model.hosts:
            assert all(value and value == value.casefold() for value in model.values(field, host))

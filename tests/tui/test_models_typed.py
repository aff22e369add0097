"""What a line in the palette means by itself."""

from __future__ import annotations

import pytest

from pvenix.model.errors import UsageError
from pvenix_tui.models.choices import Choice
from pvenix_tui.models.typed import History, order_of, typed_choices

pytestmark = pytest.mark.tui
HOSTS = ("dns01", "dns02", "web01")


def select(selector: str) -> tuple[str, ...]:
    if selector == "nosuch":
        raise UsageError("nothing is called nosuch")
    return tuple(host for host in HOSTS if host.startswith(selector))


def typed(text: str, *, read_only: bool = False) -> list[Choice]:
    return typed_choices(text, HOSTS, select, read_only=read_only)


def test_a_verb_with_a_selector_is_an_order_for_its_hosts() -> None:
    [choice] = typed("rebuild dns")
    assert (choice.disabled, choice.command) == ("", "pvenix rebuild dns01 dns02")
    order = order_of(choice.key, select)
    assert order is not None
    assert (order.action.label, order.hosts) == ("rebuild", ("dns01", "dns02"))


def test_an_order_that_cannot_be_given_says_why() -> None:
    assert typed("rebuild nosuch")[0].disabled == "nothing is called nosuch"
    assert "read-only" in typed("rebuild dns", read_only=True)[0].disabled
    assert typed("restore dns")[0].disabled, "a snapshot is of one host"


def test_a_part_of_a_name_offers_the_hosts_with_the_whole_name_first() -> None:
    assert [choice.key for choice in typed("01")] == ["host:dns01", "host:web01"]
    assert [choice.key for choice in typed("status dns")] == ["host:dns01", "host:dns02"]
    assert [choice.key for choice in typed("host web01")] == ["host:web01"]
    assert typed("status nosuch") == typed("") == []


def test_what_is_no_order_is_none() -> None:
    assert order_of("app.help", select) is None


def test_the_history_walks_back_and_on_and_keeps_each_line_once() -> None:
    history = History(lines=["one", "two"])
    assert [history.walk(back=True) for _ in range(3)] == ["two", "one", None]
    assert [history.walk(back=False) for _ in range(3)] == ["two", "", None]
    assert history.add("one") == ["two", "one"]


def test_the_beginning_of_a_verb_is_enough_where_its_hosts_are_known() -> None:
    assert [choice.key for choice in typed("reb dns")] == ["verb:rebuild dns", "verb:reboot dns"]
    assert typed("reb nosuch") == []
    assert typed("r dns") == []

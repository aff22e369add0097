"""What a host's values say about themselves."""

from __future__ import annotations

import pytest

from pvenix.model.host import Host, Machine, Network, State


@pytest.mark.parametrize(
    ("state", "managed"),
    [("present", True), ("stopped", True), ("absent", False), ("archived", False), ("external", False)],
)
def test_tombstones_and_foreign_hosts_are_not_managed(state: str, managed: bool) -> None:
    assert State(state).managed is managed


def test_an_address_is_fixed_unless_it_comes_by_dhcp() -> None:
    assert (Network().static, Network().ip) == (False, "")
    assert Network(address="10.0.0.5/24").ip == "10.0.0.5"


def test_a_host_has_the_roles_of_its_machine() -> None:
    assert Host(name="a", groups=(), machine=Machine(roles=("dns",))).roles == ("dns",)

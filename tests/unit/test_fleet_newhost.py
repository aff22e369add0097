"""A new host on the fleet as it is: what is wrong with it, what it gets, and that nothing is written by looking."""

from __future__ import annotations

import difflib

import pytest

from pvenix.fleet.load import Fleet, load_fleet
from pvenix.fleet.newhost import free_address, listed_text, try_host
from pvenix.fleet.starter import copy_starter
from pvenix.model.newhost import Asked, NewHost


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The starter fleet with a host that was retired."""
    root = tmp_path_factory.mktemp("fleet") / "fleet"
    copy_starter(root)
    (root / "inventory/host_vars").mkdir(exist_ok=True)
    (root / "inventory/host_vars/docker01.yaml").write_text("machine: {state: absent}\n")
    return load_fleet(root)


def new(**values: str) -> NewHost:
    return NewHost.of({Asked(key): value for key, value in values.items()})


def wrong(fleet: Fleet, **values: str) -> dict[str, str]:
    return dict(try_host(fleet, new(**values), {}).trial.problems)


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"name": ""}, "name", "a name is needed"),
        ({"name": "web_01"}, "name", "is not a host name"),
        ({"name": "dns01"}, "name", "is taken: inventory/hosts.yaml:"),
        ({"name": "docker01"}, "name", "was retired: its tombstone"),
        ({"name": "core"}, "name", "is the name of a group"),
        ({"name": "a", "roles": "base, nope"}, "roles", "there is no role `nope`"),
        ({"name": "a", "groups": "cores"}, "groups", "did you mean `core`?"),
        ({"name": "a", "class": "huge"}, "class", "there is no class `huge`"),
        ({"name": "a", "cores": "many"}, "cores", "must be a whole number"),
        ({"name": "a", "memory": "4 GB"}, "memory", "is not a size"),
        ({"name": "a", "disk": "4"}, "disk", "a disk of 4 MiB cannot be meant"),
        ({"name": "a", "zone": "dmz"}, "zone", "there is no zone `dmz`"),
        ({"name": "a", "zone": "core13", "address": "10.0.0.9/24"}, "address", "is outside zone `core13`"),
        ({"name": "a", "address": "10.69.13.5/24"}, "address", "address 10.69.13.5 is taken; `dns01` has it"),
        ({"name": "a", "template": "debian"}, "template", "there is no template `debian`"),
    ],
)
def test_each_mistake_is_told_at_the_field_where_it_was_typed(
    fleet: Fleet, values: dict[str, str], field: str, words: str
) -> None:
    found = wrong(fleet, **values)
    assert list(found) == [field]
    assert words in found[field]
    assert "/tmp" not in found[field]


def test_every_mistake_is_told_at_once(fleet: Fleet) -> None:
    assert set(wrong(fleet, name="dns01", roles="x", cores="y", zone="z")) == {"name", "roles", "cores", "zone"}


def test_what_is_not_said_comes_from_the_layers_below_with_its_place(fleet: Fleet) -> None:
    found = try_host(fleet, new(name="a", **{"class": "medium"}, memory="6G"), {}).trial.effective
    assert (found[Asked.CORES].value, found[Asked.MEMORY].value) == ("4", "6G")
    assert found[Asked.CORES].why.startswith("class medium, inventory/site.yaml:")
    assert found[Asked.MEMORY].why == "said here"
    assert found[Asked.ADDRESS].why.startswith("site defaults, inventory/site.yaml:")


def test_what_is_wrong_takes_no_default_of_the_rest_away(fleet: Fleet) -> None:
    trial = try_host(fleet, new(name="dns01", **{"class": "medium"}, memory="99T", zone="nowhere"), {}).trial
    assert set(trial.problems) == {"name", "memory", "zone"}
    assert trial.effective[Asked.DISK].value == "40G"
    assert trial.effective[Asked.DISK].why.startswith("class medium, inventory/site.yaml:")


def test_trying_writes_nothing_and_gives_the_fleet_with_the_host(fleet: Fleet) -> None:
    before = {path: path.read_bytes() for path in fleet.root.rglob("*") if path.is_file()}
    tried = try_host(fleet, new(name="web01", roles="base", groups="apps ai", zone="core13"), {})
    assert tried.fleet is not None
    assert tried.fleet.host("web01").groups == ("ai", "apps", "role_base")
    assert {path: path.read_bytes() for path in fleet.root.rglob("*") if path.is_file()} == before


def test_only_lines_are_added_and_the_first_group_has_the_fields(fleet: Fleet) -> None:
    text = (fleet.root / "inventory/hosts.yaml").read_text()
    changed = listed_text(text, new(name="web01", roles="base dns", groups="apps ai", zone="core13"))
    added = [line[2:] for line in difflib.ndiff(text.splitlines(), changed.splitlines()) if line.startswith("+ ")]
    assert added == [
        "        web01:",
        "        web01:",
        "          machine:",
        "            roles: [base, dns]",
        "            network: {zone: core13}",
    ]
    assert not [line for line in difflib.ndiff(text.splitlines(), changed.splitlines()) if line.startswith("- ")]


def test_the_address_that_is_proposed_is_free_and_in_the_zone(fleet: Fleet) -> None:
    assert free_address(fleet, "core13") == "10.69.13.16/24"
    assert free_address(fleet, "srvWork") == "10.2.20.2/24", "the lowest but the gateway's where no host is"
    assert free_address(fleet, "nowhere") == ""
    address = free_address(fleet, "core13")
    assert not wrong(fleet, name="a", zone="core13", address=address)

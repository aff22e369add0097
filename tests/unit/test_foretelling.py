"""What is told of a plan before it starts: its gates; and the playbooks that plans come from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pvenix.fleet.load import Fleet, load_fleet
from pvenix.fleet.playbooks import parameters, playbooks, read
from pvenix.fleet.starter import starter
from pvenix.lifecycle.gates import gates
from pvenix.model.plan import ArgValue, PlayPlan, RunPlan, Task

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""A Friday."""


def fleet_with(**said: ArgValue) -> Fleet:
    return load_fleet(starter(), overrides={f"update.{name}": value for name, value in said.items()})


def told(fleet: Fleet, verb: str, host: str = "dns01", *, named: bool = True) -> list[tuple[str, bool]]:
    play = PlayPlan(name="p", waves=((host,),), tasks=(Task(verb=verb),))
    found = gates(fleet, RunPlan(title="t", plays=(play,), fleet="/f", named=named), NOON)
    return [(gate.text, gate.sure) for gate in found]


def test_a_host_whose_every_change_is_approved_asks_for_sure() -> None:
    assert ("asks for an approval: update.approve is always", True) in told(fleet_with(approve="always"), "rebuild")
    assert told(fleet_with(approve="never"), "rebuild") == []


def test_a_reboot_that_a_playbook_makes_asks_and_one_by_name_does_not() -> None:
    fleet = fleet_with(approve="risky")
    assert any(sure for _, sure in told(fleet, "reboot", named=False))
    assert not any("asks" in text for text, _ in told(fleet, "reboot", "docker01"))


def test_a_shut_window_is_told_with_the_hour_at_which_it_opens() -> None:
    fleet = fleet_with(window="Sat 02:00-05:00 UTC", approve="always")
    assert ("its window is shut now: it waits until Sat 2026-11-21 02:00 UTC", True) in told(fleet, "rebuild")
    assert told(fleet_with(window="Fri 10:00-14:00 UTC", approve="never"), "reboot") == []


@pytest.mark.parametrize("verb", ["snapshot", "place", "pin-generation"])
def test_what_neither_activates_nor_boots_waits_for_nothing(verb: str) -> None:
    assert told(fleet_with(approve="always"), verb) == []


def test_the_playbooks_that_ship_are_offered_where_the_fleet_has_none_of_that_name(tmp_path: Path) -> None:
    own = tmp_path / "playbooks"
    own.mkdir()
    (own / "onboard.yaml").write_text("# Mine. Of course.\n- hosts: all\n  tasks: [{place: }]\n")
    (own / "bad.yaml").write_text("- hosts: all\n  tasks:\n    - plaice:\n")
    found = {each.title: each for each in playbooks(tmp_path)}
    assert (found["onboard"].ships, found["onboard"].description) == (False, "Mine")
    assert found["rebuild-all"].ships
    assert not found["rebuild-all"].findings
    [finding] = found["bad"].findings
    assert finding.place == "playbooks/bad.yaml:3:7"


def test_a_playbook_that_cannot_be_read_is_told_and_keeps_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "a.yaml").write_bytes(b"\xff\xfe- hosts")
    (folder / "b.yaml").write_text("- hosts: all\n  tasks: [{place: }]\n")
    found = [each for each in playbooks(tmp_path) if not each.ships]
    assert [bool(each.findings) for each in found] == [True, False]


def test_parameters_are_the_arguments_of_the_verbs_with_what_the_playbook_gives(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "- hosts: all\n  vars: {memory: true}\n  tasks:\n    - snapshot:\n    - rollback: {to: 4}\n    - rollback:\n"
    )
    found = {each.name: each for each in parameters(read(path, tmp_path).plays)}
    assert (found["memory"].default, found["memory"].required) == (True, False)
    assert (found["to"].default, found["to"].required) == (None, True)
    assert found["to"].verbs == ("rollback",)

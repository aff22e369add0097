"""`update.second_net`: which rungs a host may have, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvenix.fleet.load import load_fleet
from pvenix.model.host import Machine
from pvenix.model.update import SecondNet
from tests.unit.fleet_files import write
from tests.unit.test_fleet_findings import host, problems


def test_without_a_word_it_is_the_agent_and_then_a_reset_and_no_snapshot_is_taken() -> None:
    assert Machine().update.second_net == (SecondNet.AGENT, SecondNet.RESET)
    assert Machine().snapshot.before_update is False


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("{update: {second_net: []}}", ()),
        ("{update: {second_net: [reset, agent, reset]}}", (SecondNet.AGENT, SecondNet.RESET)),
        (
            "{update: {second_net: [snapshot, agent]}, snapshot: {before_update: true}}",
            (SecondNet.AGENT, SecondNet.SNAPSHOT),
        ),
    ],
)
def test_its_rungs_are_tried_in_one_order_whatever_order_they_are_written_in(
    tmp_path: Path, said: str, meant: tuple[SecondNet, ...]
) -> None:
    assert load_fleet(write(tmp_path, host(said))).hosts["a1"].machine.update.second_net == meant


def test_a_word_that_is_no_rung_is_shown_where_it_is_written(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, host("{update: {second_net: [agent, restart]}}"))
    assert problem.startswith("hosts.yaml:4:46: error[PVX0105]")
    assert "restart" in problem or "'agent', 'reset' or 'snapshot'" in problem

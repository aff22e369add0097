"""`pvenix place`: a table that fits 80 columns, a document for programs, and an exit code of its own for each end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pvenix.lifecycle.placement import Candidate, Decision, NoNode, Route, Scores, Way
from pvenix.model.errors import PvenixError, Refused
from pvenix.model.names import NodeName, Vmid
from tests.unit.cli_fake import Cli

ROUTE = Route(
    way=Way.MIGRATE, storage="tanka1", template=Vmid(8100), source=NodeName("tappaas1"),
    words="full clone of 8100 on tappaas1 to tanka1, shared, then migration",
)  # fmt: skip
SCORES = Scores(memory=39.3, cpu=16.9, storage=14.5, spread=15.0, locality=0.0, least=0.5)
NODES = (
    Candidate(node=NodeName("tappaas2"), scores=SCORES, route=ROUTE),
    Candidate(node=NodeName("tappaas10"), refused="not enough memory: 11.2 of 32.0 GiB are left, 33.1 are needed"),
)
FOUND = Decision(
    host="dns01", node=NodeName("tappaas2"), vmid=Vmid(310), route=ROUTE, candidates=NODES,
    warnings=("if tappaas1 died, guests with 48 GiB of memory would find no room on the other nodes",),
)  # fmt: skip


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "fleet")


def answer(pvenix: Cli, **found: Decision | PvenixError) -> None:
    async def place(hosts: Sequence[str]) -> Any:
        return {name: found[name] for name in hosts}

    pvenix.workspace.place = place  # type: ignore[attr-defined]  # the fake has none of its own


def test_the_table_fits_80_columns_and_says_why(pvenix: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answer(pvenix, dns01=FOUND)
    result = pvenix("place", "dns01")
    assert (result.exit_code, max(len(line) for line in result.stdout.splitlines()) <= 80) == (0, True)
    lines = result.stdout.splitlines()
    assert lines[0] == "dns01: tappaas2, storage tanka1, VM id 310"
    assert lines[3].split() == ["NODE", "POINTS", "MEM", "CPU", "DISK", "SPREAD", "NEAR", "WAY"]
    assert lines[4].split()[:7] == ["tappaas2", "85.7", "39.3", "16.9", "14.5", "15.0", "0.0"]
    told = " ".join(result.stdout.split())
    assert "tappaas10 no not enough memory: 11.2 of 32.0 GiB are left, 33.1 are needed" in told
    assert "warning: if tappaas1 died, guests with 48 GiB" in told


def test_a_program_gets_every_figure_and_reason(pvenix: Cli) -> None:
    answer(pvenix, dns01=FOUND)
    [host] = pvenix.json("place", "dns01")["place"]
    assert (host["node"], host["vmid"], host["storage"], host["route"]["route"]) == (
        "tappaas2",
        310,
        "tanka1",
        "migrate",
    )
    assert [(node["node"], node["verdict"]) for node in host["nodes"]] == [("tappaas2", "yes"), ("tappaas10", "no")]
    assert host["nodes"][0]["scores"]["total"] == pytest.approx(85.7)
    assert host["nodes"][1]["reason"].startswith("not enough memory")
    assert host["warnings"] == list(FOUND.warnings)


def test_a_host_without_a_place_shows_its_nodes_and_fails_and_the_others_are_shown(pvenix: Cli) -> None:
    answer(pvenix, web01=NoNode("web01", NODES[1:]), dns01=FOUND)
    result = pvenix("place", "web01", "dns01")
    assert result.exit_code == 1
    assert "web01: no place" in result.stdout
    assert "tappaas10     no  not enough memory" in result.stdout
    assert "dns01: tappaas2" in result.stdout
    assert "no node can take web01" in result.stderr


def test_a_missing_right_has_its_own_exit_code(pvenix: Cli) -> None:
    answer(pvenix, dns01=Refused("the API token does not see template 8100", code="PVX0532"))
    assert pvenix("place", "dns01").exit_code == 8
    result = pvenix("place", "dns01", "-o", "json")
    assert (result.exit_code, "PVX0532" in result.stdout) == (8, True)

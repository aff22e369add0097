"""A plan in a file: the same when it is read back, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pvenix.lifecycle.planning.saved import read_plan, write_plan
from pvenix.model.errors import LocalResource, UsageError
from tests.unit.planning_support import EVERYTHING


def test_a_plan_is_the_same_when_it_is_read_back(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", EVERYTHING)
    assert read_plan(tmp_path / "plan.json") == EVERYTHING
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"schema": "pvenix/plan/v9"}, "pvenix/plan/v9"),
        ({"schema": "pvenix/run/v1"}, "pvenix/run/v1"),
        ({"schema": None}, "names no schema"),
        ({"hosts": "all"}, "hosts"),
        ({"hosts": [{"host": "dns01"}]}, "hosts.0.action"),
        ({"fleet": 7}, "fleet"),
        ({"more": 1}, "changed after it was written"),
        ({"summary": {"add": 99}}, "changed after it was written"),
    ],
)
def test_a_document_that_is_no_plan_is_refused_and_the_reason_told(
    tmp_path: Path, change: dict[str, Any], word: str
) -> None:
    path = tmp_path / "plan.json"
    write_plan(path, EVERYTHING)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError) as error:
        read_plan(path)
    assert word in str(error.value)
    assert "pvenix plan --out" in error.value.hint


@pytest.mark.parametrize("text", ["", "no json", "[]", '"plan"', "[" * 100_000, "{" * 3])
def test_a_file_that_is_no_document_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a plan"):
        read_plan(path)


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_plan(tmp_path / "plan.json")


def test_a_plan_that_cannot_be_written_is_a_problem_of_this_machine(tmp_path: Path) -> None:
    with pytest.raises(LocalResource):
        write_plan(tmp_path / "missing" / "plan.json", EVERYTHING)

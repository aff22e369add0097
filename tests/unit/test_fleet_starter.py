"""The starter fleet is found and copied."""

from __future__ import annotations

from pathlib import Path

import pytest

import pvenix
from pvenix.fleet.load import load_fleet
from pvenix.fleet.starter import copy_starter, starter
from pvenix.model.errors import UsageError


def test_the_starter_is_part_of_an_installed_package_and_the_root_of_a_checkout() -> None:
    shipped = Path(pvenix.__file__).parent / "starter"
    assert starter() == (shipped if shipped.is_dir() else Path(__file__).parents[2])


def test_the_copy_is_a_valid_fleet_of_the_three_folders(tmp_path: Path) -> None:
    files = copy_starter(tmp_path / "new")
    assert {path.parts[0] for path in files} == {"inventory", "playbooks", "nix"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"inventory", "playbooks", "nix"}
    assert load_fleet(tmp_path / "new").hosts.keys() == load_fleet(starter()).hosts.keys()


def test_nothing_is_written_over_and_nothing_is_written_then(tmp_path: Path) -> None:
    (tmp_path / "nix").mkdir()
    (tmp_path / "nix" / "flake.nix").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists already"):
        copy_starter(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["flake.nix"]

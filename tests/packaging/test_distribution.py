"""What ships. In a checkout the wheel is built first; `make wheel-test` asks the same of the one that it installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pvenix
import pvenix_lab
import pvenix_tui

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def is_editable(distribution: importlib.metadata.Distribution) -> bool:
    """Whether DISTRIBUTION is a link to this checkout."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(origin.get("dir_info", {}).get("editable"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The paths in the wheel."""
    distribution = importlib.metadata.distribution("pvenix")
    if not is_editable(distribution):
        return frozenset(str(path) for path in distribution.files or ())
    place = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    [wheel] = place.glob("*.whl")
    return frozenset(zipfile.ZipFile(wheel).namelist())


def test_three_packages_ship_with_their_types(shipped: frozenset[str]) -> None:
    assert {f"{package}/py.typed" for package in ("pvenix", "pvenix_lab", "pvenix_tui")} <= shipped


@pytest.mark.parametrize(
    "path",
    [
        "inventory/site.yaml",
        "inventory/hosts.yaml",
        "playbooks/rebuild-all.yaml",
        "nix/flake.nix",
        "nix/configuration.nix",
    ],
)
def test_the_starter_fleet_ships(shipped: frozenset[str], path: str) -> None:
    assert f"pvenix/starter/{path}" in shipped


def test_nothing_else_ships(shipped: frozenset[str]) -> None:
    tops = {path.split("/")[0] for path in shipped if not path.startswith("..")}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pvenix", "pvenix_lab", "pvenix_tui"}


def test_the_licence_ships(shipped: frozenset[str]) -> None:
    assert any(path.endswith("/licenses/LICENSE") for path in shipped)


def test_the_version_is_the_metadata_s() -> None:
    assert pvenix.__version__ == importlib.metadata.version("pvenix")


@pytest.mark.parametrize("script", ["pvenix", "pvenix-tui"])
def test_console_scripts_answer_help(script: str) -> None:
    answer = subprocess.run([BIN / script, "--help"], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert script in answer.stdout


@pytest.mark.skipif(
    "PVENIX_WHEEL_TEST" not in os.environ, reason="only `make wheel-test` runs against an installed wheel"
)
def test_the_wheel_is_what_is_tested() -> None:
    assert not is_editable(importlib.metadata.distribution("pvenix"))
    places = {Path(module.__file__ or "").parents[1] for module in (pvenix, pvenix_lab, pvenix_tui)}
    assert {place.name for place in places} == {"site-packages"}

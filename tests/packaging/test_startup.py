"""Cheap commands stay cheap: they load none of the libraries that talk to the far side or paint the screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import pvenix

PVENIX: Final = str(Path(sys.executable).parent / "pvenix")
HEAVY: Final = frozenset({"asyncssh", "git", "proxmoxer", "requests", "textual"})


def packages_loaded_by(arguments: list[str], cwd: Path) -> tuple[frozenset[str], str]:
    """The top-level packages that the console script imports with ARGUMENTS, and its stdout. Asserts exit code 0."""
    command = [sys.executable, "-X", "importtime", PVENIX, *arguments]
    answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    talk = [line for line in answer.stderr.splitlines() if not line.startswith("import time:")]
    assert (answer.returncode, talk) == (0, [])
    names = [line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()]
    return frozenset(name.partition(".")[0] for name in names), answer.stdout


def starter(tmp_path: Path) -> Path:
    """A copy of the starter fleet, from the wheel or from the checkout."""
    package = Path(pvenix.__file__).parent
    root = package / "starter" if (package / "starter").is_dir() else package.parents[1]
    for folder in ("inventory", "playbooks", "nix"):
        shutil.copytree(root / folder, tmp_path / folder)
    return tmp_path


def test_the_measure_sees_a_heavy_import(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import requests"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "requests.sessions" in answer.stderr


def test_version_is_answered_before_the_command_line_library(tmp_path: Path) -> None:
    loaded, output = packages_loaded_by(["--version"], tmp_path)
    assert output == f"pvenix {pvenix.__version__}\n"
    assert not loaded & (HEAVY | {"asyncio", "click", "pydantic", "ruamel"})


@pytest.mark.parametrize("arguments", [["--help"], ["init", "--help"], ["run", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    loaded, _ = packages_loaded_by(arguments, tmp_path)
    assert "pvenix" in loaded
    assert not loaded & HEAVY


def test_validate_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded, _ = packages_loaded_by(["validate"], starter(tmp_path))
    assert "ruamel" in loaded
    assert not loaded & HEAVY

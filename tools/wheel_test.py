"""Builds the wheel, installs it into an environment of its own and runs the unit and packaging tests there.

The tests run from a copy beside no source tree, so that what they import can only come from the wheel.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
SUITES = ["tests/packaging", "tests/unit"]


def main() -> int:
    """pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="pvenix-wheel-") as name:
        place = Path(name)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place / "dist")]
        subprocess.run(build, cwd=CHECKOUT, check=True, stdout=sys.stderr)
        [wheel] = (place / "dist").glob("pvenix-*.whl")
        venv = place / "venv"
        setup = [sys.executable, "-I", str(CHECKOUT / "tools/bootstrap/setup.py"), str(venv), "requirements/dev.lock"]
        subprocess.run([*setup, "--wheel", str(wheel)], cwd=CHECKOUT, check=True)
        copy = place / "copy"
        shutil.copytree(CHECKOUT / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CHECKOUT / "pyproject.toml", copy)
        command = [str(venv / "bin" / "python"), "-I", "-m", "pytest", "-m", "not slow", *SUITES]
        environment = os.environ | {"PVENIX_WHEEL_TEST": "1"}
        return subprocess.run(command, cwd=copy, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

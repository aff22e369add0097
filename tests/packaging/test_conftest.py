"""The suite's own promise: with PVENIX_REAL=required a skipped real test is a failure, elsewhere it is a skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

CONFTEST: Final = Path(__file__).resolve().parents[1] / "conftest.py"
SUITE: Final = {
    "test_one.py": "import pytest\n@pytest.mark.real\ndef test_a(): pytest.skip('no nix here')\n",
    "real/test_two.py": "import pytest\npytest.skip('no sshd here', allow_module_level=True)\n",
    "test_three.py": "import pytest\ndef test_b(): pytest.skip('other reason')\n",
}


def closing_line(place: Path, environment: dict[str, str]) -> str:
    """The last line of a pytest run over SUITE with this suite's conftest."""
    for name, text in SUITE.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    (place / "conftest.py").write_bytes(CONFTEST.read_bytes())
    (place / "pytest.ini").write_text("[pytest]\nmarkers =\n  real: x\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--continue-on-collection-errors", str(place)]
    inherited = {name: value for name, value in os.environ.items() if name != "PVENIX_REAL"}
    answer = subprocess.run(
        command, cwd=place, env=inherited | environment, capture_output=True, text=True, check=False
    )
    return answer.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("environment", "verdict"),
    [({}, "3 skipped"), ({"PVENIX_REAL": "required"}, "1 failed, 1 skipped, 1 error")],
    ids=["elsewhere", "required"],
)
def test_a_skipped_real_test(environment: dict[str, str], verdict: str, tmp_path: Path) -> None:
    assert verdict in closing_line(tmp_path, environment)


def test_the_person_s_settings_do_not_reach_the_tests() -> None:
    assert Path(os.environ["HOME"]).name.startswith("pvenix-")
    assert "SSH_AUTH_SOCK" not in os.environ

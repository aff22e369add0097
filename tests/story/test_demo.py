"""`make demo` shows only what is so: with one verb that does nothing it fails; interrupted, it leaves nothing behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.story.world import PATIENCE_S, until

pytestmark = [pytest.mark.story, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
DEMO = (sys.executable, "-m", "tools.demo")
LIMIT_S = 400
"""It takes 45 s on two idle cores and 180 s on busy ones; with a dead-man that nobody disarms, 120 s more."""
LIAR = Path(__file__).parent / "liar.py"


SHOWN = (
    "place", "clone", "cloudinit", "boot", "hardware", "register", "review", "configure", "build", "rebuild", "rollback",
    "retire",
)  # fmt: skip
"""The verbs that the demo has work for; the others have stories of their own."""


def left_in(folder: Path) -> list[str]:
    """Processes that name the directory, and what is still in it."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(folder) in line] + [str(path) for path in folder.iterdir()]


def test_the_demo_ends_well_and_leaves_nothing_behind(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    began = time.monotonic()
    done = subprocess.run(DEMO, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert time.monotonic() - began < LIMIT_S
    assert "all of them hold" in done.stdout
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("verb", SHOWN)
def test_the_demo_fails_when_one_verb_does_nothing(verb: str, tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    lying = shlex.join([sys.executable, str(LIAR), verb])
    done = subprocess.run([*DEMO, "--pvenix", lying], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout[-4000:] + done.stderr
    assert "demo: FAILED: " in done.stdout
    assert "tools/demo.py" not in done.stderr
    assert left_in(tmp_path) == []


def test_an_interrupted_demo_takes_its_lab_down(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(DEMO, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        until(lambda: list(tmp_path.glob("*/lab/guests/320")))
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 130, out
    assert left_in(tmp_path) == []

"""Runs in processes of their own, which outlive the program that starts them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from pvenix.engine.runfiles import RunDir
from pvenix.model.errors import LocalResource
from pvenix.model.secret import KNOWN

_started: list[subprocess.Popen[bytes]] = []
"""Kept so that Python does not take them for forgotten children."""


def execute_detached(run: RunDir, fleet: Path, *, resume: bool, only: Collection[str] = ()) -> None:
    """Start a process that executes `run`, or goes on with it; its last words outside of the run's files are kept there.

    Raises: LocalResource when the process cannot be started.
    """
    words = [*(["--resume"] if resume else []), *(word for host in only for word in ("--only", host))]
    try:
        with (run.path / "process.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pvenix", "_execute", *words, str(run.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=KNOWN.environment(whole=True),
                cwd=fleet,
            )
    except OSError as error:
        raise LocalResource("the run's process cannot be started", why=str(error)) from error
    _started.append(process)

"""Hygiene for every test: no setting of the person who runs them gets in, a skipped real test is told from a passed one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

REAL_REQUIRED: Final = os.environ.get("PVENIX_REAL") == "required"
LEAKING_PREFIXES: Final = ("ANSIBLE_", "GIT_", "NIX_", "PVENIX_", "SSH_", "XDG_")
LEAKING_NAMES: Final = ("CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR")
KEPT: Final = ("NIX_SSL_CERT_FILE", "PVENIX_REAL", "PVENIX_WHEEL_TEST")
FIXED: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TERM": "xterm-256color",
    "TZ": "UTC",
}
HOME: Final = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Gives the whole session an empty HOME; its path is short because Unix sockets may live below it."""
    home = Path(tempfile.mkdtemp(prefix="pvenix-"))
    config.stash[HOME] = home
    for name in [name for name in os.environ if name.startswith(LEAKING_PREFIXES) or name in LEAKING_NAMES]:
        if name not in KEPT:
            del os.environ[name]
    os.environ.update(FIXED, HOME=str(home))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the session's HOME."""
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


@pytest.fixture(autouse=True)
def no_secret_of_an_earlier_test() -> Generator[None]:
    """What one test makes a secret is no secret to the next."""
    from pvenix.model.secret import KNOWN

    yield
    KNOWN.forget()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip of a `real` test into a failure where PVENIX_REAL=required says that the real thing must be there."""
    report = yield
    if REAL_REQUIRED and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("real"):
        report.outcome = "failed"
        report.longrepr = f"a real test was skipped although PVENIX_REAL=required: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module under tests/real that skips itself as a whole."""
    report = yield
    if REAL_REQUIRED and report.skipped and "real" in Path(collector.nodeid).parts:
        report.outcome = "failed"
        report.longrepr = f"a real module was skipped although PVENIX_REAL=required: {report.longrepr}"
    return report

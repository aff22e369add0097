"""The lock files say exactly what is installed, and from nowhere in particular."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = sorted((CHECKOUT / "requirements").glob("*.lock"))
if not LOCKS:
    pytest.skip("the lock files are part of the checkout, not of the wheel", allow_module_level=True)


def pins(lock: Path) -> set[str]:
    """Each entry of LOCK without its hashes, such as `click==8.5.1`."""
    entries = lock.read_text().replace("\\\n", " ").splitlines()
    return {entry.partition("--hash")[0].strip() for entry in entries}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_entry_is_exact_and_hashed(lock: Path) -> None:
    for entry in lock.read_text().replace("\\\n", " ").splitlines():
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry), entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_address_is_in_a_lock(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert not re.search(r"^\s*--(index|extra-index|find-links)", lock.read_text(), re.MULTILINE)


def test_the_checks_run_on_the_runtime_s_versions() -> None:
    runtime, build, dev = (pins(CHECKOUT / "requirements" / f"{name}.lock") for name in ("runtime", "build", "dev"))
    assert runtime | build <= dev


def test_every_direct_dependency_is_locked() -> None:
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=]", requirement)[0].lower().replace(".", "-") for requirement in declared}
    assert names <= {pin.partition("==")[0] for pin in pins(CHECKOUT / "requirements" / "runtime.lock")}

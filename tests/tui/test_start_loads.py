"""What stands before the first screen: what an earlier session kept, and no library that the screen does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

from pvenix.engine.readings import Readings
from pvenix.fleet.listing import keep_listing, read_listing
from pvenix.fleet.load import load_fleet
from pvenix.fleet.stamp import stamp
from pvenix.model.generation import Sync
from pvenix.wiring.remembered import READINGS, remembered
from tests.tui.fake_inventory import fake_status
from tests.tui.terminal import ROOT

pytestmark = pytest.mark.tui
FIRST_PAINT = """
import sys
from pathlib import Path
from pvenix_tui.entry import _opening
from pvenix_tui.app import PvenixApp
from pvenix_tui.remembered.firstlook import show_remembered
from pvenix_tui.session import Session

workspace = _opening(Path(sys.argv[1]))
session = Session(workspace)
assert show_remembered(workspace.root, session.fleet, session.memory)
app = PvenixApp(session)
painted = set()

def at_first_paint():
    painted.update(sys.modules)
    app.exit(0)

app._after_first_paint = at_first_paint
app.run(headless=True, size=(80, 24))
print(*sorted(painted))
"""
LATER = {
    "asyncssh", "git", "proxmoxer", "requests", "ruamel.yaml", "sqlite3", "pvenix.adapters.site", "pvenix.engine.ports",
    "pvenix.engine.runfiles", "pvenix.fleet.load", "pvenix.lifecycle", "pvenix.wiring.workspace", "pvenix_tui.backend",
    "pvenix_tui.intents.base", "pvenix_tui.screens.plan", "pvenix_tui.screens.run", "pvenix_tui.screens.review",
}  # fmt: skip
"""What a first screen has no use for; together they cost more than the screen."""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet whose names and readings an earlier session kept."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "fleet"
    copytree(ROOT / "inventory", root / "inventory")
    keep_listing(load_fleet(root), tmp_path / "state", seen=stamp(root))
    return root


def test_the_first_screen_loads_no_library_of_the_far_side_no_parser_and_no_screen_behind_it(kept: Path) -> None:
    words = [sys.executable, "-c", FIRST_PAINT, str(kept)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "TERM": "xterm"})
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "pvenix_tui.screens.fleet" in loaded
    assert not LATER & loaded


def test_no_module_of_the_engine_or_the_command_line_loads_textual(tmp_path: Path) -> None:
    code = """
import importlib, pkgutil, sys
import pvenix
for module in pkgutil.walk_packages(pvenix.__path__, "pvenix."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = set(done.stdout.split())
    assert "pvenix.cli.commands.run" in loaded
    assert not {"textual", "pvenix_tui"} & loaded


def test_what_was_kept_is_what_the_inventory_says(kept: Path) -> None:
    fleet, listing = load_fleet(kept), read_listing(kept)
    assert listing is not None
    assert {name: (host.roles, host.groups) for name, host in listing.hosts.items()} == {
        name: (host.roles, host.groups) for name, host in fleet.hosts.items()
    }
    assert list(listing.hosts) == list(fleet.hosts)
    assert listing.groups == {name: members for name, members in fleet.groups.items() if members}
    for selector in ("all", "core:!dns01", "role_base:&~.*0.", "dns*"):
        assert listing.select(selector) == fleet.select(selector)


def test_what_was_kept_holds_only_for_the_files_that_it_was_made_of(kept: Path) -> None:
    hosts = kept / "inventory" / "hosts.yaml"
    hosts.write_text(hosts.read_text() + "\n# another line\n")
    assert read_listing(kept) is None
    keep_listing(load_fleet(kept), kept, seen=stamp(kept))
    assert read_listing(kept) is not None
    (kept / "inventory" / "host_vars").mkdir(exist_ok=True)
    (kept / "inventory" / "host_vars" / "dns01.yaml").write_text("machine: {}\n")
    assert read_listing(kept) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": "pvenix/listing/v9"}', b"\xff\x00", b'{"hosts": 3}'])
def test_a_file_that_is_not_what_was_kept_is_as_none_and_written_anew(kept: Path, tmp_path: Path, data: bytes) -> None:
    [file] = (tmp_path / ".cache" / "pvenix" / "listings").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    file.write_bytes(data)
    assert read_listing(kept) is None
    keep_listing(load_fleet(kept), tmp_path / "state", seen=stamp(kept))
    assert read_listing(kept) is not None


@pytest.mark.parametrize("key", ["hosts", "groups", "unmanaged", "state", "stamp"])
def test_a_file_that_lacks_a_part_is_as_none(kept: Path, tmp_path: Path, key: str) -> None:
    [file] = (tmp_path / ".cache" / "pvenix" / "listings").iterdir()
    document = json.loads(file.read_text())
    for other in (None, 7, [[1]]):
        file.write_text(json.dumps(document | {key: other}))
        assert read_listing(kept) is None


def test_the_last_reading_of_every_host_comes_with_its_name(kept: Path, tmp_path: Path) -> None:
    readings = Readings(tmp_path / "state" / READINGS)
    readings.put(fake_status("dns01", 1, Sync.IN_SYNC))
    readings.put(fake_status("gone", 1, Sync.IN_SYNC))
    readings.save()
    found = remembered(kept)
    assert found is not None
    assert {name: status.generation for name, status in found.statuses.items()} == {"dns01": 41}

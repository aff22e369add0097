"""A lab comes up, says what it is to any client, goes down, and leaves nothing behind."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.story.world import StoryLab, processes_with_home

pytestmark = pytest.mark.story


@pytest.fixture
def own(tmp_path: Path) -> StoryLab:
    """A lab for one test."""
    return StoryLab(tmp_path.resolve(), "--seed", "7")


def test_a_lab_leaves_no_process_and_no_port_behind(own: StoryLab) -> None:
    ports = [own.data["control"]["port"], own.data["ssh"]["jump"]["port"]]
    ports.append(int(own.data["pve"]["endpoint"].rpartition(":")[2]))
    assert own.control()["pid"] == own.data["pid"]
    assert own.pvenix("lab", "up", str(own.lab), cwd=own.folder).code == 2

    assert own.pvenix("lab", "down", str(own.lab), cwd=own.folder).code == 0
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
    assert processes_with_home(own.folder / "home") == []


def test_any_client_can_use_a_lab_by_its_file(own: StoryLab) -> None:
    try:
        pve = own.data["pve"]
        header = f"Authorization: PVEAPIToken={pve['token_id']}={pve['token_secret']}"
        answer = own.tool("curl", "-sS", "--cacert", pve["ca"], "-H", header, f"{pve['endpoint']}/api2/json/version")
        assert json.loads(answer)["data"]["version"].startswith("8.")
        refused = own.tried("curl", "-sS", "-H", header, f"{pve['endpoint']}/api2/json/version")
        assert refused.code != 0
        assert own.ssh("dns01", "hostname") == "dns01"
        assert "refs/heads/main" in own.git("ls-remote", "origin")
    finally:
        own.pvenix("lab", "down", str(own.lab), cwd=own.folder)


def test_a_playbook_brings_up_a_throw_away_lab_by_itself(tmp_path: Path, lab: StoryLab) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = {**lab.env, "HOME": str(home), "TMPDIR": str(tmp_path)}
    argv = ["run", "playbooks/rebuild-all.yaml", "--lab"]
    done = subprocess.run(
        [*lab.command, *argv], cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_with_home(home) == []
    assert list(tmp_path.iterdir()) == [home]

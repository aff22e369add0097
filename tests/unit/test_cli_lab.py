"""The lab's commands against directories that are no lab, and against a stand-in for its control port."""

from __future__ import annotations

import contextlib
import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from pvenix.cli.lab import fleet_source, is_lab_process, throwaway_lab
from tests.unit.cli_fake import Cli

STATUS = {
    "ok": True,
    "hosts": [
        {"name": "dns01", "vmid": 200, "status": "running", "addresses": ["10.0.0.5/24"], "ssh": True},
        {"name": "web01", "vmid": 210, "status": "stopped", "addresses": []},
    ],
    "counters": {"pve_writes": 3, "receive_packs": 0},
    "faults": [{"name": "build-fails", "host": "dns01", "times": 1, "args": {}}],
}


class Control(socketserver.ThreadingTCPServer):
    """Answers one JSON line for each, and remembers what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    server: Control

    @override
    def handle(self) -> None:
        request = json.loads(self.rfile.readline())
        self.server.asked.append(request)
        wrong = request["op"] == "fault" and request["name"] == "biuld-fails"
        answer = {"ok": False, "error": "unknown fault 'biuld-fails', did you mean 'build-fails'?"} if wrong else STATUS
        self.wfile.write(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def pvenix(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "fleet")


@pytest.fixture
def control() -> Iterator[Control]:
    with Control() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def dead_pid() -> int:
    """The number of a process that ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def lab_in(folder: Path, *, port: int = 1, pid: int | None = None) -> str:
    """A directory that says it is a lab."""
    folder.mkdir()
    control = {"host": "127.0.0.1", "port": port, "token": "t"}
    data = {"version": 1, "pid": pid or dead_pid(), "name": "lab-1", "fleet": str(folder / "fleet"), "control": control}
    (folder / "lab.json").write_text(json.dumps(data))
    return str(folder)


@pytest.mark.parametrize("command", ["status", "down", "clear", "reset-counters"])
def test_a_directory_that_is_no_lab_is_named(pvenix: Cli, command: str, tmp_path: Path) -> None:
    result = pvenix("lab", command, str(tmp_path))
    assert (result.exit_code, f"{tmp_path} is not a lab" in result.stderr) == (2, True)


def test_a_lab_is_not_put_on_top_of_something(pvenix: Cli, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert "is not empty" in pvenix("lab", "up", str(tmp_path / "full")).stderr
    assert "holds a lab that does not run" in pvenix("lab", "up", lab_in(tmp_path / "dead")).stderr
    assert (tmp_path / "full" / "file").exists()


def test_a_dead_lab_does_not_answer_and_goes_down_twice(pvenix: Cli, tmp_path: Path) -> None:
    folder = lab_in(tmp_path / "lab")
    assert pvenix("lab", "status", folder).exit_code == 4
    down = pvenix("lab", "down", folder)
    assert (down.exit_code, "did not run" in down.stderr) == (0, True)


def test_removing_is_asked_for(pvenix: Cli, tmp_path: Path) -> None:
    folder = lab_in(tmp_path / "lab")
    refused = pvenix("lab", "down", "--remove", folder)
    assert (refused.exit_code, "--yes" in refused.stderr, Path(folder).exists()) == (2, True, True)
    assert pvenix("lab", "down", "--remove", "--yes", folder).exit_code == 0
    assert not Path(folder).exists()


def test_another_process_with_the_lab_s_number_is_left_alone(pvenix: Cli, tmp_path: Path) -> None:
    assert not is_lab_process(os.getpid())
    assert pvenix("lab", "down", lab_in(tmp_path / "lab", pid=os.getpid())).exit_code == 0


def test_status_shows_hosts_counters_and_faults(pvenix: Cli, control: Control, tmp_path: Path) -> None:
    folder = lab_in(tmp_path / "lab", port=control.server_address[1])
    shown = pvenix("lab", "status", folder).stdout
    assert "dns01  200   -     running  10.0.0.5/24  yes" in shown
    assert "pve_writes     3" in shown
    assert "build-fails  dns01  1" in shown
    document = pvenix.json("lab", "status", folder)
    assert (document["schema"], document["counters"]["pve_writes"]) == ("pvenix/lab-status/v1", 3)


def test_faults_are_armed_and_cleared_with_the_token(pvenix: Cli, control: Control, tmp_path: Path) -> None:
    folder = lab_in(tmp_path / "lab", port=control.server_address[1])
    pvenix("lab", "fault", folder, "clone-slow", "--host", "web01", "--times", "0", "--arg", "seconds=5")
    pvenix("lab", "clear", folder)
    fault = {"token": "t", "op": "fault", "name": "clone-slow", "host": "web01", "times": 0, "args": {"seconds": 5}}
    assert control.asked == [fault, {"token": "t", "op": "clear"}]


def test_a_fault_has_a_schedule_only_where_one_was_given(pvenix: Cli, control: Control, tmp_path: Path) -> None:
    folder = lab_in(tmp_path / "lab", port=control.server_address[1])
    pvenix("lab", "fault", folder, "F05", "--host", "web01", "--after", "5", "--for", "30")
    pvenix("lab", "fault", folder, "pve-status", "--nth", "3", "--chance", "0.5")
    pvenix("lab", "clear", folder, "F05", "--host", "web01")
    common = {"token": "t", "op": "fault", "args": {}}
    assert control.asked == [
        {**common, "name": "F05", "host": "web01", "after_s": 5, "for_s": 30},
        {**common, "name": "pve-status", "host": None, "nth": 3, "chance": 0.5},
        {"token": "t", "op": "clear", "name": "F05", "host": "web01"},
    ]


def test_a_misspelt_fault_is_answered_with_the_lab_s_words(pvenix: Cli, control: Control, tmp_path: Path) -> None:
    result = pvenix("lab", "fault", lab_in(tmp_path / "lab", port=control.server_address[1]), "biuld-fails")
    assert (result.exit_code, "did you mean 'build-fails'?" in result.stderr) == (2, True)


def test_a_lab_that_cannot_start_shows_its_last_lines(pvenix: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = pvenix("lab", "up", str(tmp_path / "lab"), "--from", str(tmp_path / "empty"))
    assert result.exit_code == 9
    assert "the lab did not start" in result.stderr
    assert "  | " in result.stderr


def test_a_lab_is_made_from_the_fleet_around_or_from_the_starter(tmp_path: Path) -> None:
    (tmp_path / "mine" / "inventory").mkdir(parents=True)
    (tmp_path / "mine" / "inventory" / "hosts.yaml").touch()
    assert fleet_source(tmp_path / "mine" / "inventory") == tmp_path / "mine"
    assert (fleet_source(tmp_path) / "nix" / "flake.nix").is_file()


def is_gone(pid: int) -> bool:
    """Whether no process has this number; a child of this process is collected first."""
    return not is_lab_process(pid)


@pytest.mark.story
def test_a_lab_comes_up_answers_and_leaves_no_process(pvenix: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    up = pvenix.json("lab", "up", str(folder), "--seed", "7", "--hosts", "2")
    try:
        assert (folder / "fleet" / "inventory" / "site.yaml").is_file()
        status = pvenix.json("lab", "status", str(folder))
        assert {"dns01", "web-001", "web-002"} <= {host["name"] for host in status["hosts"]}
        assert "a lab runs in" in pvenix("lab", "up", str(folder)).stderr
        wrong = pvenix("lab", "fault", str(folder), "biuld-fails")
        assert (wrong.exit_code, "build-fails" in wrong.stderr) == (2, True)
        listed = pvenix.json("lab", "fault", str(folder), "--list")
        assert (listed["schema"], listed["rows"]["F05"]["fault"]) == ("pvenix/lab-faults/v1", "vm-locked")
        shown = pvenix("lab", "fault", str(folder), "--list").stdout
        assert "lock=backup (backup|clone|" in shown
        assert "F15  encoding of sshkeys" in shown
        assert pvenix.json("lab", "status", str(folder))["faults"] == []
    finally:
        down = pvenix("lab", "down", str(folder))
    assert (down.exit_code, is_gone(up["pid"])) == (0, True)
    assert "did not run" in pvenix("lab", "down", "--remove", "--yes", str(folder)).stderr
    assert not folder.exists()


@pytest.mark.story
def test_a_throw_away_lab_goes_away_whatever_happens_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    said: list[str] = []
    with contextlib.suppress(ZeroDivisionError), throwaway_lab(tmp_path, say=said.append) as fleet:
        pid = json.loads((fleet.parent / "lab.json").read_text())["pid"]
        assert is_lab_process(pid)
        assert Path(os.environ["XDG_STATE_HOME"]).is_relative_to(fleet.parent.parent)
        raise ZeroDivisionError
    assert (is_gone(pid), fleet.exists(), "XDG_STATE_HOME" in os.environ) == (True, False, False)
    assert [line.split(":")[0] for line in said] == ["lab", "lab"]


@pytest.mark.story
def test_a_throw_away_lab_goes_away_with_a_terminated_command(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from pvenix.cli.lab import throwaway_lab\n"
    code += (
        "with throwaway_lab(Path(sys.argv[1]), say=lambda _: None) as fleet:\n print(fleet, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    fleet = Path(process.stdout.readline().strip())
    pid = json.loads((fleet.parent / "lab.json").read_text())["pid"]
    process.terminate()
    process.stdout.close()
    assert (process.wait(), is_gone(pid), fleet.exists()) == (143, True, False)

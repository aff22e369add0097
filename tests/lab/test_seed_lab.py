"""`python -m pvenix_lab serve`: what it builds, that plain ssh and git work there, and that nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from pvenix_lab.fleetcopy import FleetCopy
from tests.lab.guest_support import FLEET

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("ssh"), reason="needs the OpenSSH client")]


class Lab:
    """A served site."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        command = [sys.executable, "-m", "pvenix_lab", "serve", str(directory), "--fleet-source", str(FLEET), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        self.facts: dict[str, Any] = json.loads((directory / "lab.json").read_text())

    def ask(self, op: str, **fields: object) -> dict[str, Any]:
        """One request to the control port."""
        control = self.facts["control"]
        with socket.create_connection((control["host"], control["port"]), timeout=5) as conn:
            conn.sendall(json.dumps({"token": control["token"], "op": op, **fields}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(conn.makefile().readline())
        return answer

    def ssh(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        """The plain ssh with the lab's configuration."""
        argv = ["ssh", "-F", str(self.directory / "ssh_config"), host, command]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)

    def git(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The plain git in the lab's clone."""
        argv = ["git", *arguments]
        return subprocess.run(
            argv, cwd=cwd or self.facts["fleet"], capture_output=True, text=True, check=False, timeout=30
        )

    def stop(self) -> str:
        """End the lab and return what it printed."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=10)
        return out


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("served") / "lab", "--hosts", "2", "--speed", "10")
    yield lab
    assert (lab.stop(), lab.process.returncode) == ("", 0)


def test_one_line_says_that_it_is_ready_and_the_file_is_private(lab: Lab) -> None:
    path = lab.directory / "lab.json"
    assert lab.said == f"{lab.facts['name']}: 6 guests, described in {path}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lab.facts["pid"] == lab.process.pid


def test_every_existing_host_answers_plain_ssh_under_its_name(lab: Lab) -> None:
    for host in lab.facts["guests"]:
        assert lab.ssh(host, "hostname").stdout == f"{host}\n"
    assert set(lab.facts["guests"]) == {"dns01", "docker01", "nix-cache01", "tappaas-cicd", "web-001", "web-002"}


def test_a_seeded_host_runs_its_second_generation_built_at_main(lab: Lab) -> None:
    argv = "readlink -f /run/booted-system /run/current-system /nix/var/nix/profiles/system"
    assert len(set(lab.ssh("web-001", argv).stdout.split())) == 1
    version = json.loads(lab.ssh("web-001", "nixos-version --json").stdout)
    head = lab.git("rev-parse", "origin/main").stdout.strip()
    assert version["configurationRevision"] == head
    assert lab.ssh("web-001", "sudo -n git -C /etc/nixos rev-parse HEAD").stdout.strip() == head
    assert lab.ssh("web-001", "sudo -n git -C /etc/nixos status --porcelain").stdout == ""
    listed = lab.ssh("web-001", "sudo -n nix-env -p /nix/var/nix/profiles/system --list-generations").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["1", "2"]


def test_what_is_committed_agrees_with_the_machines(lab: Lab) -> None:
    fleet = Path(lab.facts["fleet"])
    for host, facts in lab.facts["guests"].items():
        key = (Path(facts["root"]) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        assert (fleet / "inventory/trust" / host).read_text().split()[:3] == [*key[:2], host]
        printed = lab.ssh(host, "sudo -n nixos-generate-config --show-hardware-config").stdout
        assert (fleet / f"nix/hardware/{host}-hw.nix").read_text() == printed
        assert (fleet / f"inventory/host_vars/{host}.yaml").read_text().count(f"vmid: {facts['vmid']}") == 1
    assert lab.git("status", "--porcelain").stdout == ""


def test_hosts_to_be_onboarded_are_in_the_inventory_and_nowhere_else(lab: Lab) -> None:
    fleet = Path(lab.facts["fleet"])
    for host in ("tappaas-vllm", "tappaas-litellm"):
        assert host in (fleet / "inventory/hosts.yaml").read_text()
        for name in (f"nix/hosts/{host}.nix", f"nix/hardware/{host}-hw.nix", f"inventory/trust/{host}"):
            assert not (fleet / name).exists()
    assert {row["name"] for row in lab.ask("status")["hosts"]} == {"tappaas-nixos", *lab.facts["guests"]}


def test_only_the_connection_facts_of_the_site_file_change(lab: Lab) -> None:
    def read(path: Path) -> dict[str, Any]:
        data: dict[str, Any] = YAML(typ="safe").load(path.read_text())
        return data

    before = read(FLEET / "inventory/site.yaml")
    after = read(Path(lab.facts["fleet"]) / "inventory/site.yaml")
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert changed == {"access", "clusters", "defaults", "repository", "site"}
    assert {k for k in after["clusters"]["lab"] if after["clusters"]["lab"][k] != before["clusters"]["lab"].get(k)} == {
        "auth",
        "endpoints",
        "tls",
    }
    assert after["access"]["jump"] == lab.facts["ssh"]["jump"]


def test_plain_git_fetches_and_pushes_from_the_labs_clone(lab: Lab, tmp_path: Path) -> None:
    assert lab.git("push", "-q", "origin", "HEAD:refs/heads/topic/a").returncode == 0
    config = f"core.sshCommand=ssh -F {lab.directory}/ssh_config"
    cloned = lab.git("-c", config, "clone", "-q", lab.facts["git"]["url"], str(tmp_path / "clone"), cwd=tmp_path)
    assert (cloned.returncode, (tmp_path / "clone/nix/flake.nix").exists()) == (0, True)


def test_the_guests_key_is_refused_on_main_by_the_fleets_own_hook(lab: Lab) -> None:
    key = lab.facts["guests"]["dns01"]["git_key"]
    command = f"ssh -F /dev/null -i {key} -o IdentitiesOnly=yes -o UserKnownHostsFile={lab.directory}/known_hosts"
    pushed = lab.git(
        "-c", f"core.sshCommand={command}", "push", "-q", "origin", "HEAD~1:refs/heads/registration/docker01"
    )
    assert pushed.returncode == 1
    assert "dns01 may push registration/dns01 only, not registration/docker01" in pushed.stderr


def test_the_control_port_wants_its_token_and_known_words(lab: Lab) -> None:
    assert lab.ask("status", token="wrong") == {"ok": False, "error": "wrong token; it stands in lab.json"}
    assert lab.ask("dance")["error"].startswith("unknown op 'dance'; one of status, ")
    assert lab.ask("fault", name="biuld-fails")["error"] == "unknown fault 'biuld-fails', did you mean 'build-fails'?"
    assert lab.ask("fault", name="build-fails", host="dns01", times=2)["ok"]
    assert [fault["times"] for fault in lab.ask("status")["faults"]] == [2]
    lab.ask("clear")
    lab.ask("reset-counters")
    status = lab.ask("status")
    assert (status["faults"], status["defects"], set(status["counters"].values())) == ([], [], {0})


def test_the_jump_ends_a_passage_that_both_ends_have_left(lab: Lab) -> None:
    """`ssh -J` may leave its helper without the signal that ends it; then only the far side's close does."""
    argv = ["ssh", "-F", str(lab.directory / "ssh_config"), "docker01", "hostname"]
    deaf = "import signal, os, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])"
    for _ in range(12):
        done = subprocess.run(
            [sys.executable, "-c", deaf, *argv], capture_output=True, text=True, check=True, timeout=10
        )
        assert done.stdout == "docker01\n"


def test_dropping_a_hosts_connections_ends_a_command_without_a_status(lab: Lab) -> None:
    argv = ["ssh", "-F", str(lab.directory / "ssh_config"), "docker01", "tail -c +1 -F /tmp/none"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr is not None
        waiting.stderr.readline()
        lab.ask("fault", name="ssh-drop", host="docker01")
        assert waiting.wait(60) == 255


def test_a_directory_that_holds_a_lab_is_refused(lab: Lab) -> None:
    command = [sys.executable, "-m", "pvenix_lab", "serve", str(lab.directory), "--fleet-source", str(FLEET)]
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (again.returncode, "holds an earlier lab" in again.stderr) == (2, True)


def test_what_is_no_fleet_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pvenix_lab", "serve", str(tmp_path / "lab"), "--fleet-source", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (ran.returncode, "is no fleet: it has no inventory, playbooks, nix" in ran.stderr) == (1, True)


@pytest.mark.parametrize("how", ["SIGTERM", "stop"])
def test_after_the_end_no_process_and_no_port_is_left(tmp_path: Path, how: str) -> None:
    lab = Lab(tmp_path / "lab", "--speed", "10")
    ports = [
        lab.facts["ssh"]["jump"]["port"],
        lab.facts["control"]["port"],
        int(lab.facts["pve"]["endpoint"].rpartition(":")[2]),
    ]
    lab.ssh("tappaas-cicd", "sudo -n systemd-run --unit=u --no-block sleep 1000")
    with subprocess.Popen(["ssh", "-F", f"{tmp_path}/lab/ssh_config", "dns01", "sleep 1000"]) as client:
        while lab.ask("status")["counters"]["guest_commands"] < 2:
            time.sleep(0.01)
        if how == "stop":
            assert lab.ask("stop") == {"ok": True}
            assert lab.process.wait(60) == 0
        assert lab.stop() == ""
        assert client.wait(60) == 255
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if children.exists():
        assert str(lab.process.pid) not in children.read_text().split()


def test_ids_beyond_the_declared_range_widen_it(tmp_path: Path) -> None:
    fleet = FleetCopy.make(FLEET, tmp_path)
    few = fleet.free_vmids({200, 310}, needed=3)
    assert few == [210, 220, 230]
    many = fleet.free_vmids({200}, needed=100)
    low, high = fleet.site["clusters"]["lab"]["vmid"]["range"]
    assert (len(set(many)), low <= min(many), max(many) <= high) == (100, True, True)


def test_a_large_site_has_room_for_one_more_host_on_every_node(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab", "--hosts", "150")
    pve = lab.facts["pve"]
    answer = requests.get(
        f"{pve['endpoint']}/api2/json/nodes",
        headers={"Authorization": f"PVEAPIToken={pve['token_id']}={pve['token_secret']}"},
        verify=pve["ca"],
        timeout=10,
    )
    assert lab.stop() == ""
    free = [node["maxmem"] - node["mem"] for node in answer.json()["data"]]
    assert len(free) == 3
    assert min(free) > 64 << 30
    assert min(node["maxcpu"] for node in answer.json()["data"]) >= 150 * 2 / 3 / 2

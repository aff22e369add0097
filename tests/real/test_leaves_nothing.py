"""The guests of these tests leave nothing behind and touch nothing of the machine that they run on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.contract.ssh_server import key_pair, public_line
from tests.real.fleet import REPOSITORY
from tests.real.lane import CICD, HOST, Image, Lane
from tests.real.machine import Machine, free_port, in_namespace, make_root
from tests.real.reason import why_not

pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def mounts() -> list[str]:
    """What is mounted outside the guests."""
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def surroundings() -> dict[str, object]:
    """What of the machine a careless guest would change."""
    found: dict[str, object] = {"hostname": socket.gethostname(), "mounts": mounts()}
    for name in (
        "/etc",
        "/etc/ssh",
        "/etc/sudoers.d",
        "/etc/nix",
        "/nix",
        "/nix/store",
        "/nix/var/nix",
        "/run",
        "/srv",
        "/home",
    ):
        found[name] = sorted(os.listdir(name)) if Path(name).is_dir() else None  # noqa: PTH208 - names are enough
    return found  # fmt: skip


async def test_a_closed_site_leaves_no_process_mount_port_or_file(image: Image) -> None:
    before = surroundings()
    folder = Path(tempfile.mkdtemp(prefix="site-", dir=image.folder))
    lane = Lane(image=image, folder=folder)
    lane.start(CICD, HOST)
    remote, _ = await lane.remote()
    await remote.try_write(["sh", "-c", "setsid sleep 600 </dev/null >/dev/null 2>&1 & mount -t tmpfs none /mnt /srv"])
    machines = list(lane.machines.values())
    namespaces = [machine.namespace() for machine in machines]
    assert all(in_namespace(namespace) for namespace in namespaces)
    await lane.close()
    assert [in_namespace(namespace) for namespace in namespaces] == [[], []]
    assert not any(machine.root.exists() for machine in machines)
    for machine in machines:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((machine.address, machine.port), timeout=1)
    assert surroundings() == before
    shutil.rmtree(folder)


def test_a_test_run_that_is_killed_takes_its_guests_along(tmp_path: Path) -> None:
    operator = tmp_path / "operator"
    operator.with_suffix(".pub").write_text(public_line(key_pair(operator)) + "\n")
    make_root(tmp_path / "dns01")
    machine = Machine(name="dns01", root=tmp_path / "dns01", address="127.0.0.1", port=free_port(), operator=operator)
    code = (
        "import time; from pathlib import Path; from tests.real.machine import Machine\n"
        f"machine = Machine(name='dns01', root=Path({str(machine.root)!r}), address='127.0.0.1', port={machine.port},"
        f" operator=Path({str(operator)!r}))\n"
        "machine.start(); print(machine.namespace(), flush=True); time.sleep(60)\n"
    )
    path = ":".join(str(REPOSITORY / name) for name in (".", "src", "tui"))
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as runner:
        assert runner.stdout
        namespace = runner.stdout.readline().strip()
        assert in_namespace(namespace)
        runner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while in_namespace(namespace):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    shutil.rmtree(machine.root)


def test_a_machine_that_cannot_have_such_guests_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 1000)
        assert why_not.__wrapped__() == "containers with a systemd of their own need root"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda program, path="": None if program == "nix" else program)
        assert why_not.__wrapped__() == "not installed: nix-bin"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert why_not.__wrapped__() == "containers need Linux"

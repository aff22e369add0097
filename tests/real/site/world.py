"""A site of containers as a story has it: the command line, plain tools in the site's network, and the guests' consoles."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from tests.real.site.agent import entering
from tests.real.site.supervisor import child_of
from tests.story.world import Done, StoryLab

REPOSITORY: Final = Path(__file__).resolve().parents[3]
_NEW_NETWORK: Final = 0x40000000
_UP_S: Final = 240.0  # with the root file system to be made


class RealSite(StoryLab):
    """A running site. `close` takes it away; so does the end of this process, however it comes."""

    def __init__(self, folder: Path, *, web: int = 0) -> None:
        path = ":".join(str(REPOSITORY / name) for name in (".", "src", "tui"))
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.real.site.supervisor", str(web)], cwd=REPOSITORY, text=True,
            env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self.supervisor.stdout
        scratch, _, pid = self.supervisor.stdout.readline().strip().partition(" ")
        self.scratch = Path(scratch)
        self.folder, self.lab = folder, self.scratch / "site"
        self.fleet = self.lab / "fleet"
        self._sites = 0
        self._wait_for(self.lab / "lab.json")
        self.first = child_of(int(pid))
        """The first process of the site's namespaces."""
        self.data: dict[str, Any] = json.loads((self.lab / "lab.json").read_text())
        (folder / "home").mkdir()
        self.env = {**os.environ, "HOME": str(folder / "home"), "PVENIX_OPERATOR": "story", "NO_COLOR": "1"}

    def _wait_for(self, file: Path) -> None:
        deadline = time.monotonic() + _UP_S
        while not file.exists():
            if self.supervisor.poll() is not None or self._ended() or time.monotonic() > deadline:
                said = self.log()
                self.close()
                raise AssertionError(f"the site did not come up: {said}")
            time.sleep(0.05)

    def _ended(self) -> bool:
        return "Traceback" in self.log()

    def log(self) -> str:
        """What the hypervisor said."""
        file = self.scratch / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def close(self) -> None:
        """Take everything away and wait until it is gone."""
        self.supervisor.communicate(timeout=60)

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """This thread, and the programs that it starts, in the site's network."""
        with _namespace(os.getpid()) as home, _namespace(self.first) as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(home)

    # --- beside pvenix -----------------------------------------------------------------------------------------------

    def vmid(self, host: str) -> int:
        """The number of the host's VM."""
        guests: dict[str, Any] = self.data["guests"]
        if host not in guests:  # it came later
            guests |= {vm["name"]: {"vmid": vm["vmid"]} for vm in self.control()["hosts"]}
        return int(guests[host]["vmid"])

    @override
    def control(self) -> dict[str, Any]:
        return self._ask("status")

    @override
    def counted(self, *words: str) -> tuple[Done, dict[str, int]]:
        self._ask("reset-counters")
        done = self.pvenix(*words)
        return done, self.control()["counters"]

    def _ask(self, operation: str) -> dict[str, Any]:
        """The hypervisor's own answer."""
        face = self.data["control"]
        with socket.create_connection((face["host"], face["port"]), timeout=10) as connection:
            connection.sendall(json.dumps({"token": face["token"], "op": operation}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile().readline())
        assert answer.pop("ok"), answer
        return answer

    def guest_folder(self, host: str) -> Path:
        """Where the hypervisor keeps the host's disk and console."""
        return self.lab / "guests" / str(self.vmid(host))

    def first_process(self, host: str) -> int:
        """The id, in the site's namespaces, of the guest's first process; 0 while it is off."""
        try:
            return int((self.guest_folder(host) / "pid").read_text() or 0)
        except FileNotFoundError:
            return 0

    def console(self, host: str, *argv: str, check: bool = True, text: str = "", timeout_s: float = 30.0) -> Done:
        """A command as root at the console of a guest that runs."""
        pid = self.first_process(host)
        assert pid, f"{host} is off"
        done = self.hypervisor(*entering(pid, *argv), check=False, text=text, timeout_s=timeout_s)
        assert not check or done.code == 0, f"{argv} on {host}: {done.text}"
        return done

    def hypervisor(self, *argv: str, check: bool = True, text: str = "", timeout_s: float = 30.0) -> Done:
        """A command on the machine under the guests, in its namespaces."""
        enter = ["nsenter", "-t", str(self.first), "-m", "-n", "-p", "-u", "-i"]
        done = subprocess.run(
            [*enter, *argv], input=text, capture_output=True, text=True, check=False, cwd="/", timeout=timeout_s
        )
        assert not check or done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def nft(self, *words: str, text: str = "") -> None:
        """nftables between the guests: what passes from one network to another."""
        self.hypervisor("chroot", self.data["base"], "nft", *words, text=text)

    def power(self, host: str, action: str) -> None:
        """Press a button of a VM, as somebody could in Proxmox: `reset`, `stop`, `start`."""
        pve, vm = self.data["pve"], self.data["guests"][host]
        token = f"Authorization: PVEAPIToken={pve['token_id']}={pve['token_secret']}"
        path = f"{pve['endpoint']}/api2/json/nodes/{vm['node']}/qemu/{vm['vmid']}/status/{action}"
        self.tool("curl", "-sS", "--fail", "--cacert", pve["ca"], "-H", token, "-X", "POST", path)

    def current(self, host: str) -> str:
        """The system that runs on a host."""
        return self.console(host, "readlink", "-f", "/run/current-system").out.strip()

    def boot_default(self, host: str) -> str:
        """The system that its boot loader starts."""
        entry = self.console(host, "sed", "-n", "s/^default //p", "/boot/loader/loader.conf").out.strip()
        options = self.console(host, "sed", "-n", "s/^options init=//p", f"/boot/loader/entries/{entry}").out.strip()
        return options.removesuffix("/init")

    def profile(self, host: str) -> str:
        """The system that its profile points to."""
        return self.console(host, "readlink", "-f", "/nix/var/nix/profiles/system").out.strip()

    @override
    def generations(self, host: str) -> list[str]:
        """The names of a guest's generations."""
        names = self.console(host, "ls", "/nix/var/nix/profiles").out.split()
        return sorted(name for name in names if name.endswith("-link"))

    @override
    def attempts(self, host: str) -> list[str]:
        """The attempts that a guest has seen."""
        return sorted(self.console(host, "ls", "/var/lib/pvenix", check=False).out.split())

    def boot_id(self, host: str) -> str:
        """The boot that the guest is in."""
        return self.console(host, "cat", "/proc/sys/kernel/random/boot_id").out.strip()


@contextlib.contextmanager
def _namespace(pid: int) -> Iterator[int]:
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _enter(namespace: int) -> None:
    """os.setns of Python 3.12, for this thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")

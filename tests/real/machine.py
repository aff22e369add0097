"""A guest made of real programs: sshd as first process of namespaces of its own, over a root directory of its own.

Only /usr (and what belongs to it) is the machine's, read-only; /etc, /nix, /run, /var, /srv, /home, /root and /tmp are the
guest's. There is no init: what needs systemd is not proven here.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.contract.ssh_server import key_pair, public_line

HERE: Final = Path(__file__).resolve().parent
PATH: Final = "/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER: Final = "tappaas"
_UNSHARE: Final = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child")

_FOLDERS: Final = (
    "boot", "dev", "etc/nix", "etc/pam.d", "etc/ssh/authorized_keys.d", "home/tappaas", "nix", "old", "proc", "root",
    "run/sshd", "run/sudo", "srv/git", "tmp", "var/empty", "var/lib/fleet", "var/tmp",
)  # fmt: skip
_PAM: Final = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
_FILES: Final = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nsshd:x:74:65534::/run/sshd:/usr/sbin/nologin\n"
    "git:x:998:998::/srv/git:/bin/sh\ntappaas:x:1000:1000::/home/tappaas:/bin/bash\n"
    "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ngit:x:998:\ntappaas:x:1000:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:20000::::::\nsshd:*:20000::::::\ngit:*:20000::::::\ntappaas:*:20000::::::\nnobody:*:20000::::::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/pam.d/sudo": _PAM,
    "etc/pam.d/other": _PAM,
    "etc/sudoers": f'Defaults secure_path="{PATH}"\nDefaults !syslog\nroot ALL=(ALL:ALL) ALL\n{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n',
    "etc/nix/nix.conf": "experimental-features = nix-command flakes\nsubstituters =\nsandbox = false\nbuild-users-group =\n"
    "fsync-metadata = false\nbuild-poll-interval = 1\n",
    "etc/ssh/sshd_config": "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
    "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u\nAllowTcpForwarding yes\nLogLevel VERBOSE\n"
    f"SetEnv PATH={PATH}\n",
}
_MODES: Final = {"etc/shadow": 0o600, "etc/sudoers": 0o440, "tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}
_OWNERS: Final = {"home/tappaas": 1000, "srv/git": 998}


def scratch() -> str | None:
    """Where guests are kept: in memory where there is room (the lane takes half the time), else among temporary files."""
    try:
        memory = os.statvfs("/dev/shm")
    except OSError:
        return None
    roomy = memory.f_bavail * memory.f_frsize > 1 << 30
    return "/dev/shm" if roomy and not memory.f_flag & os.ST_NOEXEC else None


def make_root(root: Path) -> None:
    """A guest's file system that was never started: no key, no system, an empty store."""
    for name in _FOLDERS:
        (root / name).mkdir(parents=True)
    for name, text in _FILES.items():
        (root / name).write_text(text)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr"):
        host = Path("/", name)
        if host.is_symlink():
            (root / name).symlink_to(host.readlink())
        elif host.is_dir():
            (root / name).mkdir()
    if Path("/etc/ld.so.cache").exists():
        shutil.copy("/etc/ld.so.cache", root / "etc/ld.so.cache")
    for name, mode in _MODES.items():
        (root / name).chmod(mode)
    for name, owner in _OWNERS.items():
        os.chown(root / name, owner, owner)
    root.chmod(0o755)


def copy_tree(image: Path, copy: Path) -> None:
    """The same files with the same owners, such as the file system of a guest that is off."""
    subprocess.run(["cp", "-a", "--reflink=auto", image, copy], check=True)


def free_port() -> int:
    """A port that nothing listens on, at any address."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Machine:
    """A guest. `start` before use; `close` leaves nothing of it."""

    name: str
    root: Path
    address: str
    port: int
    operator: Path
    """The private key that may log in as the administrator."""
    host_key: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _first: int = field(default=0, repr=False)

    def start(self) -> None:
        """Boot: keys that are not there are made, and sshd answers when this returns."""
        self._provision()
        with (self.root.parent / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *_UNSHARE, "sh", str(HERE / "enter.sh"), str(self.root), self.name],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
            )  # fmt: skip
        deadline = time.monotonic() + 10
        while not self._greets():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def _provision(self) -> None:
        ssh = self.root / "etc/ssh"
        if not (ssh / "ssh_host_ed25519_key").exists():
            (ssh / "ssh_host_ed25519_key.pub").write_text(public_line(key_pair(ssh / "ssh_host_ed25519_key")) + "\n")
        self.host_key = (ssh / "ssh_host_ed25519_key.pub").read_text().strip()
        (ssh / f"authorized_keys.d/{USER}").write_text(self.operator.with_suffix(".pub").read_text())
        settings = f"ListenAddress {self.address}:{self.port}\nHostKey /etc/ssh/ssh_host_ed25519_key\n"
        (ssh / "sshd_config").write_text(settings + _FILES["etc/ssh/sshd_config"])
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {self.name}\n")
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        if (self.root / "boot/default").exists():
            for name in ("booted-system", "current-system"):
                (self.root / "run" / name).unlink(missing_ok=True)
                (self.root / "run" / name).symlink_to((self.root / "boot/default").read_text().strip())

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def log(self) -> str:
        """What sshd said."""
        return (self.root.parent / f"{self.name}.log").read_text(errors="replace")

    # --- beside pvenix -----------------------------------------------------------------------------------------------

    def console(self, *argv: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command as root at the guest's console."""
        enter = ["nsenter", "-t", str(self.first_process()), "--mount", "--uts", "--ipc", "--pid"]
        done = subprocess.run(
            [*enter, "env", "-i", f"PATH={PATH}", "HOME=/root", "LC_ALL=C.UTF-8", *argv],
            check=False, capture_output=True, text=True, input=stdin, cwd="/",
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{argv}: {done.stderr}"
        return done

    def file(self, path: str) -> Path:
        """A file of the guest as the machine that runs the tests sees it; links inside lead nowhere."""
        return self.root / path.lstrip("/")

    def first_process(self) -> int:
        """The id of sshd, the guest's first process."""
        if not self._first:
            assert self._process is not None
            self._first = _children(self._process.pid)[0]
        return self._first

    def sessions(self) -> list[int]:
        """Ids of the processes of sshd that serve connections: two each, one of them as the person who logged in."""
        first = self.first_process()
        return [pid for pid in self.processes() if pid != first and _command(pid).startswith("sshd:")]

    def cut(self) -> None:
        """Kill every session as the machine's administrator would."""
        for pid in self.sessions():
            os.kill(pid, signal.SIGKILL)

    def running(self, word: str) -> bool:
        """True while a process of the guest has `word` in its command line."""
        return any(word in _command(pid) for pid in self.processes())

    def processes(self) -> list[int]:
        """Ids of everything that runs in it."""
        return in_namespace(self.namespace())

    def namespace(self) -> str:
        """The name of its mount namespace."""
        return str(Path(f"/proc/{self.first_process()}/ns/mnt").readlink())

    def build(self, installable: str) -> str:
        """The store path of what Nix builds at the console."""
        done = self.console("nix", "build", "--json", "--no-link", installable)
        path: str = json.loads(done.stdout)[0]["outputs"]["out"]
        return path

    def stop(self) -> None:
        """Cut its power; its files stay."""
        if self._process is None:
            return
        os.kill(
            self.first_process(), signal.SIGKILL
        )  # the kernel ends the whole namespace before the first process is gone
        self._process.wait(timeout=10)
        self._process, self._first = None, 0

    def close(self) -> None:
        """Switch it off and remove its files."""
        self.stop()
        shutil.rmtree(self.root)


def in_namespace(name: str) -> list[int]:
    """Ids of the processes in a mount namespace."""
    found = []
    for pid in _every_process():
        try:
            if str(Path(f"/proc/{pid}/ns/mnt").readlink()) == name:
                found.append(pid)
        except OSError:
            continue  # it ended meanwhile
    return found


def _children(parent: int) -> list[int]:
    return [pid for pid in _every_process() if _parent(pid) == parent]


def _every_process() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0  # it ended meanwhile


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""

"""One lab for stories: the command line as a person has it, and the far side as plain git, HTTPS and ssh see it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tools.far_side import Site

T = TypeVar("T")
PATIENCE_S = 90.0
"""The longest that one command or one wait may take; a whole story has the time-out of its test."""
WRITES = ("pve_writes", "receive_packs", "guest_mutations")
"""Counters of the lab that say that a client changed something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything that it printed."""
        return self.out + self.err


class StoryLab:
    """A running lab with the HOME of a new user."""

    command = (sys.executable, "-m", "pvenix")
    patience_s = PATIENCE_S

    def __init__(self, folder: Path, *up: str) -> None:
        self.folder = folder
        self.lab = folder / "lab"
        self.fleet = self.lab / "fleet"
        (folder / "home").mkdir()
        self.env = {**os.environ, "HOME": str(folder / "home"), "PVENIX_OPERATOR": "story", "NO_COLOR": "1"}
        self._sites = 0
        done = self.pvenix("lab", "up", str(self.lab), *up, cwd=folder)
        assert done.code == 0, done.text
        self.data: dict[str, Any] = json.loads((self.lab / "lab.json").read_text())

    # --- the program -------------------------------------------------------------------------------------------------

    def start(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """A pvenix command that goes on while the story does something else; `finish` waits for it."""
        return subprocess.Popen(
            [*self.command, *words],
            cwd=cwd or self.fleet,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """The end of a command."""
        try:
            out, err = process.communicate(timeout=self.patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"no end within {self.patience_s:.0f} s:\n{out}{err}") from None
        return Done(code=process.returncode, out=out, err=err)

    def pvenix(self, *words: str, cwd: Path | None = None) -> Done:
        """A pvenix command, from the fleet unless told otherwise."""
        return self.finish(self.start(*words, cwd=cwd))

    def ok(self, *words: str) -> Done:
        """A pvenix command that must end with 0."""
        return self.ends(0, *words)

    def ends(self, code: int, *words: str) -> Done:
        """A pvenix command that must end with `code`, and never with a traceback."""
        done = self.pvenix(*words)
        assert done.code == code, f"pvenix {' '.join(words)} ended with {done.code}, not {code}:\n{done.text}"
        assert "Traceback" not in done.text
        return done

    def ask(self, *words: str) -> Any:
        """The JSON document of a pvenix command."""
        return json.loads(self.ok(*words, "-o", "json").out)

    def killed_when(self, seen: Callable[[], object], *words: str) -> None:
        """Start a pvenix command and `kill -9` it as soon as `seen` is true."""
        process = self.start(*words)
        try:
            until(seen)
            assert process.poll() is None, f"it ended too early: {process.communicate()}"
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    # --- the far side ------------------------------------------------------------------------------------------------

    @property
    def site(self) -> Site:
        """The site as it is now."""
        self._sites += 1
        temporary = self.folder / f"check-{self._sites}"
        temporary.mkdir()
        return Site(self.lab, temporary)

    def ssh(self, host: str, *words: str, text: str = "") -> str:
        """The output of a command on a guest, by plain OpenSSH."""
        return self.tool("ssh", "-F", str(self.lab / "ssh_config"), host, *words, text=text)

    def git(self, *words: str) -> str:
        """The output of plain git in the operator's clone of the fleet."""
        return self.tool("git", *words)

    def tool(self, *words: str, text: str = "") -> str:
        """The output of a program that must succeed."""
        done = self.tried(*words, text=text)
        assert done.code == 0, f"{' '.join(words)}: {done.text}"
        return done.out.strip()

    def tried(self, *words: str, text: str = "", env: dict[str, str] | None = None) -> Done:
        """How a program ended in the fleet's directory."""
        done = subprocess.run(
            words,
            cwd=self.fleet,
            env=self.env | (env or {}),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def switch_off(self, host: str) -> None:
        """Pull the plug of a VM, as somebody could in Proxmox, and see it stopped."""
        pve, vm = self.data["pve"], self.site.vm(host)
        path = f"/nodes/{vm['node']}/qemu/{vm['vmid']}/status"
        header = f"Authorization: PVEAPIToken={pve['token_id']}={pve['token_secret']}"
        call = ("curl", "-sS", "--fail", "--cacert", pve["ca"], "-H", header)
        self.tool(*call, "-X", "POST", f"{pve['endpoint']}/api2/json{path}/stop")
        until(lambda: self.site.api(f"{path}/current")["status"] == "stopped")

    def control(self) -> dict[str, Any]:
        """What the lab says of itself: hosts, counters, faults."""
        found: dict[str, Any] = json.loads(self.pvenix("lab", "status", str(self.lab), "-o", "json").out)
        return found

    def counted(self, *words: str) -> tuple[Done, dict[str, int]]:
        """A pvenix command, and what the far side counted meanwhile."""
        self.ok("lab", "reset-counters", str(self.lab))
        done = self.pvenix(*words)
        return done, self.control()["counters"]

    def fault(self, name: str, host: str, **args: object) -> None:
        """Arm a fault of the lab once for one host."""
        words = [word for key, value in args.items() for word in ("--arg", f"{key}={value}")]
        self.ok("lab", "fault", str(self.lab), name, "--host", host, *words)

    def release(self) -> None:
        """Let what is slow end now: a story has it last until it has seen what it wants, however slow the machine is."""
        self.ok("lab", "clear", str(self.lab))

    def commit(self, path: str, old: str, new: str) -> str:
        """Replace a text in a file of the fleet on main, as a person would; returns the commit."""
        self.git("pull", "--quiet", "--ff-only")
        file = self.fleet / path
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))
        self.git("commit", "--quiet", "--all", "--message", f"Change {path}")
        self.git("push", "--quiet")
        return self.git("rev-parse", "HEAD")

    def tree(self, host: str) -> Path:
        """The disk of a host that was there from the start."""
        return Path(self.data["guests"][host]["root"])

    def generations(self, host: str) -> list[str]:
        """The names of a guest's generations."""
        folder = self.tree(host) / "nix/var/nix/profiles"
        return sorted(path.name for path in folder.iterdir() if path.name.endswith("-link"))

    def attempts(self, host: str) -> list[str]:
        """The attempts that a guest has seen."""
        folder = self.tree(host) / "var/lib/pvenix"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def until(seen: Callable[[], T]) -> T:
    """What `seen` returns, once that is true; AssertionError when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = seen()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def writes(counters: dict[str, int]) -> dict[str, int]:
    """The counters of writes that are not zero."""
    return {name: counters[name] for name in WRITES if counters[name]}


def processes_with_home(home: Path) -> Sequence[str]:
    """The processes, by id, that have this HOME or name its directory's parent in their arguments."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [line for line in listing.splitlines() if str(home.parent) in line]

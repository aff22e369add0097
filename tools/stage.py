"""Where the demo plays: a temporary directory with a lab and a HOME of its own, and nothing left of it afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

PATIENCE_S = 90
"""The longest that one command may take."""
LEAKS = ("GIT_", "NIX_", "PVENIX_", "SSH_", "XDG_")
"""Variables that would let the settings of whoever runs the demo in."""
INTERRUPTED = 130


class Unexpected(Exception):
    """A command ended as it should not; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: its directory, the program under demonstration, and the environment of a new user."""

    folder: Path
    pvenix: tuple[str, ...]
    env: dict[str, str]

    @property
    def lab(self) -> Path:
        """The simulated site."""
        return self.folder / "lab"

    @property
    def fleet(self) -> Path:
        """The operator's clone of the fleet."""
        return self.lab / "fleet"

    @property
    def described(self) -> dict[str, Any]:
        """What the lab's file says of it."""
        described: dict[str, Any] = json.loads((self.lab / "lab.json").read_text())
        return described

    def run(self, *words: str, expect: int = 0, anywhere: bool = False) -> None:
        """Run a pvenix command in the fleet and show it and its output as it comes.

        Raises: Unexpected when it ends with another code than `expect`.
        """
        say("bold", "$ pvenix " + shlex.join(words).replace(str(self.folder), "DIR"))
        process = subprocess.Popen(
            [*self.pvenix, *words], cwd=self.folder if anywhere else self.fleet, env=self.env, stdin=subprocess.DEVNULL
        )
        try:
            code = process.wait(PATIENCE_S)
        except BaseException:  # a time-out or ctrl-c: it gets the chance to stop what it does
            stop(process)
            raise
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code != expect:
            raise Unexpected(f"`pvenix {shlex.join(words)}` ended with {code}, not with {expect}")
        if expect:
            say("dim", f"(exit code {code}, as it should be)")

    def ask(self, *words: str) -> Any:
        """The JSON document that a pvenix command prints; for the claims, so not shown.

        Raises: Unexpected.
        """
        return json.loads(self.tool(*self.pvenix, *words, "-o", "json", shown=False))

    def tool(self, *words: str, text: str = "", shown: bool = True) -> str:
        """The output of a program, started in the fleet.

        Raises: Unexpected.
        """
        if shown:
            say("bold", "$ " + shlex.join(words).replace(str(self.folder), "DIR"))
        done = subprocess.run(
            words, cwd=self.fleet, env=self.env, input=text, capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        if done.returncode:
            raise Unexpected(f"`{shlex.join(words)}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout.strip()

    def ssh(self, host: str, *words: str, text: str = "") -> str:
        """The output of a command on a guest, by plain OpenSSH; not shown."""
        return self.tool("ssh", "-F", str(self.lab / "ssh_config"), host, *words, text=text, shown=False)

    def commit(self, old: str, new: str, message: str, *, path: str = "nix/common.nix") -> str:
        """Change a line of a file on main, as anybody would; returns the commit."""
        self.tool("git", "pull", "--quiet", "--ff-only")
        file = self.fleet / path
        text = file.read_text()
        if old not in text:
            raise Unexpected(f"{path} does not hold {old!r}")
        file.write_text(text.replace(old, new, 1))
        self.tool("git", "commit", "--quiet", "--all", "--message", message)
        self.tool("git", "push", "--quiet")
        return self.tool("git", "rev-parse", "HEAD", shown=False)


def say(style: str, text: str) -> None:
    """Print a line of the demo itself."""
    codes = {"title": "\n\033[1;36m", "bold": "\033[1m", "dim": "\033[2m", "bad": "\033[1;31m"}
    plain = "\n" if style == "title" else ""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(f"{codes[style]}{text}\033[0m" if colour else f"{plain}{text}", flush=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a command: asked twice, then killed."""
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(number)
            process.wait(5)
            return


@contextlib.contextmanager
def staged(pvenix: Sequence[str]) -> Iterator[Stage]:
    """A stage with a running lab; afterwards the lab is down and its directory gone.

    Raises: Unexpected when a process of it is left.
    """
    folder = Path(tempfile.mkdtemp(prefix="pvenix-demo-")).resolve()
    env = {name: value for name, value in os.environ.items() if not name.startswith(LEAKS)}
    env |= {"HOME": str(folder / "home"), "GIT_CONFIG_NOSYSTEM": "1", "PVENIX_OPERATOR": "demo"}
    (folder / "home").mkdir()
    stage = Stage(folder, tuple(pvenix), env)
    try:
        stage.run("lab", "up", str(stage.lab), "--speed", "4", anywhere=True)
        yield stage
    finally:
        if (stage.lab / "lab.json").exists():
            stage.run("lab", "down", str(stage.lab), anywhere=True)
        left = processes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
        if left:
            raise Unexpected("processes are left behind: " + "; ".join(left))


def processes_of(folder: Path) -> list[str]:
    """Processes that were started for the demo's directory: by their arguments, and by their HOME where /proc tells."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    found = {line.split()[0]: line.strip() for line in listing.splitlines() if str(folder) in line}
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended meanwhile, or somebody else's
            if f"HOME={folder}/home".encode() in environ.read_bytes().split(b"\0"):
                found.setdefault(environ.parent.name, f"{environ.parent.name} {(environ.parent / 'comm').read_text()}")
    return list(found.values())


def unwind(number: int, _frame: object) -> NoReturn:
    """End as ctrl-c does."""
    raise KeyboardInterrupt(number)

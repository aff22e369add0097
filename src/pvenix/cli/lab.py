"""Starts, asks and stops a simulated site: a process of its own that is spoken to through DIR/lab.json only.

Nothing behind the sockets that the file names differs from a real site; no other module knows that there is a lab.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvenix.model.errors import LocalResource, Unreachable, UsageError

START_S = 120.0
"""The longest that a site may take to come up, in seconds; a hundred hosts take a small part of it."""
STOP_S = 10.0
"""How long a site may take to end before it is killed, in seconds."""
_POLL_S = 0.05
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Sites that this very process started: only their parent can collect them when they end."""
_AGAIN = "pvenix lab down --remove {0}, or take another directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A simulated site as its own file describes it."""

    folder: Path
    data: Mapping[str, Any]

    @property
    def pid(self) -> int:
        """The process that is the site."""
        return int(self.data["pid"])

    @property
    def fleet(self) -> Path:
        """The clone of the fleet's repository whose commands find this site."""
        return Path(self.data["fleet"])

    @property
    def name(self) -> str:
        """The site's name."""
        return str(self.data["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How large and how fast a new site is to be."""

    hosts: int = 0
    """Hosts beside those of the fleet."""
    seed: int | None = None
    speed: float | None = None
    pve: str | None = None
    """The release of Proxmox VE, 8.4 or 9.2."""


def lab_up(folder: Path, source: Path, wish: Wish) -> Lab:
    """A running site in `folder`, described by its file.

    Raises: UsageError when the directory holds something, LocalResource when the site does not come up.
    """
    folder = folder.absolute()
    _refuse_used(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    arguments = ["serve", str(folder), "--fleet-source", str(source)]
    wishes = {"--hosts": wish.hosts or None, "--seed": wish.seed, "--speed": wish.speed, "--pve": wish.pve}
    for option, value in wishes.items():
        arguments += [] if value is None else [option, str(value)]
    with (folder / "lab.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pvenix_lab", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[process.pid] = process
    try:
        return _await_lab(folder, process)
    except BaseException:  # whatever ends the wait, nobody else knows of this process
        _end_child(process)
        raise


def find_lab(folder: Path) -> Lab:
    """The lab of a directory, running or not.

    Raises: UsageError when the directory is no lab.
    """
    folder = folder.absolute()
    try:
        return Lab(folder=folder, data=json.loads((folder / "lab.json").read_text()))
    except (OSError, ValueError) as error:
        reason = "there is no lab.json" if isinstance(error, FileNotFoundError | NotADirectoryError) else str(error)
        raise UsageError(f"{folder} is not a lab", why=reason, hint=f"pvenix lab up {folder}") from error


def ask(lab: Lab, op: str, **fields: object) -> dict[str, Any]:
    """The answer of a lab's control port to one request.

    Raises: Unreachable when the lab does not run, UsageError when it refuses the request.
    """
    control = lab.data["control"]
    request = json.dumps({"token": control["token"], "op": op, **fields}) + "\n"
    try:
        with socket.create_connection((control["host"], control["port"]), timeout=STOP_S) as connection:
            connection.sendall(request.encode())
            with connection.makefile("rb") as answers:
                answer: dict[str, Any] = json.loads(answers.readline() or b"{}")
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"the lab in {lab.folder} does not run",
            why=str(error),
            hint=f"remove {lab.folder} and run: pvenix lab up {lab.folder}",
        ) from error
    if not answer.get("ok"):
        raise UsageError(f"the lab refused {op!r}", why=str(answer.get("error", "no reason given")))
    return answer


def lab_down(lab: Lab) -> bool:
    """Stop a lab and see its process gone; False when it did not run.

    Raises: LocalResource when the process does not end.
    """
    if not is_lab_process(lab.pid):
        return False
    try:
        ask(lab, "stop")
    except (Unreachable, UsageError):
        os.kill(lab.pid, signal.SIGTERM)
    if not _gone(lab.pid, STOP_S):
        os.kill(lab.pid, signal.SIGKILL)
        if not _gone(lab.pid, STOP_S):
            raise LocalResource(f"the lab's process {lab.pid} does not end", hint=f"kill -9 {lab.pid}")
    return True


@contextmanager
def throwaway_lab(start: Path, *, say: Callable[[str], None], wish: Wish | None = None) -> Iterator[Path]:
    """The fleet of a site that exists inside the context only; state and cache of its commands go with it.

    The site's fleet is a copy of the one at or above `start`, of the starter fleet where there is none.
    """
    with tempfile.TemporaryDirectory(prefix="pvenix-lab-", ignore_cleanup_errors=True) as temporary, _term_unwinds():
        folder = Path(temporary).resolve()
        began = time.monotonic()
        lab = lab_up(folder / "lab", fleet_source(start), wish or Wish())
        say(f"lab: {lab.name} is up ({time.monotonic() - began:.1f} s); it is removed afterwards")
        try:
            with _environment(XDG_STATE_HOME=str(folder / "state"), XDG_CACHE_HOME=str(folder / "cache")):
                yield lab.fleet
        finally:
            lab_down(lab)
            say("lab: down")


def fleet_source(start: Path) -> Path:
    """What a lab is made from: the fleet at or above `start`, else the starter fleet."""
    from pvenix.fleet.root import find_root

    found = find_root(start)
    if found is not None:
        return found
    from pvenix.fleet.starter import starter

    return starter()


def is_left_behind(folder: Path) -> bool:
    """True for the directory of a lab that ended: it takes its lab.json with it and leaves the rest."""
    return (
        all((folder / name).exists() for name in ("lab.log", "fleet", "guests")) and not (folder / "lab.json").exists()
    )


def is_lab_process(pid: int) -> bool:
    """True when `pid` is a living process of the lab and not another one that has its number now."""
    if not _alive(pid):
        return False
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # no procfs, as on macOS
        listing = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
        arguments = subprocess.run(listing, capture_output=True, text=True, check=False).stdout
    return "pvenix_lab" in arguments


def _refuse_used(folder: Path) -> None:
    if (folder / "lab.json").exists():
        lab = find_lab(folder)
        if is_lab_process(lab.pid):
            raise UsageError(f"a lab runs in {folder} already", hint=f"pvenix lab status {folder}")
        raise UsageError(f"{folder} holds a lab that does not run", hint=_AGAIN.format(folder))
    if is_left_behind(folder):
        raise UsageError(f"{folder} holds a lab that does not run", hint=_AGAIN.format(folder))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", hint="name a directory that does not exist yet")


def _await_lab(folder: Path, process: subprocess.Popen[bytes]) -> Lab:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            raise LocalResource("the lab did not start", why=f"exit status {status}", evidence=_log_tail(folder))
        if (folder / "lab.json").exists():
            lab = find_lab(folder)
            ask(lab, "status")
            return lab
        time.sleep(_POLL_S)
    raise LocalResource(f"the lab did not come up within {START_S:.0f} s", evidence=_log_tail(folder))


def _log_tail(folder: Path) -> list[str]:
    return (folder / "lab.log").read_text(errors="replace").splitlines()[-8:]


def _end_child(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _gone(pid: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if not _alive(pid):
            return True
        time.sleep(_POLL_S)
    return False


def _alive(pid: int) -> bool:
    """True for a process that runs; a child of ours that ended is collected, somebody else's zombie does not count."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _term_unwinds() -> Iterator[None]:
    """Let a SIGTERM or SIGHUP unwind the stack, so that what a context started is stopped."""

    def unwind(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, unwind) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Faults of a guest: around every command that a client runs on it, and what its sshd does to connections.

In memory there is no network: a connection that falls silent ends once the client's keepalives would have given it up.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pvenix_lab.site.armed.fault import Fault, Spec, Undo
from pvenix_lab.site.armed.spec import Arg, Face, Kind
from pvenix_lab.site.faults import repository
from pvenix_lab.site.faults.corpus import TERMINAL
from pvenix_lab.site.faults.happenings import guests_of
from pvenix_lab.site.guest.channels import Execute
from pvenix_lab.site.guest.guest import Guest
from pvenix_lab.site.guest.process import Process

if TYPE_CHECKING:
    from pvenix_lab.site.core import Site

SILENT = "silent"
"""What observers of a guest are told when the network swallows every packet of its connections."""
HALF_OPEN = "half-open"
"""The guest has lost its end of its connections and the client is not told before it sends something."""
KILLED = "killed"
"""The sshd of each connection was killed: they end without a word, and without a reset."""
RELISTEN = "relisten"
"""How the guest's port 22 answers new connections has changed."""
_MIB = 1 << 20
_LINE = b"0123456789abcde\n" * 4096
_WRITERS = ("cp", "dd", "install", "mkdir", "mv", "nix", "tee", "touch")


class ChannelClosedError(ConnectionResetError):
    """One channel ends without an exit status; its connection lives."""


async def struck(guest: Guest, process: Process, execute: Execute) -> int:
    """The exit status of a command, with the faults that strike it.

    Raises:
        ConnectionResetError: nothing is known about the command.
    """
    if not guest.site.faults:
        return await execute(process)
    command = " ".join(process.argv)
    faults, name = guest.site.faults, guest.name

    def aimed(fault: Fault) -> bool:
        return fault.text("command") in command

    if (refused := repository.struck(guest, process)) is not None:
        return refused
    if faults.take("command-hangs", name, accept=aimed):
        await _until_cut(guest)
    if faults.peek("disk-full", name) and (full := _disk_full(process)) is not None:
        return full
    await _flood(guest, process, aimed)
    if (hostile := faults.take("hostile-output", name, accept=aimed)) is not None:
        said = hostile.text("text") or TERMINAL
        process.stdout.write(f"{said}\n".encode())
        process.stderr.write(f"{said}\n".encode())
    cut = faults.take("ssh-cut", name, accept=aimed)
    if cut is None:
        return await execute(process)
    if cut.flag("effect"):
        await execute(process)
    return await _cut(guest, cut)


async def _cut(guest: Guest, cut: Fault) -> int:
    match cut.text("how"):
        case "channel":
            raise ChannelClosedError("the channel was closed")
        case "killed":
            guest.fabric.notify(guest, KILLED)
        case "silent" | "half-open" as how:
            guest.fabric.notify(guest, SILENT if how == "silent" else HALF_OPEN)
            await asyncio.sleep(cut.number("seconds"))
    guest.cut_connections()
    raise ConnectionResetError(f"the connection to {guest.name} was cut")


async def _until_cut(guest: Guest) -> None:
    """Wait for ever, or until the guest loses its connections."""
    gone = asyncio.Event()
    with _observed(guest, gone.set):
        await gone.wait()
    raise ConnectionResetError(f"the connection to {guest.name} was cut")


@contextmanager
def _observed(guest: Guest, happen: Callable[[], None]) -> Iterator[None]:
    def observe(who: Guest, what: str) -> None:
        if who is guest and what in ("cut", "off"):
            happen()

    guest.fabric.observers.append(observe)
    try:
        yield
    finally:
        guest.fabric.observers.remove(observe)


async def _flood(guest: Guest, process: Process, aimed: Callable[[Fault], bool]) -> None:
    flood = guest.site.faults.take("output-flood", guest.name, accept=aimed)
    line = guest.site.faults.take("output-long-line", guest.name, accept=aimed)
    for fault, piece, end in ((flood, _LINE, b""), (line, b"x" * len(_LINE), b"\n")):
        if fault is not None:
            for _ in range(int(fault.number("mib") * _MIB) // len(piece)):
                process.stdout.write(piece)
                await process.stdout.drain()
            process.stdout.write(end)


def _disk_full(process: Process) -> int | None:
    """What a program that writes says when there is no space left; None for one that only reads."""
    words = list(process.argv)
    while (words and words[0] in ("sudo", "-n", "--", "env")) or (words and "=" in words[0]):
        words.pop(0)
    program = words[0].rpartition("/")[2] if words else ""
    if program not in _WRITERS or (program == "nix" and "build" not in words):
        return None
    paths = [word.removeprefix("of=") for word in words[1:]]
    target = next((path for path in reversed(paths) if path.startswith("/")), "/nix/store")
    if target.startswith("/run/"):
        return None  # not on the disk, but in memory
    text = {
        "nix": f"error: writing to file '{target}': No space left on device",
        "mkdir": f"mkdir: cannot create directory {shlex.quote(target)}: No space left on device",
        "dd": "dd: error writing 'standard output': No space left on device",
    }.get(program, f"{program}: {target}: No space left on device")
    process.stderr.write(f"{text}\n".encode())
    return 1


# --- what the face of SSH asks ---------------------------------------------------------------------------------------


def listens(guest: Guest) -> bool:
    """False while port 22 refuses connections although sshd runs."""
    return not guest.site.faults.peek("ssh-refused", guest.name)


def is_silent(guest: Guest) -> bool:
    """True while port 22 takes connections and says nothing."""
    return bool(guest.site.faults.peek("ssh-silent", guest.name))


def is_impostor(guest: Guest) -> bool:
    """True while another machine answers with a host key of its own."""
    return bool(guest.site.faults.peek("host-key-changed", guest.name))


# --- events ----------------------------------------------------------------------------------------------------------


def _relisten(site: Site, fault: Fault) -> Undo:
    def tell() -> None:
        for guest in guests_of(site, fault):
            guest.fabric.notify(guest, RELISTEN)

    tell()
    return tell


_COMMAND = Arg(name="command", default="", what="a part of the command; empty for any")

SPECS = (
    Spec(
        name="ssh-cut",
        rows=("T1", "T2", "R2"),
        what="the connection dies under the next command, which is done or was not begun",
        args=(
            _COMMAND,
            Arg(
                name="how",
                default="reset",
                what="what dies and how",
                choices=("reset", "silent", "half-open", "killed", "channel"),
            ),
            Arg(name="effect", default=True, what="whether the command ran to its end"),
            Arg(name="seconds", default=30.0, what="how long silence lasts before the guest gives up too"),
        ),
        face=Face.SSH,
    ),
    Spec(
        name="ssh-refused",
        rows=("F18",),
        what="port 22 refuses connections, until cleared",
        face=Face.SSH,
        kind=Kind.STATE,
        begin=_relisten,
    ),
    Spec(
        name="ssh-silent",
        rows=("T17",),
        what="port 22 takes connections and never says a word, until cleared",
        face=Face.SSH,
        kind=Kind.STATE,
        begin=_relisten,
    ),
    Spec(
        name="host-key-changed",
        rows=("T10", "R10"),
        what="the host answers with another host key than it has, as an impostor would, until cleared",
        face=Face.SSH,
        kind=Kind.STATE,
        begin=_relisten,
        needs_host=True,
    ),
    Spec(
        name="hostile-output",
        rows=("T3", "R8"),
        what="the next command prints control sequences, markup and reordering characters first",
        args=(_COMMAND, Arg(name="text", default="", what="what it prints instead of those")),
        face=Face.GUEST,
    ),
    Spec(
        name="output-flood",
        rows=("T17",),
        what="the next command prints `mib` MiB first",
        args=(_COMMAND, Arg(name="mib", default=200.0, what="how much")),
        face=Face.GUEST,
    ),
    Spec(
        name="output-long-line",
        rows=("T17",),
        what="the next command prints one line of `mib` MiB first",
        args=(_COMMAND, Arg(name="mib", default=50.0, what="how much")),
        face=Face.GUEST,
    ),
    Spec(
        name="command-hangs",
        rows=("T17",),
        what="the next command says nothing and never ends",
        args=(_COMMAND,),
        face=Face.GUEST,
    ),
    Spec(
        name="disk-full",
        rows=("R6",),
        what="programs that write find no space left on the guest's disk, until cleared",
        face=Face.GUEST,
        kind=Kind.STATE,
    ),
)

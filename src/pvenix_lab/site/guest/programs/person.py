"""What a person types first after logging in: files, disks, memory, load; texts of coreutils, procps, util-linux."""

from __future__ import annotations

import base64
import hashlib
import time

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options, reason
from pvenix_lab.site.guest.hardware import disk_bytes
from pvenix_lab.site.guest.keys import new_key

_KIB, _GIB = 1 << 10, 1 << 30
_USED = 3 * _GIB
_BOOT = 511 << 20
_BOOT_USED = 96 << 20


async def pwd(call: Call) -> int:
    """The directory that the command runs in."""
    call.out(f"{call.cwd}\n")
    return 0


async def which(call: Call) -> int:
    """`which PROGRAM…`: 1 when one is not there."""
    status = 0
    for name in call.args:
        if call.guest.shell.has(call.with_argv((name,))):
            call.out(f"/run/current-system/sw/bin/{name}\n")
        else:
            call.err(f"which: no {name} in (/run/wrappers/bin:/run/current-system/sw/bin)")
            status = 1
    return status


async def head(call: Call) -> int:
    """`head [-n N | -c N] [F]`: the first lines or bytes."""
    options = parse_options(call, values=("-n", "-c", "--lines", "--bytes"))
    count = options.value("-n") or options.value("--lines") or "10"
    size = options.value("-c") or options.value("--bytes")
    if not (size or count).isdigit():
        raise ProgramError(f"head: invalid number of lines: '{count}'")
    for path in options.rest or ("-",):
        data = await _content(call, path)
        call.stdout.write(data[: int(size)] if size else b"".join(data.splitlines(keepends=True)[: int(count)]))
    return 0


async def wc(call: Call) -> int:
    """`wc [-l] [-c] [F]`: lines, words, bytes."""
    options = parse_options(call, flags=("-l", "-c", "-w"))
    for path in options.rest or ("-",):
        data = await _content(call, path)
        numbers = {"-l": data.count(b"\n"), "-w": len(data.split()), "-c": len(data)}
        chosen = [str(number) for flag, number in numbers.items() if not options.flags or flag in options.flags]
        call.out(" ".join(chosen) + (f" {path}" if path != "-" else "") + "\n")
    return 0


async def _content(call: Call, path: str) -> bytes:
    if path == "-":
        return await call.stdin.read()
    try:
        call.tree.check_read(call.full(path), call.uid)
        return call.tree.read(call.full(path))
    except OSError as exc:
        what = path if call.name == "wc" else f"cannot open '{path}' for reading"
        raise ProgramError(f"{call.name}: {what}: {reason(exc)}") from exc


async def df(call: Call) -> int:
    """`df [-h | -k | -B1] [--output=avail|size|used] [P]`: the root disk by the VM's configuration, and the ESP."""
    options = parse_options(call, flags=("-B1", "-P", "-k", "-h", "-T"), values=("--output", "--block-size"))
    for path in options.rest:
        if not call.tree.exists(call.full(path)):
            raise ProgramError(f"df: {path}: No such file or directory")
    root = disk_bytes(call.guest.vm)
    if column := options.value("--output"):
        on_esp = any(call.tree.resolve(call.full(path)).startswith("/boot") for path in options.rest)
        total, used = (_BOOT, _BOOT_USED) if on_esp else (root, _USED)
        little = call.guest.site.faults.peek("little-space", call.guest.name)
        if little is not None and (little.text("where") == "/boot") == on_esp:
            used = total - int(little.number("mib") * (1 << 20))
        numbers = {"avail": total - used, "size": total, "used": used}
        return _columns(call, column.split(","), numbers, _KIB if options.has("-k") else 1)
    rows = [("/dev/sda2", root, _USED, "/"), ("/dev/sda1", _BOOT, _BOOT_USED, "/boot")]
    if options.rest:
        rows = [row for row in rows if call.tree.resolve(call.full(options.rest[0])).startswith(row[3])][-1:]
    size = "Size" if options.has("-h") else "1B-blocks" if options.has("-B1") else "1K-blocks"
    call.out(
        f"{'Filesystem':<14} {size:>12} {'Used':>12} {'Available' if size != 'Size' else 'Avail':>12} Use% Mounted on\n"
    )
    for name, total, used, where in rows:
        cells = [
            _shown(number, human=options.has("-h"), exact=options.has("-B1")) for number in (total, used, total - used)
        ]
        call.out(f"{name:<14} {cells[0]:>12} {cells[1]:>12} {cells[2]:>12} {used * 100 // total:>3}% {where}\n")
    return 0


def _shown(number: int, *, human: bool, exact: bool) -> str:
    if not human:
        return str(number if exact else number // _KIB)
    for unit, size in (("G", _GIB), ("M", 1 << 20)):
        if number >= size:
            return f"{number / size:.0f}{unit}" if number >= 10 * size else f"{number / size:.1f}{unit}"
    return f"{number // _KIB}K"


def _columns(call: Call, names: list[str], numbers: dict[str, int], unit: int) -> int:
    headings = {"avail": "Avail", "size": "1B-blocks" if unit == 1 else "1K-blocks", "used": "Used"}
    for name in names:
        if name not in numbers:
            hint = "Try 'df --help' for more information."
            raise ProgramError(f"df: option --output: field '{name}' unknown\n{hint}")
    cells = [(headings[name], str(numbers[name] // unit)) for name in names]
    widths = [max(len(heading), len(number)) for heading, number in cells]
    for row in zip(*cells, strict=True):
        call.out(" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + "\n")
    return 0


async def uptime(call: Call) -> int:
    """`uptime [-s|-p]`: since when the guest runs (procps; the guest's zone is UTC)."""
    options = parse_options(call, flags=("-s", "--since", "-p", "--pretty"))
    guest = call.guest
    if options.has("-s", "--since"):
        call.out(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(guest.booted_at)) + "\n")
        return 0
    minutes = max(int(guest.now() - guest.booted_at), 0) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if options.has("-p", "--pretty"):
        parts = [
            f"{number} {word}{'' if number == 1 else 's'}"
            for number, word in ((days, "day"), (hours, "hour"), (minutes % 60, "minute"))
            if number
        ]
        call.out(f"up {', '.join(parts) or '0 minutes'}\n")
        return 0
    up = (f"{days} day{'' if days == 1 else 's'}, " if days else "") + (
        f"{hours:2}:{minutes % 60:02}" if hours else f"{minutes % 60} min"
    )
    clock = time.strftime("%H:%M:%S", time.gmtime(guest.now()))
    call.out(f" {clock} up {up},  1 user,  load average: 0.00, 0.00, 0.00\n")
    return 0


async def free(call: Call) -> int:
    """`free [-h|-m|-b]`: the VM's memory."""
    options = parse_options(call, flags=("-h", "-m", "-b", "-g"))
    total = int(str(call.guest.vm.config.get("memory", 512)).partition(",")[0].removeprefix("current=")) << 20
    used, cached = total // 8, total // 16
    unit = 1 if options.has("-b") else 1 << 20 if options.has("-m") else _GIB if options.has("-g") else _KIB

    def row(label: str, *numbers: int) -> str:
        human = options.has("-h")
        cells = (
            _shown(n, human=True, exact=False) + "i" if human and n else "0B" if human else str(n // unit)
            for n in numbers
        )
        return f"{label:<8}" + "".join(f"{cell:>12}" for cell in cells) + "\n"

    heads = ("total", "used", "free", "shared", "buff/cache", "available")
    call.out(" " * 8 + "".join(f"{head:>12}" for head in heads) + "\n")
    call.out(row("Mem:", total, used, total - used - cached, 1 << 20, cached, total - used))
    call.out(row("Swap:", 0, 0, 0))
    return 0


async def nproc(call: Call) -> int:
    """The VM's processors."""
    config = call.guest.vm.config
    call.out(f"{int(config.get('cores', 1)) * int(config.get('sockets', 1))}\n")
    return 0


async def lsblk(call: Call) -> int:
    """`lsblk`: the root disk with its two partitions, and the cloud-init drive."""
    parse_options(call, flags=("-f", "-b", "-p"))
    size = _shown(disk_bytes(call.guest.vm), human=True, exact=False)
    call.out("NAME   MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS\n")
    call.out(
        f"sda      8:0    0 {size:>5}  0 disk \n├─sda1   8:1    0  511M  0 part /boot\n└─sda2   8:2    0 {size:>5}  0 part /nix/store\n"
    )
    call.out("                                    /\n")
    if call.guest.vm.cloudinit_drive():
        call.out("sr0     11:0    1    4M  0 rom  \n")
    return 0


async def ssh_keygen(call: Call) -> int:
    """`ssh-keygen -t ed25519 -N '' -f F` makes a key, `ssh-keygen -l -f F` shows the fingerprint of one."""
    options = parse_options(call, flags=("-l", "-q"), values=("-f", "-E", "-t", "-N", "-C"))
    path = options.value("-f")
    if options.value("-t", "ed25519") == "ed25519" and path and not options.has("-l"):
        return _new_key(call, call.full(path), options.value("-C", f"{call.user}@{call.guest.hostname}"))
    if not options.has("-l") or not path:
        raise ProgramError(
            "ssh-keygen: the lab's makes ed25519 keys without a passphrase (-t -N '' -f) and shows fingerprints (-l -f)",
            1,
        )
    lines = (
        call.tree.read_text(call.full(path)).splitlines() or call.tree.read_text(call.full(f"{path}.pub")).splitlines()
    )
    words = lines[0].split() if lines else []
    if len(words) < 2 or words[0].startswith("-"):
        words = call.tree.read_text(call.full(f"{path}.pub")).split()
    if len(words) < 2:
        raise ProgramError(f"ssh-keygen: {path}: No such file or directory", 255)
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(words[1])).digest()).decode().rstrip("=")
    call.out(f"256 SHA256:{digest} {' '.join(words[2:]) or 'no comment'} (ED25519)\n")
    return 0


def _new_key(call: Call, path: str, comment: str) -> int:
    if call.tree.exists(path):
        call.out(f"{path} already exists.\n")
        return 1
    try:
        call.tree.check_write(path, call.uid)
    except OSError as exc:
        raise ProgramError(f'Saving key "{path}" failed: {reason(exc)}') from exc
    call.mutates()
    pair = new_key(comment)
    call.tree.put(path, pair.private, mode=0o600)
    call.tree.put(f"{path}.pub", pair.public, mode=0o644)
    return 0


async def sync(call: Call) -> int:
    """Nothing is left to write."""
    del call
    return 0

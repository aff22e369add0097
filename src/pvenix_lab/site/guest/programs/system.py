"""Facts about the running guest: the small programs of coreutils, procps and util-linux."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import UIDS, Call, ProgramError, parse_options

if TYPE_CHECKING:
    from pvenix_lab.site.guest.store import System


def running_system(call: Call) -> System:
    """What the running configuration declares."""
    return call.guest.current


async def hostname(call: Call) -> int:
    """The kernel's host name; setting it is refused as on NixOS (it belongs to the configuration)."""
    options = parse_options(call, flags=("-s", "-f"))
    if options.rest:
        raise ProgramError("hostname: you don't have permission to set the host name")
    call.out(call.guest.hostname + "\n")
    return 0


async def date(call: Call) -> int:
    """`date [-u] [+%s]`: seconds since the epoch, or GNU date's default form in UTC."""
    options = parse_options(call, flags=("-u",))
    form = options.rest[0] if options.rest else "+%a %b %e %H:%M:%S UTC %Y"
    if not form.startswith("+"):
        raise ProgramError(f"date: invalid date '{form}'")
    now = call.guest.site.wall()
    call.out(time.strftime(form[1:].replace("%s", str(int(now))), time.gmtime(now)) + "\n")
    return 0


async def identity(call: Call) -> int:
    """`id -u` or `id -un`."""
    options = parse_options(call, flags=("-u", "-n"))
    if not options.has("-u"):
        gid = 0 if call.uid == 0 else 100
        call.out(f"uid={call.uid}({call.user}) gid={gid}({'root' if gid == 0 else 'users'})\n")
        return 0
    call.out(f"{call.user if options.has('-n') else call.uid}\n")
    return 0


async def whoami(call: Call) -> int:
    """The user's name."""
    call.out(next(name for name, uid in UIDS.items() if uid == call.uid) + "\n")
    return 0


async def uname(call: Call) -> int:
    """`uname -r|-n|-s|-m`; the release is that of the booted kernel, not of the current system."""
    options = parse_options(call, flags=("-r", "-n", "-s", "-m"))
    values = {
        "-s": "Linux",
        "-n": call.guest.hostname,
        "-r": call.guest.booted.kernel,
        "-m": "x86_64",
    }
    chosen = [value for flag, value in values.items() if flag in options.flags] or ["Linux"]
    call.out(" ".join(chosen) + "\n")
    return 0


async def detect_virt(call: Call) -> int:
    """`systemd-detect-virt`: kvm in a Proxmox VM, unless KVM is switched off there."""
    parse_options(call, flags=("-v", "--vm"))
    call.out(("qemu" if str(call.guest.vm.config.get("kvm", 1)) == "0" else "kvm") + "\n")
    return 0

"""Facts about the running guest: the small programs of coreutils, procps and util-linux."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import UIDS, Call, ProgramError, parse_options

if TYPE_CHECKING:
    from pvenix_lab.site.guest.store import System


_GROUPS = {"root": {"root": 0}, "tappaas": {"users": 100, "wheel": 1}, "git": {"git": 998}}
"""Each user's own group first (nixpkgs: users-groups.nix; wheel is what lets the administrator use sudo)."""


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
    wrong = call.guest.site.faults.peek("clock-wrong", call.guest.name)
    now = call.guest.site.wall() + (wrong.number("seconds") if wrong else 0.0)
    call.out(time.strftime(form[1:].replace("%s", str(int(now))), time.gmtime(now)) + "\n")
    return 0


async def systemd_inhibit(call: Call) -> int:
    """`systemd-inhibit --list [--no-legend] [--no-pager]`: nobody keeps the guest from going down."""
    options = parse_options(call, flags=("--list", "--no-legend", "--no-pager"))
    if not options.has("--list") or options.rest:
        raise ProgramError("systemd-inhibit: the lab's lists")
    if not options.has("--no-legend"):
        call.out("No inhibitors.\n")
    return 0


async def identity(call: Call) -> int:
    """`id [-u | -g | -G] [-n] [USER]`."""
    options = parse_options(call, flags=("-u", "-g", "-G", "-n"))
    user = options.rest[0] if options.rest else next(name for name, uid in UIDS.items() if uid == call.uid)
    if user not in UIDS:
        raise ProgramError(f"id: '{user}': no such user")
    groups = _GROUPS[user]
    if options.has("-u"):
        call.out(f"{user if options.has('-n') else UIDS[user]}\n")
    elif options.has("-g", "-G"):
        chosen = list(groups.items())[: None if options.has("-G") else 1]
        call.out(" ".join(name if options.has("-n") else str(gid) for name, gid in chosen) + "\n")
    else:
        shown = [f"{gid}({name})" for name, gid in groups.items()]
        call.out(f"uid={UIDS[user]}({user}) gid={shown[0]} groups={','.join(shown)}\n")
    return 0


async def whoami(call: Call) -> int:
    """The user's name."""
    if call.args:
        raise ProgramError(f"whoami: extra operand '{call.args[0]}'\nTry 'whoami --help' for more information.")
    call.out(next(name for name, uid in UIDS.items() if uid == call.uid) + "\n")
    return 0


async def uname(call: Call) -> int:
    """`uname -r|-n|-s|-m|-a`; the release is that of the booted kernel, not of the current system."""
    options = parse_options(call, flags=("-r", "-n", "-s", "-m", "-a"))
    values = {
        "-s": "Linux",
        "-n": call.guest.hostname,
        "-r": call.guest.booted.kernel,
        "-m": "x86_64",
    }
    if options.has("-a"):
        version = "#1-NixOS SMP PREEMPT_DYNAMIC"
        call.out(" ".join((*list(values.values())[:3], version, "x86_64", "GNU/Linux")) + "\n")
        return 0
    chosen = [value for flag, value in values.items() if flag in options.flags] or ["Linux"]
    call.out(" ".join(chosen) + "\n")
    return 0


async def detect_virt(call: Call) -> int:
    """`systemd-detect-virt`: kvm in a Proxmox VM, unless KVM is switched off there."""
    parse_options(call, flags=("-v", "--vm"))
    call.out(("qemu" if str(call.guest.vm.config.get("kvm", 1)) == "0" else "kvm") + "\n")
    return 0

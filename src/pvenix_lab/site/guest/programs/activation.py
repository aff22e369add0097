"""switch-to-configuration: what it changes, in which order, with which words and exit codes.

Follows nixpkgs' switch-to-configuration-ng (facts/lab.md 3, facts/nixos.md 1.3). Every message goes to standard error.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import Call, ProgramError
from pvenix_lab.site.guest.difference import Difference
from pvenix_lab.site.guest.generations import install_bootloader
from pvenix_lab.site.guest.store import System, read_system

if TYPE_CHECKING:
    from pvenix_lab.site.guest.guest import Guest

VERBS = ("check", "switch", "boot", "test", "dry-activate")
UNITS_FAILED = 4
_ACTIVATION_S = 0.6
_STEPS = 4
_BASE = frozenset({"cloud-init.service", "qemu-guest-agent.service", "sshd.service"})


async def switch_to_configuration(call: Call) -> int:
    """`<system>/bin/switch-to-configuration check|switch|boot|test|dry-activate`.

    Exit status 0 done, 1 refused before anything changed, 4 switched but units failed.
    """
    system = call.path.removesuffix("/bin/switch-to-configuration")
    new = read_system(call.tree, system)
    verb = call.args[0] if len(call.args) == 1 else ""
    if verb not in VERBS or new is None:
        raise ProgramError(f"Usage: {call.argv[0]} [{'|'.join(VERBS)}]")
    if call.uid != 0:
        raise ProgramError("switch-to-configuration: must be run as root")
    if verb == "check":
        return 0
    if verb == "dry-activate":
        _say_what_would_be(call, Difference.between(call.guest.current, new))
        return 0
    call.mutates()
    if call.guest.activation_lock.locked():
        raise ProgramError("Could not acquire lock")
    async with call.guest.activation_lock:
        if verb in ("switch", "boot"):
            install_bootloader(call.tree, system)
        if verb == "boot":
            return 0
        return await _activate(call, system, new)


def _say_what_would_be(call: Call, change: Difference) -> None:
    stopped = (*change.removed, *change.changed)
    if stopped:
        call.err(f"would stop the following units: {', '.join(sorted(stopped))}")
    call.err("would activate the configuration...")
    if change.changed:
        call.err(f"would start the following units: {', '.join(change.changed)}")
    if change.added:
        call.err(f"would start the following new units: {', '.join(change.added)}")


async def _activate(call: Call, system: str, new: System) -> int:
    guest = call.guest
    step = await _step_time(guest)
    change = Difference.between(guest.current, new)
    is_new = guest.current_path != system
    stopped = sorted((*change.removed, *change.changed))
    if stopped:
        call.err(f"stopping the following units: {', '.join(stopped)}")
        guest.units.unload(stopped)
    await guest.site.sleep(step)
    call.err("activating the configuration...")
    await _cut_if_asked(call)
    await guest.site.sleep(step)
    call.err("setting up /etc...")
    if is_new and guest.site.faults.take("port-closed-by-new-system", guest.name):
        guest.port_closed_by.add(system)
    guest.become(system)
    await guest.site.sleep(step)
    if guest.site.faults.take("activation-hangs", guest.name):
        call.err("restarting sysinit-reactivation.target")
        await asyncio.Event().wait()
    return await _start_units(call, new, change, step)


async def _step_time(guest: Guest) -> float:
    slow = guest.site.faults.take("activation-slow", guest.name)
    if slow is not None:
        # the argument is in real seconds: a test that arms it compares with its own clock
        await asyncio.sleep(slow.number("seconds", 5.0))
    return _ACTIVATION_S / _STEPS


async def _cut_if_asked(call: Call) -> None:
    if call.guest.site.faults.take("ssh-cut-during-activation", call.guest.name):
        call.guest.cut_connections()
        await asyncio.sleep(0)


async def _start_units(call: Call, new: System, change: Difference, step: float) -> int:
    guest = call.guest
    again = tuple(unit.name for unit in guest.units.failed() if unit.name in new.units)
    fault = guest.site.faults.take("unit-fails", guest.name)
    victim = ""
    if fault is not None:
        victim = fault.text("unit", next(iter((*change.added, *change.changed, *_others(new))), "sshd.service"))
    if change.changed:
        call.err(f"starting the following units: {', '.join(change.changed)}")
    await guest.site.sleep(step)
    started = (*change.changed, *change.added, *again)
    known = {name: settings for name, settings in new.units.items() if name in started or name not in guest.units.units}
    guest.units.load(known)
    added = [name for name in change.added if name != victim]
    if added:
        call.err(f"the following new units were started: {', '.join(added)}")
    if not victim:
        return 0
    guest.units.fail(victim)
    call.err(f"warning: the following units failed: {victim}")
    call.err(
        f"× {victim} - {victim.partition('.')[0]}\n"  # noqa: RUF001 - systemctl's own sign of a failed unit
        f"     Loaded: loaded (/etc/systemd/system/{victim}; enabled; preset: ignored)\n"
        f"     Active: failed (Result: exit-code)"
    )
    return UNITS_FAILED


def _others(system: System) -> list[str]:
    """Running units that are not part of every guest, first by name."""
    return [name for name, text in sorted(system.units.items()) if text.startswith("running ") and name not in _BASE]

"""switch-to-configuration: what it changes, in which order, with which words and exit codes.

Follows nixpkgs' switch-to-configuration-ng (src/main.rs). Every message goes to standard error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import Call, ProgramError
from pvenix_lab.site.guest.difference import Difference
from pvenix_lab.site.guest.generations import install_bootloader
from pvenix_lab.site.guest.network import renumbered
from pvenix_lab.site.guest.store import System, read_system

if TYPE_CHECKING:
    from pvenix_lab.site.guest.guest import Guest

VERBS = ("check", "switch", "boot", "test", "dry-activate")
SCRIPT_FAILED, RELOAD_FAILED, UNITS_FAILED, NEEDS_REBOOT = 2, 3, 4, 100
LISTS = "/run/nixos"
_OTHER_INIT = (
    "Warning: the new NixOS configuration has an 'init' that is\nincompatible with the current configuration.  The new "
    "configuration\nwill not take effect until you reboot the system.\n"
)
_ACTIVATION_S = 0.6
_STEPS = 4
_KILLED = -9
_GIVES_UP_S = 30.0
_BASE = frozenset({"cloud-init.service", "qemu-guest-agent.service", "sshd.service"})


async def switch_to_configuration(call: Call) -> int:
    """`<system>/bin/switch-to-configuration check|switch|boot|test|dry-activate`.

    Exit status 0 done, 1 refused before anything changed, 2 the activation script failed, 3 systemd did not reload, 4 switched
    but units failed, 100 not switched: only a reboot can.
    """
    system = call.path.removesuffix("/bin/switch-to-configuration")
    new = read_system(call.tree, system)
    verb = call.args[0] if len(call.args) == 1 else ""
    if verb not in VERBS or new is None:
        raise ProgramError(f"Usage: {call.argv[0]} [{'|'.join(VERBS)}]")
    if call.uid != 0:
        raise ProgramError("switch-to-configuration: must be run as root")
    if verb != "dry-activate" and not call.env.get("NIXOS_NO_CHECK"):
        _check(call, verb)
    if verb == "check":
        return 0
    if verb == "dry-activate":
        _say_what_would_be(call, Difference.between(call.guest.current, new))
        return 0
    call.mutates()
    faults = call.guest.site.faults
    elsewhere = faults.peek("switch-locked", call.guest.name) or faults.take("switch-lock-taken", call.guest.name)
    if elsewhere or call.guest.activation_lock.locked():
        raise ProgramError("Could not acquire lock")
    async with call.guest.activation_lock:
        call.tree.put(f"{LISTS}/switch-to-configuration.lock", "")
        if verb in ("switch", "boot"):
            _install_bootloader(call, system)
        if verb == "boot":
            return 0
        if call.guest.site.faults.take("init-changed", call.guest.name):
            call.err(_OTHER_INIT)
            return NEEDS_REBOOT
        return await _Activation(call, system, new).run()


def _check(call: Call, verb: str) -> None:
    """The pre-switch checks of the new system; inhibitors do not count for `boot`."""
    if verb != "boot" and call.guest.site.faults.take("switch-inhibited", call.guest.name):
        raise ProgramError(
            "There are changes to critical components of the system:\n\ndbus-implementation : dbus -> broker\n\n"
            "Switching into this system is not recommended.\nYou probably want to run 'nixos-rebuild boot' and reboot your "
            "system instead.\n\nIf you really want to switch into this configuration directly, then you can set "
            "NIXOS_NO_CHECK=1 to ignore these pre-switch checks.\n\nWARNING: doing so might cause the switch to fail or your "
            "system to become unstable.\n\nPre-switch check 'switchInhibitors' failed\nPre-switch checks failed"
        )


def _install_bootloader(call: Call, system: str) -> None:
    if call.guest.site.faults.take("bootloader-fails", call.guest.name):
        raise ProgramError("Failed to install bootloader")
    if call.guest.current_path != system and call.guest.site.faults.take("new-system-does-not-boot", call.guest.name):
        call.guest.unbootable.add(system)
    install_bootloader(call.tree, system)


def _say_what_would_be(call: Call, change: Difference) -> None:
    stopped = (*change.removed, *change.changed)
    if stopped:
        call.err(f"would stop the following units: {', '.join(sorted(stopped))}")
    if change.kept:
        call.err(f"would NOT stop the following changed units: {', '.join(change.kept)}")
    call.err("would activate the configuration...")
    _say(call, "would reload the following units", change.reloaded)
    _say(call, "would restart the following units", change.restarted)
    _say(call, "would start the following units", change.changed)
    _say(call, "would start the following new units", change.added)


def _say(call: Call, what: str, names: Iterable[str]) -> None:
    listed = ", ".join(names)
    if listed:
        call.err(f"{what}: {listed}")


class _Activation:
    """One `switch` or `test`: stop, activation script, /etc, reload, restart, start.

    What has still to be done stands in /run/nixos, so that a run after an interruption goes on (until the next boot).
    """

    def __init__(self, call: Call, system: str, new: System) -> None:
        self._call = call
        self._guest = call.guest
        self._system = system
        self._new = new
        change = Difference.between(call.guest.current, new)
        self._change = change
        gone = {
            name for name, unit in call.guest.units.units.items() if unit.at_work and name in call.guest.current.units
        }
        self._stop = sorted({*change.removed, *change.changed, *(gone - new.units.keys())})
        self._start = self._with_left("start", change.changed)
        self._restart = self._with_left("restart", change.restarted)
        self._reload = self._with_left("reload", change.reloaded)
        self._status = 0

    def _with_left(self, name: str, names: tuple[str, ...]) -> list[str]:
        """The units for this list, and those that an interrupted activation left there; written down before anything stops."""
        path = f"{LISTS}/{name}-list"
        listed = sorted({*names, *self._call.tree.read_text(path).split()} & self._new.units.keys())
        if listed:
            self._call.tree.put(path, "".join(f"{unit}\n" for unit in listed))
        return listed

    async def run(self) -> int:
        """The exit status: 0, 2 the activation script failed, 3 systemd did not reload, 4 some unit failed."""
        call, guest, faults = self._call, self._guest, self._guest.site.faults
        step = await _step_time(guest)
        is_new = guest.current_path != self._system
        if self._stop:
            call.err(f"stopping the following units: {', '.join(self._stop)}")
            guest.units.unload(self._stop)
        _say(call, "NOT restarting the following changed units", self._change.kept)
        await guest.site.sleep(step)
        call.err("activating the configuration...")
        await _cut_if_asked(call)
        await guest.site.sleep(step)
        call.err("setting up /etc...")
        if is_new and faults.take("port-closed-by-new-system", guest.name):
            guest.port_closed_by.add(self._system)
        moves = faults.take("network-changed-by-new-system", guest.name) if is_new else None
        if moves is not None:
            guest.renumbered[self._system] = renumbered(guest.interfaces, moves.text("how"))
        guest.become(self._system)
        if moves is not None:
            guest.spawn(_fall_silent(guest), "network")
        if faults.take("activation-script-fails", guest.name):
            call.err("Activation script snippet 'users' failed (1)")
            self._status = SCRIPT_FAILED
        await guest.site.sleep(step)
        call.err("restarting sysinit-reactivation.target")
        if faults.take("activation-killed", guest.name):
            return _KILLED
        if faults.take("activation-hangs", guest.name):
            await asyncio.Event().wait()
        if faults.take("daemon-reload-fails", guest.name):
            call.err("Failed to reload daemon: Connection timed out")
            self._status = RELOAD_FAILED
        else:
            guest.units.reload(self._new.units)
        await self._start_units(step)
        for name in ("start", "restart", "reload"):
            call.tree.remove(f"{LISTS}/{name}-list")
        return self._status

    async def _start_units(self, step: float) -> None:
        call, guest = self._call, self._guest
        again = [unit.name for unit in guest.units.failed() if unit.name in self._new.units]
        victim = self._victim()
        _say(call, "reloading the following units", self._reload)
        _say(call, "restarting the following units", self._restart)
        guest.units.unload(self._restart)
        _say(call, "starting the following units", self._start)
        await guest.site.sleep(step)
        started = {*self._start, *self._restart, *self._change.added, *again}
        here = guest.units.units
        guest.units.load(
            {name: text for name, text in self._new.units.items() if name in started or name not in here},
            self._new.jobs,
        )
        _say(call, "the following new units were started", [name for name in self._change.added if name != victim])
        if victim:
            self._fail(victim)

    def _victim(self) -> str:
        fault = self._guest.site.faults.take("unit-fails", self._guest.name)
        if fault is None:
            return ""
        return fault.text(
            "unit", next(iter((*self._change.added, *self._change.changed, *_others(self._new))), "nscd.service")
        )

    def _fail(self, victim: str) -> None:
        self._guest.units.fail(victim)
        self._call.err(f"warning: the following units failed: {victim}")
        self._call.err(
            f"× {victim} - {victim.partition('.')[0]}\n"  # noqa: RUF001 - systemctl's own sign of a failed unit
            f"     Loaded: loaded (/etc/systemd/system/{victim}; enabled; preset: ignored)\n"
            f"     Active: failed (Result: exit-code)"
        )
        self._status = UNITS_FAILED


async def _fall_silent(guest: Guest) -> None:
    """Let no packet of the connections there are come through any more; after a while the guest gives them up.

    Those that were made since, at the old addresses, are none of them.
    """
    guest.fabric.notify(guest, "silent")
    await asyncio.sleep(_GIVES_UP_S)
    if guest.current_path in guest.renumbered:
        guest.cut_connections()


async def _step_time(guest: Guest) -> float:
    slow = guest.site.faults.take("activation-slow", guest.name)
    if slow is not None:
        await guest.site.faults.last(slow, slow.number("seconds", 5.0))
    return _ACTIVATION_S / _STEPS


async def _cut_if_asked(call: Call) -> None:
    if call.guest.site.faults.take("ssh-cut-during-activation", call.guest.name):
        call.guest.cut_connections()
        await asyncio.sleep(0)


def _others(system: System) -> list[str]:
    """Running units that are not part of every guest, first by name."""
    return [name for name, text in sorted(system.units.items()) if text.startswith("running ") and name not in _BASE]

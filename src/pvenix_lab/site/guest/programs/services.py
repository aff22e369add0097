"""systemctl and the commands that end in a reboot; texts and exit codes of systemd 252-258."""

from __future__ import annotations

import time
from collections.abc import Callable

from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.programs.journalprog import short
from pvenix_lab.site.guest.unit import Unit, UnitError, full_name

_FLAGS = (
    "--plain", "--no-legend", "--failed", "--no-pager", "--no-block", "--quiet", "-q", "--no-ask-password", "--value", "--all",
    "-a", "--full", "-l", "--now", "--force", "-f", "--no-wall",
)  # fmt: skip
_VALUES = ("-p", "--property", "-P", "--state", "--type", "-t", "-n", "--lines", "-o", "--output")
_NOT_LOADED = 5
_NOT_ACTIVE = 3
_NO_SUCH_UNIT = 4
_LINES = 10
_NEED_NAMES = ("cat", "is-active", "is-enabled", "is-failed")
_CHANGING = ("stop", "start", "restart", "try-restart", "reload", "reload-or-restart", "reset-failed", "kill")
_OFF = {"reboot": "Reboot", "poweroff": "PowerOff", "halt": "Halt", "kexec": "KExec", "soft-reboot": "SoftReboot"}
_READ_ONLY = "Failed to {verb} unit: Read-only file system"


async def systemctl(call: Call) -> int:
    """`systemctl VERB …` for the verbs of the table below."""
    options = parse_options(call, flags=_FLAGS, values=_VALUES)
    verb, *names = options.rest or ("list-units",)
    handler = _VERBS.get(verb)
    if verb in _NEED_NAMES and not names:
        raise ProgramError("Too few arguments.")
    if handler is not None:
        return handler(call, options, [full_name(name) for name in names])
    if verb in _CHANGING:
        return await _change(call, verb, [full_name(name) for name in names], options)
    if verb in ("daemon-reload", "daemon-reexec"):
        _check_root(call, "reload daemon" if verb == "daemon-reload" else "reexecute daemon")
        call.mutates()
        return 0
    if verb in ("reboot", "poweroff"):
        return await (reboot if verb == "reboot" else poweroff)(call)
    if verb in ("enable", "disable", "mask", "unmask", "edit"):
        _check_root(call, f"{verb} unit")
        absent = [name for name in map(full_name, names) if name not in call.guest.units.units]
        if absent and verb in ("enable", "disable"):
            raise ProgramError(f"Failed to {verb} unit: Unit file {absent[0]} does not exist.")
        raise ProgramError(_READ_ONLY.format(verb=verb))
    raise ProgramError(f"Unknown command verb '{verb}'.")


def _check_root(call: Call, what: str) -> None:
    if call.uid != 0:
        raise ProgramError(f"Failed to {what}: Interactive authentication required.")


def _show(call: Call, options: Options, names: list[str]) -> int:
    given = options.values.get("-p", []) + options.values.get("--property", []) + options.values.get("-P", [])
    asked = [p for value in given for p in value.split(",")]
    bare = options.has("--value") or "-P" in options.values
    blocks = []
    for name in names:
        shown = call.guest.units.show(name)
        lines = [v if bare else f"{k}={v}" for k, v in shown.items() if not asked or k in asked]
        blocks.append("".join(f"{line}\n" for line in lines))
    call.out("\n".join(blocks))
    return 0


def _is_active(call: Call, options: Options, names: list[str]) -> int:
    states = [call.guest.units.show(name) for name in names]
    if not options.has("-q", "--quiet"):
        call.out("".join(f"{state['ActiveState']}\n" for state in states))
    if any(state["ActiveState"] == "active" for state in states):
        return 0
    return _NO_SUCH_UNIT if all(state["LoadState"] == "not-found" for state in states) else _NOT_ACTIVE


def _is_failed(call: Call, options: Options, names: list[str]) -> int:
    states = [call.guest.units.show(name)["ActiveState"] for name in names]
    if not options.has("-q", "--quiet"):
        call.out("".join(f"{state}\n" for state in states))
    return 0 if "failed" in states else 1


def _is_enabled(call: Call, options: Options, names: list[str]) -> int:
    states = [call.guest.units.show(name) for name in names]
    known = [state["UnitFileState"] or "not-found" for state in states]
    if not options.has("-q", "--quiet"):
        call.out("".join(f"{state}\n" for state in known))
    return 0 if "enabled" in known else _NO_SUCH_UNIT if set(known) == {"not-found"} else 1


def _is_system_running(call: Call, options: Options, names: list[str]) -> int:
    del options, names
    if not call.guest.cloud_init_done.is_set():
        call.out("starting\n")
        return 1
    failed = bool(call.guest.units.failed())
    call.out("degraded\n" if failed else "running\n")
    return int(failed)


def _list_units(call: Call, options: Options, names: list[str]) -> int:
    wanted = {"failed"} if options.has("--failed") else set(options.value("--state").split(",")) - {""}
    kinds = tuple(f".{kind}" for kind in (options.value("--type") or options.value("-t")).split(",") if kind)
    units = [
        unit
        for name, unit in sorted(call.guest.units.units.items())
        if (not wanted or wanted & {unit.active, unit.sub})
        and (unit.active != "inactive" or options.has("--all", "-a"))
        and (not kinds or name.endswith(kinds))
        and (not names or name in names)
    ]
    rows = [(unit.name, "loaded", unit.active, unit.sub, unit.description) for unit in units]
    legend = not options.has("--no-legend")
    heads = [("UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION")] if legend else []
    widths = [max((len(row[column]) for row in (*heads, *rows)), default=0) for column in range(4)]
    for row in (*heads, *rows):
        sign = "" if options.has("--plain") else "● " if "failed" in row[2:4] else "  "
        call.out(
            sign + " ".join((*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4])) + "\n"
        )
    if legend:
        call.out((_LEGEND if rows else "\n") + f"{len(rows)} loaded units listed.\n")
    return 0


_LEGEND = """
Legend: LOAD   → Reflects whether the unit definition was properly loaded.
        ACTIVE → The high-level unit activation state, i.e. generalization of SUB.
        SUB    → The low-level unit activation state, values depend on unit type.

"""


def _status(call: Call, options: Options, names: list[str]) -> int:
    found = [call.guest.units.units.get(name) for name in names]
    count = int(options.value("-n") or options.value("--lines") or _LINES)
    for name, unit in zip(names, found, strict=True):
        if unit is None:
            call.err(f"Unit {name} could not be found.")
        else:
            _print_status(call, unit, count)
    if None in found:
        return _NO_SUCH_UNIT
    return 0 if all(unit is not None and unit.active in ("active", "activating") for unit in found) else _NOT_ACTIVE


def _print_status(call: Call, unit: Unit, count: int) -> None:
    sign = {"failed": "×", "active": "●"}.get(unit.active, "○")  # noqa: RUF001 - systemctl's own signs
    shown = call.guest.units.show(unit.name)
    why = f"Result: {unit.result}" if unit.failed else unit.sub
    since = time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(unit.since))
    ago = max(int(call.guest.now() - unit.since), 0)
    call.out(f"{sign} {unit.name} - {unit.description}\n")
    if unit.transient:
        call.out(f"     Loaded: loaded ({shown['FragmentPath']}; transient)\n  Transient: yes\n")
    else:
        call.out(f"     Loaded: loaded ({shown['FragmentPath']}; {shown['UnitFileState']}; preset: ignored)\n")
    call.out(f"     Active: {unit.active} ({why}) since {since}; {ago}s ago\n")
    if unit.main_pid:
        call.out(f"   Main PID: {unit.main_pid} ({unit.name.partition('.')[0]})\n")
    elif unit.main_code:
        how = "exited" if unit.main_code == 1 else "killed"
        call.out(f"    Process: code={how}, status={unit.main_status}\n")
    records = list(call.guest.units.journal.of((unit.name,)))[-count:] if count else []
    if records:
        call.out("\n" + "".join(f"{short(record, call.guest.hostname)}\n" for record in records))


def _list_timers(call: Call, options: Options, names: list[str]) -> int:
    del names
    timers = [unit for name, unit in sorted(call.guest.units.units.items()) if name.endswith(".timer")]
    if not options.has("--no-legend"):
        call.out("NEXT LEFT LAST PASSED UNIT ACTIVATES\n")
    for unit in timers:
        call.out(f"- - - - {unit.name} {unit.name.replace('.timer', '.service')}\n")
    if not options.has("--no-legend"):
        call.out(f"\n{len(timers)} timers listed.\n")
    return 0


def _cat(call: Call, options: Options, names: list[str]) -> int:
    del options
    for name in names:
        path = f"/run/current-system/etc/systemd/system/{name}"
        if not call.tree.exists(path):
            raise ProgramError(f"No files found for {name}.")
        call.out(f"# /etc/systemd/system/{name}\n{call.tree.read_text(path)}")
    return 0


_VERBS: dict[str, Callable[[Call, Options, list[str]], int]] = {
    "show": _show,
    "status": _status,
    "cat": _cat,
    "is-active": _is_active,
    "is-failed": _is_failed,
    "is-enabled": _is_enabled,
    "is-system-running": _is_system_running,
    "list-units": _list_units,
    "list-timers": _list_timers,
}


async def _change(call: Call, verb: str, names: list[str], options: Options) -> int:
    what = _SAID_AS.get(verb, verb)
    if verb == "reset-failed" and not names:
        names = [unit.name for unit in call.guest.units.failed()]
    elif not names:
        raise ProgramError("Too few arguments.")
    if call.uid != 0:
        raise ProgramError(
            "".join(
                f"Failed to {what} {name}: Interactive authentication required.\n"
                f"See system logs and 'systemctl status {name}' for details.\n"
                for name in names
            )[:-1]
        )
    call.mutates()
    status = 0
    for name in names:
        try:
            status = await _apply(call, verb, name, wait=not options.has("--no-block")) or status
        except UnitError as exc:
            call.err(f"Failed to {what} {name}: {exc}")
            status = exc.status or (1 if verb in _SAID_AS else _NOT_LOADED)
    return status


_SAID_AS = {"reset-failed": "reset failed state of unit", "kill": "kill unit"}
"""Verbs that are not a job's: how their refusals name them."""


async def _apply(call: Call, verb: str, name: str, *, wait: bool) -> int:
    units = call.guest.units
    if verb == "reset-failed":
        units.reset_failed(name)
    elif verb in ("stop", "kill"):
        await units.stop(name)
    elif verb == "reload":
        if name not in units.units:
            raise UnitError(f"Unit {name} not found.")
        if not units.is_active(name) or units.units[name].transient:
            raise UnitError(f"Job type reload is not applicable for unit {name}.", _NOT_ACTIVE)
        units.note(name, f"Reloaded {name}.")
    elif verb != "try-restart" or units.is_active(name) or name not in units.units:
        if "restart" in verb and name in units.units:
            await units.stop(name)
        unit = units.start(name, call.guest.current.jobs)
        if wait and unit.at_work and unit.restart_s is None and not name.endswith(".timer"):
            await unit.started.wait()
        if wait and unit.start_failed:
            call.err(
                f"Job for {name} failed because the control process exited with error code.\n"
                f'See "systemctl status {name}" and "journalctl -xeu {name}" for details.'
            )
            return 1
    return 0


async def reboot(call: Call) -> int:
    """Go down and come back; the connection dies on the way."""
    _check_off(call, "reboot")
    call.guest.reboot()
    return 0


async def poweroff(call: Call) -> int:
    """Go down and stay down, as the VM then does."""
    _check_off(call, "poweroff")
    call.guest.shut_down()
    return 0


def _check_off(call: Call, verb: str) -> None:
    if call.uid != 0:
        raise ProgramError(f"Call to {_OFF[verb]} failed: Interactive authentication required.")
    call.mutates()

"""systemd's commands: systemd-run, systemctl, journalctl, reboot; texts and exit codes of systemd 252-258."""

from __future__ import annotations

import shlex
import uuid
from typing import TYPE_CHECKING

from pvenix_lab.site.guest.call import Call, ProgramError, parse_options
from pvenix_lab.site.guest.unit import Command, Type, Unit, UnitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pvenix_lab.site.guest.call import Options

_RUN_FLAGS = (
    "--no-block",
    "--remain-after-exit",
    "-r",
    "--collect",
    "-G",
    "--quiet",
    "-q",
    "--no-ask-password",
    "--wait",
)
_RUN_VALUES = ("--unit", "-u", "--service-type", "--setenv", "-E", "--property", "-p", "--description")
_IGNORED = frozenset({"TimeoutStopSec", "KillMode", "TimeoutStartSec", "KillSignal", "Description", "TimeoutSec"})
_NOT_LOADED = 5
_NOT_ACTIVE = 3
_NO_SUCH_UNIT = 4


def _service(name: str) -> str:
    known = (".service", ".socket", ".timer", ".target", ".mount", ".slice", ".path")
    return name if name.endswith(known) else f"{name}.service"


async def systemd_run(call: Call) -> int:
    """`systemd-run [options] PROGRAM…`: a transient service whose processes do not belong to this channel."""
    options = parse_options(call, flags=_RUN_FLAGS, values=_RUN_VALUES, stop_early=True)
    if not options.rest:
        raise ProgramError("Command line to execute required.")
    unit = _transient(call, options)
    if call.uid != 0:
        raise ProgramError("Failed to start transient service unit: Interactive authentication required.")
    if not call.guest.shell.has(call.with_argv(options.rest)):
        raise ProgramError(f"Failed to find executable {options.rest[0]}: No such file or directory")
    call.mutates()
    try:
        call.guest.units.start_transient(unit)
    except UnitError as exc:
        raise ProgramError(f"Failed to start transient service unit: {exc}") from exc
    if not options.has("--quiet", "-q"):
        call.err(
            f"Running as unit: {unit.name}; invocation ID: {uuid.UUID(int=call.guest.site.rng.getrandbits(128)).hex}"
        )
    if options.has("--wait"):
        await unit.ended.wait()
        return unit.main_status
    if not options.has("--no-block"):
        await unit.started.wait()
        if unit.failed:
            raise ProgramError(_job_failed(unit.name))
    return 0


def _job_failed(name: str) -> str:
    return (
        f"Job for {name} failed because the control process exited with error code.\n"
        f'See "systemctl status {name}" and "journalctl -xeu {name}" for details.'
    )


def _transient(call: Call, options: Options) -> Unit:
    chance = call.guest.site.rng.getrandbits(64)
    name = _service(options.value("--unit") or options.value("-u") or f"run-r{chance:016x}")
    kind = options.value("--service-type", "simple")
    if kind not in tuple(Type):
        raise ProgramError(f"Failed to parse service type: {kind}")
    unit = Unit(
        name=name,
        description=options.value("--description") or shlex.join(options.rest),
        type=Type(kind),
        transient=True,
        main=Command(argv=options.rest),
        remain=options.has("--remain-after-exit", "-r"),
        collect=options.has("--collect", "-G"),
    )
    for assignment in options.values.get("--setenv", []) + options.values.get("-E", []):
        key, _, value = assignment.partition("=")
        unit.env[key] = value
    for assignment in options.values.get("--property", []) + options.values.get("-p", []):
        _set_property(unit, assignment)
    return unit


def _set_property(unit: Unit, assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    if not equals:
        raise ProgramError(f"Not an assignment: {assignment}")
    if key == "ExecStartPre":
        unit.pre += (Command.parse(value),)
    elif key in ("StandardOutput", "StandardError"):
        if value.startswith("append:"):
            unit.log = value.removeprefix("append:")
        elif value not in ("journal", "inherit"):
            raise ProgramError(f"Failed to parse {key}= value: {value}")
    elif key == "ConditionPathExists":
        unit.condition = value
    elif key == "RemainAfterExit":
        unit.remain = value in ("yes", "true", "1", "on")
    elif key == "CollectMode":
        unit.collect = value == "inactive-or-failed"
    elif key == "Environment":
        name, _, text = value.partition("=")
        unit.env[name] = text
    elif key not in _IGNORED:
        raise ProgramError(f"Unknown assignment: {assignment}")


async def systemctl(call: Call) -> int:
    """`systemctl VERB …` for the verbs of the table below."""
    flags = (
        "--plain",
        "--no-legend",
        "--failed",
        "--no-pager",
        "--no-block",
        "--quiet",
        "-q",
        "--no-ask-password",
        "--value",
        "--all",
    )
    options = parse_options(call, flags=flags, values=("-p", "--property", "--state", "--type", "-t"))
    verb, *names = options.rest or ("list-units",)
    handler = _VERBS.get(verb)
    if handler is not None:
        return handler(call, options, [_service(name) for name in names])
    if verb in ("stop", "start", "restart", "reset-failed"):
        return await _change(call, verb, [_service(name) for name in names])
    if verb == "reboot":
        return await reboot(call)
    raise ProgramError(f"Unknown command verb '{verb}'.")


def _show(call: Call, options: Options, names: list[str]) -> int:
    asked = [
        p for value in options.values.get("-p", []) + options.values.get("--property", []) for p in value.split(",")
    ]
    blocks = []
    for name in names:
        shown = call.guest.units.show(name)
        lines = [v if options.has("--value") else f"{k}={v}" for k, v in shown.items() if not asked or k in asked]
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


def _is_system_running(call: Call, options: Options, names: list[str]) -> int:
    del options, names
    if not call.guest.cloud_init_done.is_set():
        call.out("starting\n")
        return 1
    failed = bool(call.guest.units.failed())
    call.out("degraded\n" if failed else "running\n")
    return int(failed)


def _list_units(call: Call, options: Options, names: list[str]) -> int:
    del names
    wanted = {"failed"} if options.has("--failed") else set(options.value("--state").split(",")) - {""}
    rows = [
        (unit.name, "loaded", unit.active, unit.sub, unit.description)
        for _, unit in sorted(call.guest.units.units.items())
        if (not wanted or wanted & {unit.active, unit.sub}) and (unit.active != "inactive" or options.has("--all"))
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        call.out(" ".join((*cells, row[4])) + "\n")
    if not options.has("--no-legend"):
        call.out(f"\n{len(rows)} loaded units listed.\n")
    return 0


_VERBS: dict[str, Callable[[Call, Options, list[str]], int]] = {
    "show": _show,
    "is-active": _is_active,
    "is-failed": _is_failed,
    "is-system-running": _is_system_running,
    "list-units": _list_units,
}


async def _change(call: Call, verb: str, names: list[str]) -> int:
    what = "reset failed state of" if verb == "reset-failed" else verb
    if verb == "reset-failed" and not names:
        names = [unit.name for unit in call.guest.units.failed()]
    if call.uid != 0:
        raise ProgramError(
            "".join(f"Failed to {what} {name}: Interactive authentication required.\n" for name in names)[:-1]
        )
    call.mutates()
    status = 0
    for name in names:
        try:
            await _apply(call, verb, name)
        except UnitError as exc:
            call.err(f"Failed to {what} {name}: {exc}")
            status = 1 if verb == "reset-failed" else _NOT_LOADED
    return status


async def _apply(call: Call, verb: str, name: str) -> None:
    units = call.guest.units
    if verb == "reset-failed":
        units.reset_failed(name)
    elif verb == "start":
        units.start(name)
    elif verb == "stop":
        await units.stop(name)
    else:
        if name in units.units:
            await units.stop(name)
        units.start(name)


async def reboot(call: Call) -> int:
    """Go down and come back; the connection dies on the way."""
    if call.uid != 0:
        raise ProgramError("Call to Reboot failed: Interactive authentication required.")
    call.mutates()
    call.guest.reboot()
    return 0


async def journalctl(call: Call) -> int:
    """`journalctl -u U -o cat --no-pager [-n N]`: the messages of a unit."""
    flags = ("--no-pager", "-q", "--quiet", "-b")
    options = parse_options(call, flags=flags, values=("-u", "--unit", "-o", "--output", "-n", "--lines"))
    if options.value("-o", options.value("--output", "cat")) != "cat":
        raise ProgramError("the lab's journalctl knows -o cat only")
    name = _service(options.value("-u") or options.value("--unit"))
    lines = call.guest.units.journal.get(name, [])
    count = options.value("-n") or options.value("--lines")
    if count.isdigit():
        lines = lines[-int(count) :]
    call.out("".join(f"{line}\n" for line in lines) or "-- No entries --\n")
    return 0

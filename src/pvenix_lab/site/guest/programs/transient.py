"""systemd-run: transient services that outlive the channel they were started from; texts of systemd 252-258."""

from __future__ import annotations

import shlex
import uuid

from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.unit import Command, Type, Unit, UnitError, full_name

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
    "--pipe",
    "-P",
    "--same-dir",
    "-d",
)
_TIMERS = ("--on-active", "--on-boot", "--on-calendar", "--on-unit-active", "--timer-property")
_RUN_VALUES = (
    "--unit",
    "-u",
    "--service-type",
    "--setenv",
    "-E",
    "--property",
    "-p",
    "--description",
    "--slice",
    *_TIMERS,
)
_IGNORED = frozenset(
    {
        "TimeoutStopSec",
        "KillMode",
        "TimeoutStartSec",
        "KillSignal",
        "TimeoutSec",
        "Nice",
        "MemoryMax",
        "CPUQuota",
        "Slice",
    }
)


async def systemd_run(call: Call) -> int:
    """`systemd-run [options] PROGRAM…`: a transient service whose processes do not belong to this channel."""
    options = parse_options(call, flags=_RUN_FLAGS, values=_RUN_VALUES, stop_early=True)
    if any(name in options.values for name in _TIMERS):
        raise ProgramError("systemd-run: the lab's starts services only, no timers")
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
    if options.has("--wait", "--pipe", "-P"):
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
    name = full_name(options.value("--unit") or options.value("-u") or f"run-r{chance:016x}")
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
        pipe=call.stdout if options.has("--pipe", "-P") else None,
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
    elif key == "Type":
        unit.type = Type(value) if value in tuple(Type) else unit.type
    elif key == "RemainAfterExit":
        unit.remain = value in ("yes", "true", "1", "on")
    elif key == "CollectMode":
        unit.collect = value == "inactive-or-failed"
    elif key == "Environment":
        name, _, text = value.partition("=")
        unit.env[name] = text
    elif key not in _IGNORED:
        raise ProgramError(f"Unknown assignment: {assignment}")

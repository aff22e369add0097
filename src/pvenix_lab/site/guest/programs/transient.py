"""systemd-run: transient services that outlive the channel they were started from; texts of systemd 252-258."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.unit import Command, Type, Unit, UnitError, full_name
from pvenix_lab.site.guest.unitrun import EXITED

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
_SPANS = frozenset({"TimeoutStopSec", "TimeoutStartSec", "TimeoutSec"})
_IGNORED = frozenset(
    {
        "KillMode",
        "KillSignal",
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
    began, quiet = call.guest.now(), options.has("--quiet", "-q")
    if not options.has("--no-block"):
        await unit.started.wait()
        if unit.start_failed:
            raise ProgramError("" if quiet else _job_failed(unit.name))
    if not quiet:
        call.err(
            f"Running as unit: {unit.name}; invocation ID: {uuid.UUID(int=call.guest.site.rng.getrandbits(128)).hex}"
        )
    if options.has("--wait", "--pipe", "-P"):
        await unit.ended.wait()
        if not quiet:
            _tell_end(call, unit, call.guest.now() - began)
        return unit.main_status
    return 0


def _tell_end(call: Call, unit: Unit, seconds: float) -> None:
    code = "exited" if unit.main_code == EXITED else "killed"
    call.err(f"Finished with result: {unit.result}")
    if unit.main_code:
        call.err(f"Main processes terminated with: code={code}/status={unit.main_status}")
    call.err(f"Service runtime: {max(round(seconds * 1000), 1)}ms")


def _job_failed(name: str) -> str:
    return (
        f"Job for {name} failed because the control process exited with error code.\n"
        f'See "systemctl status {name}" and "journalctl -xeu {name}" for details.'
    )


def _transient(call: Call, options: Options) -> Unit:
    chance = call.guest.site.rng.getrandbits(64)
    name = full_name(options.value("--unit") or options.value("-u") or f"run-r{chance:016x}")
    kind = options.value("--service-type", "simple")
    _check_type(kind)
    unit = Unit(
        name=name,
        description=options.value("--description") or " ".join((_place(options.rest[0]), *options.rest[1:])),
        type=Type(kind),
        transient=True,
        main=Command(argv=options.rest),
        remain=options.has("--remain-after-exit", "-r"),
        collect=options.has("--collect", "-G"),
        pipe=(call.stdout, call.stderr) if options.has("--pipe", "-P") else None,
    )
    for assignment in options.values.get("--setenv", []) + options.values.get("-E", []):
        key, _, value = assignment.partition("=")
        unit.env[key] = value
    for assignment in options.values.get("--property", []) + options.values.get("-p", []):
        _set_property(unit, assignment)
    return unit


def _place(word: str) -> str:
    """The program's path, which systemd-run finds before it asks for the unit."""
    return word if "/" in word else f"/run/current-system/sw/bin/{word}"


def _check_type(kind: str) -> None:
    if kind not in tuple(Type):
        raise ProgramError(f"Failed to start transient service unit: Invalid Type setting: {kind}")


def _set_property(unit: Unit, assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    if not equals:
        raise ProgramError(f"Not an assignment: {assignment}")
    if key in _SETTINGS:
        _SETTINGS[key](unit, key, value)
    elif key in _SPANS:
        if not _SPAN.fullmatch(value):
            raise ProgramError(f"Failed to parse {key}={value}: Invalid argument")
    elif key not in _IGNORED:
        raise ProgramError(f"Unknown assignment: {assignment}")


def _set_output(unit: Unit, key: str, value: str) -> None:
    if value.startswith("append:"):
        unit.log = value.removeprefix("append:")
    elif value not in ("journal", "inherit"):
        raise ProgramError(f"Failed to start transient service unit: Invalid {key} setting: {value}")


def _set_type(unit: Unit, _key: str, value: str) -> None:
    _check_type(value)
    unit.type = Type(value)


def _set_remain(unit: Unit, key: str, value: str) -> None:
    if value not in (*_YES, *_NO):
        raise ProgramError(f"Failed to parse {key}: {value}")
    unit.remain = value in _YES


def _add_pre(unit: Unit, _key: str, value: str) -> None:
    unit.pre += (Command.parse(value),)


def _set_condition(unit: Unit, _key: str, value: str) -> None:
    unit.conditions = (*unit.conditions, value) if value else ()


def _set_collect(unit: Unit, _key: str, value: str) -> None:
    unit.collect = value == "inactive-or-failed"


def _set_environment(unit: Unit, _key: str, value: str) -> None:
    name, _, text = value.partition("=")
    unit.env[name] = text


_SPAN = re.compile(r"infinity|(\d+(\.\d+)?\s*(us|ms|s|sec|m|min|h|hr|d|w)?\s*)+")
_YES, _NO = ("1", "yes", "y", "true", "t", "on"), ("0", "no", "n", "false", "f", "off")
_SETTINGS: dict[str, Callable[[Unit, str, str], None]] = {
    "CollectMode": _set_collect,
    "ConditionPathExists": _set_condition,
    "Environment": _set_environment,
    "ExecStartPre": _add_pre,
    "RemainAfterExit": _set_remain,
    "StandardError": _set_output,
    "StandardOutput": _set_output,
    "Type": _set_type,
}

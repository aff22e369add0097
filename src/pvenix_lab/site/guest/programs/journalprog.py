"""journalctl: the journal by unit, boot, time and cursor, in the formats of systemd 252-258."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pvenix_lab.site.guest.call import Call, Options, ProgramError, parse_options
from pvenix_lab.site.guest.journal import Record
from pvenix_lab.site.guest.unit import full_name

_FLAGS = (
    "--no-pager", "-q", "--quiet", "-r", "--reverse", "-f", "--follow", "-x", "-e", "-a", "--all", "--no-hostname", "-k", "--dmesg",
    "--show-cursor", "--list-boots", "--no-full", "--utc", "-m",
)  # fmt: skip
_VALUES = (
    "-u", "--unit", "-o", "--output", "-n", "--lines", "--since", "-S", "--until", "-U", "-b", "--boot", "-c", "--cursor",
    "--after-cursor", "-p", "--priority", "-t", "--identifier", "-g", "--grep",
)  # fmt: skip
_BIG = 4096  # systemd's JSON_THRESHOLD: a longer message is null unless --all
_SPANS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_BOOT = re.compile(r"[0-9a-f]{32}([+-]\d+)?|[+-]?\d+|all")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """What stands in every record: the machine's id and name, and when it was booted."""

    machine_id: str
    hostname: str
    booted_at: float


async def journalctl(call: Call) -> int:
    """`journalctl [-u U] [-b [N]] [-n N] [--since T] [-o FORMAT] [-f] …`: matching messages, oldest first."""
    inner = call.with_argv((call.argv[0], *_with_defaults(call.args)))
    options = parse_options(inner, flags=_FLAGS, values=_VALUES)
    if options.rest and not options.rest[0].startswith("_"):
        raise ProgramError(f"Failed to add match '{options.rest[0]}': Invalid argument")
    if options.has("--list-boots"):
        return _list_boots(call)
    form = options.value("-o") or options.value("--output") or "short"
    if form not in _FORMS:
        raise ProgramError(f"Unknown output format '{form}'.")
    machine = _machine(call)
    found = _limited(_matching(call, options), options)
    for record in found:
        call.out(_render(form, record, machine, options))
    if (
        not found
        and not options.has("-q", "--quiet")
        and not form.startswith(("json", "cat", "export"))
        and not options.has("-f", "--follow")
    ):
        call.out("-- No entries --\n")
    if options.has("--show-cursor") and found:
        call.out(f"-- cursor: {_cursor(found[-1], machine)}\n")
    if options.has("-f", "--follow"):
        await _follow(call, options, (form, machine))
    return 0


def _with_defaults(words: tuple[str, ...]) -> list[str]:
    """The arguments with the values that -b and -n may go without, and `-xeu U` taken apart."""
    result: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if re.fullmatch(r"-[qrfxeakm]+[un]", word):
            result += [word[:-1], word[-1:].rjust(2, "-")]
            if word.endswith("u") and queue:
                result.append(queue.pop(0))
        elif word in ("-b", "--boot"):
            result += ["-b", queue.pop(0) if queue and _BOOT.fullmatch(queue[0]) else "0"]
        elif word in ("-n", "--lines"):
            result += ["-n", queue.pop(0) if queue and re.fullmatch(r"\d+|all", queue[0]) else "10"]
        else:
            result.append(word)
    return result


def _machine(call: Call) -> _Machine:
    machine_id = call.tree.read_text("/etc/machine-id").strip()
    return _Machine(machine_id=machine_id, hostname=call.guest.hostname, booted_at=call.guest.booted_at)


def _matching(call: Call, options: Options) -> list[Record]:
    units = tuple(full_name(name) for name in options.values.get("-u", []) + options.values.get("--unit", []))
    records: Iterable[Record] = call.guest.units.journal.of(units)
    boot = options.value("-b")
    if boot and boot != "all":
        wanted = _boot_id(call, boot)
        records = [record for record in records if record.boot_id == wanted]
    for names, keep in _FILTERS:
        value = next((options.value(name) for name in names if options.value(name)), "")
        if value:
            test = keep(value, call.guest.now())
            records = [record for record in records if test(record)]
    if options.has("-k", "--dmesg"):
        records = [record for record in records if record.identifier == "kernel"]
    return list(records)


def _boot_id(call: Call, text: str) -> str:
    boots = call.guest.units.journal.boots()
    by_id = {boot.replace("-", ""): boot for boot in boots}
    if text in by_id:
        return by_id[text]
    if re.fullmatch(r"[+-]?\d+", text):
        number = int(text)
        place = number - 1 if number > 0 else len(boots) - 1 + number
        if 0 <= place < len(boots):
            return boots[place]
    raise ProgramError(f"Data from the specified boot ({text}) is not available: No such boot ID in journal")


def _when(text: str, now: float) -> float:
    """A time as systemd.time(7) writes it, UTC being the guest's zone."""
    if text.startswith("@"):
        return float(text[1:])
    if match := re.fullmatch(r"-?(\d+)\s*([a-z]+?)s?(?:\s+ago)?", text):
        return now - int(match[1]) * _SPANS.get(match[2], 1)
    midnight = now - now % 86400
    if text in ("today", "yesterday", "now"):
        return {"today": midnight, "yesterday": midnight - 86400, "now": now}[text]
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return float(_epoch(time.strptime(text.removesuffix(" UTC"), form)))
        except ValueError:
            continue
    raise ProgramError(f"Failed to parse timestamp: {text}")


def _epoch(moment: time.struct_time) -> int:
    import calendar

    return calendar.timegm(moment)


def _priority(text: str) -> int:
    if not (text.isdigit() and int(text) < len(_LEVELS)) and text not in _LEVELS:
        raise ProgramError(f"Unknown log level {text}")
    return int(text) if text.isdigit() else _LEVELS.index(text)


def _after(cursor: str) -> int:
    match = re.search(r"(?:^|;)i=([0-9a-f]+)", cursor)
    if match is None:
        raise ProgramError("Failed to seek to cursor: Invalid argument")
    return int(match[1], 16)


_FILTERS: tuple[tuple[tuple[str, ...], Callable[[str, float], Callable[[Record], bool]]], ...] = (
    (("--since", "-S"), lambda value, now: lambda record: record.at >= _when(value, now)),
    (("--until", "-U"), lambda value, now: lambda record: record.at <= _when(value, now)),
    (("--cursor", "-c"), lambda value, _: lambda record: record.number >= _after(value)),
    (("--after-cursor",), lambda value, _: lambda record: record.number > _after(value)),
    (("--priority", "-p"), lambda value, _: lambda record: record.priority <= _priority(value)),
    (("--identifier", "-t"), lambda value, _: lambda record: record.identifier == value),
    (("--grep", "-g"), lambda value, _: lambda record: re.search(value, record.text) is not None),
)


def _limited(records: list[Record], options: Options) -> list[Record]:
    lines = options.value("-n") or ("10" if options.has("-f", "--follow") else "1000" if options.has("-e") else "")
    if lines.isdigit():
        records = records[-int(lines) :] if int(lines) else []
    return records[::-1] if options.has("-r", "--reverse") else records


async def _follow(call: Call, options: Options, how: tuple[str, _Machine]) -> None:
    journal = call.guest.units.journal
    last = journal.count
    while True:
        await journal.grown()
        for record in _matching(call, options):
            if record.number > last:
                call.out(_render(how[0], record, how[1], options))
        last = journal.count
        await call.stdout.drain()


def short(record: Record, hostname: str) -> str:
    """A record as in `-o short`, without its newline."""
    return f"{time.strftime('%b %d %H:%M:%S', time.gmtime(record.at))} {hostname} {_said(record)}"


def _said(record: Record) -> str:
    who = f"{record.identifier}[{record.pid}]" if record.pid else record.identifier
    return f"{who}: {record.text}"


def _iso(record: Record, machine: _Machine) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(record.at))
    return f"{at} {machine.hostname} {_said(record)}"


def _cursor(record: Record, machine: _Machine) -> str:
    micros = int(record.at * 1e6)
    since = max(int((record.at - machine.booted_at) * 1e6), 0)
    check = zlib.crc32(record.text.encode())
    boot = record.boot_id.replace("-", "")
    return f"s={machine.machine_id};i={record.number:x};b={boot};m={since:x};t={micros:x};x={check:x}"


def _fields(record: Record, machine: _Machine, *, everything: bool) -> dict[str, str | None]:
    by_manager = record.pid == 1
    text: str | None = record.text if everything or len(record.text) < _BIG else None
    return {
        "__CURSOR": _cursor(record, machine),
        "__REALTIME_TIMESTAMP": str(int(record.at * 1e6)),
        "__MONOTONIC_TIMESTAMP": str(max(int((record.at - machine.booted_at) * 1e6), 0)),
        "_BOOT_ID": record.boot_id.replace("-", ""),
        "_MACHINE_ID": machine.machine_id,
        "_HOSTNAME": machine.hostname,
        "PRIORITY": str(record.priority),
        "SYSLOG_IDENTIFIER": record.identifier,
        "_PID": str(record.pid),
        "_SYSTEMD_UNIT": "init.scope" if by_manager else record.unit,
        **({"UNIT": record.unit} if by_manager and record.unit else {}),
        "MESSAGE": text,
    }


def _render(form: str, record: Record, machine: _Machine, options: Options) -> str:
    if form == "cat":
        return f"{record.text}\n"
    if form.startswith("json"):
        found = _fields(record, machine, everything=options.has("-a", "--all"))
        return (
            json.dumps(
                found,
                indent="\t" if form == "json-pretty" else None,
                separators=None if form == "json-pretty" else (",", ":"),
            )
            + "\n"
        )
    if form == "export":
        fields = _fields(record, machine, everything=True)
        return "".join(f"{key}={value}\n" for key, value in fields.items()) + "\n"
    if form == "short-unix":
        return f"{record.at:.6f} {machine.hostname} {_said(record)}\n"
    return (_iso(record, machine) if form.startswith("short-iso") else short(record, machine.hostname)) + "\n"


_FORMS = ("short", "short-full", "short-iso", "short-iso-precise", "short-unix", "cat", "json", "json-pretty", "export")


def _list_boots(call: Call) -> int:
    journal = call.guest.units.journal
    boots = journal.boots()
    call.out("IDX BOOT ID                          FIRST ENTRY                 LAST ENTRY\n")
    for place, boot in enumerate(boots):
        times = [record.at for record in journal.records if record.boot_id == boot]
        first, last = (time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at)) for at in (times[0], times[-1]))
        call.out(f"{place - len(boots) + 1:>3} {boot.replace('-', '')} {first} {last}\n")
    return 0

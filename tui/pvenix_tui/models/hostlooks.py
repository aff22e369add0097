"""The smaller tabs of a host as lines: its hardware file, its cloud-init drive, its VM at Proxmox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pvenix.adapters.text import CUT_MARK, LINE_LIMIT
from pvenix.model.inspection import CloudInitKey, CloudInitLook, HardwareText, UnitLook, VmLook, VmTask
from pvenix_tui.models.highlight import highlighted, language_of
from pvenix_tui.models.hostdrift import diff_lines
from pvenix_tui.models.lines import EMPTY, Line, Span, Tone, text_line, wrap
from pvenix_tui.models.states import duration_word
from pvenix_tui.text import safe

_LINES: Final = 2000
"""The most lines of one text that are shown."""
_TASKS: Final = 30
_OPTION: Final = 14
"""Cells of the name of an option."""


def hardware_lines(found: HardwareText, width: int) -> list[Line]:
    """The difference first, what a person should look at, then the committed file."""
    lines: list[Line] = []
    if found.problem:
        lines += wrap(
            text_line(f"! what its generator writes is not known: {found.problem}", Tone.WARN), width, indent=2
        )
    elif found.diff:
        lines.append(text_line(f"the generator writes something else now than {found.commit[:10]} has", Tone.WARN))
        lines += diff_lines(found.diff, width)[0]
    else:
        lines.append(text_line("the generator writes exactly this now", Tone.OK))
    for text in found.odd:
        lines += wrap(text_line(f"! {text}", Tone.WARN), width, indent=2)
    lines += [EMPTY, (*text_line(found.path, Tone.TITLE), (f"  at {found.commit[:10]}", Tone.DIM))]
    if not found.committed:
        return [*lines, text_line("that commit has no such file: pvenix register writes it", Tone.WARN)]
    return [*lines, *_text(found.committed, width, found.path)]


def cloud_init_lines(found: CloudInitLook, width: int) -> list[Line]:
    """Every option against the inventory, then the files that the drive would have."""
    lines: list[Line] = [] if found.keys else [text_line("Proxmox has no cloud-init option of this VM", Tone.DIM)]
    for one in found.keys:
        lines += _option(one, width)
    if found.problem:
        lines += [EMPTY, *wrap(text_line(f"! {found.problem}", Tone.WARN), width, indent=2)]
    for kind, text in found.files.items():
        lines += [EMPTY, text_line(f"{kind}-data as the drive has it now", Tone.TITLE), *_text(text, width, "x.yaml")]
    return lines


def _option(one: CloudInitKey, width: int) -> list[Line]:
    first, *rest = one.value.splitlines() or ["not set"]
    spans: list[Span] = [(f"{one.key:<{_OPTION}}", Tone.TITLE), *text_line(first)]
    if one.waiting:
        spans.append(("  waits for a start", Tone.WARN))
    lines = wrap(tuple(spans), width, indent=_OPTION)
    for text in rest:
        lines += wrap((("".ljust(_OPTION), Tone.PLAIN), *text_line(text)), width, indent=_OPTION)
    if one.wanted:
        declared = (("".ljust(_OPTION), Tone.PLAIN), *text_line(f"the inventory says {one.wanted}", Tone.WARN))
        lines += wrap(declared, width, indent=_OPTION)
    if one.where:
        lines.append((("".ljust(_OPTION), Tone.PLAIN), *text_line(one.where, Tone.DIM)))
    return lines


def vm_lines(found: VmLook, width: int) -> list[Line]:
    """The VM: what it does, what was kept of it, what was done to it, how it is configured."""
    if not found.vmid:
        return [text_line("it has no VM: o makes one", Tone.WARN)]
    lines = [
        _fact("VM", f"{found.vmid} on {found.node}"),
        _fact("state", vm_words(found)),
        _fact("agent", agent_words(found)),
        *([_fact("lock", found.lock, Tone.WARN)] if found.lock else []),
        *([_fact("HA", found.ha)] if found.ha else []),
    ]
    for problem in found.problems:
        lines += wrap(text_line(f"! {problem}", Tone.WARN), width, indent=2)
    for key, value in found.waiting.items():
        lines += wrap(_fact("waits", f"{key} = {value or 'deleted'}", Tone.WARN), width, indent=_OPTION)
    memory = {True: "  with memory", False: ""}
    lines += _listed(
        "Snapshots",
        [
            text_line(f"{_moment(one.taken_at)}  {one.name}{memory[one.memory]}  {one.description}".rstrip())
            for one in found.snapshots
        ],
        width,
    )
    backups = (f"{_moment(one.made_at)}  {size_word(one.size):>8}  {one.id}  {one.notes}" for one in found.backups)
    lines += _listed("Backups", [text_line(text) for text in backups], width)
    lines += _listed("Tasks", [_task(one) for one in found.tasks[:_TASKS]], width)
    lines += [EMPTY, (("Configuration", Tone.TITLE),)]
    return lines + [
        line for key, value in sorted(found.config.items()) for line in wrap(_fact(key, value), width, indent=_OPTION)
    ]


def _listed(title: str, rows: Sequence[Line], width: int) -> list[Line]:
    """A heading and what stands below it."""
    pieces = [piece for row in rows for piece in wrap(row, width, indent=2)]
    return [EMPTY, ((title, Tone.TITLE),), *(pieces or [text_line("none", Tone.DIM)])]


def _task(task: VmTask) -> Line:
    tone = Tone.OK if task.state == "OK" else Tone.BUSY if task.state == "running" else Tone.BAD
    return (*text_line(f"{_moment(task.began_at)}  {task.kind:<12} {task.user}  "), *text_line(task.state, tone))


def vm_words(found: VmLook) -> str:
    """Whether it runs, since when, and what it uses."""
    if found.status != "running":
        return found.status or "unknown"
    memory = f"{size_word(found.memory)} of {size_word(found.memory_max)}"
    return f"running {duration_word(found.uptime_s)}, cpu {found.cpu:.0%} of {found.cpus}, memory {memory}"


def agent_words(found: VmLook) -> str:
    """Whether the VM has a guest agent, and whether that answers."""
    if not found.agent:
        return "switched off in the VM's options"
    return {True: "answers", False: "does not answer", None: "not asked"}[found.agent_answers]


def unit_lines(found: UnitLook, width: int) -> list[Line]:
    """What systemd says of a unit, then the end of its journal."""
    lines = _text(found.status, width) or [text_line("systemd says nothing of it", Tone.WARN)]
    journal = _text(found.journal, width) or [text_line("no entries", Tone.DIM)]
    return [*lines, EMPTY, (("Journal", Tone.TITLE),), *journal]


def size_word(count: int) -> str:
    """Bytes in the largest unit that leaves more than one."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def _fact(name: str, value: str, tone: Tone = Tone.PLAIN) -> Line:
    return ((f"{name:<{_OPTION}}", Tone.TITLE), *text_line(value, tone))


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if seconds else " " * 16


def _text(text: str, width: int, name: str = "") -> list[Line]:
    """A text line by line, in the tones of the language that a file of this `name` has."""
    rows = text.rstrip("\n").split("\n") if text.strip() else []
    language, state = language_of(name), ""
    lines: list[Line] = []
    for row in rows[:_LINES]:
        shown = safe(row if len(row) <= LINE_LIMIT else f"{row[:LINE_LIMIT]}{CUT_MARK}")
        lines += wrap(highlighted(language, shown, state), width, indent=2)
        state = language.after(shown, state) if language is not None else ""
    more = [text_line(f"{len(rows) - _LINES} more lines are not shown", Tone.WARN)] if len(rows) > _LINES else []
    return [*lines, *more]

"""What going to another generation changes on a host, as lines; how hosts go back decides what of it happens now."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pvenix.model.generation import CONFIRMED_BY
from pvenix_tui.models.lines import Line, Tone
from pvenix_tui.models.plan import field_line

if TYPE_CHECKING:
    from pvenix.lifecycle.effects import Effects


class Method(StrEnum):
    """How hosts go back."""

    SWITCH = "switch"
    BOOT = "boot"
    REVERT = "revert"


METHODS: Final = {
    Method.SWITCH: "switch now: activate it, confirm it over a new connection, make it the boot default",
    Method.BOOT: "at the next boot: make it the boot default, and leave what runs alone",
    Method.REVERT: "take a commit of main back, and rebuild the hosts from what main is then",
}


def effect_lines(found: Effects, *, method: Method = Method.SWITCH) -> list[Line]:
    """What going there changes on the host."""
    lines = [field_line("commits", _history(found), Tone.STRONG)]
    lines += [field_line("", f"{commit[:7]} {subject}") for commit, subject in found.commits[:_SHOWN]]
    if len(found.commits) > _SHOWN:
        lines.append(field_line("", f"and {len(found.commits) - _SHOWN} more", Tone.DIM))
    boots = f"needs a reboot: {found.boots}" if found.boots else "no reboot needed"
    lines.append(field_line("kernel", boots, Tone.WARN if found.boots else Tone.PLAIN))
    lines.append(field_line("packages", f"{len(found.packages)} change" + ("" if len(found.packages) == 1 else "s")))
    lines += [field_line("", package) for package in found.packages]
    lines += _unit_lines(found, method)
    lines += [field_line("" if index else "stays", limit, Tone.WARN) for index, limit in enumerate(found.limits)]
    return lines


def checks_line(method: Method) -> Line:
    """What decides whether the system stays."""
    words = {Method.SWITCH: CONFIRMED_BY, Method.BOOT: "none: nothing is activated before the next boot"}
    return field_line("checks", words.get(method, "those of the roles, as for every rebuild"))


def _unit_lines(found: Effects, method: Method) -> list[Line]:
    if method is Method.BOOT:
        return [field_line("units", "none before the next boot")]
    if found.units is None:
        return [field_line("units", "unknown: the system's own dry activation did not say", Tone.WARN)]
    if not found.units:
        return [field_line("units", "none is stopped, restarted or started")]
    return [
        field_line("" if index else "units", f"{what} {', '.join(names)}", Tone.WARN if "stop" in what else Tone.PLAIN)
        for index, (what, names) in enumerate(found.units)
    ]


_SHOWN: Final = 12


def _history(found: Effects) -> str:
    if found.history:
        return f"unknown: {found.history}"
    if not found.commits:
        return "the same commit"
    count = f"{len(found.commits)} commit{'s' if len(found.commits) != 1 else ''}"
    return f"{count} {'brought' if found.forward else 'taken back'}"

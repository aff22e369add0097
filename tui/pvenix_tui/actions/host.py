"""Actions on the detail screen of a host, and what leads there."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pvenix.model.inspection import PRIORITIES
from pvenix.model.verbs import VERBS, Danger
from pvenix_tui.actions.base import CommandLine, Context, Place, Reason, no_hosts, pvenix_line
from pvenix_tui.models.hosttabs import Tab

_HOST: Final = Place("host")
_HOSTS: Final = Place("fleet", "host")
_UNIT: Final = Place("unit")


def _one(context: Context) -> str:
    return no_hosts(context) or ("one host at a time" if len(context.hosts) > 1 else "")


def _host_command(*words: str) -> CommandLine:
    return lambda context: pvenix_line(*words, (context.hosts or ("HOST",))[0])


_READINGS: Final = {
    Tab.FACTS: ("host", "show"),
    Tab.GENERATIONS: ("generations", "list"),
    Tab.DRIFT: ("drift", "show"),
    Tab.CONFIG: ("inventory", "explain"),
    Tab.HARDWARE: ("drift", "show", "--hardware"),
    Tab.CLOUD_INIT: ("host", "cloudinit"),
    Tab.UNITS: ("host", "units"),
}
"""What reads from a shell what a tab shows; the journal's has options, and of runs and the VM none reads just one host's."""


def _reading_command(context: Context) -> str:
    """What reads the tab that shows."""
    if context.tab == Tab.JOURNAL:
        return _journal_line(context)
    words = _READINGS.get(Tab(context.tab)) if context.tab else ("host", "show")
    return _host_command(*words)(context) if words else ""


def _journal_line(context: Context, *more: str) -> str:
    unit = ("-u", context.unit) if context.unit else ()
    priority = ("-p", context.priority) if context.priority else ()
    return pvenix_line("host", "journal", (context.hosts or ("HOST",))[0], *unit, *priority, *more)


def _open_command(context: Context) -> str:
    """What shows from a shell the row at the cursor."""
    host = (context.hosts or ("HOST",))[0]
    match context.tab:
        case Tab.RUNS:
            return pvenix_line("runs", "show", context.row or "RUN")
        case Tab.GENERATIONS:
            return pvenix_line("generations", "diff", host, context.row or "N")
        case Tab.UNITS | "":
            return pvenix_line("host", "units", host, context.row or "UNIT")
    return ""


def _unit_journal(context: Context) -> str:
    return _journal_line(context if context.unit else replace(context, unit="UNIT"))


def _on(*tabs: Tab) -> Reason:
    """The reason when another tab shows."""
    names = " and ".join(tab.label for tab in tabs)
    return lambda context: "" if context.tab in tabs else f"on the tab{'s' if len(tabs) > 1 else ''} {names} only"


def _adopt_reason(context: Context) -> str:
    return _on(Tab.DRIFT)(context) or context.adopt


def _overwrite_reason(context: Context) -> str:
    return _on(Tab.DRIFT)(context) or context.overwrite


def _ignore_reason(context: Context) -> str:
    return _on(Tab.DRIFT)(context) or ("" if context.file else "no edited file is at the top")


def _open_reason(context: Context) -> str:
    return "" if context.row else "nothing is at the cursor that can be opened"


_SEARCHED: Final = tuple(tab for tab in Tab if tab not in (Tab.GENERATIONS, Tab.RUNS))
HOST_TABS: Final = (
    _HOSTS.action(
        "host.drift",
        "d",
        "drift",
        "what was edited in the host's /etc/nixos, and the ways out",
        unless=_one,
        command=_host_command("drift", "show"),
        footer=True,
    ),
    _HOSTS.action(
        "host.ssh", "S", "ssh", "a shell on the host; this window waits", unless=_one, command=_host_command("console")
    ),
    _HOSTS.action(
        "host.edit",
        "E",
        "edit",
        "the host's file of the inventory in $EDITOR, in this checkout",
        danger=Danger.REVERSIBLE,
        unless=_one,
    ),
    _HOST.action("host.next", "right_square_bracket", "next tab", "the tab to the right", footer=True),
    _HOST.action("host.previous", "left_square_bracket", "previous tab", "the tab to the left"),
    _HOST.action("host.tabs", "t", "tabs", "choose a tab by its name", command=_reading_command, footer=True),
    _HOST.action(
        "host.open",
        "enter",
        "open",
        "the unit or the run at the cursor; of a generation what going back to it changes",
        unless=_open_reason,
        command=_open_command,
        footer=True,
    ),
    _HOST.action(
        "host.adopt",
        "a",
        "adopt",
        VERBS["adopt-edits"].help,
        danger=Danger.REVERSIBLE,
        unless=_adopt_reason,
        command=_host_command("drift", "adopt"),
    ),
    _HOST.action(
        "host.overwrite",
        "W",
        "overwrite",
        "put the edits aside on the host, and rebuild it from main",
        danger=Danger.REVERSIBLE,
        unless=_overwrite_reason,
        command=_host_command("drift", "overwrite"),
    ),
    _HOST.action(
        "host.ignore",
        "i",
        "ignore",
        "never call the file at the top drift again: a line of the inventory in this checkout",
        danger=Danger.REVERSIBLE,
        unless=_ignore_reason,
        command=lambda context: pvenix_line("drift", "ignore", (context.hosts or ("HOST",))[0], context.file or "PATH"),
    ),
    _HOST.action("host.next_file", "}", "next file", "the next edited file", unless=_on(Tab.DRIFT)),
    _HOST.action("host.previous_file", "{", "previous file", "the edited file before", unless=_on(Tab.DRIFT)),
    _HOST.action(
        "host.search",
        "/",
        "search",
        "find text on this tab; of units, show only those that match",
        unless=_on(*_SEARCHED),
    ),
    _HOST.action("host.match", "n", "next", "the next match, or the next hunk of the drift", unless=_on(*_SEARCHED)),
    _HOST.action("host.match_back", "N", "previous", "the match or the hunk before", unless=_on(*_SEARCHED)),
    _HOST.action(
        "host.follow",
        "f",
        "follow",
        "show lines of the journal as they come, or stop",
        unless=_on(Tab.JOURNAL),
        command=lambda context: _journal_line(context, "-f"),
    ),
    _HOST.action(
        "host.priority",
        "p",
        "priority",
        f"only lines of the journal of this priority and worse: {', '.join(PRIORITIES)}",
        unless=_on(Tab.JOURNAL),
        command=lambda context: _journal_line(replace(context, priority=context.priority or "LEVEL")),
    ),
    _HOST.action("host.unit", "u", "unit", "only lines of one unit", unless=_on(Tab.JOURNAL), command=_unit_journal),
    _HOST.action("host.wrap", "w", "wrap", "wrap long lines of the journal, or cut them", unless=_on(Tab.JOURNAL)),
)
UNIT: Final = (
    _UNIT.action(
        "unit.journal",
        "enter",
        "journal",
        "this unit's lines on the journal tab, with follow and search",
        command=_unit_journal,
        footer=True,
    ),
)

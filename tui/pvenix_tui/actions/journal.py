"""Actions on what was done."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import Context, Place, no_hosts, pvenix_line


def _entry(context: Context) -> str:
    return "" if context.entry else "nothing was done yet, or nothing that the filter lets through"


def _run(context: Context) -> str:
    return _entry(context) or ("" if context.run else "it was no run: a person decided it")


def _one_host(context: Context) -> str:
    return no_hosts(context) or (
        "" if len(context.hosts) == 1 else "one host at a time: each has a last change of its own"
    )


def _ended(context: Context) -> str:
    return "the run is at work: cancel it first, or wait for its end" if context.run_state == "running" else ""


_JOURNAL: Final = Place("journal", "entry")
_LIST: Final = Place("journal")
JOURNAL: Final = (
    _JOURNAL.action(
        "journal.open",
        "enter",
        "open",
        "what the entry's run did, step by step; where there is no room beside the list, first the entry in full",
        unless=_entry,
        command=lambda context: pvenix_line("runs", "show", context.run or "last"),
        footer=True,
    ),
    _JOURNAL.action(
        "journal.undo",
        "z",
        "undo",
        "the plan of what takes it back, or why nothing does",
        danger=Danger.REVERSIBLE,
        unless=_entry,
        command=lambda _: "pvenix audit --undo",
        footer=True,
    ),
    _LIST.action(
        "journal.filter",
        "/",
        "filter",
        "who:ana since:7d result:failed host:dns01 action:rebuild, words, !not",
        footer=True,
    ),
    _JOURNAL.action(
        "journal.copy", "Y", "copy", "copy as command line, the id, or the entry's text", unless=_entry, footer=True
    ),
    _LIST.action(
        "journal.save",
        "s",
        "save",
        "write what the filter lets through to a file, as text or JSON lines",
        command=lambda _: "pvenix audit -o jsonl",
    ),
    Place("run", "runs").action(
        "run.undo",
        "z",
        "undo",
        "the plan of what takes the run back",
        danger=Danger.REVERSIBLE,
        unless=_ended,
        command=lambda context: pvenix_line("audit", "--undo", "--run", context.run or "last"),
    ),
    Place("fleet", "host").action(
        "host.undo",
        "z",
        "undo",
        "the plan of what takes the host's last change back",
        danger=Danger.REVERSIBLE,
        unless=_one_host,
        command=lambda context: pvenix_line("audit", "--undo", "-l", *(context.hosts[:1] or ("HOST",))),
    ),
)
"""Of the journal, and of the last change of a host."""

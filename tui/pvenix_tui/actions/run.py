"""Actions on runs."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import (
    ABANDONED,
    Context,
    Place,
    asks_or_resumes,
    asks_run,
    no_hosts,
    not_live,
    pvenix_line,
)


def _retry_reason(context: Context) -> str:
    if context.run_state == "abandoned":
        return ABANDONED
    if context.run_state == "interrupted":
        return ""
    return context.host_retry


def _retry_all_reason(context: Context) -> str:
    if context.run_state == "abandoned":
        return ABANDONED
    if context.run_state == "interrupted":
        return ""
    return "" if context.retries else "no host ended in a way that another attempt changes"


def _gates_reason(context: Context) -> str:
    return not_live(context) or ("" if context.gates or context.run_paused else "no host waits for a person")


def _approvals_reason(context: Context) -> str:
    return "" if context.approvals else "no host waits for an approval"


_RUNS: Final = Place("runs")
_RUN: Final = Place("run")
_BOTH: Final = Place("run", "wizard")
RUNS: Final = (
    _RUNS.action(
        "runs.open",
        "enter",
        "open",
        "watch the run, or replay it",
        unless=lambda context: "" if context.run else "there is no run",
        command=lambda context: pvenix_line("runs", "show", context.run or "last"),
        footer=True,
    ),
    _RUNS.action(
        "runs.resume",
        "r",
        "resume",
        "go on with a run that was interrupted, that failed, or whose approval was given",
        unless=lambda context: context.host_retry,
        danger=Danger.REVERSIBLE,
        command=lambda context: pvenix_line("resume", context.run or "last"),
        footer=True,
    ),
    _RUNS.action("runs.filter", "/", "filter", "state:failed who:ana, words of the title or the id, !not", footer=True),
    _RUNS.action("runs.waiting", "F", "open only", "only runs that wait for a person, or all", footer=True),
)

RUN: Final = (
    _RUN.action(
        "run.continue",
        "c",
        "continue",
        "let every waiting host do its next step, or end the pause",
        unless=_gates_reason,
        danger=Danger.REVERSIBLE,
        command=asks_run("continue"),
        footer=True,
    ),
    _BOTH.action(
        "run.approve",
        "a",
        "approve",
        "answer what the run asks about risky changes, one host after the other",
        unless=_approvals_reason,
        danger=Danger.REBOOTS,
        command=lambda context: pvenix_line("approve", context.run or "RUN"),
        footer=True,
    ),
    _RUN.action(
        "run.retry",
        "r",
        "retry",
        "run the host at the cursor again from the step that did not succeed",
        unless=_retry_reason,
        danger=Danger.REVERSIBLE,
        command=asks_or_resumes("retry", host=True),
        footer=True,
    ),
    _RUN.action(
        "run.retry_all",
        "R",
        "retry all",
        "run every host again that did not succeed",
        unless=_retry_all_reason,
        danger=Danger.REVERSIBLE,
        command=asks_or_resumes("retry"),
    ),
    _BOTH.action(
        "run.pause",
        "p",
        "pause",
        "start no further step; what runs now goes on",
        unless=not_live,
        command=asks_run("pause"),
        footer=True,
    ),
    _BOTH.action(
        "run.cancel",
        "X",
        "cancel",
        "end the run: no further step starts, what runs now is let finish",
        unless=not_live,
        danger=Danger.REVERSIBLE,
        command=asks_run("cancel"),
        footer=True,
    ),
    _RUN.action(
        "run.cancel_host",
        "x",
        "cancel host",
        "start no further step of the host at the cursor; the others go on",
        unless=lambda context: not_live(context) or no_hosts(context) or context.reasons.get("run.cancel_host", ""),
        danger=Danger.REVERSIBLE,
        command=asks_run("cancel", host=True),
    ),
    _RUN.action(
        "run.rollback",
        "b",
        "rollback",
        "choose where the host at the cursor goes back to: what it ran before this run is proposed",
        unless=no_hosts,
        danger=Danger.REVERSIBLE,
        command=lambda context: pvenix_line("rollback", *(context.hosts[:1] or ("HOST",)), "--to", "N"),
    ),
    _RUN.action("run.review", "v", "review", "the registration branch of the host at the cursor", unless=no_hosts),
    _RUN.action("run.commands", "@", "commands", "every command and API call of the run as it was sent"),
    _RUN.action("run.zoom", "enter", "log", "the log alone, or with the hosts", footer=True),
    _RUN.action("run.next", "l,right", "next host", "the next tile or line, and its log"),
    _RUN.action("run.previous", "h,left", "previous host", "the tile or line before, and its log"),
    _RUN.action("run.failed", "F", "failed only", "only hosts that need a person, or all"),
    _RUN.action("run.tiles", "T", "tiles or list", "where there is room: live tiles, or one line for each host"),
    _BOTH.action(
        "log.follow",
        "f",
        "follow",
        "show the newest lines, or hold what shows",
        command=lambda context: pvenix_line("runs", "show", context.run or "last", "-f"),
        footer=True,
    ),
    _BOTH.action("log.search", "/", "search", "find text in the log; n and N go on, in the file too", footer=True),
    _BOTH.action("log.next", "n", "next", "the next line that matches"),
    _BOTH.action("log.previous", "N", "previous", "the line before that matches, back to the start of the file"),
    _BOTH.action("log.only", "&", "only matches", "only lines that match what is searched for, or all"),
    _BOTH.action("log.error", "e", "error", "the newest line that tells of an error, and from there the next"),
    _BOTH.action("log.wrap", "w", "wrap", "wrap long lines, or cut them"),
    _BOTH.action("log.time", "t", "time", "before each line the time of day, the time since the start, or none"),
    _BOTH.action("log.step_next", "}", "next step", "where the next step starts"),
    _BOTH.action("log.step_previous", "{", "previous step", "where the step before starts"),
)

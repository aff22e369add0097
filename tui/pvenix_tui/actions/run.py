"""Actions on runs."""

from __future__ import annotations

from typing import Final

from pvenix.model.verbs import Danger
from pvenix_tui.actions.base import Action, Context, no_hosts, pvenix_line


def _live(context: Context) -> str:
    return "" if context.run_state == "running" else f"the run is not live ({context.run_state or 'not read yet'})"


def _retry_reason(context: Context) -> str:
    if context.run_state == "interrupted":
        return ""
    return context.host_retry


def _retry_all_reason(context: Context) -> str:
    if context.run_state == "interrupted":
        return ""
    return "" if context.retries else "no host ended in a way that another attempt changes"


def _gates_reason(context: Context) -> str:
    return _live(context) or ("" if context.gates or context.run_paused else "no host waits for a person")


RUNS: Final = (
    Action(
        id="runs.open",
        key="enter",
        label="open",
        help="watch the run, or replay it",
        scopes=("runs",),
        disabled_reason=lambda context: "" if context.run else "there is no run",
        command=lambda context: pvenix_line("runs", "show", context.run or "last"),
        footer=True,
    ),
)

RUN: Final = (
    Action(
        id="run.continue",
        key="c",
        label="continue",
        help="let every waiting host do its next step, or end the pause",
        scopes=("run",),
        disabled_reason=_gates_reason,
        danger=Danger.REVERSIBLE,
        footer=True,
    ),
    Action(
        id="run.retry",
        key="r",
        label="retry",
        help="run the host at the cursor again from the step that did not succeed",
        scopes=("run",),
        disabled_reason=_retry_reason,
        danger=Danger.REVERSIBLE,
        command=lambda context: pvenix_line("resume", context.run or "RUN"),
        footer=True,
    ),
    Action(
        id="run.retry_all",
        key="R",
        label="retry all",
        help="run every host again that did not succeed",
        scopes=("run",),
        disabled_reason=_retry_all_reason,
        danger=Danger.REVERSIBLE,
        command=lambda context: pvenix_line("resume", context.run or "RUN"),
    ),
    Action(
        id="run.pause",
        key="p",
        label="pause",
        help="start no further step; what runs now goes on",
        scopes=("run",),
        disabled_reason=_live,
        footer=True,
    ),
    Action(
        id="run.cancel",
        key="X",
        label="cancel",
        help="end the run: no further step starts, what runs now is let finish",
        scopes=("run",),
        disabled_reason=_live,
        danger=Danger.REVERSIBLE,
        footer=True,
    ),
    Action(
        id="run.cancel_host",
        key="x",
        label="cancel host",
        help="start no further step of the host at the cursor; the others go on",
        scopes=("run",),
        disabled_reason=lambda context: _live(context) or no_hosts(context),
        danger=Danger.REVERSIBLE,
    ),
    Action(
        id="run.review",
        key="v",
        label="review",
        help="the registration branch of the host at the cursor",
        scopes=("run",),
        disabled_reason=no_hosts,
    ),
    Action(
        id="run.commands",
        key="@",
        label="commands",
        help="every command and API call of the run as it was sent",
        scopes=("run",),
        footer=True,
    ),
    Action(
        id="run.failed", key="z", label="failed only", help="only hosts that need a person, or all", scopes=("run",)
    ),
    Action(id="run.zoom", key="enter", label="zoom", help="the log alone, or with the hosts", scopes=("run",)),
    Action(id="log.follow", key="f", label="follow", help="show the newest lines", scopes=("run",), footer=True),
    Action(id="log.search", key="/", label="search", help="find text in the log; n and N go on", scopes=("run",)),
    Action(id="log.next", key="n", label="next", help="the next line that matches", scopes=("run",)),
    Action(id="log.previous", key="N", label="previous", help="the line before that matches", scopes=("run",)),
    Action(id="log.wrap", key="w", label="wrap", help="wrap long lines, or cut them", scopes=("run",)),
    Action(id="log.step_next", key="}", label="next step", help="where the next step starts", scopes=("run",)),
    Action(
        id="log.step_previous", key="{", label="previous step", help="where the step before starts", scopes=("run",)
    ),
)

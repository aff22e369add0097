"""`pvenix audit`: who did what to which host at which commit, and the proof that nobody rewrote it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pvenix.cli.documents import show_document, show_rows
from pvenix.cli.lazy import Group
from pvenix.cli.settings import Settings
from pvenix.cli.text import clean
from pvenix.engine.audit import AuditLog
from pvenix.model.errors import ExitCode

if TYPE_CHECKING:
    from pvenix.engine.auditcheck import Verdict
    from pvenix.wiring import Workspace

_HEADER = ("N", "AT (UTC)", "HOST", "STEP", "OUTCOME", "OPERATOR", "COMMIT", "RUN")


@click.group(
    "audit",
    cls=Group,
    invoke_without_command=True,
    no_args_is_help=False,
    examples=(
        "pvenix audit                                   the newest lines",
        "pvenix audit -l dns01 -n 200                   what was done to a host",
        "pvenix audit --run last -o json                what a run did",
        "pvenix audit --undo -l dns01 -n 5              how each of them is undone, or why it cannot be",
        "pvenix audit verify                            whether every line is as it was written",
    ),
)
@click.option("-l", "--limit", "hosts", metavar="HOSTS", default="", help="Only these hosts; names or patterns, a:b*.")
@click.option("--run", "run", metavar="RUN", default="", help="Only this run; its id, or `last`.")
@click.option("--undo", is_flag=True, help="Say how each of them is undone.")
@click.option("-n", "--lines", type=click.IntRange(1), default=50, show_default=True, help="The newest N.")
@click.pass_context
def command(ctx: click.Context, /, *, hosts: str, run: str, undo: bool, lines: int) -> None:
    """Show what was done to hosts, or tried, from this machine: a line for each step that ended, and each decision.

    The log is `audit.jsonl` in the fleet's state directory. It is only ever appended to, and each line holds the hash
    of the one before.
    """
    if ctx.invoked_subcommand is not None:
        return
    settings = ctx.ensure_object(Settings)
    with settings.workspace() as workspace:
        wanted = str(workspace.runs.open(run).run) if run == "last" else run
        records = list(_matching(_complete_log(workspace), hosts, wanted))[-lines:]
        if undo:
            records = [record | {"undo": _undo(workspace, record)} for record in records]
    rows = [(*_cells(record), *((clean(record["undo"]),) if undo else ())) for record in records]
    show_rows(settings, "audit", records, (*_HEADER, *(("UNDO",) if undo else ())), rows, status=4)


@command.command("verify", examples=("pvenix audit verify", "pvenix audit verify -o json"))
@click.pass_obj
def check(settings: Settings, /) -> int:
    """Prove that every line is as it was written and none is missing; names each line that is not.

    Runs that are still kept are asked as well: every step that their journals know must have its line.

    Keep the hash that it prints somewhere else: as long as the log still has that line, nothing before it was rewritten.
    """
    from pvenix.engine.auditcheck import verify
    from pvenix.engine.audittrail import unwritten

    with settings.workspace() as workspace:
        log = _complete_log(workspace)
        verdict, gone = verify(log), unwritten(log, workspace.runs)
    problems = [{"line": each.line, "what": each.what} for each in verdict.problems]
    problems += [
        {"line": 0, "what": f"run {run} did {step} on {host} (try {count}), and has no line"}
        for run, host, step, count in gone
    ]
    document = {"file": str(log.path), "lines": verdict.lines, "end": verdict.end, "problems": problems}
    show_document(settings, "audit-verdict", document, _told(log, verdict, problems))
    return ExitCode.FAILED if problems else ExitCode.OK


def _complete_log(workspace: Workspace) -> AuditLog:
    """The log, with the lines of acts whose processes were killed; where nothing may be written it is as it is."""
    from pvenix.engine.begun import complete_acts

    log = AuditLog(workspace.state_dir)
    if not workspace.read_only:
        complete_acts(log)
    return log


def _told(log: AuditLog, verdict: Verdict, problems: Sequence[Mapping[str, object]]) -> str:
    lines = [
        f"{log.path}:{each['line']}: line {each['line']} {each['what']}"
        if each["line"]
        else f"{log.path}: {each['what']}"
        for each in problems
    ]
    count = f"{verdict.lines} line{'' if verdict.lines == 1 else 's'}"
    lines.append(f"{count}, {'NOT as written' if lines else 'all as written'}; the last one's hash: {verdict.end}")
    return "\n".join(lines)


def _undo(workspace: Workspace, record: dict[str, Any]) -> str:
    """The command that takes a line back, or why there is none."""
    return "; ".join(undo.told for undo in workspace.undos([record]))


def _matching(log: AuditLog, hosts: str, run: str) -> Iterator[dict[str, Any]]:
    patterns = [word for word in re.split("[:,]", hosts) if word and word != "all"]
    for record in log.records():
        named = not patterns or any(fnmatch.fnmatchcase(str(record.get("host", "")), each) for each in patterns)
        if named and run in ("", record.get("run")):
            yield record


def _cells(record: dict[str, Any]) -> Iterator[str]:
    step, count = str(record.get("step", "")), int(record.get("count", 1))
    yield str(record.get("n", ""))
    yield str(record.get("at", ""))[:19].replace("T", " ")
    yield clean(str(record.get("host", "") or record.get("about", "").partition(" ")[0]))
    yield f"{step} (try {count})" if count > 1 else step or str(record.get("verb", ""))
    yield str(record.get("outcome", ""))
    yield str(record.get("operator", ""))
    yield str(record.get("commit", ""))[:12]
    yield str(record.get("run", ""))

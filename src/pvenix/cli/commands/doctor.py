"""`pvenix doctor`: is the site such that the fleet can be worked on, and if not, what to type."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from pvenix.cli.documents import show_document
from pvenix.cli.lazy import Command
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import one_line, style
from pvenix.model.doctor import Report, Verdict
from pvenix.model.errors import ExitCode, worst
from pvenix.model.privileges import Level

if TYPE_CHECKING:
    from pvenix.wiring import Workspace

_WORDS = {Verdict.OK: "ok", Verdict.PROBLEM: "fail", Verdict.SKIPPED: "skipped"}


@click.command(
    "doctor",
    cls=Command,
    examples=(
        "pvenix doctor",
        "pvenix doctor --level viewer -o json",
        "pvenix doctor --lines 9               the pveum lines for a site of Proxmox 9 that has no token yet",
    ),
)
@click.option(
    "--level",
    type=click.Choice([each.value for each in Level]),
    default=Level.PROVISIONER.value,
    show_default=True,
    help="How much the login is to be able to do.",
)
@click.option(
    "--lines",
    "release",
    type=click.Choice(["8", "9"]),
    metavar="RELEASE",
    help="Only print the pveum lines from nothing, for Proxmox 8 or 9; nobody is asked.",
)
@click.pass_obj
def command(settings: Settings, *, level: str, release: str | None) -> int:
    """Examine the site: endpoints, certificates, login, privileges, quorum, repository, keys.

    Changes nothing. Exit code 0 when nothing is wrong.
    """
    if release:
        return _print_lines(settings, Level(level), int(release))

    async def action(workspace: Workspace) -> Report:
        return await workspace.examine(Level(level))

    report = settings.run_async(action)
    if settings.output is Output.JSONL:
        for check in report.checks:
            click.echo(json.dumps(dataclasses.asdict(check)))
    else:
        show_document(settings, "doctor", {"ok": report.ok, **dataclasses.asdict(report)}, _text(report))
    return worst([check.code for check in report.checks])


def _print_lines(settings: Settings, level: Level, release: int) -> int:
    with settings.workspace() as workspace:
        lines = workspace.pveum_lines(level, release)
    show_document(settings, "pveum", {"level": level, "release": release, "pveum": list(lines)}, "\n".join(lines))
    return ExitCode.OK


def _text(report: Report) -> str:
    lines = []
    for check in report.checks:
        word = _WORDS[check.verdict]
        lines.append(f"{style(f'{check.verdict:<8}', word)} {check.subject}: {one_line(check.found)}")
        lines += [f"         {one_line(each)}" for each in check.advice]
    if report.pveum:
        lines += ["", "paste as root on a node:", "", *report.pveum]
    if report.pveum and not report.version:
        lines += ["", "these are for Proxmox 9; for 8: pvenix doctor --lines 8"]
    return "\n".join(lines)

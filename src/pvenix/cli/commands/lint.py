"""`pvenix lint`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pvenix.cli.lazy import Command
from pvenix.cli.settings import Output, Settings
from pvenix.cli.text import clean, style
from pvenix.model.errors import ExitCode

if TYPE_CHECKING:
    from pvenix.model.lint import LintFinding
    from pvenix.wiring import Workspace


@click.command(
    "lint",
    cls=Command,
    examples=(
        "pvenix lint                               the whole fleet: what Git has, or would take",
        "pvenix lint nix/modules inventory         these files and directories alone",
        "pvenix lint -o json",
    ),
)
@click.argument(
    "paths", nargs=-1, type=click.Path(path_type=Path), help="Files and directories; none is the whole fleet."
)
@click.pass_obj
def command(settings: Settings, /, *, paths: tuple[Path, ...]) -> int:
    """Find what does not belong into the fleet's files: secrets in clear, programs fetched unpinned, open doors.

    Talks to nobody, and never repeats a secret. Exit code 1 when something was found. A line is let through by
    `# pvenix-lint: allow CODE reason` on it, or alone on the line above.
    """

    async def action(workspace: Workspace) -> tuple[LintFinding, ...]:
        return await workspace.lint(paths)

    found = settings.run_async(action)
    errors = sum(each.rule.severity == "error" for each in found)
    match settings.output:
        case Output.JSON:
            counts = {"errors": errors, "warnings": len(found) - errors}
            click.echo(json.dumps({"schema": "pvenix/lint/v1", **counts, "findings": [_item(each) for each in found]}))
        case Output.JSONL:
            for each in found:
                click.echo(json.dumps(_item(each)))
        case Output.TEXT:
            click.echo("\n".join([*(line for each in found for line in _lines(each)), _verdict(found, errors)]))
    return ExitCode.FAILED if found else ExitCode.OK


def _item(each: LintFinding) -> dict[str, object]:
    return {
        "file": each.file,
        "line": each.found.line,
        "column": each.found.column,
        "code": each.rule.code,
        "severity": each.rule.severity.value,
        "what": each.what,
        "why": each.rule.why,
        "hint": each.rule.hint,
    }


def _lines(each: LintFinding) -> list[str]:
    word = "failed" if each.rule.severity == "error" else "waiting"
    kind = style(f"{each.rule.severity}[{each.rule.code}]", word)
    return [
        f"{style(clean(each.place), 'strong')}: {kind}: {clean(each.what)}",
        f"  {each.rule.why}",
        f"  {style('hint', 'hint')}: {each.rule.hint}",
    ]


def _verdict(found: Sequence[LintFinding], errors: int) -> str:
    if not found:
        return "nothing found"
    return f"{errors} error{'s' if errors != 1 else ''}, {len(found) - errors} warnings"
